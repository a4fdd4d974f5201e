"""Killed, cancelled, out of disk, damaged: what is written stays right, and it goes on."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mistudio_ext.activations import journal as contents
from mistudio_ext.activations import manifest as manifests
from mistudio_ext.engine import arrays, journal, threads, writer
from mistudio_ext.engine.load import LoadedModel
from mistudio_ext.engine.run import extract
from mistudio_ext.errors import CancelledError, NoSpaceError

from .helpers import Recorder, make_spec, make_tokenization
from .tiny import VOCAB, tiny_model

HOOKS = ["blocks.0.hook_resid_post", "blocks.1.hook_attn_out", "blocks.2.hook_resid_post"]
LENGTHS = [int(n) for n in np.random.default_rng(1).integers(1, 48, 400)]
CPU = torch.device("cpu")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("setting")
    tiny_model("llama").save_pretrained(folder / "model")
    return folder / "model", make_tokenization(folder / "tok", LENGTHS, VOCAB)


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.npy"))}


def loaded() -> LoadedModel:
    return LoadedModel(tiny_model("llama"), CPU, torch.float32)


def spec_for(folder: Path, setting: tuple[Path, dict[str, Any]], **settings: Any) -> dict[str, Any]:
    # 32 batches of 48 tokens make a chunk: many chunks, so many places to be interrupted at.
    return make_spec(folder, setting[0], setting[1], HOOKS, batch_tokens=48, **settings)


@pytest.fixture(scope="module")
def whole(setting: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of an uninterrupted run."""
    folder = tmp_path_factory.mktemp("whole") / "out"
    extract(spec_for(folder, setting), Recorder(), loaded())
    return files_of(folder)


@pytest.mark.parametrize("after", [1, 40, 100, 160])
def test_cancelled_and_gone_on_with_is_bit_identical(
    after: int, setting: Any, whole: dict[str, bytes], tmp_path: Path
) -> None:
    spec = spec_for(tmp_path / "out", setting)
    first, second = Recorder(cancel_after=after), Recorder()
    with pytest.raises(CancelledError):
        extract(spec, first, loaded())
    assert manifests.read(tmp_path / "out")["state"] == "cancelled"
    extract(spec, second, loaded())
    assert second.steps[0][0] == first.steps[-1][0]  # Not one batch is computed again.
    assert files_of(tmp_path / "out") == whole
    assert manifests.read(tmp_path / "out")["state"] == "done"


