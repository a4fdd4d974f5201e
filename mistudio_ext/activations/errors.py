"""Errors of reading activations, each also what a sequence, a mapping or a wait would raise."""

from __future__ import annotations

from mistudio_ext.errors import ConflictError, MiStudioError, NotFoundError


class UnknownHookError(NotFoundError, KeyError):
    """The extraction has no such hook."""

    default_code = "unknown_hook"


class OutOfRangeError(NotFoundError, IndexError):
    """There is no such sample or token, or it is not written yet."""

    default_code = "out_of_range"


class NotWrittenError(ConflictError):
    """Nothing of this array is on the disk yet."""

    default_code = "not_written"


class WaitTimeoutError(MiStudioError, TimeoutError):
    """The time to wait is over; the job goes on."""

    default_code = "wait_timeout"
    status = 504
