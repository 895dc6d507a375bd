"""The Prefect server that a command talks to: whether it answers, told in one line before anything is started."""

from __future__ import annotations

import base64
import os
import re
import urllib.error
import urllib.request

from tasks.errors import ConfigError

TIMEOUT_S = 10.0


def check_server() -> None:
    """Raise ConfigError where the server that PREFECT_API_URL names does not answer, or wants a password.

    Without that variable the command starts a server of its own. Prefect Cloud, by PREFECT_API_KEY, is left to Prefect.
    """
    url = os.environ.get("PREFECT_API_URL")
    if not url or os.environ.get("PREFECT_API_KEY"):
        return
    shown = without_password(url)
    try:
        request = server_request(url, "admin/version", os.environ.get("PREFECT_API_AUTH_STRING"))
        urllib.request.urlopen(request, timeout=TIMEOUT_S).close()
    except urllib.error.HTTPError as error:
        if error.code in (401, 403):
            fix = "set PREFECT_API_AUTH_STRING=user:password"
            raise ConfigError("the Prefect server wants a password", shown, fix) from error
        if error.code < 500:  # a busy server answers 503, and Prefect's client asks again
            raise ConfigError(f"the Prefect server answers {error.code}", shown, "check PREFECT_API_URL") from error
    except (OSError, ValueError) as error:
        raise ConfigError("the Prefect server does not answer", shown, "start it, or unset PREFECT_API_URL") from error


def server_request(api: str, path: str, auth: str | None) -> urllib.request.Request:
    """A request for what lies below the URL of an API. `auth`: user:password; None where none is needed."""
    headers = {"Authorization": f"Basic {base64.b64encode(auth.encode()).decode()}"} if auth else {}
    return urllib.request.Request(f"{api.rstrip('/')}/{path}", headers=headers)


def without_password(url: str) -> str:
    """The URL without a password that stands in it."""
    return re.sub("//[^/@]*@", "//", url)


def deployment_page(api: str, deployment: str) -> str:
    """The page of a deployment in the UI of the server that has this API. `deployment`: its id."""
    return f"{api.rstrip('/').removesuffix('/api')}/deployments/deployment/{deployment}"
