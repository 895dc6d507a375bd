"""`stillroom prove`: does this data make a model better, and by how much?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from flows.command.options import AsLastLine, ConfigPath
from flows.command.running import start_flow

prove_app = typer.Typer()
TRAINING = ("epochs", "steps", "batch", "learning_rate", "lora", "max_length", "beta", "sft_weight")
"""Options that say how students are trained."""


@prove_app.command()
def prove(
    dataset: Annotated[str | None, typer.Argument(help="a folder, a .jsonl or .parquet file, or hf:NAME")] = None,
    base: Annotated[
        str | None, typer.Option(help="the student to be: a transformers folder or name, or demo-base")
    ] = None,
    config: ConfigPath = None,
    against: Annotated[list[str] | None, typer.Option(help="another dataset, taught to a student of its own")] = None,
    split: Annotated[str | None, typer.Option(help="of the dataset; default: train")] = None,
    rows: Annotated[int | None, typer.Option(help="answers taught at most; default: all")] = None,
    held_out: Annotated[str | None, typer.Option(help="a dataset to measure by; default: a share of the rows")] = None,
    held_out_split: Annotated[str | None, typer.Option(help="of that dataset; default: train")] = None,
    held_out_share: Annotated[float | None, typer.Option(help="of the rows, by their prompts; default: 0.1")] = None,
    questions: Annotated[
        str | None, typer.Option(help="questions that students answer; none of them is taught")
    ] = None,
    questions_split: Annotated[str | None, typer.Option(help="of the questions; default: train")] = None,
    choices: Annotated[str | None, typer.Option(help="questions with options: is the right one the likeliest?")] = None,
    choices_split: Annotated[str | None, typer.Option(help="of those; default: train")] = None,
    check: Annotated[str | None, typer.Option(help="answer, constraints, or FILE.py:NAME: is an answer right?")] = None,
    reference_text: Annotated[str | None, typer.Option(help="texts by whose loss forgetting is measured")] = None,
    judge: Annotated[str | None, typer.Option(help="a model that compares a student's answers to the base's")] = None,
    judged: Annotated[int | None, typer.Option(help="questions that the judge is asked about; default: 100")] = None,
    after: Annotated[str | None, typer.Option(help="answers taught first, and the pairs after them")] = None,
    curve: Annotated[bool, typer.Option("--curve", help="students of 1/8, 1/4 and 1/2 of the rows too")] = False,
    slices: Annotated[str | None, typer.Option(help="a column: students without each value, and of it alone")] = None,
    max_new_tokens: Annotated[int | None, typer.Option(help="of an answer that is checked; default: 256")] = None,
    max_students: Annotated[int | None, typer.Option(help="more than these are refused; default: 60")] = None,
    seeds: Annotated[int | None, typer.Option(help="students of each kind; default: 1")] = None,
    epochs: Annotated[float | None, typer.Option(help="times that each row is taught; default: 3")] = None,
    steps: Annotated[int | None, typer.Option(help="batches taught, whatever the epochs")] = None,
    batch: Annotated[int | None, typer.Option(help="rows of a step; default: by the size of the base")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="default: by the size of the base")] = None,
    lora: Annotated[int | None, typer.Option(help="rank; 0 trains the whole student; default: by its size")] = None,
    max_length: Annotated[int | None, typer.Option(help="tokens of a row; default: 1024")] = None,
    beta: Annotated[float | None, typer.Option(help="of pairs: the pull of the student before; default: 0.1")] = None,
    sft_weight: Annotated[float | None, typer.Option(help="of pairs: of the chosen answers' loss; default: 0")] = None,
    out: Annotated[str | None, typer.Option(help="the folder for proof.json; default: the dataset's")] = None,
    json_: AsLastLine = False,
) -> None:
    """Train small students on a dataset and on what it is held against, and say by how much they differ."""
    options = dict(locals())  # they have the names of the settings
    options |= {"against": against or None, "curve": curve or None}
    told = {name: value for name, value in options.items() if value is not None and name not in ("config", "json_")}
    if training := {name: told.pop(name) for name in TRAINING if name in told}:
        told["training"] = training

    def run(open_server: Callable[[], None]) -> dict[str, Any]:
        from flows.config_file import load_config
        from tasks.train.settings import ProofSettings

        settings = load_config(ProofSettings, config, told)  # the user's mistakes first
        from tasks.train.plan import check_proof

        check_proof(settings)
        from flows.prove import prove as prove_flow

        open_server()
        return prove_flow(settings)

    start_flow(run, json_, show=show_proof)


def show_proof(proof: dict[str, Any]) -> None:
    """The tables, and where the proof and the first student of the dataset lie."""
    from tasks.train.arms import DATASET
    from tasks.train.proof import as_markdown

    typer.echo(as_markdown(proof))
    typer.echo(f"written: {proof['written']}")
    typer.echo(f"its student: {proof['students'][DATASET][0]}")
