"""What a proof can be told: the dataset, what it is held against, what students are measured by, and how they are trained."""

from __future__ import annotations

from pydantic import BaseModel, Field

SMALL, LARGE = 50e6, 1e9  # parameters: below, a student is trained whole; above, it is given less per step
LORA_RANK = 16


class Training(BaseModel, frozen=True, extra="forbid"):
    """How students are trained. What is empty depends on the size of the base."""

    epochs: float = Field(3.0, gt=0, description="times that each row is taught")
    steps: int | None = Field(
        None,
        ge=1,
        description="batches that are taught, whatever the epochs",
        exclude_if=lambda told: (
            told is None
        ),  # so that students keep the keys that they had before there was this field
    )
    batch: int | None = Field(None, ge=1, description="rows of a step; default: 16, of a base over 10^9 parameters 8")
    learning_rate: float | None = Field(
        None,
        gt=0,
        description="peak; default: 1e-3 for a base under 5*10^7 parameters, 2e-4 with LoRA; DPO a tenth of it",
    )
    lora: int | None = Field(
        None,
        ge=0,
        description="rank of the adapters, 0 trains the whole student; default: 16 from 5*10^7 parameters on",
    )
    max_length: int = Field(1024, ge=16, description="tokens of a row; what is longer is cut by the trainer")
    beta: float = Field(0.1, gt=0, description="DPO: how far it may go from the student that it begins with")
    sft_weight: float = Field(
        0.0,
        ge=0,
        description="DPO: how much the chosen answers' own loss counts beside it (Pang et al. 2024, arXiv:2404.19733)",
        exclude_if=lambda told: told == 0,  # of a later version, as `steps` is
    )

    def for_size(self, parameters: int, kind: str) -> Training:
        """With everything filled in for a base of so many parameters."""
        lora = self.lora if self.lora is not None else (0 if parameters < SMALL else LORA_RANK)
        rate = self.learning_rate or (2e-4 if lora else 1e-3 if parameters < SMALL else 5e-5)
        if kind == "dpo" and self.learning_rate is None:
            rate /= 10
        batch = self.batch or (16 if parameters < LARGE else 8)
        return self.model_copy(update={"lora": lora, "learning_rate": rate, "batch": batch})

    def before_pairs(self) -> Training:
        """Of the answers that come before pairs: what fits into memory is the same; how far they are taught is not meant."""
        return Training(batch=self.batch, lora=self.lora, max_length=self.max_length)


class ProofSettings(BaseModel, frozen=True, extra="forbid"):
    """What a proof can be told."""

    dataset: str = Field(description="a folder, a .jsonl or .parquet file, or hf:NAME")
    base: str = Field(description="the student to be: a transformers folder or name with a chat template, or demo-base")
    against: tuple[str, ...] = Field((), description="other datasets of the same kind, each taught to a student")
    split: str | None = Field(None, description="of the dataset; default: train")
    rows: int | None = Field(None, ge=1, description="answers taught at most, drawn by the seed; default: all")
    held_out: str | None = Field(None, description="a dataset to measure by; default: a share of the rows")
    held_out_split: str | None = Field(None, description="of that dataset; default: train")
    held_out_share: float = Field(0.1, gt=0, lt=1, description="of the rows, drawn by their prompts")
    questions: str | None = Field(
        None, description="a file, a folder or hf:NAME of questions that students answer themselves; none is taught"
    )
    questions_split: str | None = Field(None, description="of those; default: train")
    choices: str | None = Field(
        None, description="questions with options, such as MMLU's or ARC's: is the right one the likeliest?"
    )
    choices_split: str | None = Field(None, description="of those; default: train")
    check: str | None = Field(
        None,
        description="what calls an answer right: answer (the row's reference), constraints (the row's), or your own FILE.py:NAME, from a question and an answer to true, false or, where none can tell, None. Without questions it checks answers to what is held out",
    )
    reference_text: str | None = Field(
        None, description="a file or folder of texts (column text) by whose loss forgetting is measured"
    )
    judge: str | None = Field(
        None, description="a model that says whether a student's answers to the questions are better than the base's"
    )
    judged: int = Field(100, ge=20, description="questions that the judge is asked about, the first ones")
    max_new_tokens: int = Field(256, ge=1, description="of an answer that is checked")
    after: str | None = Field(
        None, description="for pairs: answers that each student is taught first, and the pairs after them"
    )
    curve: bool = Field(False, description="students of an eighth, a quarter and half of the rows as well")
    slices: str | None = Field(
        None, description="a column: a student without each of its values, and one of it alone; numbers in four bands"
    )
    max_students: int = Field(60, ge=3, description="more students than this are refused before any is trained")
    seeds: int = Field(1, ge=1, description="students of each kind, each with a seed of its own")
    training: Training = Field(Training(), description="how students are trained")
    training_before: Training | None = Field(
        None,
        description="how the answers of `after` are taught; default: the batch, lora and max_length of `training`, else as a dataset of answers is by default",
    )
    out: str | None = Field(None, description="the folder for proof.json; default: that of the dataset")
