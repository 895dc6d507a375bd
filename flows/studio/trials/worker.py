"""The process that tries: told what to do in a line of JSON, it answers with lines of JSON.

    {"do": "preview", "kind": "sft", "file": "datasets/mine.yaml", "rows": 5, "model": ""}
    {"do": "preview", ..., "lane": 2, "draw": 1}        # one of these rows, asked again
    {"do": "plan", "description": "...", "model": {"name": "..."}, "language": "en"}

It ends with the studio, whose pipe it reads. Each try ends with a line that has `told`, `plan` or `wrong`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Reply = Callable[[Mapping[str, Any]], None]


def main() -> None:
    """Work until the pipe ends. What libraries print goes to the log."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def reply(told: Mapping[str, Any]) -> None:
        replies.write(json.dumps(told) + "\n")
        replies.flush()

    import flows.preview  # noqa: F401 - before the first try is asked for: it takes seconds

    for line in sys.stdin:
        _work(json.loads(line), reply)


def _work(asked: Mapping[str, Any], reply: Reply) -> None:
    from tasks.errors import ConfigError, Interrupted
    from tasks.notices import heard

    try:
        with heard(lambda line: reply({"said": line})):
            _PARTS[asked["do"]](asked, reply)
    except ConfigError as error:
        reply({"wrong": str(error)})
    except Interrupted:
        reply({"wrong": "stopped"})


def _preview(asked: Mapping[str, Any], reply: Reply) -> None:
    from flows.config_file import load_config
    from flows.preview import AskedAgain, preview
    from flows.studio.configs.file import RECIPE_KINDS

    options = {"model": {"name": asked["model"]}} if asked.get("model") else {}
    config = load_config(RECIPE_KINDS[asked["kind"]], Path(asked["file"]), options)
    again = AskedAgain(asked["lane"], asked["draw"]) if asked.get("draw") else None

    def placed(entry: dict[str, Any]) -> dict[str, Any]:
        """The entry at the row's own lane: alone it has gone through the first."""
        return {**entry, "lane": again.lane} if again and entry["lane"] is not None else entry

    told = preview(config, asked["rows"], lambda step, entry: reply({"step": step, "entry": placed(entry)}), again)
    reply({"told": {**told, "steps": [{**one, "rows": list(map(placed, one["rows"]))} for one in told["steps"]]}})


def _plan(asked: Mapping[str, Any], reply: Reply) -> None:
    from flows.studio.configs.described import plan_from

    plan = plan_from(asked["description"], asked["model"], asked["language"])
    reply({"plan": plan.settings(asked["model"], asked["language"]), "name": plan.name})


_PARTS: Mapping[str, Callable[[Mapping[str, Any], Reply], None]] = {"preview": _preview, "plan": _plan}

if __name__ == "__main__":
    main()
