"""A dataset repository of the Hub: is it there, what is in it, what goes into it. Faults are told in one line, without token.

The token is that of `HF_TOKEN`, else of `hf auth login`; huggingface_hub reads both, and sends it as a header alone.
"""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import file_digest, sha1
from pathlib import Path
from typing import Any

from tasks.errors import ConfigError
from tasks.notices import tell

DATASET = "dataset"
BRANCH = "main"
COMMIT_TRIES = 4
FIRST_PAUSE_S = 1.0
MOST_SAID = 300
SIGNED = re.compile(r"(?<=\w)\?[\w.%-]+=[^\s'\"]*")
"""The part of a URL that lets whoever has it write there."""
PASSING = frozenset({408, 409, 412, 429})
"""Answers that may be others the next time, as those from 500 on."""
LOGIN = "set HF_TOKEN, or run `hf auth login`"


class PushFailed(RuntimeError):
    """The Hub, or the way to it, failed. What has been uploaded stays there: the same command goes on."""


def check_repo_name(repo: str) -> str:
    """The name, OWNER/NAME or NAME. Raises ConfigError for what the Hub takes for no name."""
    from huggingface_hub import utils as hub_utils
    from huggingface_hub.errors import HFValidationError

    utils: Any = hub_utils
    try:
        utils.validate_repo_id(repo)
    except HFValidationError as error:
        raise ConfigError(
            "not the name of a repository", repo, "OWNER/NAME, letters, digits and - _ . in it"
        ) from error
    return repo


def check_token() -> str:
    """The token to push with. Raises ConfigError where there is none."""
    from huggingface_hub import get_token

    token = get_token()
    if token is None:
        raise ConfigError("no token for the Hub", None, LOGIN)
    return token


@dataclass(frozen=True)
class Head:
    """The newest commit of a repository, and its files: the digest of each, SHA-256 of large files, git's SHA-1 of others."""

    commit: str | None
    files: Mapping[str, str]


