"""What one server turned out not to take, and how a request is said to it from then on.

Some of it is only another word for the same thing, and the request is sent again at once (`Reworded`). Some of it
changes what is asked for: a parameter left out. That is part of the request key, so whoever made the key is asked
again (`Reshaped`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import orjson

from tasks.errors import RequestRefused
from tasks.models.answers.thinking import Switch
from tasks.models.base import Reshaped
from tasks.models.endpoint.faults import Fault
from tasks.notices import tell

MAY_BE_LEFT_OUT = ("temperature", "top_p", "presence_penalty", "seed", "top_k", "min_p", "repetition_penalty")
RESPONSE_FORMAT = "response_format"
LOGPROBS = "logprobs"
JSON_SCHEMA = "json_schema"  # left out, an answer is held to being a JSON object, whatever is in it
LEAVABLE = (*MAY_BE_LEFT_OUT, JSON_SCHEMA, RESPONSE_FORMAT, LOGPROBS)
ANY_OBJECT = '{"type":"object"}'
LEFT_OUT_AS = {"schema": RESPONSE_FORMAT}  # what a provider may not offer, as the request key calls it
STOP_FIELDS = (b'"stop":', b'"stop_sequences":')
SCHEMA_FIELDS = (RESPONSE_FORMAT.encode(), b"output_config")
OUTCOMES = {
    JSON_SCHEMA: "takes no JSON schema, so its answers are held to `json_object` alone, and checked",
    RESPONSE_FORMAT: "does not hold answers to a JSON schema, so they are only checked",
    LOGPROBS: "reports no log-probabilities, so scores are what is written",
}
REFUSED = re.compile(
    r"(?:unsupported|not (?:be )?supported|n[o']t support|unrecogni[sz]ed|unexpected|unknown|not (?:permitted|allowed)"
    r"|extra[_ ]forbidden|deprecated|cannot both|only the default|may only be set|must be .{0,60}\bunset)",
    re.IGNORECASE,
)
TOO_MANY = re.compile(r"(?:at most|\bmax\w*|up to|no more than|\blimit\w*)\D{0,40}(\d{1,3})(?!\d)", re.IGNORECASE)
NEAR = 120  # characters between a parameter's name and the word that refuses it
NO_FORMAT = re.compile(r"response_format|json_schema|output_config\.format|output_format", re.IGNORECASE)
NO_FIELD = re.compile(r"(?:unexpected|unknown|unrecogni[sz]ed|extra)\W.{0,60}response_format", re.IGNORECASE)
NO_SCHEMA = re.compile(NO_FORMAT.pattern + r"|structured|guided|grammar", re.IGNORECASE)


class Reworded(Exception):
    """The server does not know a word of the request; there is another for it, and it is sent again at once."""


@dataclass(slots=True)
class Learnt:
    """What is known of one server.

    `limit`: its field for the number of new tokens; `left_out`: what it is not sent; `stops`: how many stop texts it
    takes, None for any number; `takes_stop_ids`: whether the tokens of the others may be sent; `thinks_by`: whether
    thinking is set through the chat template's variables or as `reasoning_effort`; `schema_as`: the type of response
    format that a JSON schema goes out in; `untold`: what has been tried in place of something, and no answer has come to yet.
    """

    server: str = ""
    bos_unasked: bool = False
    limit: str = "max_tokens"
    left_out: frozenset[str] = frozenset()
    stops: int | None = None
    takes_stop_ids: bool = True
    thinks_by: Switch = "template"
    schema_as: Literal["json_schema", "json_object"] = "json_schema"
    untold: str = ""

    def leave_out(self, name: str, words: str = "") -> None:
        """Send this parameter no more, and say so, once."""
        if name not in self.left_out:
            self.left_out |= {name}
            what = OUTCOMES.get(name, f"does not take `{name}`, so it is left out, and the request key says so")
            self.untold = f"{self.server} {what}" + (f": {words}" if words else "")
            if name != JSON_SCHEMA:  # that one has a last step, and is told once it turns out not to need it
                self.tell_the_rest()

    def tell_the_rest(self) -> None:
        """An answer has come to what was tried last: say what it is."""
        if self.untold:
            tell(self.untold)
            self.untold = ""

    def learn_of_the_schema(self, error: Exception, sent: bytes) -> None:
        """Raises Reworded or Reshaped where a request is refused for its JSON schema.

        The schema is tried as `json_object` then (llama-cpp-python), then that alone (DeepSeek), then nothing is sent.
        Some servers refuse with a fault of their own (llama-cpp-python: 500).
        """
        if not any(field in sent for field in SCHEMA_FIELDS) or not isinstance(error, (RequestRefused, Fault)):
            return
        words, pattern = (error.detail, NO_SCHEMA) if isinstance(error, RequestRefused) else (str(error), NO_FORMAT)
        if not pattern.search(words):
            return
        asked = orjson.loads(sent).get(RESPONSE_FORMAT) or {}
        if asked.get("type") == JSON_SCHEMA and not NO_FIELD.search(words):
            if self.schema_as == JSON_SCHEMA:
                self.schema_as = "json_object"
                self.untold = f"{self.server} takes a JSON schema as `json_object` alone, and is sent it so: {words}"
            raise Reworded
        if asked.get("schema", {}).get("type") == "object":
            self.leave_out(JSON_SCHEMA, words)
        else:
            self.leave_out(RESPONSE_FORMAT, words)
        raise Reshaped

    def learn(self, refusal: RequestRefused, raw: str, sent: bytes) -> None:
        """Raises Reworded or Reshaped where there is another way to say what the server refuses; it is used from now on.

        `raw`: the error's body; `sent`: the request's. A parameter that has been left out since this request was made
        is one that it has to be made without.
        """
        words = refusal.detail
        if "add_special_tokens" in words and b'"add_special_tokens":' in sent:
            self.bos_unasked = True  # transformers serve
            raise Reworded
        if "max_completion_tokens" in words and b'"max_tokens":' in sent:
            self.limit = "max_completion_tokens"  # OpenAI's reasoning models
            raise Reworded
        if "chat_template_kwargs" in raw and b'"chat_template_kwargs":' in sent:
            self.thinks_by = "effort"  # OpenAI and those who take what it takes
            raise Reworded
        if "adaptive" in raw and b'"budget_tokens":' in sent:
            self.thinks_by = "effort"  # Anthropic's newer models
            raise Reworded
        if b'"stop_token_ids":' in sent and "stop_token_ids" in raw:
            self.takes_stop_ids = False
            raise Reworded
        if any(field in sent for field in STOP_FIELDS) and (most := _stops_taken(raw)) is not None:
            if self.stops is None or most < self.stops:
                self.stops = most
                tell(f"{self.server} takes {most} stop texts: the others are applied to the answers here")
            raise Reworded  # another may have learnt it while this one was on its way
        sent_too = [name for name in (*MAY_BE_LEFT_OUT, LOGPROBS) if f'"{name}":'.encode() in sent]
        if name := _refused(sent_too, raw.replace("top_logprobs", LOGPROBS)):
            self.leave_out(name, words)
            raise Reshaped


@lru_cache(maxsize=64)
def schema_without(schema: str, left_out: frozenset[str]) -> str | None:
    """What is left of a JSON schema to be asked for: of one for an object, that it is one."""
    if RESPONSE_FORMAT in left_out:
        return None
    if JSON_SCHEMA in left_out:
        return ANY_OBJECT if orjson.loads(schema).get("type") == "object" else None
    return schema


def _stops_taken(raw: str) -> int | None:
    """How many stop texts a server takes, as its refusal of more says; None where it is about something else."""
    if not re.search(r"(?<![A-Za-z_])stop(?:_sequences)?(?![A-Za-z_])", raw):
        return None
    if found := TOO_MANY.search(raw):
        return int(found[1])
    return 0 if _refused(["stop"], raw) else None


def _refused(names: Sequence[str], raw: str) -> str | None:
    """The parameter that an error does not take, None where it is about something else, as a value that it dislikes.

    An error may name others that it does take: the one nearest to the word that refuses is meant.
    """
    refusing = [found.span() for found in REFUSED.finditer(raw)]
    apart = {
        name: min((max(start - found.end(), found.start() - end) for start, end in refusing), default=NEAR)
        for name in names
        for found in re.finditer(rf"(?<![A-Za-z_]){name}(?![A-Za-z_])", raw)
    }
    nearest = min(apart, key=lambda name: apart[name], default=None)
    return nearest if nearest is not None and apart[nearest] < NEAR else None
