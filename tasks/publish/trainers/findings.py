"""What is wrong with a dataset for one target: each fault with its count, its first rows and what mends it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from tasks.models.target import Target
from tasks.publish.trainers.facts import RowFacts

if TYPE_CHECKING:
    import polars as pl

FaultKind = Literal["row", "setting", "note"]
"""A row that is better left out; something that a setting mends; something to know."""

SHOWN_ROWS = 3
LENGTH_STEP = 64  # lengths are named in multiples of it
WHOLE_SHARE = 0.99
LOGIT_BYTES = 4


@dataclass(frozen=True, slots=True)
class RowFault:
    """What a name of `RowFacts.faults` means, and what mends it."""

    kind: FaultKind
    what: str
    fix: str


FAULTS: Mapping[str, RowFault] = {
    "unreadable": RowFault("row", "they are not what the other rows are", "mend them, or leave them out"),
    "refused": RowFault(
        "row",
        "the chat template refuses them, which ends the training",
        "leave these rows out; of a system message that it refuses, put its words before the user's first",
    ),
    "dropped": RowFault("row", "the trainer drops them without a word", "raise max_length, or leave these rows out"),
    "answer_cut": RowFault("row", "an answer loses its end", "raise max_length, or leave these rows out"),
    "nothing_trained": RowFault("row", "no token carries loss", "leave these rows out"),
    "turn_gone": RowFault(
        "row", "the chat template does not show a turn", "leave these rows out, or train another model"
    ),
    "sides_alike": RowFault(
        "row", "what is left of both sides is the same", "raise max_length, or leave these rows out"
    ),
    "last_turn_is_no_answer": RowFault(
        "row", "the last turn is not the assistant's", "leave out what stands behind it"
    ),
    "control_tokens": RowFault(
        "row", "the text holds what the tokenizer reads as control tokens", "leave these rows out, or mend the text"
    ),
    "system_gone": RowFault(
        "row", "the chat template does not show the system message", "put it before the user's first words"
    ),
    "first_token_twice": RowFault(
        "row", "they begin with the first token twice", "take it off the text: the tokenizer puts it there"
    ),
    "no_end": RowFault(
        "setting",
        "nothing ends the last answer: the model never learns to stop",
        "add the end of the turn to the chat template behind the assistant's content",
    ),
    "end_beside": RowFault(
        "setting",
        "the end token goes to the column `text`, not behind the completion: the model never learns to stop",
        "train on prompt and completion alone, without the column `text`",
    ),
    "end_is_no_stop": RowFault(
        "setting",
        "the last answer ends with a token at which generation does not stop",
        "add that token to eos_token_id of the model's generation_config.json",
    ),
    "end_not_trained": RowFault(
        "setting",
        "the end of the last answer carries no loss",
        "have the mark of the answer in the chat template take in the end of the turn",
    ),
    "reasoning_gone": RowFault(
        "setting",
        "the chat template does not show reasoning that the rows have",
        "publish with the reasoning in the text, or use a template that shows it",
    ),
    "prompt_is_no_prefix": RowFault(
        "setting",
        "the prompt alone is not how the whole begins: the model is trained on another prompt than it will see",
        "use a template that writes an answer behind the prompt as it asks for one",
    ),
    "prompts_trained": RowFault(
        "note",
        "the user's words carry loss too",
        "publish prompt_completion, or set assistant_only_loss where the template marks the answers",
    ),
    "answer_changed": RowFault("note", "an answer is shown without its beginning (its reasoning)", ""),
    "spaces_stripped": RowFault("note", "spaces around a turn are taken off", ""),
    "reordered": RowFault("note", "turns are shown in another order", ""),
}
UNFIT = frozenset(name for name, fault in FAULTS.items() if fault.kind == "row")


@dataclass(frozen=True, slots=True)
class FitFinding:
    """One fault of a dataset. `rows`: the first ones, by place and id; `why`: what was said of the first one."""

    name: str
    kind: FaultKind
    count: int
    share: float
    rows: tuple[str, ...]
    what: str
    fix: str
    why: str = ""


@dataclass(slots=True)
class FitTally:
    """Faults and lengths of rows, counted one after another. Its memory grows with the lengths that there are."""

    rows: int = 0
    unfit: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    lengths: Counter[int] = field(default_factory=Counter)
    first: dict[str, list[RowFacts]] = field(default_factory=dict)
    loss_tokens: int = 0
    kept_tokens: int = 0

    def add(self, facts: RowFacts) -> None:
        """Count the facts of one more row."""
        self.rows += 1
        self.unfit += bool(UNFIT & set(facts.faults))
        self.counts.update(facts.faults)
        if facts.fate != "refused":
            self.lengths[facts.tokens] += 1
        self.kept_tokens += sum(sequence["kept_tokens"] for sequence in facts.sequences)
        self.loss_tokens += sum(sequence["kept_loss_tokens"] for sequence in facts.sequences)
        for name in facts.faults:
            if len(of_name := self.first.setdefault(name, [])) < SHOWN_ROWS:
                of_name.append(facts)

    def add_part(self, part: pl.DataFrame) -> None:
        """More rows, as a table `FitRows` has them: what `add` makes of them one by one."""
        import polars as pl

        one = pl.element()
        self.rows += part.height
        self.unfit += int(part["faults"].list.eval(one.is_in(sorted(UNFIT))).list.any().sum())
        self.counts.update(_counted(part["faults"].explode().drop_nulls()))
        longest = pl.col("sequences").list.eval(one.struct.field("tokens")).list.max().fill_null(0)
        self.lengths.update(_counted(part.filter(pl.col("fate") != "refused").select(longest).to_series()))
        sequences = part["sequences"].explode().drop_nulls().struct
        self.kept_tokens += int(sequences.field("kept_tokens").sum())
        self.loss_tokens += int(sequences.field("kept_loss_tokens").sum())
        for name in part["faults"].explode().drop_nulls().unique(maintain_order=True):
            of_name = self.first.setdefault(name, [])
            lines = part.filter(pl.col("faults").list.contains(name)).head(SHOWN_ROWS - len(of_name))
            of_name += [RowFacts.of(line) for line in lines.iter_rows(named=True)]

    def merge(self, other: FitTally) -> None:
        """The rows that another has counted, after those counted here."""
        self.rows, self.unfit = self.rows + other.rows, self.unfit + other.unfit
        self.loss_tokens, self.kept_tokens = self.loss_tokens + other.loss_tokens, self.kept_tokens + other.kept_tokens
        self.counts.update(other.counts)
        self.lengths.update(other.lengths)
        for name, rows in other.first.items():
            self.first[name] = [*self.first.get(name, []), *rows][:SHOWN_ROWS]

    def findings(self) -> list[FitFinding]:
        """The faults found: rows to leave out, then settings, then notes, the most frequent first."""
        kinds = ("row", "setting", "note")
        names = sorted(self.counts, key=lambda name: (kinds.index(FAULTS[name].kind), -self.counts[name], name))
        return [self._finding(name) for name in names]

    def _finding(self, name: str) -> FitFinding:
        fault, first = FAULTS[name], self.first[name]
        ids = tuple(f"{facts.place}: {facts.row_id}" for facts in first)
        count = self.counts[name]
        return FitFinding(name, fault.kind, count, count / self.rows, ids, fault.what, fault.fix, first[0].why)

    def length_at(self, share: float) -> int:
        """The shortest length at which this share of the rows stays whole, in tokens; 0 where there is no row."""
        wanted, whole = share * sum(self.lengths.values()), 0
        for length in sorted(self.lengths):
            whole += self.lengths[length]
            if whole >= wanted:
                return length
        return 0

    def suggested(self, target: Target) -> list[dict[str, Any]]:
        """Lengths at which 99 % and all rows stay whole, and what the logits of one row of that length take in fp32."""
        return [
            {
                "share": share,
                "max_length": (length := named_length(self.length_at(share))),
                "logits_mb": round(length * target.vocabulary * LOGIT_BYTES / 1e6, 1),
            }
            for share in (WHOLE_SHARE, 1.0)
        ]


def _counted(values: pl.Series) -> dict[Any, int]:
    """How often each value is there."""
    name = values.name
    return {row[name]: row["count"] for row in values.value_counts().iter_rows(named=True)}


def named_length(tokens: int) -> int:
    """The length to set where rows have so many tokens: the next multiple of LENGTH_STEP, of no tokens the first."""
    return max(1, -(-tokens // LENGTH_STEP)) * LENGTH_STEP


def summary(tally: FitTally, target: Target, trainer: str, max_length: int | None) -> dict[str, Any]:
    """All of it as plain values, for JSON, the report and the card."""
    return {
        "model": target.name,
        "trainer": trainer,
        "max_length": max_length,
        "rows": tally.rows,
        "unfit": tally.unfit,
        "unfit_fraction": tally.unfit / tally.rows if tally.rows else 0.0,
        "kept_tokens": tally.kept_tokens,
        "loss_tokens": tally.loss_tokens,
        "lengths": tally.suggested(target),
        "findings": [_plain(finding) for finding in tally.findings()],
    }


def _plain(finding: FitFinding) -> dict[str, Any]:
    names: Sequence[str] = ("name", "kind", "count", "share", "rows", "what", "fix", "why")
    return {name: list(value) if isinstance(value := getattr(finding, name), tuple) else value for name in names}
