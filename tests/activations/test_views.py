"""Readings, rankings and projections against plain NumPy over the whole array."""

from __future__ import annotations

import numpy as np
import pytest

from mistudio_ext.activations import readings as readings_module
from mistudio_ext.activations.errors import OutOfRangeError
from mistudio_ext.activations.projection import principal_plane, project
from mistudio_ext.activations.ranking import top_samples
from mistudio_ext.activations.readings import Readings
from mistudio_ext.activations.stored import StoredArrays

HOOK = "blocks.2.hook_resid_post"
LENGTHS = (5, 1, 16, 9, 3, 7, 12, 2, 16, 4)


@pytest.fixture
def small_pieces(monkeypatch):
    """Read a few rows at a time, so that small arrays are read in many pieces."""
    monkeypatch.setattr(readings_module, "PIECE_BYTES", 64)


def written(make, **options):
    writer = make(lengths=LENGTHS, **options)
    writer.begin()
    rng = np.random.default_rng(1)
    for array in writer.arrays.values():
        array[:] = rng.standard_normal(array.shape).astype(array.dtype)
    # Padding must never be taken for activations: make it larger than they are.
    if writer.layout == "padded":
        for i, length in enumerate(LENGTHS):
            writer.arrays[HOOK][i, length:] = 100
    return writer


def finish(writer):
    for i in range(len(LENGTHS)):
        with open(writer.folder / "journal.jsonl", "a") as journal:
            end = int(writer.offsets[i + 1])
            journal.write(f'{{"samples": {i + 1}, "tokens": {end}, "files": {{}}}}\n')
    return StoredArrays(writer.folder)


def per_sample(acts):
    """The stored vectors of each sample, float32."""
    array = np.asarray(acts[HOOK], dtype=np.float32)
    if acts.positions != "all":
        return [row[None] for row in array]
    if acts.layout == "padded":
        return [array[i, :length] for i, length in enumerate(LENGTHS)]
    return np.split(array, acts.offsets[1:-1])


LAYOUTS = [
    {"dtype": "float16"},
    {"dtype": "bfloat16"},
    {"layout": "padded"},
    {"positions": "last"},
    {"positions": "mean", "dtype": "bfloat16"},
]


@pytest.mark.parametrize("options", LAYOUTS, ids=str)
@pytest.mark.parametrize("dimension", [3, None])
@pytest.mark.parametrize("order", ["max", "min", "abs"])
def test_ranking(make, small_pieces, options, dimension, order):
    acts = finish(written(make, **options))
    rankings = list(top_samples(Readings(acts, HOOK, dimension), 4, order))
    assert len(rankings) > 1
    assert rankings[-1].read == rankings[-1].total == len(LENGTHS)

    score = {"max": lambda v: v, "min": lambda v: -v, "abs": np.abs}[order]
    peaks = []
    for sample, vectors in enumerate(per_sample(acts)):
        values = np.linalg.norm(vectors, axis=1) if dimension is None else vectors[:, dimension]
        position = int(np.argmax(score(values)))
        peaks.append((score(values[position]), sample, position, values[position]))
    expected = sorted(peaks, key=lambda peak: -peak[0])[:4]
    found = rankings[-1].found
    assert [(each.sample, each.position) for each in found] == [p[1:3] for p in expected]
    assert [each.value for each in found] == pytest.approx([p[3] for p in expected], rel=1e-5)


@pytest.mark.parametrize("options", LAYOUTS, ids=str)
def test_vectors_and_gather_are_the_same_rows(make, options):
    acts = finish(written(make, **options))
    readings = Readings(acts, HOOK, None)
    each = [readings.vectors(i) for i in range(len(LENGTHS))]
    for found, vectors in zip(each, per_sample(acts), strict=True):
        np.testing.assert_array_equal(found, vectors)
    indices = np.arange(readings.n_rows)
    np.testing.assert_array_equal(readings.gather(indices), np.concatenate(each))


def test_only_what_is_written_is_ranked(make, small_pieces):
    writer = written(make)
    writer.arrays[HOOK][writer.offsets[6] :, 3] = 50
    for i in range(6):
        with open(writer.folder / "journal.jsonl", "a") as journal:
            end = int(writer.offsets[i + 1])
            journal.write(f'{{"samples": {i + 1}, "tokens": {end}, "files": {{}}}}\n')
    last = list(top_samples(Readings(StoredArrays(writer.folder), HOOK, 3), 3))[-1]
    assert last.total == 6
    assert all(each.value < 50 and each.sample < 6 for each in last.found)


@pytest.mark.parametrize("options", LAYOUTS[:3], ids=str)
def test_first_tokens_can_be_left_out(make, small_pieces, options):
    writer = written(make, **options)
    for i, start in enumerate(writer.offsets[:-1]):
        first = (i, 0) if writer.layout == "padded" else (start,)
        writer.arrays[HOOK][first] = 50
    acts = finish(writer)
    readings = Readings(acts, HOOK, 3, skip_first=True)
    last = list(top_samples(readings, 20))[-1]
    assert all(each.value < 50 and each.position > 0 for each in last.found)
    assert len(last.found) == sum(length > 1 for length in LENGTHS)
    every = set(range(sum(LENGTHS)))
    assert set(project(readings, 1000).indices.tolist()) == every - set(acts.offsets[:-1].tolist())
    # The file is read only: leaving out is not writing.
    assert float(acts[HOOK].reshape(-1, acts[HOOK].shape[-1])[0, 3]) == 50


def test_what_is_not_finite_is_left_out(make):
    writer = written(make)
    writer.arrays[HOOK][0:5, 3] = np.inf
    writer.arrays[HOOK][5, 3] = np.nan
    readings = Readings(finish(writer), HOOK, 3)
    (ranking,) = top_samples(readings, 20)
    assert sorted(each.sample for each in ranking.found) == list(range(2, len(LENGTHS)))
    assert set(range(6)).isdisjoint(project(readings, 1000).indices.tolist())


def test_a_dimension_that_is_not_there(make):
    with pytest.raises(OutOfRangeError, match="has no dimension 8") as caught:
        Readings(finish(written(make)), HOOK, 8)
    assert caught.value.hint == "It has 8: 0 to 7."


@pytest.mark.parametrize("shape", [(500, 40), (30, 300), (2, 5), (50, 1)])
def test_plane_is_that_of_the_whole_decomposition(shape):
    rng = np.random.default_rng(0)
    rows = rng.standard_normal(shape) * np.exp(-0.3 * np.arange(shape[1])) * 1e4
    rows = rows.astype(np.float32)
    points, explained = principal_plane(rows.copy(), np.random.default_rng(5))
    centred = rows - rows.mean(axis=0)
    u, s, _ = np.linalg.svd(centred.astype(np.float64), full_matrices=False)
    share = s**2 / np.sum(s**2)
    for k in range(min(2, len(s))):
        assert explained[k] == pytest.approx(share[k], abs=2e-3)
        if share[k] > 1e-6:
            cosine = abs(np.dot(points[:, k], u[:, k])) / np.linalg.norm(points[:, k])
            assert cosine > 0.99


def test_one_row_has_a_plane_too():
    points, explained = principal_plane(np.ones((1, 4), np.float32), np.random.default_rng(0))
    assert points.tolist() == [[0, 0]]
    assert explained == (0.0, 0.0)
