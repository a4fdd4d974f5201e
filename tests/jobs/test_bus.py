"""Numbered messages and their replay."""

from __future__ import annotations

from mistudio_ext.jobs.bus import KEPT, EventBus, Message


def test_replay_since() -> None:
    """A client that was away gets what it missed, once and in order."""
    bus, got = EventBus(), list[Message]()
    bus.publish("job", "jobs/1", {"n": 1})
    seen = bus.seq
    bus.publish("job", "jobs/1", {"n": 2})
    bus.publish("job", "jobs/2", {"n": 3})
    bus.subscribe(got.append, since=seen)
    bus.publish("job", "jobs/1", {"n": 4})
    assert [m.payload["n"] for m in got] == [2, 3, 4]
    assert [m.seq for m in got] == sorted({m.seq for m in got})


def test_reset_when_too_old_or_from_elsewhere() -> None:
    """Who was away too long, or comes from another time, is told to fetch everything."""
    bus = EventBus()
    first = bus.seq
    for n in range(KEPT + 10):
        bus.publish("job", "jobs/1", {"n": n})
    for since in (first, first - 10**9, bus.seq + 5):
        got = list[Message]()
        bus.subscribe(got.append, since=since)
        assert [m.type for m in got] == ["reset"]
    nothing = list[Message]()
    bus.subscribe(nothing.append, since=bus.seq)
    assert nothing == []


def test_unsubscribe() -> None:
    """Who left hears nothing more."""
    bus, got = EventBus(), list[Message]()
    bus.subscribe(got.append)
    bus.unsubscribe(got.append)
    bus.publish("job", "jobs/1", {})
    assert got == []


def test_what_is_of_this_moment_only_is_not_kept() -> None:
    """A monitor's messages reach who listens, and crowd nothing out of the replay."""
    bus, got = EventBus(), list[Message]()
    bus.subscribe(got.append)
    before = bus.seq
    bus.publish("job", "jobs/1", {"n": 1})
    for n in range(KEPT + 10):
        bus.publish("system", "system/monitor", {"n": n}, keep=False)
    assert len(got) == KEPT + 11
    replayed = list[Message]()
    bus.subscribe(replayed.append, since=before)
    assert [m.topic for m in replayed] == ["jobs/1"]
