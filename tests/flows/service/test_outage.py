"""A Prefect server that is away, as one run meets it: what is waited for, what is answered in its place, what is told late."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.events.schemas.events import Event, Resource
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.states import Completed, Running
from prefect.utilities.engine import propose_state_sync

from flows.service.away.outage import Late, Outage, ServerAway, be_patient
from flows.service.away.outbox import Outbox
from flows.service.away.untold import keep_untold, tell_untold
from tasks.errors import ConfigError
from tasks.storage.home import prefect_wait_s
from tests.flows.service.api import Api, an_api, client_of
from tests.models.server import Server
from tests.serving import until

NOT_AT_ALL, LONG_S = 0.0, 60.0


class World:
    """A server, a patient client, and what they share."""

    def __init__(self, api: Api, server: Server, client: SyncPrefectClient, wait_s: float) -> None:
        self.api, self.server, self.run = api, server, api.run.id
        self.outage, self.late = Outage(wait_s), Late()
        self.client = client
        be_patient(self.client, self.outage, self.late)

    def enter(self, state: object) -> str:
        """Propose a state as the engine does; the name of the state that the run is in then."""
        return str(propose_state_sync(self.client, state, flow_run_id=self.run).name)  # type: ignore[arg-type]


@pytest.fixture
def hasty() -> Iterator[World]:
    """A server that is not waited for at all."""
    with an_api() as (api, server), client_of(server) as client:
        yield World(api, server, client, NOT_AT_ALL)


@pytest.fixture
def patient() -> Iterator[World]:
    """A server that is waited for longer than a test takes."""
    with an_api() as (api, server), client_of(server) as client:
        yield World(api, server, client, LONG_S)


@contextmanager
def an_outbox(world: World) -> Iterator[Outbox]:
    outbox = Outbox(client_of(world.server), world.outage, world.late)
    yield outbox
    outbox.close()


def event(number: int) -> tuple[str, Event]:
    return "event", Event(event=f"event {number}", resource=Resource({"prefect.resource.id": "a"}))


def test_a_state_is_taken_on_without_the_server_and_told_before_the_next_one(hasty: World) -> None:
    hasty.client.read_flow_run(hasty.run)
    hasty.server.stop()
    assert hasty.enter(Running()) == "Running"
    assert hasty.client.read_flow_run(hasty.run).state_name == "Running"
    assert hasty.late.facts() == ["that the run is Running"]
    hasty.server.start()
    assert hasty.enter(Completed()) == "Completed"
    assert hasty.api.states == ["Running", "Completed"]
    assert hasty.late.facts() == []


def test_a_server_that_comes_back_while_it_is_waited_for_is_told_and_nothing_is_made_up(patient: World) -> None:
    patient.server.stop()
    back = threading.Timer(1, patient.server.start)
    back.start()
    assert patient.enter(Completed()) == "Completed"
    back.join()
    assert patient.api.states == ["Completed"]
    assert patient.late.requests() == []


@pytest.mark.parametrize("what", ["a flow", "a flow run it has not seen"])
def test_what_only_the_server_knows_is_not_made_up(hasty: World, what: str) -> None:
    hasty.server.stop()
    with pytest.raises(ServerAway):
        hasty.client.create_flow_from_name("a flow") if what == "a flow" else hasty.client.read_flow_run(uuid4())


def test_an_outage_is_waited_for_once_and_another_one_again() -> None:
    outage = Outage(30)
    assert outage.left_s() == 30
    outage.failed(since=0)  # long ago
    assert outage.is_given_up
    outage.answered()
    assert outage.left_s() == 30
    assert not outage.is_given_up


@pytest.mark.parametrize(("given", "seconds"), [(None, 30), ("7.5", 7.5), ("0", 0)], ids=["unset", "given", "none"])
def test_how_long_it_is_waited_for_is_a_setting(
    monkeypatch: pytest.MonkeyPatch, given: str | None, seconds: float
) -> None:
    monkeypatch.delenv("STILLROOM_PREFECT_WAIT_S", raising=False)
    if given is not None:
        monkeypatch.setenv("STILLROOM_PREFECT_WAIT_S", given)
    assert prefect_wait_s() == seconds


def test_a_wait_that_is_no_number_is_the_users_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STILLROOM_PREFECT_WAIT_S", "soon")
    with pytest.raises(ConfigError, match=r"STILLROOM_PREFECT_WAIT_S.*soon"):
        prefect_wait_s()


def test_a_wrong_answer_is_no_outage(hasty: World) -> None:
    with pytest.raises(ObjectNotFound):
        hasty.client.read_flow_run(uuid4())
    assert not hasty.outage.happened


def test_a_lease_that_the_restarted_server_does_not_know_ends_no_run(hasty: World) -> None:
    hasty.api.renewal = 410
    with pytest.raises(PrefectHTTPStatusError):
        hasty.client.renew_concurrency_lease(uuid4(), 300)
    hasty.server.stop()
    hasty.client.renew_concurrency_lease(uuid4(), 300)
    hasty.server.start()
    hasty.client.renew_concurrency_lease(uuid4(), 300)


def test_lines_events_and_states_are_told_when_the_server_is_back(patient: World) -> None:
    state = {"state": {"name": "Running"}, "force": False}
    with an_outbox(patient) as outbox:
        patient.server.stop()
        url = f"/flow_runs/{patient.run}/set_state"
        patient.late.keep(patient.client._client.build_request("POST", url, json=state))
        for number in range(450):
            outbox.put(event(number))
            outbox.line({"message": f"line {number}", "__payload_size__": 1})
        until(lambda: patient.outage.is_on, 30, "the outbox sees that the server is away")
        assert outbox.untold() == (450, 450)
        patient.server.start()
        outbox.flush()
        assert outbox.untold() == (0, 0)
    assert patient.api.lines == [f"line {number}" for number in range(450)]
    assert patient.api.events == [f"event {number}" for number in range(450)]
    assert patient.api.states == ["Running"]


def test_what_is_not_told_is_counted_and_not_waited_for_any_longer(hasty: World) -> None:
    hasty.server.stop()
    with an_outbox(hasty) as outbox:
        outbox.put(event(1))
        outbox.line({"message": "a line"})
        outbox.flush()
        assert outbox.untold() == (1, 1)


def test_the_next_process_tells_how_a_run_ended(hasty: World, home: Path) -> None:
    hasty.client.read_flow_run(hasty.run)
    hasty.server.stop()
    hasty.enter(Completed())
    keep_untold(hasty.late.requests(), hasty.late.run_counts)
    hasty.server.start()
    with client_of(hasty.server) as of_the_next:
        tell_untold(of_the_next)
    assert (hasty.api.states, hasty.api.forced) == (["Completed"], [True])
    assert list((home / "untold").iterdir()) == []


def test_a_run_that_has_begun_again_is_told_nothing_of_its_earlier_end(hasty: World, home: Path) -> None:
    hasty.client.read_flow_run(hasty.run)
    hasty.server.stop()
    hasty.enter(Completed())
    keep_untold(hasty.late.requests(), hasty.late.run_counts)
    hasty.api.run.run_count = 2
    hasty.server.start()
    with client_of(hasty.server) as of_the_next:
        tell_untold(of_the_next)
    assert hasty.api.states == []
    assert list((home / "untold").iterdir()) == []


def test_another_servers_run_stays_to_be_told(hasty: World, home: Path) -> None:
    hasty.server.stop()
    hasty.enter(Completed())
    keep_untold(hasty.late.requests(), hasty.late.run_counts)
    with an_api() as (other, server), client_of(server) as client:
        tell_untold(client)
        assert other.states == []
    assert [file.stem for file in (home / "untold").iterdir()] == [str(hasty.run)]
