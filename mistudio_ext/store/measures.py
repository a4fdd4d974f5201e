"""Lengths, words and hashes of the cells of an Arrow column, without a Python object for each."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import xxhash

if TYPE_CHECKING:
    import pyarrow as pa

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]
Hashes = npt.NDArray[np.uint64]

#: White space beyond ASCII, as ``str.split`` sees it, in UTF-8: the first bytes, and the whole.
_LEADS = (0xC2, 0xE1, 0xE2, 0xE3)
_TWO_BYTES = (0xC285, 0xC2A0)
_THREE_BYTES = tuple(
    int.from_bytes(chr(code).encode(), "big")
    for code in (0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000)
)


def character_counts(texts: pa.Array) -> Ints:
    """Return the code points of each text, 0 for null, [n_texts]."""
    import pyarrow.compute as pc

    return _integers(pc.utf8_length(_filled(texts)))


def word_counts(texts: pa.Array) -> Ints:
    """Return how many words ``str.split`` makes of each text, 0 for null, [n_texts]."""
    starts, data = _cells(_filled(texts))
    if not len(data):
        return np.zeros(len(texts), np.int64)
    blank = _blanks(data)
    begins = np.ones(len(data), bool)
    begins[1:] = blank[:-1]
    begins[starts[starts < len(data)]] = True
    np.greater(begins, blank, out=begins)
    return np.diff(np.searchsorted(np.flatnonzero(begins), starts))


def text_hashes(texts: pa.Array) -> Hashes:
    """Return a hash of each text; null has that of the empty one, [n_texts]."""
    return _hashes(*_cells(_filled(texts)))


def list_lengths(lists: pa.Array) -> Ints:
    """Return the items of each list, 0 for null, [n_lists]."""
    import pyarrow.compute as pc

    return _integers(pc.fill_null(pc.list_value_length(lists), 0))


def list_hashes(lists: pa.Array) -> Hashes:
    """Return a hash of each list of integers; null has that of the empty one, [n_lists]."""
    import pyarrow as pa

    lists = lists.cast(pa.large_list(pa.int64()))
    lengths = list_lengths(lists)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    return _hashes(starts * 8, _integers(lists.flatten()).view(np.uint8))


def _hashes(starts: Ints, data: Bytes) -> Hashes:
    digest, held = xxhash.xxh3_64_intdigest, data.data
    spans = pairwise(starts.tolist())
    return np.fromiter((digest(held[a:b]) for a, b in spans), np.uint64, len(starts) - 1)


def _filled(texts: pa.Array) -> pa.Array:
    """Return texts of one layout without nulls."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if texts.type != pa.large_string():
        texts = texts.cast(pa.large_string())
    return pc.fill_null(texts, "") if texts.null_count else texts


def _cells(texts: pa.Array) -> tuple[Ints, Bytes]:
    """Return where each large string begins, [n + 1], and the bytes of all of them."""
    _, offsets, data = texts.buffers()
    starts = np.frombuffer(offsets, np.int64, len(texts) + 1, texts.offset * 8)
    held = np.frombuffer(data if data is not None else b"", np.uint8)
    return starts - starts[0], held[starts[0] : starts[-1]]


def _integers(array: pa.Array) -> Ints:
    """Return an Arrow array of integers without nulls; pyarrow would import pandas for it."""
    dtype = np.dtype(f"i{array.type.bit_width // 8}")
    buffer = array.buffers()[1]
    if not len(array):
        return np.zeros(0, np.int64)
    return np.frombuffer(buffer, dtype, len(array), array.offset * dtype.itemsize).astype(np.int64)


def _blanks(data: Bytes) -> Mask:
    """Return which bytes are of white space, [n_bytes]."""
    # Differences wrap around: one comparison for a range of bytes.
    blank = (data - np.uint8(9) <= 4) | (data - np.uint8(28) <= 4)
    if data.max() < _LEADS[0]:
        return blank
    leads = np.flatnonzero(np.isin(data, _LEADS))
    padded = np.concatenate([data, np.zeros(2, np.uint8)])
    first, second, third = (padded[leads + i].astype(np.int32) for i in range(3))
    two = leads[np.isin(first << 8 | second, _TWO_BYTES)]
    three = leads[np.isin(first << 16 | second << 8 | third, _THREE_BYTES)]
    for at in (two, two + 1, three, three + 1, three + 2):
        blank[at] = True
    return blank
