"""What a service tells the job manager about its kind of job."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mistudio_ext.catalog import JobRecord

Json = dict[str, Any]

#: States in which a job stays until it is tried again.
ENDED = ("done", "failed", "cancelled", "interrupted")


@dataclass(frozen=True)
class Needs:
    """What a job needs of a device.

    Attributes
    ----------
    device
        ``auto``, ``cpu``, ``cuda`` or ``cuda:<n>``.
    memory
        Bytes that it will take there, as estimated.
    model
        What will be in memory afterwards; a worker that has it already is taken first.
    """

    device: str
    memory: int
    model: str = ""


@dataclass(frozen=True)
class JobKind:
    """One kind of job.

    Attributes
    ----------
    name
        ``dataset.import``, ``model.import``, ``tokenize``, ``extract``.
    prepare
        Called when the job starts: returns the spec for the worker. Raises
        MiStudioError if the job cannot start.
    finish
        Called with the worker's result when it is done. This and the next two do nothing for a
        kind whose result lies in files and nowhere in the catalog.
    fail
        Called with the end state (failed, cancelled, interrupted) and the error.
    restart
        Called when the job is queued again.
    environment
        Extra environment variables of the worker (secrets), by job.
    limit
        How many of this kind may run at the same time.
    needs
        Tells what the job needs of a device; None for kinds that need none. May raise
        MiStudioError if the job cannot start.
    apart
        It mostly waits (for a network), so it does not count among ``max_running``.
    remedies
        Tells, for a job that failed and its error, what a retry could change to mend it.
    change
        Changes what a failed job was asked for before it is tried again. Raises MiStudioError
        if that cannot be.
    reuses
        It takes a worker process that an earlier job left warm, if there is one.
    """

    name: str
    prepare: Callable[[JobRecord], Json]
    finish: Callable[[JobRecord, Json], None] = lambda _job, _result: None
    fail: Callable[[JobRecord, str, Json], None] = lambda _job, _state, _error: None
    restart: Callable[[JobRecord], None] = lambda _job: None
    environment: Callable[[JobRecord], dict[str, str]] = lambda _job: {}
    limit: int = 1
    needs: Callable[[JobRecord], Needs] | None = None
    apart: bool = False
    reuses: bool = True
    remedies: Callable[[JobRecord, Json], Sequence[Json]] = lambda _job, _error: ()
    change: Callable[[JobRecord, Json], None] | None = None
