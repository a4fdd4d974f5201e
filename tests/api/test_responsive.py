"""Nothing of ours waits for a disk, the catalog or another process on the event loop.

No stopwatch: Python itself says (audit events, PEP 578) when a file is opened, a folder listed,
a process started or time slept away, and SQLAlchemy when a statement is executed. On the loop's
thread none of that may come from a frame of ours.
"""

from __future__ import annotations

import json
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import mistudio_ext
from tests.api.conftest import API, Api

OURS = str(Path(mistudio_ext.__file__).parent)

#: What may take long: opening and listing, starting processes, sleeping, talking to others.
BLOCKING = (
    "open",
    "os.listdir",
    "os.scandir",
    "shutil.rmtree",
    "shutil.copyfile",
    "sqlite3.connect",
    "subprocess.Popen",
    "time.sleep",
    "fcntl.flock",
    "socket.connect",
    "socket.getaddrinfo",
    "import",
)


@dataclass
class Watch:
    """Collects what blocks one thread."""

    thread: int | None = None
    found: list[str] = field(default_factory=list)

    def audit(self, event: str, args: tuple[Any, ...]) -> None:
        """Note an audit event; see :func:`sys.addaudithook`."""
        if threading.get_ident() == self.thread and event in BLOCKING:
            self.note(f"{event} {args[:1]}")

    def note(self, what: str) -> None:
        """Note what blocks, if a frame of ours asked for it."""
        watched, self.thread = self.thread, None  # Looking at the stack reads source files.
        frames = [f for f in traceback.extract_stack() if f.filename.startswith(OURS)]
        if frames:
            last = frames[-1]
            self.found.append(f"{what} in {last.filename}:{last.lineno} {last.name}")
        self.thread = watched


#: One hook for the process: an audit hook stays until the end.
_WATCH = Watch()
_HOOKED: list[Callable[[str, tuple[Any, ...]], None]] = []


@pytest.fixture
def watch() -> Iterator[Watch]:
    """Watch this thread, which is the event loop's."""
    if not _HOOKED:
        _HOOKED.append(_WATCH.audit)
        sys.addaudithook(_HOOKED[0])

    def statement(*_args: Any) -> None:
        if threading.get_ident() == _WATCH.thread:
            _WATCH.note("a statement of SQL")

    sa.event.listen(sa.Engine, "before_cursor_execute", statement)
    _WATCH.found.clear()
    yield _WATCH
    _WATCH.thread = None
    sa.event.remove(sa.Engine, "before_cursor_execute", statement)


async def test_requests_never_block_the_event_loop(
    api: Api, watch: Watch, jp_ws_fetch: Callable[..., Any], tmp_path: Path
) -> None:
    """Lists, pages, uploads, jobs and their events, from the first request on."""
    text = tmp_path / "texts.txt"
    text.write_text("one\ntwo\nthree\n")
    await api("GET", "system")  # The studio is open.
    watch.thread = threading.get_ident()
    socket = await jp_ws_fetch(*API.split("/"), "events")
    assert json.loads(await socket.read_message())["type"] == "hello"
    dataset, model = await api.sample()
    for route in (
        "system",
        "system/history",
        "system/storage",
        "system/leftovers",
        "datasets",
        "models",
        "extractions",
        "templates",
        "jobs",
        f"datasets/{dataset['id']}",
        f"datasets/{dataset['id']}/statistics",
        f"datasets/{dataset['id']}/tokenizations",
        f"models/{model['id']}/architecture",
        f"jobs/{dataset['job_id']}",
        f"jobs/{dataset['job_id']}/log",
    ):
        await api("GET", route)
    await api("GET", f"datasets/{dataset['id']}/samples", limit=50, offset=100)
    await api("GET", f"datasets/{dataset['id']}/samples", q="the")
    body = {"model": model["id"], "dataset": dataset["id"], "layers": "0", "max_samples": 3}
    await api("POST", "extractions/estimate", body)
    started = await api("POST", "extractions", body, expect=202)
    await api("POST", f"jobs/{started['job']['id']}/cancel", {})
    await api("POST", "datasets/detect", {"path": str(text)})
    await api("POST", "tokenize-preview", {"model": model["id"], "texts": ["a story"]})
    upload = await api("POST", "uploads", {"name": "a.txt", "size": 4}, expect=201)
    await api("GET", f"uploads/{upload['id']}")
    await api("DELETE", f"uploads/{upload['id']}")
    await api("GET", "datasets/ds_unknown", expect=404)
    socket.close()
    watch.thread = None
    assert watch.found == []


async def test_the_watch_sees_what_blocks(watch: Watch) -> None:
    """A look at the disk from our code is noticed on this thread, and nowhere else."""
    from mistudio_ext.services.context import folder_bytes

    watch.thread = threading.get_ident()
    thread = threading.Thread(target=folder_bytes, args=(Path(OURS),))
    thread.start()
    thread.join()
    assert watch.found == []
    folder_bytes(Path(OURS))
    assert any("os.scandir" in found for found in watch.found)
