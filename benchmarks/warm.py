"""How long until an extraction runs: in a new worker process, and in one that is warm.

``python benchmarks/warm.py [MODEL_FOLDER] [--runs N] [--json]``: both kinds in turn, in the
same run, on the bundled sample or on a model of your own.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from mistudio_ext.jobs.kinds import ENDED
from mistudio_ext.settings import from_config_files
from mistudio_ext.studio import Studio


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", default="sample-model")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        times = measure(Path(folder), arguments.model, arguments.runs)
    medians = {kind: statistics.median(values) for kind, values in times.items()}
    if arguments.json:
        print(json.dumps({"seconds_until_extracting": times, "medians": medians}))
        return
    for kind, values in times.items():
        each = "  ".join(f"{value:.2f}" for value in values)
        print(f"{kind:>5}: {medians[kind]:.2f} s until it extracts (median; {each})")
    print(f"ratio: {medians['cold'] / medians['warm']:.0f}")


def measure(root: Path, model: str, runs: int) -> dict[str, list[float]]:
    """Return seconds from the request to the first batch, for new and for warm workers."""
    studios = {
        "cold": Studio.open(from_config_files(data_dir=root / "cold", warm_worker_idle_s=0)),
        "warm": Studio.open(from_config_files(data_dir=root / "warm", warm_worker_idle_s=300)),
    }
    times: dict[str, list[float]] = {kind: [] for kind in studios}
    try:
        for studio in studios.values():
            until_extracting(studio, model, "first")  # Registers and tokenises.
        for run in range(runs):
            for kind, studio in studios.items():
                times[kind].append(until_extracting(studio, model, f"run{run}"))
    finally:
        for studio in studios.values():
            studio.close()
    return times


def until_extracting(studio: Studio, model: str, name: str) -> float:
    """Run a small extraction; return how long it took until it began to extract."""
    body: dict[str, Any] = {
        "model": model,
        "dataset": "sample-stories",
        "max_samples": 20,
        "layers": "0",
        "name": name,
        # Another spec each time: the same one would be found, not run.
        "batch_tokens": 512,
        "positions": "all",
        "hooks": "resid_post",
        "dtype": "float32",
    }
    if name != "first":
        body["max_samples"] = 21 + int(name.removeprefix("run"))
    began = time.monotonic()
    _, job, _ = studio.extractions.create(body)
    assert job is not None
    started = None
    while (found := studio.jobs.get(job["id"])).state not in ENDED:
        if started is None and found.phase == "extracting":
            started = time.monotonic() - began
        time.sleep(0.005)
    if found.state != "done":
        raise SystemExit(f"The extraction ended as {found.state}: {found.error}")
    # A small one may be over between two looks.
    return started if started is not None else time.monotonic() - began


if __name__ == "__main__":
    main()
