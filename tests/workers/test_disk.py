"""The reserve of the disk holds, whatever the size of a write."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pytest

from mistudio_ext.disk import scratch
from mistudio_ext.errors import NoSpaceError
from mistudio_ext.room import DiskLimits
from mistudio_ext.workers import index
from mistudio_ext.workers.dataset_sources import DataFile
from mistudio_ext.workers.dataset_writer import SplitWriter
from mistudio_ext.workers.disk import DiskGuard, bound_scratch
from mistudio_ext.workers.hub import Repository
from tests.hubsim import HubSim
from tests.smalldisk import SmallDisk, mounted
from tests.workers.recorder import Recorder

MB = 1 << 20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A disk of 32 MB."""
    with mounted(tmp_path / "disk", "32m") as small:
        yield small


def test_a_write_larger_than_all_that_is_left(tmp_path: Path) -> None:
    """It is refused before it is made, also as the first one and after small ones."""
    guard = DiskGuard(tmp_path, DiskLimits())
    for size in (1, 1000, 1000):
        guard.before(size, "It")
    with pytest.raises(NoSpaceError) as caught:
        guard.before(1 << 60, "It")
    assert caught.value.needed_bytes == 1 << 60
    assert caught.value.free_bytes


@pytest.mark.parametrize("row_mb", [1, 20])
def test_rows_of_any_size_leave_the_reserve(disk: SmallDisk, row_mb: int) -> None:
    """One batch of 20 MB, or many of 1 MB, on a disk of 32 MB of which 16 MB must stay free."""
    guard = DiskGuard(disk.path, DiskLimits(reserve_bytes=16 * MB))
    writer = SplitWriter(disk.path / "train", guard)
    table = pa.table({"text": ["x" * (row_mb * MB)]})
    with pytest.raises(NoSpaceError) as caught:
        list(writer.write_all(table for _ in range(30)))
    # What was written is still there: less than that was never free.
    assert disk.free >= 16 * MB
    assert (caught.value.free_bytes or 0) < (caught.value.needed_bytes or 0)


class Lowest:
    """What was free at the least, looked at every millisecond."""

    def __init__(self, disk: SmallDisk) -> None:
        self._disk = disk
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.free = disk.free

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.001):
            self.free = min(self.free, self._disk.free)


def test_an_index_leaves_the_reserve(disk: SmallDisk, tmp_path: Path) -> None:
    """SQLite's file, its log and its temporary files: rows of one commit are more than fit."""
    words = np.random.default_rng(0).integers(0, 1 << 40, (6000, 60))
    table = pa.table({"text": [" ".join(map(str, row)) for row in words]})
    writer = SplitWriter(tmp_path / "data" / "train", DiskGuard(tmp_path, DiskLimits()))
    list(writer.write_all([table]))
    writer.close()
    (disk.path / "train").mkdir()
    for file in (tmp_path / "data" / "train").iterdir():
        (disk.path / "train" / file.name).write_bytes(file.read_bytes())
    spec = {
        "data_dir": str(disk.path),
        "dataset": {"path": str(disk.path), "text_column": "text", "fingerprint": "x"},
    }
    reserve = disk.free - 9 * MB
    with Lowest(disk) as lowest, pytest.raises(NoSpaceError) as caught:
        index.run({**spec, "disk_reserve_bytes": reserve}, Recorder())
    assert lowest.free >= reserve
    assert caught.value.free_bytes
    assert caught.value.needed_bytes
    assert list(disk.path.rglob("index*")) == []
    assert index.run(spec, Recorder())["splits"][0]["n_rows"] == 6000


@pytest.mark.parametrize("row_mb", [1, 20])
def test_what_is_unpacked_leaves_the_reserve(
    disk: SmallDisk, tmp_path: Path, row_mb: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of a few kilobytes that is 30 MB when it is unpacked."""
    monkeypatch.setattr(scratch, "_Place", type("Place", (), {"folder": None, "ask": None}))
    monkeypatch.setenv("SQLITE_TMPDIR", str(tmp_path))
    file = tmp_path / "rows.arrow.gz"
    table = pa.table({"text": ["x" * (row_mb * MB)] * (30 // row_mb)})
    with gzip.open(file, "wb", 1) as out, pa.ipc.new_stream(out, table.schema) as stream:
        stream.write_table(table)
    source = DataFile(file, "arrow").tables
    bound_scratch({"data_dir": str(disk.path), "disk_reserve_bytes": 20 * MB})
    with Lowest(disk) as lowest, pytest.raises(NoSpaceError):
        list(source())
    assert lowest.free >= 20 * MB
    bound_scratch({"data_dir": str(disk.path)})
    if row_mb == 1:
        assert sum(table.num_rows for table in source()) == 30
    assert disk.free > 31 * MB


def test_a_download_leaves_the_reserve(disk: SmallDisk, hub: HubSim) -> None:
    """Somebody else fills the disk meanwhile; when there is room again it goes on."""
    from huggingface_hub import constants

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(constants, "HF_HUB_CACHE", str(disk.path / "hub"))
        repository = Repository("demo/big", "dataset", endpoint=hub.url)
    guard = DiskGuard(disk.path, DiskLimits(reserve_bytes=8 * MB))
    report = Recorder()
    told = report.progress

    def progress(done: int, *rest: Any) -> None:
        told(done, *rest)
        if done > MB and disk.free > 10 * MB:
            disk.fill(leave=9 * MB)

    report.progress = progress  # type: ignore[method-assign]
    with Lowest(disk) as lowest, pytest.raises(NoSpaceError) as caught:
        repository.fetch(["train.txt.gz"], guard=guard, report=report)
    assert lowest.free >= 8 * MB
    assert caught.value.free_bytes
    disk.empty()
    folder = repository.fetch(["train.txt.gz"], report=Recorder())
    assert (folder / "train.txt.gz").stat().st_size == 6_000_000
    ranges = [call["range"] for call in hub.calls("GET .*_cdn")]
    assert ranges[0] is None
    assert ranges[-1]
