"""What was put on a server, remembered there, so that what a person has changed in the UI since can be told from it.

    deployed = Deployed(client)
    deployed.settle("sft: tags", there=["a"], ours=["b"])     # ["b"], or ["a"] where a person has made it so
    deployed.remember()

Digests of what was put are kept in a variable of the server, so that every machine that deploys knows them.
"""

from __future__ import annotations

from typing import Any, cast

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import VariableCreate, VariableUpdate

from tasks.storage.digest import canonical, digest

VARIABLE = "stillroom_deployed"
CHARS = 10
"""Of a digest: a variable holds 5,000 characters."""


class Deployed:
    """The digests of what stands on a server by us, by what it is. `reset`: what was put over something unknown."""

    def __init__(self, client: SyncPrefectClient) -> None:
        self._client = client
        variable = client.read_variable_by_name(VARIABLE)
        self._is_new = variable is None
        value = variable.value if variable else None
        self._digests = cast(dict[str, str], value) if isinstance(value, dict) else {}
        self.kept: list[str] = []
        self.reset: list[str] = []

    def knows(self, what: str) -> bool:
        """Whether it was put there before."""
        return what in self._digests

    def settle(self, what: str, there: Any, ours: Any) -> Any:
        """The value to put: ours, or the one that is there where a person has changed it. Adds to `kept` or `reset`."""
        put = self._digests.get(what)
        if _digest(there) == _digest(ours):
            return ours
        if put is None:
            self.reset.append(what)
        elif put != _digest(there):
            self.kept.append(what)
            return there
        return ours

    def stands(self, what: str, value: Any) -> None:
        """This is what stands on the server now; where a person's is kept, what we put before them is what counts."""
        if what not in self.kept:
            self._digests[what] = _digest(value)

    def forget(self, what: str) -> None:
        """All that begins so was not put there, or stands there no more."""
        self._digests = {name: value for name, value in self._digests.items() if not name.startswith(what)}

    def remember(self) -> None:
        """Keep it all on the server."""
        if self._is_new:
            self._client.create_variable(VariableCreate(name=VARIABLE, value={**self._digests}, tags=["stillroom"]))
            self._is_new = False
        else:
            self._client.update_variable(VariableUpdate(name=VARIABLE, value={**self._digests}))


def _digest(value: Any) -> str:
    return digest(canonical(value))[:CHARS]
