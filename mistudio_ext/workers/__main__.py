"""Run one job: ``python -m mistudio_ext.workers JOB_DIR``."""

from __future__ import annotations

import errno
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
)
from mistudio_ext.workers.reporter import FileReporter

#: Kind of job -> module with ``run(spec, report) -> result``.
KINDS: dict[str, str] = {
    "dataset.import": "mistudio_ext.workers.import_dataset",
    "index": "mistudio_ext.workers.index",
    "model.import": "mistudio_ext.workers.import_model",
    "tokenize": "mistudio_ext.workers.tokenize",
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
            hint="Close other programs, choose a smaller format, or fewer tokens per batch.",
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


def run(job_dir: Path) -> dict[str, Any]:
    """Run the job of this folder and return what goes into ``result.json``."""
    report = FileReporter(job_dir)
    report.listen()
    try:
        spec = json.loads((job_dir / "spec.json").read_text())
        if spec["kind"] not in KINDS:
            raise NotFoundError(f"There is no kind of job called '{spec['kind']}'.")
        module = importlib.import_module(KINDS[spec["kind"]])
        outcome: dict[str, Any] = {"state": "done", "result": module.run(spec, report)}
    except (CancelledError, KeyboardInterrupt):
        outcome = {"state": "cancelled"}
    except Exception as error:  # noqa: BLE001 - the last resort, logged
        if not isinstance(error, MiStudioError):
            traceback.print_exc()
        described = describe(error)
        print(f"{described.code}: {described}", file=sys.stderr)
        outcome = {"state": "failed", "error": described.to_dict()}
    return {**outcome, "warnings": report.warnings}


def write_result(job_dir: Path, outcome: dict[str, Any]) -> None:
    """Write ``result.json`` so that it is there whole or not at all."""
    part = job_dir / "result.json.part"
    with part.open("w") as file:
        json.dump(outcome, file)
        file.flush()
        os.fsync(file.fileno())
    part.rename(job_dir / "result.json")


def main() -> int:
    """Entry point of a worker process."""
    job_dir = Path(sys.argv[1])
    outcome = run(job_dir)
    write_result(job_dir, outcome)
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads of native libraries must not keep a finished worker alive.
    os._exit(0 if outcome["state"] == "done" else 1)


if __name__ == "__main__":
    main()
