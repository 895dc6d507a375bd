"""A server that has slept, or has just started, gives runs the time of a heartbeat before it takes one for dead."""

from __future__ import annotations

from flows.service.server.watchdog import PAUSE_S, SLEPT_S, TICK_S, Wakefulness


def test_a_server_waits_one_heartbeat_after_its_start_and_after_each_sleep() -> None:
    now = [1000.0]
    wakefulness = Wakefulness(lambda: now[0])
    assert wakefulness.has_just_woken()
    while now[0] < 1000 + PAUSE_S:
        now[0] += TICK_S
        wakefulness.tick()
    assert not wakefulness.has_just_woken()
    now[0] += SLEPT_S + 1  # nobody has ticked meanwhile: it asks first
    assert wakefulness.has_just_woken()
    now[0] += PAUSE_S / 4
    assert wakefulness.has_just_woken()


def test_a_busy_server_has_not_slept() -> None:
    now = [1000.0]
    wakefulness = Wakefulness(lambda: now[0])
    for _ in range(int(PAUSE_S)):
        now[0] += SLEPT_S / 3
        wakefulness.tick()
    assert not wakefulness.has_just_woken()
