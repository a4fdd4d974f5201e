"""A faster tokenizer library where it is installed, and only where it gives the same ids.

gigatoken tokenises byte-level BPE some forty times faster than ``tokenizers``. It is
optional (``pip install mistudio-ext[fast]``), knows the pre-tokenizers of the common
models only, and is checked on rows of the very dataset before it is used.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Flat = tuple[npt.NDArray[np.integer[Any]], npt.NDArray[np.int64]]

#: Characters after which the library is loaded anew: it keeps every word that it has seen.
RENEWED_CHARS = 128_000_000

#: Texts on which tokenizers differ if they differ at all.
_HARD = (
    "",
    " ",
    "  two  blanks \n\n\t and lines\r\n",
    "don't I'LL we've 12,345.67 3rd",
    "Ünïcode, e\u0301, 漢字, العربية, 🙂👩‍👩‍👧, \u200b\ufeff\u00a0",
    "x" * 300 + " " * 300 + "\n" * 30,
    "\x00\x01\x7f\ufffd",
)


class QuickEncoder:
    """Tokenises with gigatoken; made by :meth:`open`."""

    def __init__(self, backend: Any) -> None:
        import gigatoken

        self._backend = backend
        self._tokenizer = gigatoken.Tokenizer(backend)
        self._chars = 0
        self.name = f"gigatoken {importlib.metadata.version('gigatoken')}"

    @classmethod
    def open(
        cls,
        backend: Any,
        reference: Callable[[Sequence[str]], list[list[int]]],
        texts: Sequence[str],
    ) -> QuickEncoder | None:
        """Return a quick encoder that gives the reference's ids; None if there is none.

        Parameters
        ----------
        backend
            A ``tokenizers.Tokenizer``.
        reference
            Gives the ids of texts by the tokenizer itself.
        texts
            Rows of the dataset to compare on; hard cases are added.
        """
        if importlib.util.find_spec("gigatoken") is None:
            return None
        specials = [token.content for token in backend.get_added_tokens_decoder().values()]
        checked = [*texts, *_HARD, *(f"a{token}b {token}" for token in specials[:50])]
        try:
            found = cls(backend)
            flat, sizes = found.encode(checked)
        except Exception:  # noqa: BLE001 - it refuses what it does not know in many ways
            return None
        wanted, wanted_sizes = flat_of(reference(checked))
        same = np.array_equal(sizes, wanted_sizes) and np.array_equal(flat, wanted)
        return found if same else None

    def encode(self, texts: Sequence[str]) -> Flat:
        """Return the ids of all texts one after the other, and how many each has."""
        import awkward
        import gigatoken

        self._chars += sum(map(len, texts))
        if self._chars > RENEWED_CHARS:
            self._tokenizer = gigatoken.Tokenizer(self._backend)
            self._chars = 0
        found = self._tokenizer.encode_batch(list(texts))
        sizes = awkward.to_numpy(awkward.num(found)).astype(np.int64)
        return awkward.to_numpy(awkward.flatten(found)), sizes


def flat_of(rows: Sequence[Sequence[int]]) -> Flat:
    """Return ids of rows one after the other, and how many each has."""
    sizes = np.fromiter(map(len, rows), np.int64, len(rows))
    flat = np.fromiter((i for ids in rows for i in ids), np.int64, int(sizes.sum()))
    return flat, sizes
