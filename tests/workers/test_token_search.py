"""Sequences of tokens are found in the rows that have them, however the rows are cut."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mistudio_ext.errors import InvalidInputError
from mistudio_ext.spec import TokenizationSpec
from mistudio_ext.store import samples as pages
from mistudio_ext.store.contexts import Block, Cutter, Frame
from mistudio_ext.store.search.token_sequences import Joints, Pieces
from mistudio_ext.store.tokens import MAX_WANTED, Tokenization
from tests.workers.test_frames import digits
from tests.workers.test_tokenize import make, texts

__all__ = ["make"]

SUMS = [f"{a} + {b} = {a + b}" for a in range(3) for b in range(3)]


def stream(ids: list[int], wanted: list[int]) -> bool:
    return any(ids[at : at + len(wanted)] == wanted for at in range(len(ids)))


@pytest.mark.parametrize("mode", ["chunk", "pack"])
@pytest.mark.parametrize("special", [False, True])
def test_sums_are_found_across_contexts(
    mode: str, special: bool, make: Callable[..., Tokenization], tmp_path: Path
) -> None:
    digits().save_pretrained(tmp_path / "digits")
    context = 3 if special else 2
    rows = texts([text.replace(" ", "") for text in SUMS])
    found = make(
        tmp_path / "digits", rows, mode=mode, context=context, special_tokens=special, bos="auto"
    )
    # "=0" and "0+": where a sum is cut between them, and where it is not.
    for wanted, holding in (("=0", [0]), ("0+", [0, 1, 2]), ("+2=", [2, 5, 8]), ("00", [])):
        ids = [3 + "0123456789+=".index(c) for c in wanted]
        assert found.rows_of(found.find(ids)).tolist() == holding, wanted
    page = pages.page(
        tmp_path / "data/datasets/ds_1", "train", "text", tokenization=found.folder,
        token_ids=[3 + "0123456789+=".index(c) for c in "+2="], offset=1, limit=1,
    )  # fmt: skip
    assert (page["total"], [s["index"] for s in page["samples"]]) == (3, [5])


def test_sums_with_blanks(make: Callable[..., Tokenization], tmp_path: Path) -> None:
    """Context 2 cuts every sum; ``+ 2`` stands across a cut in rows 2, 5 and 8."""
    digits().save_pretrained(tmp_path / "digits")
    found = make(
        tmp_path / "digits", texts(SUMS), mode="chunk", context=2, special_tokens=False, bos="auto"
    )
    for row, text in enumerate(SUMS):
        ids = [3 + "0123456789+=".index(c) for c in text if c != " "]
        for first, second in itertools.pairwise(ids):
            assert row in found.rows_of(found.find([first, second]))
    assert found.rows_of(found.find([13, 5])).tolist() == [2, 5, 8]


def cut(rows: list[list[int]], spec: TokenizationSpec, frame: Frame, ready: bool) -> Block:
    cutter = Cutter(spec, frame, own_specials=not ready)
    cutter.add(enumerate(rows))
    return cutter.finish()


FRAMES = [
    Frame((), (), None, None),
    Frame((0,), (), 0, 1),
    Frame((0,), (1,), 0, 1),
    Frame((), (1,), 0, 1),
]


@pytest.mark.parametrize("seed", range(60))
def test_drawn_rows_are_found_as_in_the_rows_themselves(seed: int) -> None:
    """All sequences of up to four tokens, against the rows as they were before they were cut."""
    rng = random.Random(seed)
    frame = rng.choice(FRAMES)
    ready = rng.random() < 0.3
    lowest = 0 if ready else 2
    rows = [[rng.randint(lowest, 4) for _ in range(rng.randint(0, 14))] for _ in range(8)]
    mode = rng.choice(["chunk", "pack", "truncate"])
    bos = rng.choice(["auto", "none"] if frame.bos is None else ["auto", "none", "each", "first"])
    if ready and mode == "chunk":
        bos = "auto"  # a BOS inside ready ids may stand at the bound of a chunk
    context = rng.randint(5, 7)
    settings: dict[str, Any] = {
        "mode": mode, "context": context, "bos": bos, "special_tokens": rng.random() < 0.7,
        "overlap": rng.randint(0, 2) if mode == "chunk" else 0,
    }  # fmt: skip
    spec = TokenizationSpec(**settings)
    block = cut(rows, spec, frame, ready)
    manifest = {
        "settings": spec.to_dict(),
        "ready_rows": ready,
        "tokenizer": {
            "class": "X", "prefix": frame.prefix, "suffix": frame.suffix,
            "bos_token_id": frame.bos, "eos_token_id": frame.eos,
        },
    }  # fmt: skip
    packed = mode == "pack"
    lengths, owners, starts = (
        (block.doc_lengths, block.doc_rows, block.doc_starts)
        if packed
        else (block.lengths, block.rows, block.starts)
    )
    tokens = np.array(block.tokens, np.uint16)
    docs = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    pieces = Pieces(tokens, docs, np.array(owners), np.array(starts), Joints.of(manifest))
    stored = [tokens[a:b].tolist() for a, b in itertools.pairwise(docs)]
    for size in (1, 2, 3, 4, 9):
        choices = itertools.product(range(2, 5), repeat=size)
        wanted_all = list(choices) if size < 5 else [tuple(r[:9]) for r in rows if len(r) >= 9]
        for wanted in map(list, wanted_all):
            begins = np.flatnonzero(tokens == wanted[0]).astype(np.int64)
            found = pieces.holding(begins, wanted)
            assert len(set(found.tolist())) == len(found)
            where = np.searchsorted(docs, found, side="right") - 1
            holding = sorted({int(owners[i]) for i in where})
            if mode == "truncate":
                expected = [r for r, ids in zip(owners, stored, strict=True) if stream(ids, wanted)]
            else:
                expected = [r for r, ids in enumerate(rows) if stream(ids, wanted)]
            assert holding == expected, (settings, wanted)


def test_overlap_is_not_counted_as_a_repetition() -> None:
    """What two contexts share stands once in the row."""
    spec = TokenizationSpec(mode="chunk", context=4, overlap=1)
    frame = Frame((), (), None, None)
    block = cut([[2, 3, 4, 5, 6, 7, 8]], spec, frame, False)
    assert block.tokens == [2, 3, 4, 5, 5, 6, 7, 8]
    manifest = {"settings": spec.to_dict(), "tokenizer": {"class": "X"}}
    tokens = np.array(block.tokens)
    pieces = Pieces(
        tokens, np.array([0, 4, 8]), np.array([0, 0]), np.array([0, 3]), Joints.of(manifest)
    )
    for wanted, count in (([5], 1), ([5, 5], 0), ([4, 5, 6], 1), ([5, 6], 1), ([3, 4, 5, 6, 7], 1)):
        begins = np.flatnonzero(tokens == wanted[0])
        assert len(pieces.holding(begins, wanted)) == count, wanted


def test_sequences_of_any_length_and_ids_of_any_size(
    make: Callable[..., Tokenization], tokenizers: dict[str, Path]
) -> None:
    found = make(tokenizers["llama"], texts(), mode="chunk", context=7)
    for wanted in ([2**70], [-1], [5, 2**70], [7] * MAX_WANTED):
        assert len(found.find(wanted)) == 0
    with pytest.raises(InvalidInputError) as caught:
        found.find([7] * (MAX_WANTED + 1))
    assert caught.value.code == "query_too_long"
