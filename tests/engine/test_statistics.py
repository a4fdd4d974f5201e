"""Statistics: what NumPy says of the same values, in blocks, merged, on either device's path."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from mistudio_ext.engine import statistics
from mistudio_ext.engine.statistics import Meter, Statistics, from_vector, measure_on_device


def measure(rows: torch.Tensor) -> Statistics:
    return Meter(rows.shape[1], rows.dtype).measure(rows)


def rows_of(dtype: torch.dtype, bad: bool) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn((1500, 96), generator=generator) * 3 + 0.1
    if bad:
        rows[3, 5], rows[700, 1], rows[1499, 95] = float("inf"), float("nan"), -float("inf")
    return rows.to(dtype)


@pytest.mark.parametrize("bad", [False, True])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_both_paths_agree_with_numpy(
    dtype: torch.dtype, bad: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics, "_DEVICE_BLOCK", 96 * 400)  # Several pieces.
    rows = rows_of(dtype, bad)
    x = rows.double().numpy()
    finite = np.isfinite(x)
    kept, whole = x[finite], x[finite.all(axis=1)]
    for found in (measure(rows), from_vector(measure_on_device(rows))):
        assert (found.n, found.rows) == (kept.size, len(whole))
        assert (found.non_finite, found.infinite) == ((~finite).sum(), np.isinf(x).sum())
        summary = found.summary()
        assert summary["mean"] == pytest.approx(kept.mean(), rel=1e-4)
        assert summary["std"] == pytest.approx(kept.std(), rel=1e-5)
        assert summary["mean_norm"] == pytest.approx(np.linalg.norm(whole, axis=1).mean())
        assert summary["max_abs"] == pytest.approx(np.abs(kept).max())
        assert summary["sparsity"] == pytest.approx((np.abs(kept) < 0.01).mean())


def test_parts_add_up_and_survive_the_journal() -> None:
    rows = rows_of(torch.float32, True)
    total = Statistics()
    for part in rows.split(333):
        total.add(Statistics.from_dict(json.loads(json.dumps(measure(part).to_dict()))))
    whole = measure(rows)
    assert (total.n, total.n_below, total.non_finite) == (whole.n, whole.n_below, whole.non_finite)
    assert total.summary()["std"] == pytest.approx(whole.summary()["std"])


def test_nothing_but_nan_has_no_mean_and_is_still_json() -> None:
    found = measure(torch.full((4, 3), float("nan"))).summary()
    assert found["mean"] is None
    assert found["non_finite"] == 12
    json.dumps(found, allow_nan=False)
