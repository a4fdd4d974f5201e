"""The websocket: what was missed comes again, and a slow reader costs no memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from mistudio_ext.api.events import EventsHandler
from mistudio_ext.studio import Studio
from tests.api.conftest import API

Json = dict[str, Any]
Open = Callable[..., Any]


async def studio_of(app: Any) -> Studio:
    """Return the studio in the server under test."""
    found: Studio = await app.web_app.settings["mistudio_host"].studio()
    return found


async def read(socket: Any) -> Json:
    """Return the next message that is not of the monitor, which speaks up when it likes."""
    while True:
        message: Json = json.loads(await socket.read_message())
        if message["type"] != "system":
            return message


async def close(socket: Any) -> None:
    """Close a websocket and wait until it is."""
    socket.close()
    while await socket.read_message() is not None:
        pass


async def test_what_was_missed_comes_again(jp_serverapp: Any, jp_ws_fetch: Open) -> None:
    """``since`` replays; an unknown past is a reset; nonsense starts afresh."""
    studio = await studio_of(jp_serverapp)
    socket = await jp_ws_fetch(*API.split("/"), "events")
    hello = await read(socket)
    assert hello["type"] == "hello"
    await close(socket)
    for n in range(3):
        studio.bus.publish("job", f"jobs/job_{n}", {"n": n})
    seen = studio.bus.seq - 2
    socket = await jp_ws_fetch(*API.split("/"), "events", params={"since": str(seen)})
    assert (await read(socket))["type"] == "hello"
    missed = [await read(socket) for _ in range(2)]
    assert [(m["seq"], m["payload"]) for m in missed] == [
        (seen + 1, {"n": 1}),
        (seen + 2, {"n": 2}),
    ]
    await close(socket)
    socket = await jp_ws_fetch(*API.split("/"), "events", params={"since": "0"})
    assert [(await read(socket))["type"] for _ in range(2)] == ["hello", "reset"]
    await close(socket)
    socket = await jp_ws_fetch(*API.split("/"), "events", params={"since": "nonsense"})
    await read(socket)
    studio.bus.publish("job", "jobs/job_9", {"n": 9})
    assert (await read(socket))["payload"] == {"n": 9}
    await close(socket)


async def test_a_slow_reader_gets_the_newest_of_each(jp_serverapp: Any, jp_ws_fetch: Open) -> None:
    """However much happens while it does not read, no more than one message a topic waits."""
    studio = await studio_of(jp_serverapp)
    socket = await jp_ws_fetch(*API.split("/"), "events", max_message_size=2**24)
    await read(socket)
    (handler,) = [
        found
        for subscriber in studio.bus._subscribers
        if isinstance(found := getattr(subscriber, "__self__", None), EventsHandler)
    ]
    large = "x" * 200_000
    for n in range(500):
        studio.bus.publish("job", f"jobs/job_{n % 5}", {"n": n, "text": large})
    # What was published comes in order on the loop; this one is its end.
    studio.bus.publish("job", "jobs/end", {"n": -1})
    newest: dict[str, int] = {}
    while (message := await read(socket))["topic"] != "jobs/end":
        # Five jobs, the end, and the monitor, which looks while somebody listens.
        assert len(handler._waiting) <= 7
        if message["type"] == "job":
            newest[message["topic"]] = message["payload"]["n"]
    assert newest == {f"jobs/job_{n % 5}": n for n in range(495, 500)}
    await close(socket)
