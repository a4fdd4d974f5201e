"""Rows cut into contexts, without a tokenizer."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from mistudio_ext.errors import InvalidInputError
from mistudio_ext.spec import TokenizationSpec
from mistudio_ext.store.contexts import Block, Cutter, Frame

BOS, EOS = 1, 2
LLAMA = Frame((BOS,), (), BOS, EOS)
BERT = Frame((BOS,), (EOS,), BOS, EOS)
GPT = Frame((), (), BOS, EOS)


def cut(rows: list[list[int]], frame: Frame = LLAMA, **settings: Any) -> Block:
    cutter = Cutter(TokenizationSpec(**settings), frame)
    cutter.add(enumerate(rows))
    return cutter.finish()


def lists(block: Block) -> list[list[int]]:
    return [context.tolist() for context in block.contexts()]


def test_truncate_keeps_the_special_tokens_and_the_first_that_fit() -> None:
    block = cut([[10, 11, 12, 13], [], [14]], BERT, context=4)
    assert lists(block) == [[BOS, 10, 11, EOS], [BOS, 14, EOS]]
    assert (block.rows, block.starts, block.empty) == ([0, 2], [0, 0], 1)


def test_chunks_overlap_and_each_has_the_special_tokens() -> None:
    block = cut([[10, 11, 12, 13, 14]], mode="chunk", context=4, overlap=1)
    assert lists(block) == [[BOS, 10, 11, 12], [BOS, 12, 13, 14]]
    assert block.starts == [0, 2]


@pytest.mark.parametrize(
    ("frame", "bos", "expected"),
    [
        (LLAMA, "auto", [[BOS, 10, 11], [BOS, 12, 13]]),
        (LLAMA, "first", [[BOS, 10, 11], [12, 13]]),
        (LLAMA, "none", [[10, 11, 12], [13]]),
        (GPT, "auto", [[10, 11, 12], [13]]),
        (GPT, "each", [[BOS, 10, 11], [BOS, 12, 13]]),
        (GPT, "first", [[BOS, 10, 11], [12, 13]]),
    ],
)
def test_bos(frame: Frame, bos: str, expected: list[list[int]]) -> None:
    assert lists(cut([[10, 11, 12, 13]], frame, mode="chunk", context=3, bos=bos)) == expected


def test_without_special_tokens_bos_can_still_be_asked_for() -> None:
    plain = cut([[10]], BERT, context=4, special_tokens=False)
    with_bos = cut([[10]], BERT, context=4, special_tokens=False, bos="each")
    assert (lists(plain), lists(with_bos)) == ([[10]], [[BOS, 10]])


def test_packing_fills_contexts_with_whole_rows() -> None:
    block = cut([[10, 11], [12], [13, 14, 15, 16, 17, 18, 19], [20]], mode="pack", context=6)
    assert lists(block) == [
        [BOS, 10, 11, EOS, 12, EOS],
        [BOS, 13, 14, 15, 16, 17],
        [BOS, 18, 19, EOS, 20, EOS],
    ]
    assert block.rows == [0, 2, 2]
    assert block.starts == [0, 0, 5]
    assert block.doc_lengths == [4, 2, 6, 4, 2]
    assert block.doc_rows == [0, 1, 2, 2, 3]
    assert block.doc_starts == [0, 0, 0, 5, 0]


def test_packing_with_bos_at_the_beginning_of_rows() -> None:
    block = cut([[10, 11], [12]], mode="pack", context=8, bos="first")
    assert lists(block) == [[BOS, 10, 11, EOS, BOS, 12, EOS]]
    assert block.doc_lengths == [4, 3]


def test_a_lone_end_token_does_not_begin_a_context() -> None:
    assert lists(cut([[10, 11, 12]], mode="pack", context=4)) == [[BOS, 10, 11, 12]]


def test_short_contexts_are_left_out_and_counted() -> None:
    block = cut([[10, 11, 12, 13], [14]], mode="chunk", context=4, min_tokens=3)
    assert lists(block) == [[BOS, 10, 11, 12]]
    assert block.short == 2


def test_rows_that_bring_their_bos_do_not_get_a_second_one() -> None:
    cutter = Cutter(TokenizationSpec(context=4, bos="each"), LLAMA, own_specials=False)
    cutter.add([(0, [BOS, 10, 11]), (1, [12])])
    assert lists(cutter.finish()) == [[BOS, 10, 11], [BOS, 12]]


@pytest.mark.parametrize(
    ("settings", "frame", "code"),
    [
        ({"context": 2}, BERT, "context_too_small"),
        ({"context": 3, "mode": "chunk", "overlap": 2}, LLAMA, "overlap_too_large"),
        ({"context": 8, "bos": "each"}, Frame((), (), None, None), "no_bos"),
        ({}, LLAMA, "no_context"),
    ],
)
def test_settings_that_cannot_work(settings: dict[str, Any], frame: Frame, code: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        cut([[10]], frame, **settings)
    assert caught.value.code == code


@pytest.mark.parametrize("mode", ["truncate", "chunk", "pack"])
@pytest.mark.parametrize("bos", ["auto", "each", "first", "none"])
def test_random_rows_keep_every_token_and_its_place(mode: str, bos: str) -> None:
    rng = random.Random(f"{mode}{bos}")
    for _ in range(100):
        rows = [
            [10 + rng.randrange(90) for _ in range(rng.randrange(12))]
            for _ in range(rng.randrange(1, 9))
        ]
        context = rng.randrange(4, 9)
        frame = rng.choice([LLAMA, BERT, GPT])
        whole = cut(rows, frame, mode=mode, bos=bos, context=context)
        assert all(0 < length <= context for length in whole.lengths)
        assert sum(whole.lengths) == len(whole.tokens)
        assert whole.empty == sum(not row for row in rows)
        pieces = (whole.doc_lengths, whole.doc_rows, whole.doc_starts)
        if mode != "pack":
            pieces = (whole.lengths, whole.rows, whole.starts)
        ends = np.cumsum(pieces[0]).tolist()
        found: dict[int, list[int]] = {}
        for end, length, row, start in zip(ends, *pieces, strict=True):
            content = [t for t in whole.tokens[end - length : end] if t >= 10]
            assert rows[row][start : start + len(content)] == content
            found.setdefault(row, []).extend(content)
        for row, ids in enumerate(rows):
            if mode == "truncate":
                assert found.get(row, []) == ids[: len(found.get(row, []))]
            else:
                assert found.get(row, []) == ids
        parts = Cutter(TokenizationSpec(mode=mode, bos=bos, context=context), frame)  # type: ignore[arg-type]
        tokens: list[int] = []
        for row, ids in enumerate(rows):
            parts.add([(row, ids)])
            tokens += parts.take().tokens
        assert tokens + parts.finish().tokens == whole.tokens
