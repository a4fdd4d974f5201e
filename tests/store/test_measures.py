"""What is counted in bytes is what Python counts in strings."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest

from mistudio_ext.store import measures

#: All white space of ``str.split``, and what looks like it in UTF-8 or in Unicode.
BLANKS = [chr(i) for i in range(0x110000) if not 0xD800 <= i < 0xE000 and chr(i).isspace()]
OTHERS = ["a", "é", "Â", "\x1b", "\x08", "\u200b", "\ufeff", "日本", "。", "“", "🙂", "\u180e"]
TYPES = [pa.string(), pa.large_string(), pa.string_view()]


def some_texts(count: int = 400) -> list[str | None]:
    rng = random.Random(5)
    pieces = BLANKS + OTHERS * 3
    texts: list[str | None] = [
        "".join(rng.choices(pieces, k=rng.randrange(9))) for _ in range(count)
    ]
    return [None, *texts, "", None]


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_words_and_characters(dtype: pa.DataType) -> None:
    texts = some_texts()
    for cells, expected in [
        (pa.array(texts, dtype), texts),
        (pa.array(texts, dtype)[37:90], texts[37:90]),
        (pa.array([], dtype), []),
        (pa.array(["", None], dtype), ["", ""]),
    ]:
        values = [text or "" for text in expected]
        assert measures.character_counts(cells).tolist() == [len(v) for v in values]
        assert measures.word_counts(cells).tolist() == [len(v.split()) for v in values]


def test_hashes_are_of_the_text() -> None:
    texts = some_texts()
    hashes = measures.text_hashes(pa.array(texts, pa.string())[3:]).tolist()
    by_text = dict(zip((text or "" for text in texts[3:]), hashes, strict=True))
    assert len(set(hashes)) == len(by_text)
    assert measures.text_hashes(pa.array(["", None, "x"]))[0] == by_text[""]


@pytest.mark.parametrize(
    "dtype", [pa.list_(pa.int32()), pa.large_list(pa.uint16()), pa.list_(pa.int64(), 2)], ids=str
)
def test_lists(dtype: pa.DataType) -> None:
    lists = [[1, 2], None, [2, 1], [1, 2], [258, 0]]
    if not pa.types.is_fixed_size_list(dtype):
        lists += [[], [1], [1, 2, 1]]
    cells = pa.array(lists, dtype)[1:]
    assert measures.list_lengths(cells).tolist() == [len(item or ()) for item in lists[1:]]
    hashes = measures.list_hashes(cells).tolist()
    assert len(set(hashes)) == len({tuple(item or ()) for item in lists[1:]})
    assert hashes[2] == measures.list_hashes(pa.array([[1, 2]]))[0]
