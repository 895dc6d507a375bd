"""The words that `demo-2` reads as one token each, beside those of `demo`: what prompts and constraints always say the same.

extended(tokenizer)     # demo's tokenizer with these at its end
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

from tests.demo_model.recipes.parts import CONSTRAINED, PROMPTS_READ

READ = (f"{CONSTRAINED}/write", "solve/solution", "user_simulator/next_turn")
WHOLE_LISTS = (
    *("keyword_list", "common_words", "first_words", "section_names", "acrostics", "end_phrases", "start_phrases"),
    "postscripts",
)
"""Lists of which an answer has to copy an item."""
SIGNS = ("\\boxed{", "[END]", "\n***\n", "\n******\n", "## ", "<<", ">>", "| --- ", "\n* ")
FEWEST_WORDS = 2  # of a piece of a prompt that is a token


def recipes_digest() -> str:
    """The digest of the prompts and the words that the model was trained on."""
    state = hashlib.blake2b(digest_size=16)
    for folder in sorted({name.partition("/")[0] for name in READ}):
        state.update(f"{folder} {PROMPTS_READ.digest_of(folder)}".encode())
    state.update(repr(personas()).encode())
    return state.hexdigest()


def personas() -> list[str]:
    """Who a simulated user may be."""
    return list(PROMPTS_READ.lists("basic_prompting")["personas"])


def added_words() -> list[str]:
    """The texts that are tokens, sorted."""
    lists = PROMPTS_READ.lists(CONSTRAINED)
    phrases = [text for name in lists if name not in WHOLE_LISTS for text in lists[name] if "{" in text or "." in text]
    pieces = [piece for text in phrases for piece in re.split(r"\{\w+\}", text)]
    pieces += [line for name in READ for text in PROMPTS_READ.fixed_texts(name) for line in text.splitlines()]
    kept = {piece.strip(' "\n') for piece in pieces}
    whole = {text for name in WHOLE_LISTS for text in lists[name]}
    return sorted({one for one in kept if len(one.split()) >= FEWEST_WORDS} | whole | {*personas(), *SIGNS})


def extended(tokenizer: Any) -> Any:
    """The tokenizer with these texts added to it, but for words that it has already: a space and `many`, say."""
    from tokenizers import AddedToken

    new = [text for text in added_words() if len(tokenizer.encode(f" {text}", add_special_tokens=False)) > 1]
    tokenizer.add_tokens([AddedToken(text, normalized=False, single_word=text.isalpha()) for text in new])
    return tokenizer
