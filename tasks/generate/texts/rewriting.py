"""A text in, a request to write it in another way and the rewritten text out, with the same facts.

stillroom sft --recipe rewrite --seeds mails.jsonl --column context=body
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field

from tasks.engine.ask import Models
from tasks.engine.losses import OneByOne
from tasks.engine.row import Row
from tasks.engine.technique import Params, technique
from tasks.errors import Unusable
from tasks.generate.texts.given_texts import answered_text, long_text_of
from tasks.models.base import Sampling
from tasks.text.composition.weights import Weight, some_weight
from tasks.text.documents.chunks import Chunking
from tasks.text.facts.kept import changed_facts, is_list, words_a_sentence
from tasks.text.reading.wrapping import bare_response
from tasks.text.responses import normalised
from tasks.text.templates import requests_in
from tasks.text.words import word_count

FOLDER = "rewrite"
Variant = Literal["concise", "friendly", "professional", "simple", "bullets"]
VARIANTS: tuple[Variant, ...] = get_args(Variant)


class Rewriting(Params):
    """How texts are rewritten, and what is asked of each variant."""

    chunks: Chunking = Chunking(words=400, characters=800, overlap=0)
    variants: Annotated[dict[Variant, Weight], AfterValidator(some_weight)] = Field(
        dict.fromkeys(VARIANTS, 1.0), min_length=1, description="variants and how often each is drawn"
    )
    each: int = Field(1, ge=1, le=len(VARIANTS), description="variants of each text, none twice, a row each")
    min_words: int = Field(20, ge=1, description="words; shorter texts are not rewritten")
    concise_share: float = Field(0.85, gt=0, lt=1, description="of the words of its text that a concise one may have")
    max_share: float = Field(1.6, gt=1, description="of the words of its text that any other one may have")
    check_facts: bool = Field(
        True, description="one that loses a number, date or name of its text, or has one of its own, is asked for again"
    )
    sampling: Sampling = Field(
        Sampling(temperature=0.7, top_p=0.95, max_new_tokens=1024), description="how texts are rewritten"
    )

    @property
    def chunking(self) -> Chunking:
        """How a folder of documents is cut into texts."""
        return self.chunks

    @property
    def rows_of_each(self) -> int:
        """Variants of one text."""
        return self.each

    @property
    def shares_texts(self) -> bool:
        """The variants of one text."""
        return True


@technique(reads="Rows", writes="RewrittenResponses", prompts=FOLDER)
async def rewriting(row: Row, models: Models, params: Rewriting) -> list[Row]:
    """Rewrite the row's `context`, or its `instruction`, in ways drawn for it (SmolTalk's Smol-rewrite, arXiv:2502.02737).

    Writes `instruction` (a request drawn from the prompts' own, and the text), `response`, `response_model`, `system`,
    `variant`, `text_kind` and `document`. A variant that could not be had is a loss; the row is rejected where all
    are. Raises Filtered (no_text, too_short), Unusable (unchanged, too_long, no_list, sentences_too_long, number_lost, name_added ...).
    """
    text = long_text_of(row, params.min_words)
    children: list[Row] = []
    asks = OneByOne(row)
    drawn = drawn_variants(row, params)
    requests = {variant: requests_in(models.lists(FOLDER), variant, FOLDER) for variant in drawn}
    for variant in drawn:
        with asks:
            said = await models.ask(
                f"{FOLDER}/{variant}",
                by="responder",
                text=text,
                sampling=params.sampling,
                quoting=True,
                parse=models.in_language(
                    partial(rewritten_of, text=text, variant=variant, language=models.language, params=params)
                ),
            )
            request = row.choose(requests[variant], "request", variant)
            children.append(answered_text(row, models, request, text, said, variant=variant))
    return asks.some(children)


def drawn_variants(row: Row, params: Rewriting) -> list[Variant]:
    """The variants of a row: as many as wanted, each once, by weight."""
    left = {name: weight for name, weight in sorted(params.variants.items()) if weight}
    drawn: list[Variant] = []
    while left and len(drawn) < params.each:
        drawn.append(row.choose(tuple(left), "variant", len(drawn), weights=tuple(left.values())))
        del left[drawn[-1]]
    return drawn


def rewritten_of(completion: str, *, text: str, variant: Variant, language: str, params: Rewriting) -> str:
    """The rewritten text in a completion. Raises Unusable where it is not what the variant asks for."""
    said = bare_response(completion, text)
    if not said:
        raise Unusable("empty")
    if normalised(said) == normalised(text):
        raise Unusable("unchanged")
    most = params.concise_share if variant == "concise" else params.max_share
    if (share := word_count(said) / word_count(text)) > most:
        raise Unusable("too_long", f"{share:.0%} of the words, at most {most:.0%}")
    if variant == "bullets" and not is_list(said):
        raise Unusable("no_list", "not a list of points")
    if variant == "simple" and (long := words_a_sentence(said)) > (before := words_a_sentence(text)):
        raise Unusable("sentences_too_long", f"{long:.1f} words a sentence, {before:.1f} before")
    if params.check_facts and (changes := changed_facts(text, said, language)):
        how, fact = changes[0]
        raise Unusable(f"{fact.kind}_{how}", ", ".join(f"{one.text} {what}" for what, one in changes))
    return said
