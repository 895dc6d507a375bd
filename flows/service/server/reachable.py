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
    shown = re.sub("//[^/@]*@", "//", url)  # without a password that stands in it
    auth = os.environ.get("PREFECT_API_AUTH_STRING")
    headers = {"Authorization": f"Basic {base64.b64encode(auth.encode()).decode()}"} if auth else {}
    try:
        request = urllib.request.Request(f"{url.rstrip('/')}/admin/version", headers=headers)
        urllib.request.urlopen(request, timeout=TIMEOUT_S).close()
    except urllib.error.HTTPError as error:
        if error.code in (401, 403):
            fix = "set PREFECT_API_AUTH_STRING=user:password"
            raise ConfigError("the Prefect server wants a password", shown, fix) from error
        if error.code < 500:  # a busy server answers 503, and Prefect's client asks again
            raise ConfigError(f"the Prefect server answers {error.code}", shown, "check PREFECT_API_URL") from error
    except (OSError, ValueError) as error:
        raise ConfigError("the Prefect server does not answer", shown, "start it, or unset PREFECT_API_URL") from error
