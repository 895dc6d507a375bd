"""Pages: a template, the reader's language, the session's form token and the tabs of a dataset.

    return page(request, "look.html", dataset=folder, rows=rows)        # templates/look.html extends frame.html

All text is escaped. `{{ text | markdown }}` renders Markdown through a sanitiser, `{{ t("Rows") }}` speaks the reader's
language, and `{{ form_token() }}` belongs into each <form method="post">; htmx sends it by itself.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment
from markupsafe import Markup

from flows.runs.timing import duration
from flows.studio.guard.forms import FIELD
from flows.studio.markdown import as_html
from flows.studio.messages import LANGUAGES, Translate, choose_reader_language, translator
from flows.studio.state import studio_of
from tasks.publish.describe.html import html_templates

TEMPLATES_FOLDER = Path(__file__).parent / "templates"
LANGUAGE_COOKIE = "stillroom_language"
TABS = (("", "Overview"), ("/look", "Look"), ("/review", "Review"), ("/publish", "Publish"))
"""The tabs of a dataset: what stands behind /d/NAME, and the title."""


def page(request: Request, template: str, /, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A whole page or a part of one, from `templates/`."""
    return HTMLResponse(part(request, template, **values), status)


def part(request: Request, template: str, /, **values: Any) -> str:
    """The HTML of a template, e.g. for an event of a stream."""
    studio = studio_of(request)
    language = reader_language(request)
    token = studio.sessions.form_token(request.scope.get("studio_session", ""))
    return (
        _environment()
        .get_template(template)
        .render(
            t=translator(language),
            language=language,
            languages=LANGUAGES,
            token=token,
            form_token=lambda: Markup('<input type="hidden" name="{}" value="{}">').format(FIELD, token),
            here=request.url.path,
            tabs=TABS,
            is_open="studio_session" in request.scope,
            **values,
        )
    )


def reader_language(request: Request) -> str:
    """The reader's language: chosen, else the browser's."""
    return choose_reader_language(request.cookies.get(LANGUAGE_COOKIE), request.headers.get("accept-language", ""))


def says(request: Request) -> Translate:
    """Says English words in the reader's language."""
    return translator(reader_language(request))


def url_of(*parts: str) -> str:
    """A path of the studio, each part quoted: url_of("d", name)."""
    return "/" + "/".join(quote(part, safe="") for part in parts)


@cache
def _environment() -> Environment:
    environment = html_templates(TEMPLATES_FOLDER)
    environment.filters |= {
        "markdown": as_html,
        "money": lambda cost: f"{cost:.4g}",
        "duration": duration,
        "tojson_text": lambda value: json.dumps(value, ensure_ascii=False, indent=1, default=str),
    }
    environment.globals["url_of"] = url_of
    return environment
