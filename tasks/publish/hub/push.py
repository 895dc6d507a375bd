"""A dataset on the Hub: one commit for each revision, with a tag, the card and the report with it.

    stillroom push datasets/demo-sft me/demo-sft

Files are uploaded one by one, the commit names them at the end: till then, nobody sees anything of it. Cut short, or
failed, the same command goes on: what has been uploaded is not uploaded again, and what is committed is not committed again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tasks.errors import ConfigError
from tasks.publish.hub.contents import DATASET_FILES, Contents, check_pushable, files_to_push
from tasks.publish.hub.repository import Head, PushFailed, Repository, digest_for
from tasks.publish.revisions import DATA, Publication

COMMITS = 3
"""How often it begins anew where somebody else commits meanwhile."""
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Pushed:
    """Where a dataset is on the Hub. `commit`: of its newest revision; `files`: how many of them were new, or others, there."""

    repo: str
    url: str
    revision: str
    commit: str
    files: int

    def as_dict(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self)


def push(
    dataset: Path, repo: str, *, public: bool = False, allow_demo: bool = False, tell: Tell = lambda _: None
) -> Pushed:
    """Push the newest revision of a dataset. `public`: a repository that is made now can be seen by all.

    `tell` hears of each file. Raises ConfigError for what the user can mend (`check_pushable`, no token, no right to write,
    a revision of other rows there), and PushFailed where the Hub fails.
    """
    check_pushable(dataset, allow_demo=allow_demo)
    there = Repository(repo)
    with files_to_push(dataset, there.name) as contents:
        tag = f"r{contents.line.revision}"
        there.make(public=public)
        tagged = there.tagged(tag)
        if tagged is not None:
            _check_same_rows(there.name, tag, tagged, contents)
        commit, count = _commit(there, contents, tell)
        if tagged is None:
            there.tag(tag, commit)
    return Pushed(there.name, there.url, tag, commit, count)


def _commit(there: Repository, contents: Contents, tell: Tell) -> tuple[str, int]:
    """Make the repository hold these files; its newest commit, and how many files that took."""
    for _ in range(COMMITS):
        head = there.head()
        new, gone = files_to_change(head, contents)
        if not (new or gone) and head.commit is not None:
            return head.commit, 0
        uploaded = []
        for at, (name, file) in enumerate(new.items(), 1):
            tell(f"{at} of {len(new)}: {name} ({file.stat().st_size:,} bytes)")
            uploaded.append(there.upload(name, file))
        made = there.commit(uploaded, gone, _message(contents.line), head.commit)
        if made is not None:
            return made, len(new)
    raise PushFailed(f"somebody else commits to {there.name} all the time: give the same command again")


def files_to_change(head: Head, contents: Contents) -> tuple[dict[str, Path], list[str]]:
    """The files that are not there as they are here, the rows first; and those of ours there that are gone here.

    Files there that are none of ours (`.gitattributes`, a licence) stay.
    """
    new = {
        name: file
        for name, file in contents.files.items()
        if name not in head.files or digest_for(file, head.files[name]) != head.files[name]
    }
    rows_first = sorted(new, key=lambda name: (not _is_data(name), name))
    ours = (name for name in head.files if _is_data(name) or name in DATASET_FILES)
    return {name: new[name] for name in rows_first}, sorted(name for name in ours if name not in contents.files)


def _check_same_rows(repo: str, tag: str, tagged: Mapping[str, str], contents: Contents) -> None:
    """Raise ConfigError where a revision of this number is there, and is another one."""
    theirs = {name for name in tagged if _is_data(name)}
    ours = {name: file for name, file in contents.files.items() if _is_data(name)}
    if theirs != ours.keys() or any(digest_for(file, tagged[name]) != tagged[name] for name, file in ours.items()):
        what = f"the repository has another revision {tag}, whose rows are not these"
        raise ConfigError(what, repo, "push to another repository; a tag of the Hub is not moved")


def _is_data(name: str) -> bool:
    return name.startswith(f"{DATA}/")


def _message(line: Publication) -> str:
    changes = ", ".join(f"{count} {what}" for what, count in line.changes.model_dump().items() if count)
    return f"r{line.revision}: {line.rows:,} rows" + (f" ({changes})" if changes else "")
