"""What is wrong with a command line, in one line as all mistakes are told: what, the value, the fix; exit code 2.

stillroom sft --sedes F     ->  stillroom: no such option: --sedes (did you mean --seeds?)
"""

from __future__ import annotations

import sys
from typing import Any

import typer
from typer.core import TyperGroup

from flows.command.running import FAILED, MISTAKE, end_with_mistake
from tasks.errors import ConfigError, did_you_mean

UsageError: Any = typer.BadParameter.__mro__[1]
"""Typer's own click, which has no public name for it."""


class CommandGroup(TyperGroup):
    """The commands. Whichever of them meets a mistake of the user's ends with one line, and exit code 2."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that the line names."""
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            end_with_mistake(error)


def run_app(app: typer.Typer) -> None:
    """Run the command line, and end the process with its exit code."""
    try:
        code = app(prog_name="stillroom", standalone_mode=False)
    except UsageError as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            error.show()
            code = MISTAKE
        else:
            try:
                end_with_mistake(explained(error))
            except typer.Exit as ended:
                code = ended.exit_code
    except typer.Abort:
        code = FAILED
    sys.exit(code or 0)


def explained(error: Any) -> ConfigError:
    """A mistake of the command line as one of ours."""
    command = error.ctx.command_path if error.ctx is not None else "stillroom"
    help_ = f"`{command} --help` lists what there is"
    if (option := getattr(error, "option_name", None)) is not None and hasattr(error, "possibilities"):
        return ConfigError("no such option", option, did_you_mean(option, _options(error.ctx), help_))
    if (name := _unknown_command(error)) is not None:
        return ConfigError("no such command", name, did_you_mean(name, error.ctx.command.commands, help_))
    said = error.format_message().strip().rstrip(".")
    return ConfigError(said[:1].lower() + said[1:], _given(getattr(error, "param", None)), help_)


def _given(parameter: Any) -> str | None:
    """What the command line gives an option; None where that is not clear."""
    words = sys.argv[1:]
    for name in [] if parameter is None else parameter.opts:
        for word, following in zip(words, [*words[1:], None], strict=True):
            if word == name or word.startswith(f"{name}="):
                return following if word == name else word.partition("=")[2]
    return None


def _unknown_command(error: Any) -> str | None:
    """The first word, where that is no command of a group."""
    words = error.message.split("'")
    is_unknown = error.message.startswith("No such command") and len(words) > 1
    return words[1] if is_unknown else None


def _options(context: Any) -> list[str]:
    return [name for parameter in context.command.params for name in parameter.opts if name.startswith("--")]
