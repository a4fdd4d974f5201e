"""Run a job, and others after it: ``python -m mistudio_ext.workers JOB_DIR``."""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import json
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mistudio_ext.disk.atomic import write_whole
from mistudio_ext.disk.full import is_full, no_space
from mistudio_ext.errors import (
    CancelledError,
    MiStudioError,
    NotFoundError,
    OutOfMemoryError,
    YieldedError,
)
from mistudio_ext.workers.disk import bound_scratch
from mistudio_ext.workers.reporter import FileReporter
from mistudio_ext.workers.station import Station, flush, overdue

#: Kind of job -> module with ``run(spec, report) -> result``.
KINDS: dict[str, str] = {
    "dataset.import": "mistudio_ext.workers.import_dataset",
    "index": "mistudio_ext.workers.index",
    "near-duplicates": "mistudio_ext.workers.near_duplicates",
    "model.import": "mistudio_ext.workers.import_model",
    "model.variant": "mistudio_ext.workers.variant",
    "tokenize": "mistudio_ext.workers.tokenize",
    "tokenization.export": "mistudio_ext.workers.export_tokenization",
    "tokenizer.read": "mistudio_ext.workers.read_tokenizer",
    "extract": "mistudio_ext.workers.extract",
}

_OUT_OF_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "cublas_status_alloc_failed",
    "cudnn_status_alloc_failed",
    "std::bad_alloc",
)


def describe(error: BaseException, folders: Sequence[Path] = ()) -> MiStudioError:
    """Turn any exception of a worker into the error that the user sees.

    Parameters
    ----------
    error
        The exception.
    folders
        Where the worker writes; a full disk is looked for there.
    """
    if isinstance(error, MiStudioError):
        return error
    text = " ".join(str(error).split())[:500]
    if isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(mark in text.lower() for mark in _OUT_OF_MEMORY)
    ):
        return OutOfMemoryError(
            f"There was not enough memory: {text or type(error).__name__}.",
            hint="Close other programs, choose a smaller format, or fewer tokens at once.",
        )
    if is_full(error):
        return no_space(error, folders)
    return MiStudioError(
        f"Something unexpected went wrong: {type(error).__name__}: {text}",
        code="internal_error",
        hint="The job's log has the details.",
    )


#: Where Linux is told whom to kill first when memory runs out, and how willingly.
_OOM_SCORE, _OOM_WILLING = Path("/proc/self/oom_score_adj"), "500"


def run(job_dir: Path, station: Station) -> dict[str, Any]:
    """Run the job of this folder and return what goes into ``result.json``."""
    spec = json.loads((job_dir / "spec.json").read_text())
    try:
        report = FileReporter(job_dir, overdue(spec.get("lease")))
    except OSError as error:
        return {**_failed(error, job_dir, spec), "warnings": []}
    report.listen()
    try:
        station.begin(spec.get("lease"))
        bound_scratch(spec)  # Before a job's module imports SQLite.
        if spec["kind"] not in KINDS:
            raise NotFoundError(f"There is no kind of job called '{spec['kind']}'.")
        module = importlib.import_module(KINDS[spec["kind"]])
        outcome: dict[str, Any] = {"state": "done", "result": module.run(spec, report)}
    except YieldedError:
        outcome = {"state": "yielded"}
    except (CancelledError, KeyboardInterrupt):
        outcome = {"state": "cancelled"}
    except Exception as error:  # noqa: BLE001 - the last resort, logged
        outcome = _failed(error, job_dir, spec)
    finally:
        report.close()
    return {**outcome, "warnings": report.warnings}


def _failed(error: Exception, job_dir: Path, spec: dict[str, Any]) -> dict[str, Any]:
    """Return the outcome of a job that failed; the log is told why."""
    described = describe(error, _disks(job_dir, spec))
    with contextlib.suppress(OSError):  # The log's disk may be full; the result says it too.
        if not isinstance(error, MiStudioError) and described.code != "no_space":
            traceback.print_exception(error)
        print(f"{described.code}: {described}", file=sys.stderr)
    return {"state": "failed", "error": described.to_dict()}


def _disks(job_dir: Path, spec: dict[str, Any]) -> list[Path]:
    """Return folders on the disks that a job writes to."""
    cache = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    return [Path(spec.get("data_dir") or job_dir), job_dir, cache]


def write_result(job_dir: Path, outcome: dict[str, Any]) -> dict[str, Any]:
    """Write ``result.json`` so that it is there whole or not at all; return what it says.

    On a full disk the room that was reserved takes it. A result that is too large for that is
    lost, and the job has failed.
    """
    file = job_dir / "result.json"
    try:
        write_whole(file, json.dumps(outcome).encode())
    except OSError as error:
        if not is_full(error):
            raise
        outcome = {**_failed(error, job_dir, {}), "warnings": [], "stays": False}
        write_whole(file, json.dumps(outcome).encode())
    return outcome


def _rests(station: Station) -> bool:
    """Let go of the ended job; tell whether the process may stay for another one."""
    try:
        station.rest()
    except OSError as error:
        if not is_full(error):
            raise
        return False
    return True


#: How far workers stand back. On a busy machine the server, kernels and the browser come first:
#: a click must not wait for an extraction.
_NICE = 5


def main() -> int:
    """Entry point of a worker process."""
    # What a crash in native code leaves in the log explains it, whoever started the process.
    faulthandler.enable()
    with contextlib.suppress(OSError):
        # When memory runs out, the kernel should end a job rather than the server or a kernel.
        _OOM_SCORE.write_text(_OOM_WILLING)
    with contextlib.suppress(OSError):
        os.nice(_NICE)
    station = Station()
    job_dir: Path | None = Path(sys.argv[1])
    while job_dir is not None:
        outcome = run(job_dir, station)
        stays = station.stays(outcome) and _rests(station)
        flush()
        outcome = write_result(job_dir, {**outcome, "stays": stays})
        job_dir = station.next_job() if outcome["stays"] else None
    station.leave()
    # Threads of native libraries must not keep a finished worker alive.
    os._exit(0 if outcome["state"] == "done" else 1)


if __name__ == "__main__":
    main()
