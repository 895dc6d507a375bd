"""Small logs as the agents write them, made up here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

TOKEN = "ghp_" + "a1B2c3D4e5" * 4
PASSWORD = "correct-horse-" + "battery"


def event(kind: str, content: Any, uuid: str, parent: str | None, **more: Any) -> dict[str, Any]:
    message = {"role": kind, "content": content, **({"id": more.pop("message")} if "message" in more else {})}
    return {"type": kind, "message": message, "uuid": uuid, "parentUuid": parent, "sessionId": "s1"} | more


def use(identity: str, name: str, **arguments: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": identity, "name": name, "input": arguments}


def result(identity: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": identity, "content": content} | more


CLAUDE_CODE = [
    {"type": "summary", "summary": "Tests mended", "leafUuid": "u9"},
    event("user", "Mend the test.", "u1", None),
    event("assistant", [{"type": "thinking", "thinking": "Hm.", "signature": "x"}], "a0", "u1", message="m1"),
    event("assistant", [{"type": "text", "text": "I look at it."}], "a1", "a0", message="m1"),
    event("assistant", [use("t1", "Bash", command=f"GITHUB_TOKEN={TOKEN} make test")], "a2", "a1", message="m1"),
    event("assistant", [use("t2", "Read", file_path="a.py", limit=20)], "a3", "a2", message="m1"),
    event("user", [result("t1", "exit 1", is_error=True)], "u2", "a2"),
    event("user", [result("t2", [{"type": "text", "text": "x = 1"}])], "u3", "a3"),
    event("user", "Leave that, do it otherwise.", "u4", "u3"),
    event("assistant", [{"type": "text", "text": "A branch that was given up."}], "a4", "u4", message="m2"),
    event("assistant", [use("t3", "Edit", file_path="a.py", text="x = 2")], "a5", "u3", message="m3"),
    event("user", [result("t3", "done")], "u5", "a5"),
    event("assistant", [{"type": "text", "text": "It is mended."}], "a6", "u5", message="m4"),
    event("user", "Look around.", "k1", None, isSidechain=True, agentId="sub"),
    event(
        "assistant",
        [{"type": "text", "text": "I see two files."}],
        "k2",
        "k1",
        isSidechain=True,
        agentId="sub",
        message="m5",
    ),
]


def item(**payload: Any) -> dict[str, Any]:
    return {"timestamp": "2026-01-01T00:00:00Z", "type": "response_item", "payload": payload}


def words(role: str, text: str) -> dict[str, Any]:
    kind = "output_text" if role == "assistant" else "input_text"
    return item(type="message", role=role, content=[{"type": kind, "text": text}])


CODEX = [
    {"type": "session_meta", "payload": {"id": "c1", "cwd": "/x"}},
    words("developer", "Be brief."),
    words("user", "How many lines?"),
    {"type": "event_msg", "payload": {"type": "user_message", "message": "How many lines?"}},
    item(type="reasoning", summary=[], encrypted_content="..."),
    item(type="function_call", name="shell", arguments='{"command": ["wc", "-l", "a.py"]}', call_id="f1"),
    item(
        type="function_call_output",
        call_id="f1",
        output=json.dumps({"output": "no such file", "metadata": {"exit_code": 1}}),
    ),
    item(type="function_call", name="shell", arguments='{"command": ["wc", "-l", "b.py"]}', call_id="f2"),
    item(
        type="function_call_output",
        call_id="f2",
        output=json.dumps({"output": "12 b.py", "metadata": {"exit_code": 0}}),
    ),
    words("assistant", "Twelve."),
    words("user", "Thanks."),
]
CALL = {
    "id": "p1",
    "type": "function",
    "function": {"name": "login", "arguments": json.dumps({"user": "ana", "password": PASSWORD})},
}
TOOLS = [
    {"type": "function", "function": {"name": "login", "description": "Log in.", "parameters": {"type": "object"}}}
]
PLAIN = {
    "id": "o1",
    "tools": TOOLS,
    "messages": [
        {"role": "user", "content": "Log me in."},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "p1", "content": '{"error": "denied"}'},
        {"role": "assistant", "content": "I may not."},
    ],
}


def written(folder: Path) -> Path:
    """All of them as files in a folder, with one line that is broken."""
    folder.mkdir(exist_ok=True)
    logs: dict[str, list[Any]] = {"claude.jsonl": CLAUDE_CODE, "codex.jsonl": CODEX, "plain.jsonl": [PLAIN]}
    for name, events in logs.items():
        (folder / name).write_text("".join(json.dumps(one) + "\n" for one in events))
    with (folder / "codex.jsonl").open("a") as file:
        file.write('{"type": "respo')
    return folder
