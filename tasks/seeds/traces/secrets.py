"""Secrets in a log, taken out before anything of it is kept anywhere.

    redacted("export GITHUB_TOKEN=ghp_...")        # ("export GITHUB_TOKEN=[REDACTED:github]", 1)

By the forms that the keys of large services have, private keys, tokens in headers, passwords in URLs, and values of names that
say that they are secret. What has no form and no name is not seen: look at the rows before you publish them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from tasks.patterns import pattern

PATTERNS: Mapping[str, re.Pattern[str]] = {
    "private_key": pattern(
        r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|\Z)"
        r"|\bAGE-SECRET-KEY-1[A-Z0-9]{40,}",
        re.DOTALL,
    ),
    "anthropic": pattern(r"\bsk-ant-[A-Za-z0-9_-]{16,}"),
    "openai": pattern(r"\bsk-(?:proj-|svcacct-|admin-|or-v1-)?[A-Za-z0-9_-]{20,}"),
    "github": pattern(r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})"),
    "gitlab": pattern(r"\bgl(?:pat|rt|dt|ptt|ft|oas|soat|agent)-[A-Za-z0-9_-]{16,}"),
    "hugging_face": pattern(r"\bhf_[A-Za-z0-9]{20,}"),
    "aws": pattern(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    "google": pattern(r"\b(?:AIza[A-Za-z0-9_-]{30,}|ya29\.[A-Za-z0-9_-]{20,}|GOCSPX-[A-Za-z0-9_-]{20,})"),
    "slack": pattern(r"\bx(?:ox[abeoprs]|app)-[A-Za-z0-9-]{10,}|(?<=hooks\.slack\.com/services/)[A-Za-z0-9/]{20,}"),
    "stripe": pattern(r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}"),
    "npm": pattern(r"\bnpm_[A-Za-z0-9]{30,}"),
    "pypi": pattern(r"\bpypi-[A-Za-z0-9_-]{30,}"),
    "service": pattern(
        r"\b(?:gsk_|xai-|pplx-|r8_|hvs\.|lin_api_|shp(?:at|ca|pa|ss)_|sb[ps]_|do[opr]_v1_|dckr_[po]at_)[A-Za-z0-9_-]{24,}"
        r"|\bdapi[0-9a-f]{32}\b|\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|\b\d{8,10}:AA[A-Za-z0-9_-]{32,}"
    ),
    "jwt": pattern(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
    "header": pattern(
        r"(?<=Bearer )(?!\[REDACTED)[A-Za-z0-9._~+/=-]{12,}|(?<=Basic )(?!\[REDACTED)[A-Za-z0-9+/=]{12,}"
    ),
    "url": pattern(r"(?<=://)[^\s/:@\[\]\"']{0,64}:(?!\[REDACTED)[^\s/@\"']{1,128}(?=@)"),
}
"""What is a secret by its own form."""
SURE = (
    r"(?i:password|passwd|passphrase|secret|api[_-]?key|(?:access|account|shared|private)[_-]?key|auth[_-]?token"
    r"|[_-]token|[_-]pwd|[_-]pass)(?:_\w{1,40}|[A-Z]\w{0,40}|\d{1,8})?"
)
"""Names of secrets, whatever they hold."""
MAYBE = r"(?<![A-Za-z0-9_.])(?i:token|pwd|pass|sig|session[_-]?id|auth)"
"""Those of much else as well: what they hold has to look like a secret."""
FREE = r"(?!\[REDACTED)(?!(?:os|self|cls|this|config|settings|process|request|args|env|app)\.|[A-Za-z_][\w.]*[\[(])"
"""No secret yet taken out, and no code that says where it comes from."""
LONG, LONG_WITH_DIGIT = r"[^\s\"'\\,;&$(){}<>]{8,}", r"(?=[^\s\"'\\,;&]*\d)[A-Za-z0-9_.~+/=%-]{12,}"
BETWEEN = r"\\?[\"']?\s*[=:]\s*\\?[\"']?"
BEHIND: Mapping[str, re.Pattern[str]] = {
    "named": pattern(rf"((?:{SURE}){BETWEEN}){FREE}{LONG}|({MAYBE}{BETWEEN}){FREE}{LONG_WITH_DIGIT}"),
    "option": pattern(
        rf"(--(?:[\w-]{{0,40}}{SURE}) ){FREE}{LONG}|(--token ){FREE}{LONG_WITH_DIGIT}"
        r"|(\bcurl\b[^\n|;]{0,200}? (?:-u|--user)[ =]?[\"']?[^\s:\"']+:)(?!\[REDACTED)[^\s\"'@]{4,}"
        r"|(\blogin\s+\S+\s+password\s+)(?!\[REDACTED)\S{4,}"
    ),
    "cookie": pattern(r"((?i:cookie):\s*)(?!\[REDACTED)[^\s\"'=]+=[^\n\"']{8,}"),
}
"""What is a secret by what stands before it, which stays."""
IS_SECRET = pattern(rf"(?:{SURE})$")
MAY_BE_SECRET, LOOKS_SECRET = pattern(rf"^{MAYBE}$"), pattern(LONG_WITH_DIGIT)


def redacted(text: str) -> tuple[str, int]:
    """The text with each secret as `[REDACTED:kind]`, and how many there were."""
    count = 0
    for kind, secret in PATTERNS.items():
        text, found = secret.subn(f"[REDACTED:{kind}]", text)
        count += found
    for kind, secret in BEHIND.items():
        text, found = secret.subn(partial(_behind, kind), text)
        count += found
    return text, count


def _behind(kind: str, found: re.Match[str]) -> str:
    return f"{next(filter(None, found.groups()))}[REDACTED:{kind}]"


def _says_secret(name: str, value: str) -> bool:
    """Whether a name says that what it has is secret."""
    maybe = MAY_BE_SECRET.search(name) is not None and LOOKS_SECRET.fullmatch(value) is not None
    return maybe or IS_SECRET.search(name) is not None


def redacted_value(value: Any, name: str = "") -> tuple[Any, int]:
    """The value of plain JSON without the secrets in its texts. A text whose name says that it is secret is replaced whole."""
    if isinstance(value, str):
        if name and value and _says_secret(name, value) and not value.startswith("[REDACTED"):
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
