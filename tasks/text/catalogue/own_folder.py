"""Whether a user's folder of prompts will be heard: a file in another language, or with a misspelt name, changes nothing."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from tasks.errors import ConfigError
from tasks.text.prompts import LISTS, PART, Prompts, languages_of, sets

ALIKE = 0.8
"""How like one of ours a name is that was meant to be it, 0 to 1."""


def check_own(prompts: Prompts) -> None:
    """Raise ConfigError where the user's folder has no prompt for the language that is asked in."""
    if prompts.own is None or _asked_with(prompts):
        return
    own = Path(prompts.own)
    others = sorted({path.parts[-3] for path in own.glob("*/*/*.j2")})
    fix = f"it has {', '.join(others)}: --set language={others[0]}" if others else "put TECHNIQUE/NAME.j2 into it"
    raise ConfigError(f"your folder has no prompts for the language {prompts.language}", own, fix)


def misspelt(prompts: Prompts) -> list[tuple[Path, str]]:
    """The files of the user's folder that nothing asks with, each with the prompt of ours that was likely meant."""
    known = {name for one in sets() for language in languages_of(one) for name in Prompts(one, language).names()}
    found = []
    for path in _asked_with(prompts):
        name = f"{path.parent.name}/{path.stem}"
        is_a_prompt = path.name != LISTS and not path.name.startswith(PART)
        if is_a_prompt and name not in known and (near := get_close_matches(name, known, 1, ALIKE)):
            found.append((path, near[0]))
    return found


def _asked_with(prompts: Prompts) -> list[Path]:
    """The files in the user's folder that lie where a run in this language looks."""
    folders = prompts.folders[:-1]
    return sorted(path for folder in folders for kind in ("*.j2", LISTS) for path in folder.glob(f"*/{kind}"))
