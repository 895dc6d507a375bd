"""Secrets in a log, taken out before anything of it is kept anywhere.

    redacted("export GITHUB_TOKEN=ghp_...")        # ("export GITHUB_TOKEN=[REDACTED:github]", 1)

By the forms that the keys of large services have, private keys, tokens in headers, passwords in URLs, and values of names that
say that they are secret. What has no form and no name is not seen: look at the rows before you publish them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

PATTERNS: Mapping[str, re.Pattern[str]] = {
    "private_key": re.compile(
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL
    ),
    "anthropic": re.compile(r"\bsk-ant-[A-Za-z0-9_-]{16,}"),
    "openai": re.compile(r"\bsk-(?:proj-|svcacct-|admin-|or-v1-)?[A-Za-z0-9_-]{20,}"),
    "github": re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})"),
    "gitlab": re.compile(r"\bglpat-[A-Za-z0-9_-]{16,}"),
    "hugging_face": re.compile(r"\bhf_[A-Za-z0-9]{20,}"),
    "aws": re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    "google": re.compile(r"\bAIza[A-Za-z0-9_-]{30,}"),
    "slack": re.compile(r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
    "stripe": re.compile(r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}"),
    "npm": re.compile(r"\bnpm_[A-Za-z0-9]{30,}"),
    "pypi": re.compile(r"\bpypi-[A-Za-z0-9_-]{30,}"),
    "jwt": re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
    "header": re.compile(
        r"(?<=Bearer )(?!\[REDACTED)[A-Za-z0-9._~+/=-]{12,}|(?<=Basic )(?!\[REDACTED)[A-Za-z0-9+/=]{12,}"
    ),
    "url": re.compile(r"(?<=://)[^\s/:@\[\]\"']{1,64}:(?!\[REDACTED)[^\s/@\"']{1,128}(?=@)"),
}
SECRET_NAME = r"[A-Za-z0-9_.-]*(?:password|passwd|secret|api[_-]?key|access[_-]?key|auth[_-]?token|private[_-]?key|_token|_pwd)[A-Za-z0-9_]*"
NAMED = re.compile(rf"(?i)\b({SECRET_NAME})(\\?[\"']?\s*[=:]\s*\\?[\"']?)(?!\[REDACTED)([^\s\"'\\,;&$(){{}}<>]{{8,}})")
IS_SECRET = re.compile(rf"(?i)^{SECRET_NAME}$")


def redacted(text: str) -> tuple[str, int]:
    """The text with each secret as `[REDACTED:kind]`, and how many there were."""
    count = 0
    for kind, pattern in PATTERNS.items():
        text, found = pattern.subn(f"[REDACTED:{kind}]", text)
        count += found
    text, found = NAMED.subn(_named, text)
    return text, count + found


def _named(found: re.Match[str]) -> str:
    return f"{found[1]}{found[2]}[REDACTED:named]"


def redacted_value(value: Any, name: str = "") -> tuple[Any, int]:
    """The same for all texts in a value of plain JSON; one under a name that says it is secret goes whole."""
    if isinstance(value, str):
        if name and value and IS_SECRET.match(name) and not value.startswith("[REDACTED"):
            return "[REDACTED:named]", 1
        return redacted(value)
    if isinstance(value, list):
        parts = [redacted_value(one) for one in value]
        return [one for one, _ in parts], sum(count for _, count in parts)
    if isinstance(value, dict):
        pairs = {key: redacted_value(one, str(key)) for key, one in value.items()}
        return {key: one for key, (one, _) in pairs.items()}, sum(count for _, count in pairs.values())
    return value, 0


def redacted_turn(turn: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    """A turn without its secrets. The arguments of its calls stay JSON."""
    made, total = dict(turn), 0
    if isinstance(turn.get("content"), str):
        made["content"], total = redacted(turn["content"])
    calls = []
    for call in turn.get("tool_calls") or ():
        text, count = _arguments(call["function"]["arguments"])
        calls.append(call | {"function": call["function"] | {"arguments": text}})
        total += count
    return made | ({"tool_calls": calls} if calls else {}), total


def _arguments(text: str) -> tuple[str, int]:
    try:
        held = json.loads(text)
    except ValueError:
        return redacted(text)
    value, count = redacted_value(held)
    return (json.dumps(value, ensure_ascii=False) if count else text), count
