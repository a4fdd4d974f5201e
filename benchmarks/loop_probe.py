"""A server extension that watches the event loop of the server it runs in.

Enabled by ``benchmarks/server.py`` only. A beat every 5 ms is late by as much as the loop was
blocked. The garbage collector, which stops all threads, is timed too. A thread looks at what the
loop's thread does whenever a beat is overdue, so that each block has a place in the code.
``GET probe`` gives what was seen since the last ``GET probe``.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import threading
import time
import traceback
from collections import Counter
from typing import Any

from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from tornado import web

BEAT_S = 0.005

#: A beat that is overdue by this is looked into.
LATE_S = 0.05

OURS = "mistudio_ext"


class Probe:
    """Lateness of the loop's beats, and what the loop's thread did when they were overdue."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._due = time.perf_counter() + BEAT_S
        self._cpu = time.thread_time()
        self.reset()
        self._loop.call_later(BEAT_S, self._beat)
        gc.callbacks.append(self._collect)
        threading.Thread(target=self._watch, name="loop-probe", daemon=True).start()

    def reset(self) -> None:
        """Begin anew."""
        self.lags: list[float] = []
        self.busy: list[float] = []
        self.collections: list[float] = []
        self.blocks: Counter[str] = Counter()

    def _beat(self) -> None:
        now, cpu = time.perf_counter(), time.thread_time()
        self.lags.append(now - self._due)
        # Of this thread alone: what other programs took of the processor does not count.
        self.busy.append(cpu - self._cpu)
        self._due, self._cpu = now + BEAT_S, cpu
        self._loop.call_later(BEAT_S, self._beat)

    def _collect(self, phase: str, _info: dict[str, int]) -> None:
        # In whatever thread it runs, it holds the interpreter's lock: the loop waits.
        if phase == "start":
            self._collecting_since = time.thread_time()
        else:
            self.collections.append(time.thread_time() - self._collecting_since)

    def _watch(self) -> None:
        seen = 0.0
        while True:
            time.sleep(BEAT_S)
            due = self._due
            if time.perf_counter() - due > LATE_S and due != seen:
                seen = due
                frame = sys._current_frames().get(self._thread)
                if frame is not None:
                    self.blocks[_place(traceback.extract_stack(frame))] += 1


def _place(stack: traceback.StackSummary) -> str:
    """Return the innermost frame of ours, else the innermost one that is not the loop's."""
    ours = [f for f in stack if f"/{OURS}/" in f.filename]
    frame = (ours or list(stack))[-1]
    name = frame.filename.rsplit("/site-packages/", 1)[-1].rsplit("/lib/", 1)[-1]
    return f"{'ours: ' if ours else ''}{name}:{frame.lineno} {frame.name}"


class ProbeHandler(APIHandler):
    """``probe``."""

    @web.authenticated
    async def get(self) -> None:
        """Return what was seen, and begin anew."""
        probe: Probe = self.settings["loop_probe"]
        answer = {
            "lags": probe.lags,
            "busy": probe.busy,
            "collections": probe.collections,
            "blocks": dict(probe.blocks),
        }
        probe.reset()
        await self.finish(json.dumps(answer))


class BareHandler(APIHandler):
    """``bare``: what an empty answer costs in this server, the baseline of all routes."""

    @web.authenticated
    async def get(self) -> None:
        """Answer with an empty object."""
        await self.finish("{}")


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "benchmarks.loop_probe"}]


def _load_jupyter_server_extension(app: Any) -> None:
    base = app.web_app.settings["base_url"]
    routes = [
        (url_path_join(base, "probe"), ProbeHandler),
        (url_path_join(base, "bare"), BareHandler),
    ]
    app.web_app.add_handlers(".*$", routes)

    async def start() -> None:
        app.web_app.settings["loop_probe"] = Probe()

    app.io_loop.add_callback(start)