class Repository:
    """A dataset repository, by its whole name. Methods raise ConfigError for what the user can mend, else PushFailed."""

    def __init__(self, repo: str) -> None:
        from huggingface_hub import HfApi

        self._token = check_token()
        self._api = HfApi(token=self._token)
        check_repo_name(repo)
        with self.telling_faults(repo):
            self.name = repo if "/" in repo else f"{self._api.whoami(cache=True)['name']}/{repo}"

    @property
    def url(self) -> str:
        """The address of the repository's page on the Hub."""
        return f"{self._api.endpoint}/datasets/{self.name}"

    def make(self, *, public: bool) -> None:
        """Make the repository where it is not there: private, unless told. One that is there stays as it is.

        Raises ConfigError for one that is public where that was not told.
        """
        with self.telling_faults(self.name):
            is_private = self._is_private()
            if is_private is None:
                self._api.create_repo(self.name, private=not public, repo_type=DATASET, exist_ok=True)
                is_private = self._is_private()
        if is_private is False and not public:
            raise ConfigError("the repository is public", self.name, "--public pushes to it; or name another one")
        if is_private and public:
            tell(f"{self.name} is private, and stays so: its settings on the Hub say who sees it")

    def head(self) -> Head:
        """What is in it now. A repository without a commit has no files."""
        from huggingface_hub.errors import EntryNotFoundError, RevisionNotFoundError

        with self.telling_faults(self.name):
            try:
                commit = self._api.repo_info(self.name, repo_type=DATASET, revision=BRANCH).sha
                return Head(commit, self._files(commit or BRANCH))
            except (EntryNotFoundError, RevisionNotFoundError):
                return Head(None, {})

    def tags(self) -> set[str]:
        """The names of its tags."""
        with self.telling_faults(self.name):
            return {ref.name for ref in self._api.list_repo_refs(self.name, repo_type=DATASET).tags}

    def files_of(self, tag: str) -> Mapping[str, str]:
        """The files of a tag that is there, as `Head.files`."""
        with self.telling_faults(self.name):
            return self._files(tag)

    def upload(self, path: str, file: Path) -> Any:
        """Upload a file, unless its content is there; the operation for `commit`. Small files go with the commit itself."""
        from huggingface_hub import CommitOperationAdd

        with self.telling_faults(self.name), _quiet():
            addition = CommitOperationAdd(path, str(file))
            self._api.preupload_lfs_files(self.name, [addition], repo_type=DATASET, revision=BRANCH, free_memory=False)
            return addition

    def commit(self, uploaded: Sequence[Any], gone: Sequence[str], message: str, parent: str | None) -> str | None:
        """Make one commit of files that are uploaded, and without those that are gone; None where `parent` is not the newest.

        What the Hub has taken though its answer was lost is not committed twice: the second try finds another parent.
        """
        from huggingface_hub import CommitOperationDelete

        deletions = [CommitOperationDelete(path) for path in gone]
        for at in range(COMMIT_TRIES):
            with self.telling_faults(self.name), _quiet():
                try:
                    made: str = self._api.create_commit(
                        self.name,
                        [*uploaded, *deletions],
                        commit_message=message,
                        repo_type=DATASET,
                        revision=BRANCH,
                        parent_commit=parent,
                    ).oid
                    return made
                except _transport_errors() as error:
                    status = _status(error)
                    if status == 412:
                        return None
                    if not _may_pass(status) or at == COMMIT_TRIES - 1:
                        raise
            time.sleep(FIRST_PAUSE_S * 2**at)
        raise AssertionError("the last try returns or raises")

    def tag(self, name: str, commit: str) -> None:
        """Give a commit a tag."""
        with self.telling_faults(self.name):
            self._api.create_tag(self.name, tag=name, revision=commit, repo_type=DATASET, exist_ok=True)

    def _is_private(self) -> bool | None:
        """None where there is no such repository that the token may see."""
        from huggingface_hub.errors import RepositoryNotFoundError

        try:
            return bool(self._api.repo_info(self.name, repo_type=DATASET).private)
        except RepositoryNotFoundError as error:
            if error.response.status_code == 401:
                raise
            return None

    def _files(self, revision: str) -> dict[str, str]:
        from huggingface_hub import RepoFile

        tree = self._api.list_repo_tree(self.name, recursive=True, revision=revision, repo_type=DATASET)
        files = (one for one in tree if isinstance(one, RepoFile))
        return {file.path: file.lfs.sha256 if file.lfs else file.blob_id for file in files}

    @contextmanager
    def telling_faults(self, what: str) -> Iterator[None]:
        """Turn faults of the Hub into one line: ConfigError for what the user can mend, else PushFailed. Never the token.

        The library's own error is not chained to it: what the server said may hold the request's headers.
        """
        try:
            yield
        except ConfigError:
            raise
        except _transport_errors() as error:
            status, said = _status(error), self._said(error)
            if status == 401:
                raise ConfigError("the Hub does not take the token", what, LOGIN) from None
            if status == 403:
                fix = f"its token needs write access there: {LOGIN}"
                raise ConfigError("the Hub does not let you write", what, fix) from None
            if not _may_pass(status):
                raise ConfigError(
                    "the Hub refuses it", f"{what}: {said}", "mend it, then give the same command"
                ) from None
            raise PushFailed(f"the Hub failed: {what}: {said}") from None

    def _said(self, error: BaseException) -> str:
        cause = error.__cause__ if isinstance(error, RuntimeError) and error.__cause__ else error
        line = SIGNED.sub("", " ".join(str(cause).split())) or type(cause).__name__
        return line.replace(self._token, "[token]")[:MOST_SAID]


def digest_for(file: Path, wanted: str | None) -> str:
    """The digest of a file as the Hub has it, by the length of the one that it is compared with (`Head.files`)."""
    if wanted is None or len(wanted) == 64:
        with file.open("rb") as opened:
            return file_digest(opened, "sha256").hexdigest()
    data = file.read_bytes()
    return sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _transport_errors() -> tuple[type[Exception], ...]:
    """What huggingface_hub raises where the Hub, or the way to it, fails.

    RuntimeError: an upload, its cause behind it. ValueError: an answer that is no JSON, such as the page of a proxy.
    """
    from huggingface_hub import errors

    client: Any = errors  # whose HTTPError is that of the client it was built on
    return (OSError, client.HTTPError, RuntimeError, ValueError)


def _status(error: BaseException) -> int | None:
    """The HTTP status behind an error, None where there was no answer."""
    for one in (error, error.__cause__):
        response = getattr(one, "response", None)
        if response is not None:
            return int(response.status_code)
    return None


def _may_pass(status: int | None) -> bool:
    """Whether a fault may be gone the next time; of no answer at all, too."""
    return status is None or status >= 500 or status in PASSING


@contextmanager
def _quiet() -> Iterator[None]:
    """huggingface_hub without its own bars, and without lines in its log that show where a file is put, signature and all."""
    from huggingface_hub import utils as hub_utils

    utils: Any = hub_utils
    before, had_bars = utils.logging.get_verbosity(), not utils.are_progress_bars_disabled()
    utils.logging.set_verbosity_error()
    utils.disable_progress_bars()
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("ignore", DeprecationWarning)  # its own client deprecates how it puts a file
            warnings.simplefilter("always", UserWarning)  # what the Hub says of the card
            yield
        for warning in caught:
            tell(str(warning.message))
    finally:
        utils.logging.set_verbosity(before)
        if had_bars:
            utils.enable_progress_bars()
