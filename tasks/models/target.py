"""The model that a dataset is to train: its tokenizer, its chat template and where it ends a turn. No weights.

target = open_target("HuggingFaceTB/SmolLM2-1.7B-Instruct")
target.tokens([target.text([{"role": "user", "content": "Why do cats purr?"}])])[0].ids
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from jinja2 import TemplateError

from tasks.errors import ConfigError, first_line
from tasks.models.local.checkpoint import find_checkpoint
from tasks.models.open import BUILT_IN
from tasks.models.text_pieces import TextPieces, Tokens, text_pieces

GENERATION_MARK = "{% generation"
SHAPING = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json", "config.json")


class TemplateRefusal(ValueError):
    """A conversation that the chat template does not take, in the template's own words."""


@dataclass(frozen=True)
class Target:
    """What is known of a model without its weights.

    `ends`: the ids at which its generation stops; `identity`: a digest of all that shapes what a trainer sees.
    """

    name: str
    tokenizer: Any
    ends: frozenset[int]
    identity: str

    def text(
        self,
        talk: Sequence[Mapping[str, Any]],
        *,
        tools: Sequence[Any] | None = None,
        to_answer: bool = False,
        variables: Mapping[str, Any] | None = None,
    ) -> str:
        """A conversation as the template writes it; `to_answer`: with the beginning of the assistant's next turn.

        Raises TemplateRefusal.
        """
        try:
            text = self.tokenizer.apply_chat_template(
                list(talk), tools=tools, tokenize=False, add_generation_prompt=to_answer, **(variables or {})
            )
        except (TemplateError, TypeError, ValueError, LookupError, AttributeError) as error:
            raise TemplateRefusal(_without_content(talk, first_line(error))) from error
        return str(text)

    def tokens(self, texts: Iterable[str], *, special: bool = False) -> list[Tokens]:
        """Texts as tokens. `special`: with those that the tokenizer puts around a text of its own accord."""
        given = list(texts)
        if not given:
            return []
        if not special and self._pieces is not None:
            return self._pieces.tokens(given)
        found = self.tokenizer(given, add_special_tokens=special, return_offsets_mapping=True, verbose=False)
        places = ([start for start, _ in offsets] for offsets in found["offset_mapping"])
        return [Tokens.whole(*pair) for pair in zip(found["input_ids"], places, strict=True)]

    def generated(
        self, talk: Sequence[Mapping[str, Any]], tools: Sequence[Any] | None, variables: Mapping[str, Any] | None
    ) -> list[bool]:
        """Which tokens of a conversation stand between the template's marks of what the assistant says."""
        found = self.tokenizer.apply_chat_template(
            list(talk),
            tools=tools,
            tokenize=True,
            return_dict=True,
            return_assistant_tokens_mask=True,
            **(variables or {}),
        )
        return [bool(bit) for bit in found["assistant_masks"]]

    @property
    def source(self) -> str:
        """What transformers loads it from: a folder, or a name on the Hub."""
        return _source(self.name)

    @cached_property
    def turn_end(self) -> str | None:
        """The text of the first special token behind an answer, None where the template writes none there."""
        said = "ANSWER0b7d5ae1"
        asked = {"role": "user", "content": "first"}
        after = self.text([asked, {"role": "assistant", "content": said}]).rpartition(said)[2]
        special = set(self.tokenizer.all_special_ids)
        ids = self.tokens([after])[0].ids
        return next((str(self.tokenizer.decode([token])) for token in ids if token in special), None)

    @property
    def marks_answers(self) -> bool:
        """Whether the template marks what the assistant says."""
        return any(GENERATION_MARK in text.replace("{%-", "{%") for text in self._templates)

    @cached_property
    def control_tokens(self) -> tuple[str, ...]:
        """Texts that the tokenizer reads as one special token, the longest first."""
        added = self.tokenizer.added_tokens_decoder.values()
        return tuple(sorted({token.content for token in added if token.special}, key=lambda t: (-len(t), t)))

    @cached_property
    def control_begins(self) -> tuple[str, ...]:
        """The first characters of those texts. Looking for these is quick, where there may be hundreds of tokens."""
        return tuple({token[:2]: None for token in self.control_tokens})

    @property
    def vocabulary(self) -> int:
        """How many tokens there are."""
        return len(self.tokenizer)

    @cached_property
    def _pieces(self) -> TextPieces | None:
        return text_pieces(self.tokenizer)

    @property
    def _templates(self) -> list[str]:
        template = self.tokenizer.chat_template
        return list(template.values()) if isinstance(template, dict) else [template]


@lru_cache(maxsize=4)
def open_target(name: str) -> Target:
    """The target of a folder, a name on the Hub, or a built-in one. Raises ConfigError where it has no tokenizer or no template."""
    source, where, commit = _place(name)  # first: where the Hub does not know a name, transformers goes on trying
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(source, **where)
    except Exception as error:  # the library raises what it likes
        raise ConfigError("the tokenizer cannot be had", name, first_line(error)) from error
    if not tokenizer.chat_template:
        fix = "name the model's instruct version, or put a chat_template.jinja into the folder"
        raise ConfigError("the model has no chat template", name, fix)
    if not tokenizer.is_fast:
        raise ConfigError("the tokenizer does not tell where its tokens stand", name, "it needs a tokenizer.json")
    return Target(name, tokenizer, _ends(source, where, tokenizer), _identity(source, commit, tokenizer))


def _place(name: str) -> tuple[str, dict[str, str], str]:
    """Where transformers loads it from, with which options, and the commit of a name on the Hub. Raises ConfigError."""
    source = _source(name)
    if Path(source).is_dir():
        return source, {}, ""
    checkpoint = find_checkpoint(name)
    return source, {"revision": checkpoint.revision} if checkpoint.revision else {}, checkpoint.identity


def _without_content(talk: Sequence[Mapping[str, Any]], said: str) -> str:
    """What a template says against a conversation; in our words where it asks for a content that a turn does not have."""
    bare = next((at for at, turn in enumerate(talk, 1) if turn.get("content") is None), None)
    if bare is None or "content" not in said:
        return said
    what = "calls a tool and has" if talk[bare - 1].get("tool_calls") else "has"
    return f"turn {bare} {what} no content, and the template asks for one; give it an empty one"


def _source(name: str) -> str:
    return str(BUILT_IN[name]) if name in BUILT_IN else str(Path(name).expanduser())


def _ends(source: str, where: Mapping[str, str], tokenizer: Any) -> frozenset[int]:
    """The ids of `generation_config.json`, and the tokenizer's own end."""
    from transformers import GenerationConfig

    configs: Any = GenerationConfig
    try:
        said = configs.from_pretrained(source, **where).eos_token_id
    except OSError:  # it is not a must
        said = None
    ends = said if isinstance(said, list) else [said]
    return frozenset(end for end in [*ends, tokenizer.eos_token_id] if end is not None)


def _identity(source: str, commit: str, tokenizer: Any) -> str:
    folder = Path(source)
    parts: list[Any] = [json.dumps(tokenizer.chat_template, sort_keys=True), tokenizer.backend_tokenizer.to_str()]
    parts += [commit] if commit else []
    if folder.is_dir():
        parts += [(folder / name).read_text(encoding="utf-8") for name in SHAPING if (folder / name).is_file()]
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()
