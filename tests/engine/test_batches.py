"""Chunks and batches: every sample once, in order, within the budget, always the same."""

from __future__ import annotations

import numpy as np
import pytest

from mistudio_ext.engine.batches import Plan, batches, chunks, make_plan, padded_ids

GENERATOR = np.random.default_rng(0)
RAGGED = np.clip(GENERATOR.lognormal(3.5, 1.0, 2000), 0, 500).astype(np.int64)


def offsets_of(lengths: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths)])


@pytest.mark.parametrize("padding", ["plain", "equal"])
def test_every_sample_is_in_exactly_one_batch(padding: str) -> None:
    offsets, plan = offsets_of(RAGGED), Plan(1024, 8192, padding)
    seen: list[int] = []
    end = 0
    for chunk in chunks(offsets, plan):
        assert chunk.first == end
        end = chunk.end
        for batch in batches(offsets, chunk, plan):
            assert np.array_equal(batch.samples, np.sort(batch.samples))
            assert np.array_equal(batch.lengths, RAGGED[batch.samples])
            assert batch.lengths.min() > 0
            assert len(batch.samples) * batch.width <= 1024 or len(batch.samples) == 1
            assert padding == "plain" or not batch.ragged
            seen.extend(batch.samples.tolist())
    assert end == len(RAGGED)
    assert sorted(seen) == np.flatnonzero(RAGGED).tolist()


def test_length_buckets_leave_little_padding() -> None:
    offsets, plan = offsets_of(RAGGED), Plan(2048, 2048 * 16)
    run = real = 0
    for chunk in chunks(offsets, plan):
        for batch in batches(offsets, chunk, plan):
            run += len(batch.samples) * batch.width
            real += batch.tokens
    assert real / run > 0.85
    in_order = sum(
        RAGGED[i : i + 16].max() * len(RAGGED[i : i + 16]) for i in range(0, len(RAGGED), 16)
    )
    assert in_order / run > 2


def test_chunks_from_the_middle_are_those_of_a_whole_run() -> None:
    offsets, plan = offsets_of(RAGGED), Plan(1024, 8192)
    whole = list(chunks(offsets, plan))
    assert list(chunks(offsets, plan, whole[3].first)) == whole[3:]


def test_a_plan_depends_on_nothing_but_its_arguments() -> None:
    facts = {
        "device_type": "cpu",
        "batch_tokens": None,
        "longest": 128,
        "row_bytes": 9 * 768 * 2,
        "flops_per_token": 1.7e8,
        "padding": "plain",
    }
    assert make_plan(**facts) == make_plan(**facts)
    assert make_plan(**{**facts, "batch_tokens": 64}).batch_tokens == 128  # One sample must fit.
    wide = make_plan(**{**facts, "row_bytes": 1 << 20})
    assert wide.batch_tokens < make_plan(**facts).batch_tokens
    assert Plan.from_dict(wide.to_dict()) == wide


@pytest.mark.parametrize(
    ("flops_per_token", "tokens"), [(1e7, 2048), (1.7e8, 1024), (4e8, 1024), (2e9, 256)]
)
def test_a_cpu_takes_fewer_tokens_at_a_time_where_each_is_much_work(
    flops_per_token: float, tokens: int
) -> None:
    facts = {"device_type": "cpu", "longest": 128, "row_bytes": 13_824, "padding": "plain"}
    plan = make_plan(**facts, batch_tokens=None, flops_per_token=flops_per_token)
    assert plan.batch_tokens == tokens


def test_batches_fit_into_what_a_gpu_has_left() -> None:
    facts = {"device_type": "cuda", "longest": 128, "row_bytes": 13_824, "flops_per_token": 1.7e8}
    facts |= {"padding": "plain", "pass_bytes": 100_000}
    most = make_plan(**facts, batch_tokens=None, room=80 << 30)
    assert most == make_plan(**facts, batch_tokens=None)
    small = make_plan(**facts, batch_tokens=None, room=1 << 30)
    assert 256 < small.batch_tokens < most.batch_tokens
    assert small.batch_tokens * 100_000 <= 1 << 30
    assert make_plan(**facts, batch_tokens=9999, room=1 << 30).batch_tokens == 9999  # As asked.


def test_padding_repeats_the_samples_own_last_token() -> None:
    tokens, offsets = np.array([5, 6, 7, 8, 9], np.uint16), np.array([0, 2, 5])
    plan = Plan(64, 64)
    (batch,) = batches(offsets, next(chunks(offsets, plan)), plan)
    assert padded_ids(tokens, offsets, batch).tolist() == [[5, 6, 6], [7, 8, 9]]


def test_halves_hold_the_shorter_and_the_longer_samples() -> None:
    offsets, plan = offsets_of(np.array([9, 2, 7, 1, 5])), Plan(1024, 1024)
    (batch,) = batches(offsets, next(chunks(offsets, plan)), plan)
    shorter, longer = batch.halves()
    assert shorter.lengths.tolist() == [2, 1]
    assert longer.samples.tolist() == [0, 2, 4]
