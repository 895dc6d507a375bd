"""A text that is made into tokens piece by piece has the tokens that the library makes of the whole, at the same places."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from tasks.models.target import open_target
from tasks.models.text_pieces import DIGITS, SPLITS, TextPieces, text_pieces
from tests.models.tiny import CORPUS

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
OVER = "Reply with two lines:"  # an added token of the demo model
PARTS = [
    " ",
    "  ",
    "\n",
    "\t",
    "\r\n",
    "\xa0",
    "\u3000",
    "\x1c",
    "'s",
    "'LL",
    "1",
    "12345",
    "½",
    "a",
    "Word",
    "naïve",
    "ß",
    "梅酒",
    "e\u0301",
]
PARTS += [
    "\u0301",
    "🍓",
    "...",
    "!\n",
    "<",
    "|>",
    "-",
    "_",
    " a",
    " the",
    " The",
    " cat",
    " Éa",
    " with",
    "\u200d",
    *SPECIAL,
    OVER,
    " two",
    "Reply",
]
TEXTS = st.lists(st.sampled_from(PARTS), max_size=24).map("".join) | st.text(max_size=40)


def made(steps: list[Any], *, trim: bool = False, added: tuple[AddedToken, ...] = ()) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer over three sentences that splits a text by these steps."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=trim, add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=420,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([*CORPUS, "the cat's cat, with two cats and 12 words of the Word"] * 3, trainer)
    tokenizer.add_tokens(list(added))
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>")


def split(pattern: str) -> list[Any]:
    return [pre_tokenizers.Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)]


LEVEL = [pre_tokenizers.ByteLevel(False)]
MAKES = {f"split {at}": split(pattern) for at, pattern in enumerate(sorted(SPLITS))}
MAKES |= {f"digits {at}": [*split(pattern)[:1], *LEVEL] for at, pattern in enumerate(sorted(DIGITS))}
MAKES |= {"gpt-2": LEVEL, "smollm": [pre_tokenizers.Digits(individual_digits=True), *LEVEL]}
TOKENIZERS = {name: made(steps, trim=len(name) % 2 == 0) for name, steps in MAKES.items()}
TOKENIZERS["demo"] = open_target("demo").tokenizer
PIECES = {name: text_pieces(tokenizer) for name, tokenizer in TOKENIZERS.items()}


def starts(found: Any) -> list[int]:
    return [place + start for place, of_piece in zip(found.at, found.starts, strict=True) for start in of_piece]


@settings(max_examples=30, deadline=None)
@pytest.mark.parametrize("name", TOKENIZERS)
@given(texts=st.lists(TEXTS, min_size=1, max_size=8))
def test_pieces_are_the_whole(name: str, texts: list[str]) -> None:
    tokenizer, pieces = TOKENIZERS[name], PIECES[name]
    assert pieces is not None
    whole = tokenizer(texts, add_special_tokens=False, return_offsets_mapping=True)
    for at, found in enumerate(pieces.tokens(texts)):
        begins = [start for start, _ in whole["offset_mapping"][at]]
        assert (found.ids, starts(found)) == (whole["input_ids"][at], begins)
        for character in range(len(texts[at]) + 2):
            assert found.from_character(character) == sum(begin < character for begin in begins)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.models.text_pieces.REMEMBERED", 50)
    pieces = text_pieces(TOKENIZERS["gpt-2"])
    assert isinstance(pieces, TextPieces)
    for number in range(40):
        (found,) = pieces.tokens([f"the cat{number} with <|im_end|>"])
        assert TOKENIZERS["gpt-2"].decode(found.ids) == f"the cat{number} with <|im_end|>"
        assert len(pieces._known) < 20


@pytest.mark.parametrize(
    "tokenizer",
    [
        made([pre_tokenizers.ByteLevel(True)]),
        made([pre_tokenizers.Metaspace()]),
        made([pre_tokenizers.ByteLevel(False, use_regex=False)]),
        made(split(r"\S+ \S+|\s")),
        made(LEVEL, added=(AddedToken("<mask>", lstrip=True),)),
        made(LEVEL, added=(AddedToken("two words"),)),
    ],
    ids=["prefix", "metaspace", "no split", "another split", "strips", "over one break"],
)
def test_another_make_is_left_to_the_library(tokenizer: Any) -> None:
    assert text_pieces(tokenizer) is None
