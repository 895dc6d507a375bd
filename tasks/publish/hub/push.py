"""A dataset on the Hub: one commit for each revision, oldest first, each with a tag, its card and its report.

    stillroom push datasets/demo-sft me/demo-sft

Files are uploaded one by one, the commit names them at the end: till then, nobody sees anything of it. Cut short, or
failed, the same command goes on: what has been uploaded is not uploaded again, and what is committed is not committed again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.errors import ConfigError
from tasks.publish.hub.contents import DATASET_FILES, Contents, check_pushable, files_to_push
from tasks.publish.hub.repository import Head, PushFailed, Repository, digest_for
from tasks.publish.revisions import DATA, Publication

COMMITS = 3
"""How often it begins anew where somebody else commits meanwhile."""
REVISION_TAG = re.compile(r"r\d+")
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Pushed:
    """Where a dataset is on the Hub. `commit`: of its newest revision; `files`: how many of them were new, or others, there.

    `tagged`: the revisions that this push has given their tags.
    """

    repo: str
    url: str
    revision: str
    commit: str
    files: int
    tagged: tuple[str, ...]


def push(
    dataset: Path,
    repo: str,
    *,
    public: bool = False,
    allow_demo: bool = False,
    history: bool = False,
    tell: Tell = lambda _: None,
) -> Pushed:
    """Push a dataset's newest revision. `public`: a repository that is made can be seen by all.

    `history`: each that is kept and newer than what is there, a commit for each; rows that were thrown out since are in
    them. `tell` hears of each file. Raises ConfigError for what the user can mend
    (`check_pushable`, no token, no right to write, revisions of another dataset there), and PushFailed where the Hub fails.
    """
    check_pushable(dataset, allow_demo=allow_demo)
    there = Repository(repo)
    with files_to_push(dataset, there.name, allow_demo=allow_demo) as revisions:
        there.make(public=public)
        count, tagged = 0, list[str]()
        tags = there.tags()
        for contents in _to_commit(there, tags, revisions if history else revisions[-1:]):
            tag = _tag_of(contents)
            commit, changed = _commit(there, contents, tell)
            count += changed
            if tag not in tags:
                there.tag(tag, commit)
                tagged.append(tag)
    return Pushed(there.name, there.url, tag, commit, count, tuple(tagged))


def _to_commit(there: Repository, tags: set[str], revisions: Sequence[Contents]) -> Sequence[Contents]:
    """Those after the newest that has its tag there, and the newest of all, which may have another card or report by now.

    Raises ConfigError where the rows behind that tag are others, or the repository has a newer revision than all of these.
    """
    newer = [tag for tag in tags if REVISION_TAG.fullmatch(tag) and int(tag[1:]) > revisions[-1].line.revision]
    if newer:
        what = f"the repository has a newer revision, {max(newer, key=lambda tag: int(tag[1:]))}"
        raise ConfigError(what, there.name, "push from where that was made, or to another repository")
    at = max((at for at, one in enumerate(revisions) if _tag_of(one) in tags), default=None)
    if at is None:
        return revisions
    tag = _tag_of(revisions[at])
    _check_same_rows(there.name, tag, there.files_of(tag), revisions[at])
    return revisions[at + 1 :] or revisions[-1:]


def _tag_of(contents: Contents) -> str:
    return f"r{contents.line.revision}"


def _commit(there: Repository, contents: Contents, tell: Tell) -> tuple[str, int]:
    """Make the repository hold these files; its newest commit, and how many files that took."""
    for _ in range(COMMITS):
        head = there.head()
        new, gone = files_to_change(head, contents)
        if not (new or gone) and head.commit is not None:
            return head.commit, 0
        uploaded = []
        for at, (name, file) in enumerate(new.items(), 1):
            tell(f"{_tag_of(contents)}, {at} of {len(new)}: {name} ({file.stat().st_size:,} bytes)")
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
