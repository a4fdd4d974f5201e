"""Jobs as processes of their own, killed, cancelled and begun again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mistudio_ext.store.arrow import open_split
from mistudio_ext.store.leftovers import claimed, sweep
from mistudio_ext.workers import tokenize
from tests.hubsim import HubSim
from tests.hubsim.repositories import documents, write_lines
from tests.workers.recorder import Recorder, leftovers

WORKER = ("-m", "mistudio_ext.workers")

#: A worker that keeps where it is after every few rows, not every few seconds.
CAREFUL_WORKER = (
    "-c",
    """
from mistudio_ext.workers import __main__, token_checkpoint, token_rows
token_checkpoint.INTERVAL_S, token_rows.BATCH_CHARS = 0.0, 1_000
__main__.main()
""",
)


class Job:
    """A worker process."""

    def __init__(
        self, folder: Path, spec: dict[str, Any], program: tuple[str, ...] = WORKER
    ) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        (folder / "spec.json").write_text(json.dumps(spec))
        with (folder / "log.txt").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, *program, str(folder)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            )

    def events(self) -> list[dict[str, Any]]:
        """Return what it has reported so far."""
        path = self.folder / "events.jsonl"
        text = path.read_text() if path.is_file() else ""
        return [json.loads(line) for line in text.splitlines()]

    def wait_for(self, condition: Callable[[dict[str, Any]], bool]) -> None:
        """Wait until an event fulfils the condition."""
        end = time.monotonic() + 30
        while not any(condition(event) for event in self.events()):
            assert self.process.poll() is None, (self.folder / "log.txt").read_text()
            assert time.monotonic() < end
            time.sleep(0.02)

    def result(self) -> dict[str, Any]:
        """Wait for the end and return ``result.json``."""
        self.process.wait(60)
        outcome: dict[str, Any] = json.loads((self.folder / "result.json").read_text())
        return outcome


@pytest.fixture
def start(data_dir: Path) -> Callable[..., Job]:
    """Return a function that starts the import of a dataset."""
    count = 0

    def begin(**settings: Any) -> Job:
        nonlocal count
        count += 1
        dataset = {"id": "ds_1", "name": "test", "path": str(data_dir / "datasets/ds_1")}
        spec = {
            "schema_version": 1,
            "job_id": f"job_{count}",
            "kind": "dataset.import",
            "data_dir": str(data_dir),
            "disk_reserve_bytes": 0,
            "allow_remote_code": False,
            "threads": None,
            "dataset": {**dataset, **settings},
        }
        return Job(data_dir / "jobs" / f"job_{count}", spec)

    return begin


def made(data_dir: Path) -> list[str]:
    return [name for name in leftovers(data_dir) if not name.startswith("jobs/")]


def test_a_download_goes_on_after_its_process_was_killed(
    hub: HubSim, data_dir: Path, start: Callable[..., Job]
) -> None:
    hub.fail("throttle", match="_cdn", rate=3_000_000, times=1)
    job = start(source="hub", repo_id="demo/big")
    job.wait_for(lambda event: event.get("unit") == "bytes" and event["done"] > 1_000_000)
    job.process.send_signal(signal.SIGKILL)
    job.process.wait(10)
    assert not (data_dir / "datasets").exists()
    again = start(source="hub", repo_id="demo/big")
    outcome = again.result()
    # The file is random bytes under a gzip name: it arrives whole, and is then refused by name.
    assert outcome["error"]["code"] == "broken_file"
    assert "train.txt.gz" in outcome["error"]["message"]
    resumed = hub.calls("GET .*_cdn")[-1]["range"]
    assert resumed is not None
    assert int(resumed.removeprefix("bytes=").rstrip("-")) > 1_000_000
    assert made(data_dir) == []


def test_an_import_that_was_killed_can_be_done_again(
    tmp_path: Path, data_dir: Path, start: Callable[..., Job]
) -> None:
    write_lines(tmp_path / "in.jsonl", documents(400_000))
    job = start(source="path", source_path=str(tmp_path / "in.jsonl"))
    job.wait_for(lambda event: event.get("unit") == "rows" and event["done"] > 1000)
    job.process.send_signal(signal.SIGKILL)
    job.process.wait(10)
    assert not (data_dir / "datasets").exists()
    assert made(data_dir)
    assert sweep(data_dir / "tmp") == ["ds_1", "ds_1-scratch"]
    assert made(data_dir) == []
    again = start(source="path", source_path=str(tmp_path / "in.jsonl"))
    outcome = again.result()
    assert outcome["state"] == "done", outcome
    assert outcome["result"]["n_rows"] == 400_000
    assert open_split(data_dir / "datasets/ds_1", "train").n_rows == 400_000
    assert all(name.startswith("datasets/ds_1/") for name in made(data_dir))


def test_a_tokenization_that_was_killed_ends_with_the_same_bytes(
    tmp_path: Path,
    data_dir: Path,
    tokenizers: dict[str, Path],
    import_dataset: Callable[..., dict[str, Any]],
) -> None:
    """Killed between two writes wherever it is, it goes on at its last checkpoint."""
    write_lines(tmp_path / "in.jsonl", documents(2_000))
    dataset = {"id": "ds_1", "path": str(data_dir / "datasets/ds_1"), "split": "train"}
    dataset |= import_dataset(tmp_path / "in.jsonl")
    folder = data_dir / "tokenizations/tok_1"

    def spec(path: Path) -> dict[str, Any]:
        settings = {"context": 16, "mode": "pack"}
        return {
            "job_id": "job",
            "kind": "tokenize",
            "data_dir": str(data_dir),
            "disk_reserve_bytes": 0,
            "dataset": {k: v for k, v in dataset.items() if k != "splits"},
            "model": {"id": "m", "name": "m", "path": str(tokenizers["bert"])},
            "tokenization": {"id": "tok", "path": str(path), "settings": settings},
        }

    killed = Job(data_dir / "jobs/job_1", spec(folder), CAREFUL_WORKER)
    killed.wait_for(lambda event: event.get("unit") == "rows" and event["done"] > 100)
    killed.process.send_signal(signal.SIGKILL)
    assert killed.process.wait(10) == -signal.SIGKILL
    assert not (folder / "manifest.json").exists()
    reached = json.loads((folder / "progress.json").read_text())["state"]["row"]
    assert 100 < reached < 2_000

    whole, report = data_dir / "tokenizations/tok_2", Recorder()
    tokenize.run(spec(folder), report)
    assert report.points[0][0] > reached
    tokenize.run(spec(whole), Recorder())
    files = sorted(path.name for path in whole.glob("*.npy"))
    assert len(files) == 7
    for name in files:
        assert (folder / name).read_bytes() == (whole / name).read_bytes(), name
    made, expected = (json.loads((p / "manifest.json").read_text()) for p in (folder, whole))
    assert made["files"] == expected["files"]
    assert made["skipped"] == expected["skipped"]


def test_what_a_living_process_works_on_is_not_swept(
    hub: HubSim, data_dir: Path, start: Callable[..., Job]
) -> None:
    hub.fail("throttle", match="_cdn", rate=1_000_000)
    job = start(source="hub", repo_id="demo/big")
    job.wait_for(lambda event: event.get("unit") == "bytes")
    assert sweep(data_dir / "tmp") == []
    assert (data_dir / "tmp/ds_1").is_dir()
    job.process.kill()
    job.process.wait(10)
    with claimed(data_dir / "tmp/ds_2"):
        assert [p.name for p in (data_dir / "tmp").iterdir()] != []
        assert not (data_dir / "tmp/ds_1").exists()
    assert list((data_dir / "tmp").iterdir()) == []


def test_cancelling_a_process_leaves_nothing(
    hub: HubSim, data_dir: Path, start: Callable[..., Job]
) -> None:
    hub.fail("throttle", match="_cdn", rate=1_000_000)
    job = start(source="hub", repo_id="demo/big")
    job.wait_for(lambda event: event.get("unit") == "bytes" and event["done"] > 100_000)
    job.process.send_signal(signal.SIGTERM)
    assert job.result()["state"] == "cancelled"
    assert made(data_dir) == []


def test_a_worker_that_imports_a_dataset_loads_no_torch(tmp_path: Path, data_dir: Path) -> None:
    write_lines(tmp_path / "in.jsonl", documents(10))
    code = f"""
import sys
from tests.workers.recorder import Recorder
from mistudio_ext.workers import import_dataset
import_dataset.run({{"data_dir": {str(data_dir)!r}, "dataset": {{"id": "ds_1", "source": "path",
    "path": {str(data_dir / "ds")!r}, "source_path": {str(tmp_path / "in.jsonl")!r}}}}}, Recorder())
assert "torch" not in sys.modules and "transformers" not in sys.modules
"""
    root = str(Path(__file__).parents[2])
    env = {**os.environ, "PYTHONPATH": root}
    subprocess.run([sys.executable, "-c", code], check=True, env=env)