def test_a_chunk_that_takes_long_is_journalled_in_between(
    setting: Any, whole: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what a crash leaves is gone on with: batches of an open chunk, if they are intact."""
    monkeypatch.setattr(writer, "JOURNAL_SECONDS", 0.0)
    spec, folder = spec_for(tmp_path / "out", setting), tmp_path / "out"
    with pytest.raises(CancelledError):
        extract(spec, Recorder(cancel_after=150), loaded())
    _, entries = journal.read(folder)
    assert entries[-1].batches > 0
    assert [entry.batches for entry in entries[:-1]] == [0] * (len(entries) - 1)
    before = contents.last(folder)
    assert before == {"samples": entries[-1].samples, "tokens": entries[-1].tokens}
    lines = (folder / journal.FILE_NAME).read_bytes().splitlines()
    assert sum(b'"batches"' in line for line in lines) > len(entries)

    shutil.copytree(folder, tmp_path / "damaged")
    start = 128 + entries[-1].tokens * 48 * 4
    with open(tmp_path / "damaged" / f"{HOOKS[0]}.npy", "r+b") as file:
        file.seek(start)
        file.write(b"\xff" * (400 * 48 * 4))
    damaged, intact = Recorder(), Recorder()
    extract(spec_for(tmp_path / "damaged", setting), damaged, loaded())
    extract(spec, intact, loaded())
    assert damaged.steps[0][0] == entries[-1].tokens < intact.steps[0][0]
    assert files_of(tmp_path / "damaged") == files_of(folder) == whole


def test_rows_written_in_order_are_not_read_back(
    setting: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Samples of one length: the checksum of the file is there when its last row is."""

    def read(*_: Any) -> Any:
        raise AssertionError("a file was read back")

    even = make_tokenization(tmp_path / "tok", [16] * 400, VOCAB)
    spec = make_spec(tmp_path / "out", setting[0], even, HOOKS, batch_tokens=48)
    with monkeypatch.context() as patched:
        patched.setattr(arrays.ArrayFile, "read", read)
        patched.setattr(writer, "_SYNC_BYTES", 1)  # The disk is told to begin after each batch.
        extract(spec, Recorder(), loaded())
    files = manifests.read(tmp_path / "out")["files"]
    checksums = {name: entry["checksum"] for name, entry in files.items()}
    assert {n: arrays.checksum_of(tmp_path / "out" / n) for n in files} == checksums

    again = {**spec, "extraction": {**spec["extraction"], "path": str(tmp_path / "again")}}
    with pytest.raises(CancelledError):
        extract(again, Recorder(cancel_after=60), loaded())
    extract(again, Recorder(), loaded())
    assert files_of(tmp_path / "again") == files_of(tmp_path / "out")
    files = manifests.read(tmp_path / "again")["files"]
    assert {name: entry["checksum"] for name, entry in files.items()} == checksums


def test_threads_of_ours_start_no_others(setting: Any) -> None:
    """Torch keeps its number for the forward pass and for threads to come."""
    found: list[int] = []
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        threads.start(lambda: found.append(torch.get_num_threads()), "ours").join()
        later = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
        later.start()
        later.join()
        assert [*found, torch.get_num_threads()] == [1, 3, 3]
    finally:
        torch.set_num_threads(before)


#: Imports once, then runs each extraction in a process of its own (imports take seconds).
NURSERY = """
import json, os, sys, time
from pathlib import Path
import torch
from mistudio_ext.engine import capture, load, run, threads, writer
from tests.engine.helpers import Recorder

forward = capture.Capture.forward

def slow(*args):
    time.sleep(0.002)  # So that a kill falls into the middle of the work rather than beside it.
    forward(*args)

capture.Capture.forward = slow
writer.JOURNAL_SECONDS = 0.02
threads.use_threads(1)  # A fork has no threads but its own.
loaded = load.load_model(Path(sys.argv[1]), "fp32", torch.device("cpu"), False)
print("ready", flush=True)
for line in sys.stdin:
    pid = os.fork()
    if not pid:
        run.extract(json.load(open(line.strip())), Recorder(), loaded)
        os._exit(0)
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


@pytest.mark.timeout(600)
def test_killed_at_twenty_random_moments_ends_bit_identical(
    setting: Any, whole: dict[str, bytes], tmp_path: Path
) -> None:
    """A real worker process, SIGKILLed again and again, then left to get to the end."""
    spec_path = tmp_path / "spec.json"
    spec_path.write_text(json.dumps(spec_for(tmp_path / "out", setting)))
    generator = np.random.default_rng(int(time.time()))
    folder = tmp_path / "out"
    partly = 0
    with subprocess.Popen(
        [sys.executable, "-c", NURSERY, str(setting[0])],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as nursery:
        assert nursery.stdin is not None
        assert nursery.stdout is not None
        assert nursery.stdout.readline() == "ready\n"

        def work(kill: Callable[[int], None]) -> int:
            assert nursery.stdin is not None
            assert nursery.stdout is not None
            nursery.stdin.write(f"{spec_path}\n")
            nursery.stdin.flush()
            kill(int(nursery.stdout.readline()))
            return int(nursery.stdout.readline())

        def at_random(kills: int, worker: int) -> None:
            # Every second one may finish a chunk first, so that the kills spread over the run.
            before, deadline = done_of(folder), time.monotonic() + 60
            while kills % 2 and done_of(folder) == before and time.monotonic() < deadline:
                if not Path(f"/proc/{worker}").exists():
                    break
                time.sleep(0.002)
            time.sleep(float(generator.uniform(0.0, 0.2)))
            with suppress(ProcessLookupError):  # It may be done already.
                os.kill(worker, signal.SIGKILL)

        for kills in range(20):
            before = done_of(folder)
            code = work(partial(at_random, kills))
            assert code in (0, -signal.SIGKILL)
            assert done_of(folder) >= before
            partly += 0 < done_of(folder) < sum(LENGTHS)
            if code == 0 or done_of(folder) == sum(LENGTHS):
                assert work(lambda _: None) == 0
                assert files_of(folder) == whole
                shutil.rmtree(folder)  # It got to the end before the kills did: once more.
        assert work(lambda _: None) == 0
        nursery.stdin.close()
    assert partly > 0, "no kill fell into the middle"
    assert files_of(folder) == whole
    assert manifests.read(folder)["state"] == "done"


def done_of(folder: Path) -> int:
    """Return the tokens that the journal knows of."""
    entries = journal.read(folder)[1]
    return entries[-1].tokens if entries else 0


def test_a_damaged_chunk_is_found_and_made_again(
    setting: Any, whole: dict[str, bytes], tmp_path: Path
) -> None:
    spec = spec_for(tmp_path / "out", setting)
    with pytest.raises(CancelledError):
        extract(spec, Recorder(cancel_after=150), loaded())
    _, entries = journal.read(tmp_path / "out")
    assert len(entries) >= 2
    path = tmp_path / "out" / f"{HOOKS[1]}.npy"
    with open(path, "r+b") as file:
        file.seek(128 + (entries[1].tokens - 3) * 48 * 4)
        file.write(b"\xff" * 64)
    report = Recorder()
    extract(spec, report, loaded())
    assert report.steps[0][0] == entries[0].tokens
    assert files_of(tmp_path / "out") == whole


def test_a_torn_journal_line_does_not_count(
    setting: Any, whole: dict[str, bytes], tmp_path: Path
) -> None:
    spec = spec_for(tmp_path / "out", setting)
    with pytest.raises(CancelledError):
        extract(spec, Recorder(cancel_after=150), loaded())
    path = tmp_path / "out" / journal.FILE_NAME
    content = path.read_bytes()
    path.write_bytes(content[:-40])
    extract(spec, Recorder(), loaded())
    assert files_of(tmp_path / "out") == whole


def test_another_plan_does_not_change_a_run_that_is_gone_on_with(
    setting: Any, whole: dict[str, bytes], tmp_path: Path
) -> None:
    """The journal's own plan counts, so the bits are those of the first run."""
    spec = spec_for(tmp_path / "out", setting)
    with pytest.raises(CancelledError):
        extract(spec, Recorder(cancel_after=150), loaded())
    spec["extraction"]["spec"]["batch_tokens"] = 4096
    extract(spec, Recorder(), loaded())
    assert files_of(tmp_path / "out") == whole


def test_the_same_spec_again_is_not_computed_again(setting: Any, tmp_path: Path) -> None:
    spec = spec_for(tmp_path / "out", setting)
    first = extract(spec, Recorder(), loaded())
    report = Recorder()
    assert extract(spec, report, loaded()) == first
    assert report.phases == []


def test_a_finished_extraction_whose_file_is_gone_is_made_again(
    setting: Any, whole: dict[str, bytes], tmp_path: Path
) -> None:
    spec = spec_for(tmp_path / "out", setting)
    extract(spec, Recorder(), loaded())
    (tmp_path / "out" / f"{HOOKS[0]}.npy").unlink()
    extract(spec, Recorder(), loaded())
    assert files_of(tmp_path / "out") == whole


def test_no_room_is_said_before_the_work(setting: Any, tmp_path: Path) -> None:
    spec = spec_for(tmp_path / "out", setting)
    spec["disk_reserve_bytes"] = 1 << 60
    report = Recorder()
    with pytest.raises(NoSpaceError) as caught:
        extract(spec, report, loaded())
    assert "need" in caught.value.message
    assert caught.value.hint
    assert report.steps == []
    assert not list((tmp_path / "out").glob("*.npy"))


def test_a_reservation_that_fails_leaves_nothing(setting: Any, tmp_path: Path) -> None:
    """The limit of a process on file sizes refuses the reservation, as a full disk would."""
    spec = spec_for(tmp_path / "out", setting)
    manifests.write(tmp_path / "out", {"state": "queued", "id": "ext_1", "fingerprint": "f" * 16})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
        with pytest.raises(NoSpaceError):
            extract(spec, Recorder(), loaded())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert not list((tmp_path / "out").glob("*.npy"))
    found = manifests.read(tmp_path / "out")
    assert (found["state"], found["error"]["code"]) == ("failed", "no_space")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_small_disk_fills_up_and_works_once_there_is_room(
    setting: Any, whole: dict[str, bytes], tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        spec = spec_for(disk / "out", setting)
        (disk / "filler").write_bytes(b"x" * (4 << 20))
        with pytest.raises(NoSpaceError):
            extract(spec, Recorder(), loaded())
        (disk / "filler").unlink()
        with pytest.raises(CancelledError):
            extract(spec, Recorder(cancel_after=150), loaded())
        # The disk is full to the last byte, but the arrays' room is theirs.
        filler = open(disk / "filler", "wb", buffering=0)  # noqa: SIM115
        with pytest.raises(OSError, match="No space"):
            fill(filler)
        filler.close()
        with pytest.raises(NoSpaceError):
            extract(spec, Recorder(), loaded())
        (disk / "filler").unlink()
        extract(spec, Recorder(), loaded())
        assert files_of(disk / "out") == whole
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(file: Any) -> None:
    while True:
        file.write(b"x" * 4096)


def test_what_fails_in_the_background_fails_the_job(
    setting: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mistudio_ext.engine import arrays

    write = arrays.ArrayFile.write
    calls = []

    def failing(self: Any, data: memoryview, first_row: int) -> None:
        calls.append(first_row)
        if len(calls) > 150:
            raise OSError(28, "No space left on device")
        write(self, data, first_row)

    monkeypatch.setattr(arrays.ArrayFile, "write", failing)
    spec = spec_for(tmp_path / "out", setting)
    with pytest.raises(NoSpaceError):
        extract(spec, Recorder(), loaded())
    assert manifests.read(tmp_path / "out")["state"] == "failed"
    monkeypatch.setattr(arrays.ArrayFile, "write", write)
    extract(spec, Recorder(), loaded())
    assert manifests.read(tmp_path / "out")["state"] == "done"
