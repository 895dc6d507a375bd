"""`stillroom prompts`: which prompts there are, one rendered, one put into a folder of your own to edit.

stillroom prompts
stillroom prompts show evol_instruct/deepen --row seeds.jsonl
stillroom prompts copy evol_instruct/deepen --to my_prompts
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.command.options import AsJson
from flows.command.running import say

if TYPE_CHECKING:
    from tasks.text.catalogue.files import Listed
    from tasks.text.prompts import Prompts

PromptSet = Annotated[str | None, typer.Option("--prompt-set", help="a set, full or demo")]
LanguageOption = Annotated[str | None, typer.Option("--language", help="a language of the set, such as en")]
Own = Annotated[str | None, typer.Option("--prompts", help="a folder of your own, laid over ours file by file")]

ENGLISH = "en"

prompts_app = typer.Typer(invoke_without_command=True, help="List the prompts, show one, or copy one to edit.")


@prompts_app.callback()
def list_prompts(
    context: typer.Context,
    prompt_set: PromptSet = None,
    language: LanguageOption = None,
    prompts: Own = None,
    json_: AsJson = False,
) -> None:
    """List the prompts, show one, or copy one to edit."""
    if context.invoked_subcommand is not None:
        return
    from tasks.text.catalogue.files import all_sets, listed

    if prompt_set or language:
        _chosen(prompt_set, language, prompts)
    chosen = [one for one in all_sets(prompts) if prompt_set in (None, one.set) and language in (None, one.language)]
    found = [prompt for one in chosen for prompt in listed(one.resolved())]
    if json_:
        typer.echo(json.dumps([{**prompt.__dict__, "file": str(prompt.file)} for prompt in found]))
        return
    for line in _lines(found):
        typer.echo(line)


@prompts_app.command()
def show(
    name: Annotated[str, typer.Argument(help="a prompt, such as evol_instruct/deepen")],
    row: Annotated[
        Path | None, typer.Option(help="a file whose first row is put in; default: the prompt's own example")
    ] = None,
    prompt_set: PromptSet = None,
    language: LanguageOption = None,
    prompts: Own = None,
    json_: Annotated[
        bool, typer.Option("--json", help="print the messages as one line of JSON, and nothing else")
    ] = False,
) -> None:
    """Render a prompt as a model would get it."""
    from tasks.text.catalogue.files import rendered_with_example

    chosen = _chosen(prompt_set, language, prompts)
    messages, lent = rendered_with_example(chosen, name, {} if row is None else _row(row))
    if json_:
        typer.echo(json.dumps(messages, ensure_ascii=False))
    else:
        typer.echo("\n\n".join(f"--- {message['role']}\n{message['content']}" for message in messages))
    if row is not None and lent:
        say(f"{row} does not say {', '.join(lent)}: shown with the prompt's example")


@prompts_app.command()
def copy(
    name: Annotated[str, typer.Argument(help="a prompt, or a technique for all of its prompts")],
    to: Annotated[Path, typer.Option(help="your folder of prompts")] = Path("my_prompts"),
    prompt_set: PromptSet = None,
    language: LanguageOption = None,
    json_: AsJson = False,
) -> None:
    """Put a prompt into a folder of your own, to edit it there."""
    from tasks.text.catalogue.files import copied

    prompts = _chosen(prompt_set, language, None)
    files = [str(place) for place in copied(prompts, name, to)]
    typer.echo(json.dumps({"files": files}) if json_ else "\n".join(files))
    parts = () if "/" not in name else dict.fromkeys(prompts.parts_of(name))
    for part in parts:
        say(f"it includes {part}, which stays ours; to edit that too: stillroom prompts copy {part} --to {to}")
    say(f"edit it, and run with {_taking(prompts, to)}; what you do not change is not asked for again")


def _chosen(prompt_set: str | None, language: str | None, own: str | None) -> Prompts:
    from tasks.text.prompts import FULL, Prompts

    return Prompts(prompt_set or FULL, language or ENGLISH, own).resolved()


def _lines(found: Sequence[Listed]) -> Iterator[str]:
    """A line for each prompt: its name, version, where it comes from, what for, and the sets and languages that have it."""
    there: dict[tuple[str, ...], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for prompt in found:
        version = "-" if prompt.version is None else f"v{prompt.version}"
        where = str(prompt.file) if prompt.own else "ours"
        there[prompt.name, version, where, prompt.purpose][prompt.set].append(prompt.language)
    width = max(len(prompt.name) for prompt in found)
    for (name, version, where, purpose), sets in sorted(there.items()):
        told = "; ".join(f"{one} {' '.join(languages)}" for one, languages in sets.items())
        yield f"{name:<{width}}  {version}  {where}  {f'{purpose}  ' if purpose else ''}({told})"


def _row(path: Path) -> Mapping[str, Any]:
    """The first row of a file, with our names of columns beside its own."""
    from tasks.seeds.known_formats import BESIDE_A_QUESTION, COLUMNS
    from tasks.seeds.sources import first_record

    record = first_record(path)
    names = {**COLUMNS, **BESIDE_A_QUESTION}
    ours = {
        our: next((record[their] for their in theirs if record.get(their) is not None), None)
        for our, theirs in names.items()
    }
    return {**ours, **record}


def _taking(prompts: Prompts, folder: Path) -> str:
    """The options of a run that asks with a copy of one of these prompts."""
    language = "" if prompts.language == ENGLISH else f" --set language={prompts.language}"
    return f"--set prompts={folder}{language}"
