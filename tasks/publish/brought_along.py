"""How often the answers of a run bring along what is no part of them: counted as its rows are published, and left in.

    of_answers(pl.DataFrame({"asked": ["Why do cats purr?"], "answer": ["Answer: They are content.\\nConfidence: 95%"]}))
    # label and confidence: true; greeting, offer and repeats_instruction: false

Filters that remove such rows work on a dataset that is there; here its maker is told. The patterns are read by polars, a frame
at a time: Python's `re` takes as long for an answer of usual length as all else that is done with its row when it is published.
They look at nothing behind them (`(?=`), which polars has not, and ends of words are those of ASCII: others take a hundred times as long.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import polars as pl

from tasks.text.languages import either
from tasks.text.responses import normalised

LOOKED_AT = 400  # characters of an answer's beginning and end, where such words stand
GREETING = (
    r"(?i)\A[\W_]{0,4}(?:(?:sure(?: thing)?|certainly|of course|absolutely|great question|good question|happy to help|i['’]d be happy to help[^\n.!:]{0,60})(?:[!,.:—–-]|\s*\n)"
    r"|(?:gerne|natürlich|selbstverständlich|klar)[!,.:]|(?:bien sûr|certainement|avec plaisir)\s?[!,.:]"
    rf"|(?:claro(?: que sí)?|por supuesto|con gusto)[!,.:]|{either('greeting').replace('(?=', '(?:')})"
)
LABEL = (
    rf"(?i)\A[*_#\s]{{0,6}}(?:(?:the |final |my )?(?:answer|response|reply|output|solution)|a|antwort|lösung|réponse|respuesta|solución|{either('answer')}|assistant|ai)"
    r"[*_\s]{0,4}[:：]"
)
CONFIDENCE = (
    rf"(?im)^[*_#\s(\[-]{{0,6}}(?:my )?(?:confidence(?: (?:level|score))?|konfidenz|sicherheit|confiance|niveau de confiance|confianza|nivel de confianza|{either('confidence')})"
    rf"[*_\s]{{0,4}}[:：=]\s*[*_]{{0,2}}\s*(?:\d|high|low|medium|very|hoch|mittel|niedrig|élevée?|moyenne?|faible|alta|media|baja|{either('confidence_levels')})[^\n]{{0,40}}$"
)
OFFER = (
    r"(?i)(?-u:\b)(?:(?:i|we) hope (?:this|that|these|it) (?:helps?|answers|clarif\w+|is helpful)|let me know if|(?:please )?feel free to (?:ask|reach out|let me know|contact me)|would you like me to"
    r"|is there anything else|if you (?:have|need) (?:any )?(?:more|further|other|additional) (?:questions|help|information|assistance)"
    r"|ich hoffe,? (?:das|dies) hilft|lassen? sie (?:es )?mich wissen|lass (?:es )?mich wissen|melden sie sich gerne"
    r"|n['’]hésitez pas à (?:me|poser|demander)|j['’]espère que (?:cela|ça|ceci)|espero que (?:esto|esta|te|le)|no dud(?:e|es) en (?:preguntar|consultar|contactar|pedir))(?-u:\b)"
    rf"|{either('offer')}"
)
ACCENT = r"\p{M}"  # apart from its letter: rare, and to bring all together takes longer than all else
ALL_BUT_LAST_PARAGRAPH = r"(?s)\A.*\n\s*\n"


def counted(frames: Iterable[pl.DataFrame], counts: Counter[str]) -> Iterator[pl.DataFrame]:
    """The frames, in any format of a dataset; what their answers bring along is added to the counts."""
    for frame in frames:
        for said in _answers(frame):
            counts["answers"] += said.height
            counts.update({name: count for name, count in of_answers(said).sum().row(0, named=True).items() if count})
        yield frame


def of_answers(said: pl.DataFrame) -> pl.DataFrame:
    """Which answers (`answer`, after `asked`) have what is no part of one: a column of yes or no for each kind of it.

    `greeting`, `label`, `confidence`, `offer`; `repeats_instruction`, all of it.
    """
    answer = pl.col("answer")
    ends = said.select(head=answer.str.head(LOOKED_AT), tail=answer.str.tail(LOOKED_AT))
    if any(ends.select(pl.all().str.contains(ACCENT).any()).row(0)):
        ends = ends.with_columns(pl.all().str.normalize("NFC"))
    head, tail = pl.col("head"), pl.col("tail")
    found = ends.select(
        greeting=head.str.contains(GREETING),
        label=head.str.contains(LABEL),
        confidence=tail.str.contains(CONFIDENCE),
        offer=tail.str.replace(ALL_BUT_LAST_PARAGRAPH, "").str.contains(OFFER),
    )
    repeats = [_repeats(asked, given) for asked, given in said.iter_rows()]
    return found.with_columns(pl.Series("repeats_instruction", repeats, pl.Boolean))


def _repeats(asked: str, answer: str) -> bool:
    alike = bool(asked) and len(asked) // 2 <= len(answer) <= 2 * len(asked)
    return alike and normalised(asked) == normalised(answer)


def _is_talk(frame: pl.DataFrame, column: str) -> bool:
    """Whether a column holds conversations in our form: what was curated is in its own."""
    kind = frame.schema.get(column)
    turn = kind.inner if isinstance(kind, pl.List) else None
    return isinstance(turn, pl.Struct) and turn.to_schema().get("content") == pl.String


def _answers(frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The last answers of a frame's conversations, and what was `asked` last before each; of pairs, those of each side."""
    for column in ("messages", "completion", "chosen", "rejected"):
        if not _is_talk(frame, column) or (column == "messages" and "chosen" in frame.columns):
            continue
        turns = pl.col(column).list
        asked = turns.get(-2, null_on_oob=True)
        if _is_talk(frame, "prompt"):
            asked = pl.col("prompt").list.last()
        said = {"asked": asked, "answer": turns.last()}
        yield frame.select(turn.struct.field("content").fill_null("").alias(name) for name, turn in said.items())
