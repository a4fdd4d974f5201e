"""The reserve of the disk holds, whatever the size of a write."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from mistudio_ext.errors import NoSpaceError
from mistudio_ext.room import DiskLimits
from mistudio_ext.workers.dataset_writer import SplitWriter
from mistudio_ext.workers.disk import DiskGuard
from tests.smalldisk import SmallDisk, mounted

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
