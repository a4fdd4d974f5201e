"""``jupyter mistudio extract``: the same engine without a server."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from types import FrameType
from typing import Any

from mistudio_ext.activations import manifest
from mistudio_ext.cli.progress import ProgressLine, number, tell
from mistudio_ext.cli.session import studio
from mistudio_ext.errors import ExtractionError, InvalidInputError, from_dict
from mistudio_ext.jobs.kinds import ENDED
from mistudio_ext.studio import Studio

_SAME_NAME = (
    "model",
    "dataset",
    "split",
    "layers",
    "hooks",
    "layout",
    "positions",
    "dtype",
    "context",
    "max_samples",
    "device",
    "quantize",
    "name",
)


def run(arguments: argparse.Namespace) -> int:
    """Extract, or go on with what an interrupted call left, and print the result."""
    body = {name: getattr(arguments, name) for name in _SAME_NAME}
    body["batch_tokens"] = _batch_tokens(arguments.batch_tokens)
    body["hooks"] = ",".join(arguments.hooks)
    body["fallback"] = fallback_of(arguments.fallback) or None
    body = {name: value for name, value in body.items() if value is not None}
    with studio(arguments) as opened:
        extraction, job, _ = opened.extractions.create(body)
        tell(extraction)
        if job is not None:
            follow(opened, job["id"])
        report(opened, extraction["id"], arguments.json)
    return 0


def fallback_of(text: str | None) -> bool | list[str]:
    """Return what ``--fallback`` means: nothing, each smaller format, or those that it names."""
    if not text:
        return False
    return True if text == "all" else text.split(",")


def _batch_tokens(text: str) -> int | None:
    if text == "auto":
        return None
    if not text.isdigit() or int(text) < 1:
        raise InvalidInputError(
            f"--batch-tokens must be a number or auto, not '{text}'.",
            code="bad_number",
            field="batch_tokens",
        )
    return int(text)


def follow(opened: Studio, job_id: str) -> None:
    """Show the progress of a job and of those it waits for; raise its error.

    Ctrl-C and SIGTERM cancel the job; what it has stored stays and the next call goes on.
    """
    line = ProgressLine()

    began = opened.jobs.get(job_id).created_at

    def cancel(_signum: int, _frame: FrameType | None) -> None:
        for needed in opened.jobs.cancel(job_id).depends_on:
            # What this call started for itself ends with it; older downloads go on.
            if opened.jobs.get(needed).created_at >= began[:16]:
                opened.jobs.cancel(needed)

    previous = {number: signal.signal(number, cancel) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        while (job := opened.jobs.wait(job_id)).state not in ENDED:
            active = [j for n in job.depends_on if (j := opened.jobs.get(n)).state not in ENDED]
            line.show(opened.jobs.view(active[0] if active else job))
        line.show(opened.jobs.view(job))
    finally:
        line.end()
        for signum, handler in previous.items():
            signal.signal(signum, handler)
    if job.state != "done":
        body = job.error or {"message": f"The job ended as {job.state}."}
        raise from_dict(body, ExtractionError)


def report(opened: Studio, extraction_id: str, as_json: bool) -> None:
    """Print what was extracted."""
    found = opened.extractions.get(extraction_id)
    document = manifest.read(opened.settings.folder.extraction(extraction_id))
    hooks = {f["hook"]: f["shape"] for f in document["files"].values() if f.get("hook")}
    if as_json:
        answer: dict[str, Any] = {
            **{k: found[k] for k in ("id", "name", "state", "path", "n_samples", "n_tokens")},
            "bytes": found["bytes"],
            "hooks": hooks,
            "dtype": document["spec"]["dtype"],
            "layout": document["spec"]["layout"],
            "timings": document["timings"],
            "warnings": document["warnings"],
            "manifest": document,
        }
        json.dump(answer, sys.stdout)
        print()
        return
    speed = document["timings"].get("tokens_per_s")
    print(f"{found['name']} ({found['id']})  {found['path']}")
    print(
        f"{number(found['n_tokens'])} tokens in {number(found['n_samples'])} samples"
        + (f", {number(speed)} tokens/s" if speed else "")
    )
    for name, shape in hooks.items():
        print(f"  {name}  {document['spec']['dtype']} {shape}")
    for warning in document["warnings"]:
        print(f"  warning: {warning['message']}")
    print(f"In a notebook:  import mistudio_ext as ms; acts = ms.open({found['name']!r})")
