"""The studio inside a server: opened off the event loop, called in threads."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from mistudio_ext.disk.full import full_disk_named
from mistudio_ext.settings import Settings

if TYPE_CHECKING:
    from mistudio_ext.studio import Studio

P = ParamSpec("P")
T = TypeVar("T")

#: Threads that answer requests: they read the catalog and files.
THREADS = 8

#: Of these, how many may read through whole arrays at the same time.
SEARCHES = 2


class StudioHost:
    """Gives handlers the studio and runs its blocking calls in threads.

    Parameters
    ----------
    settings
        Settings of the studio.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="mistudio")
        self._opening: Future[Studio] | None = None
        #: Held while a request with an idempotency key is answered: the same key waits.
        self.keyed = asyncio.Lock()
        #: Searches through arrays at the same time: threads are left for short requests.
        self.searches = asyncio.Semaphore(SEARCHES)

    def open(self) -> None:
        """Begin to open the studio; a failed opening is tried again by the next request."""
        if self._opening is None or (self._opening.done() and self._opening.exception()):
            self._opening = self._pool.submit(self._open)

    def _open(self) -> Studio:
        # SQLAlchemy takes a while to import, which must not delay the server's start.
        from mistudio_ext.studio import Studio

        with full_disk_named(self.settings.data_dir):
            studio = Studio(self.settings)
        spare_collector()
        return studio

    async def studio(self) -> Studio:
        """Return the studio once it is open."""
        self.open()
        assert self._opening is not None
        if self._opening.done():
            return self._opening.result()  # At once: a future of the loop would cost it a turn.
        return await asyncio.wrap_future(self._opening)

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a blocking function in a thread."""
        loop = asyncio.get_running_loop()

        def work() -> T:
            with full_disk_named(self.settings.data_dir):
                return function(*args, **kwargs)

        return await loop.run_in_executor(self._pool, work)

    async def busy(self) -> bool:
        """Tell whether jobs are queued or running."""
        if self._opening is None or not self._opening.done() or self._opening.exception():
            return False
        return await self.call(self._opening.result().jobs.busy)

    def close(self) -> None:
        """Close the studio; workers go on."""
        if self._opening is not None and not self._opening.exception():
            self._opening.result().close()
        self._pool.shutdown(wait=False, cancel_futures=True)


def spare_collector() -> None:
    """Take what lives as long as the server out of the garbage collector's sight, once.

    To look through all modules of a server takes over a tenth of a second, in which the event
    loop stands still, whichever thread it is that collects.
    """
    if gc.get_freeze_count() == 0:
        gc.freeze()
