"""What a run has published goes to its URL and to the Hub, where its config says so: the dataset is whole here before.

stillroom sft --config nightly.yaml            # push_to_hub: me/nightly
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from flows.runs.verdict import NotPushed
from tasks.errors import ConfigError, first_line
from tasks.notices import tell
from tasks.publish.mirror import send


def send_to(url: str, summary: Mapping[str, Any]) -> None:
    """Publish a run's dataset at its URL. Raises NotPushed, with the summary, where the store has not taken it."""
    try:
        send(url)
    except Exception as error:  # each store has errors of its own, and the dataset is here
        verdict = NotPushed(f"{url}: {first_line(error)}; the same command goes on, and asks for nothing again")
        verdict.summary = summary
        raise verdict from error


@dataclass(frozen=True)
class PushPlan:
    """Where a run pushes what it publishes. `public`: a new repository is one that all may see; `demo`: rows of a built-in model too."""

    repo: str
    public: bool
    demo: bool

    @classmethod
    def of(cls, repo: str | None, *, public: bool, demo: bool) -> Self | None:
        """The plan; None where nothing is pushed. Raises ConfigError for options that then mean nothing."""
        if repo is None:
            if public or demo:
                name = "push_public" if public else "push_demo"
                raise ConfigError(
                    f"{name} says how to push, and nothing is pushed", None, "give push_to_hub: OWNER/NAME"
                )
            return None
        return cls(repo, public, demo)

    def check(self, models: Sequence[str]) -> None:
        """Raise ConfigError for what can be known before anything is generated: the name, the token, who writes the rows."""
        from tasks.models.open import is_built_in
        from tasks.publish.hub.contents import demo_refused
        from tasks.publish.hub.repository import check_repo_name, check_token

        check_repo_name(self.repo)
        check_token()
        if not self.demo and is_built_in(models):
            raise demo_refused(self.repo, "push_demo: true")

    def after(self, summary: Mapping[str, Any]) -> dict[str, Any]:
        """The summary of a run, with where its dataset is on the Hub as `hub`. Nothing is pushed where there are no rows yet.

        Raises NotPushed, with the summary: the run has ended, and its dataset is here.
        """
        from tasks.publish.hub.push import push
        from tasks.publish.hub.repository import PushFailed

        if not (summary["rows"] and summary["revision"]):
            return {**summary, "hub": None}
        dataset = Path(summary["dataset"])
        try:
            made = push(dataset, self.repo, public=self.public, allow_demo=self.demo, tell=tell)
        except (ConfigError, PushFailed) as error:
            verdict = NotPushed(f"{error}; `stillroom push {dataset} {self.repo}` goes on")
            verdict.summary = {**summary, "hub": None}
            raise verdict from None
        return {**summary, "hub": asdict(made)}
