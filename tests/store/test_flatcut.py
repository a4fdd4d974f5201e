"""The cut without loops gives what the cutter gives."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from mistudio_ext.spec import TokenizationSpec
from mistudio_ext.store.contexts import Cutter, Frame
from mistudio_ext.store.flatcut import cut

FRAMES = [Frame((), (), None, None), Frame((0,), (), 0, 1), Frame((0,), (1, 2), 0, 1)]
SETTINGS = [
    TokenizationSpec(context=context, mode=mode, overlap=overlap, bos=bos, min_tokens=minimum)  # type: ignore[arg-type]
    for context, (mode, overlap), bos, minimum in itertools.product(
        (6, 17), (("truncate", 0), ("chunk", 0), ("chunk", 2)), ("auto", "first", "none"), (1, 6)
    )
]


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("settings", SETTINGS)
def test_it_gives_what_the_cutter_gives(frame: Frame, settings: TokenizationSpec) -> None:
    if frame.bos is None and settings.bos == "first":
        frame = Frame((), (), 0, None)
    random = np.random.default_rng(0)
    sizes = np.concatenate([np.arange(40), random.integers(0, 60, 60)]).astype(np.int64)
    flat = random.integers(10, 500, int(sizes.sum()), dtype=np.uint32)
    rows = np.arange(len(sizes)) * 3
    cutter = Cutter(settings, frame)
    parts = np.split(flat, np.cumsum(sizes)[:-1])
    cutter.add((int(row), part.tolist()) for row, part in zip(rows, parts, strict=True))
    wanted = cutter.finish()
    found = cut(cutter.plan, flat, sizes, rows)
    assert found.tokens.tolist() == wanted.tokens
    assert found.lengths.tolist() == wanted.lengths
    assert found.rows.tolist() == wanted.rows
    assert found.starts.tolist() == wanted.starts
    assert (found.empty, found.short) == (wanted.empty, wanted.short)
