from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from mistudio_ext.activations import batches
from mistudio_ext.activations.arrays import read_header
from mistudio_ext.activations.handle import Activations

HOOK = "blocks.2.hook_resid_post"


def _numbered(folder, rows, width=16, dtype=np.float32):
    """A file whose rows hold their own number."""
    path = folder / "rows.npy"
    array = np.lib.format.open_memmap(path, "w+", dtype=dtype, shape=(rows, width))
    array[:] = np.arange(rows)[:, None]
    array.flush()
    return batches.RowSource(path, read_header(path), rows)


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("size", [1, 7, 1000, 10_000])
@pytest.mark.parametrize("buffer_bytes", [1, 3 << 20, 1 << 28])
def test_each_row_exactly_once(tmp_path, monkeypatch, shuffle, size, buffer_bytes):
    monkeypatch.setattr(batches, "SPAN_BYTES", 4096)
    rows = 3001 if size > 1 else 301
    source = _numbered(tmp_path, rows)
    found = list(batches.iterate(source, size, shuffle=shuffle, seed=1, buffer_bytes=buffer_bytes))
    assert all(len(batch) == size for batch in found[:-1])
    assert all(batch.shape[1] == 16 for batch in found)
    order = np.concatenate(found)[:, 0]
    assert (order == np.arange(rows)).all() != shuffle
    np.testing.assert_array_equal(np.sort(order), np.arange(rows))


def test_drop_last(tmp_path):
    source = _numbered(tmp_path, 100)
    for size, count in ((30, 3), (50, 2), (101, 0)):
        found = list(batches.iterate(source, size, shuffle=True, seed=0, drop_last=True))
        assert [len(batch) for batch in found] == [size] * count


def test_a_size_larger_than_the_array_takes_no_more_memory(tmp_path):
    source = _numbered(tmp_path, 100)
    (batch,) = batches.iterate(source, 10**12, shuffle=True, seed=0)
    assert batch.shape == (100, 16)


def test_what_fits_the_buffer_is_shuffled_perfectly(tmp_path, monkeypatch):
    monkeypatch.setattr(batches, "SPAN_BYTES", 64 * 400)
    source = _numbered(tmp_path, 1000)  # two and a half spans
    (first, *_) = batches.iterate(source, 100, shuffle=True, seed=0, buffer_bytes=64 * 1000)
    assert set((first[:, 0] // 400).astype(int)) == {0, 1, 2}


def test_same_seed_same_order(tmp_path, monkeypatch):
    monkeypatch.setattr(batches, "SPAN_BYTES", 4096)
    source = _numbered(tmp_path, 2000)

    def order(seed):
        parts = batches.iterate(source, 64, shuffle=True, seed=seed, buffer_bytes=1 << 15)
        return np.concatenate([batch[:, 0] for batch in parts]).tolist()

    assert order(1) == order(1)
    assert order(1) != order(2)


def test_distant_rows_meet(tmp_path, monkeypatch):
    monkeypatch.setattr(batches, "SPAN_BYTES", 64 * 64)
    source = _numbered(tmp_path, 64 * 64)
    parts = batches.iterate(source, 64, shuffle=True, seed=0, buffer_bytes=64 * 64 * 16)
    spans = [len(set((batch[:, 0] // 64).astype(int))) for batch in parts]
    assert np.mean(spans) > 8  # of 16 spans that the buffer holds


def test_batches_are_the_callers_own(tmp_path):
    source = _numbered(tmp_path, 100)
    for shuffle in (True, False):
        found = []
        for batch in batches.iterate(source, 10, shuffle=shuffle, seed=0):
            assert batch.flags.writeable
            found.append(batch)
        assert len({float(batch[0, 0]) for batch in found}) == 10


def test_memory_is_bounded(tmp_path):
    source = _numbered(tmp_path, 400_000, width=64)  # 102 MB
    buffer = 8 << 20
    tracemalloc.start()
    try:
        total = sum(
            len(batch)
            for batch in batches.iterate(source, 1024, shuffle=True, seed=0, buffer_bytes=buffer)
        )
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert total == 400_000
    assert peak < buffer + (8 << 20)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("layout", ["packed", "padded"])
@pytest.mark.parametrize("shuffle", [True, False])
def test_of_a_handle(make, layout, dtype, shuffle):
    writer = make(layout=layout, dtype=dtype, lengths=(5, 1, 16, 0, 9, 3)).all()
    acts = Activations(writer.folder)
    found = list(acts.batches(HOOK, 8, shuffle=shuffle, seed=3))
    assert [len(batch) for batch in found] == [8, 8, 8, 8, 2]
    assert {batch.dtype.name for batch in found} == {dtype}
    rows = sorted(tuple(row) for batch in found for row in batch.astype(float))
    expected = sorted(tuple(writer.value(t).astype(float)) for t in range(34))
    assert rows == expected


def test_of_samples(make):
    acts = Activations(make(positions="mean").all().folder)
    assert [len(batch) for batch in acts.batches(HOOK, 4)] == [4, 1]


def test_of_what_is_written_so_far(make):
    writer = make(layout="padded")
    writer.begin()
    acts = Activations(writer.folder)
    assert list(acts.batches(HOOK, 4)) == []
    writer.sample(0)
    writer.sample(1)
    assert sum(len(batch) for batch in acts.batches(HOOK, 4)) == 6
