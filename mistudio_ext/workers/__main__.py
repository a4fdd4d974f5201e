"""Run a job, and others after it: ``python -m mistudio_ext.workers JOB_DIR``."""

from __future__ import annotations

import contextlib
import errno
import faulthandler
import importlib
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from mistudio_ext.errors import (
    CancelledError,
    MiStudioError,
    NoSpaceError,
    NotFoundError,
    OutOfMemoryError,
    YieldedError,
)
from mistudio_ext.workers.reporter import FileReporter
from mistudio_ext.workers.station import Station, overdue

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


def describe(error: BaseException) -> MiStudioError:
    """Turn any exception of a worker into the error that the user sees."""
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
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoSpaceError(
            f"The disk is full: {text}.", hint="Free some space, then retry the job."
        )
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
    station.begin(spec.get("lease"))
    report = FileReporter(job_dir, overdue(spec.get("lease")))
    report.listen()
    try:
        if spec["kind"] not in KINDS:
            raise NotFoundError(f"There is no kind of job called '{spec['kind']}'.")
        module = importlib.import_module(KINDS[spec["kind"]])
        outcome: dict[str, Any] = {"state": "done", "result": module.run(spec, report)}
    except YieldedError:
        outcome = {"state": "yielded"}
    except (CancelledError, KeyboardInterrupt):
        outcome = {"state": "cancelled"}
    except Exception as error:  # noqa: BLE001 - the last resort, logged
        if not isinstance(error, MiStudioError):
            traceback.print_exc()
        described = describe(error)
        print(f"{described.code}: {described}", file=sys.stderr)
        outcome = {"state": "failed", "error": described.to_dict()}
    finally:
        report.close()
    return {**outcome, "warnings": report.warnings}


def write_result(job_dir: Path, outcome: dict[str, Any]) -> None:
    """Write ``result.json`` so that it is there whole or not at all."""
    part = job_dir / "result.json.part"
    with part.open("w") as file:
        json.dump(outcome, file)
        file.flush()
        os.fsync(file.fileno())
    part.rename(job_dir / "result.json")


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
        stays = station.stays(outcome)
        sys.stdout.flush()
        sys.stderr.flush()
        if stays:
            station.rest()
        write_result(job_dir, {**outcome, "stays": stays})
        job_dir = station.next_job() if stays else None
    station.leave()
    # Threads of native libraries must not keep a finished worker alive.
    os._exit(0 if outcome["state"] == "done" else 1)


if __name__ == "__main__":
    main()
