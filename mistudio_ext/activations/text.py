"""From token ids back to text: the dataset's own words, and the tokenizer's."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from mistudio_ext.errors import MiStudioError


class _Tokenizer(Protocol):
    """What is needed of a tokenizer, fast or slow."""

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = ...) -> str: ...


class TextSource:
    """Text of samples and tokens, as far as dataset and tokenizer are still there.

    Parameters
    ----------
    spec
        ``manifest["spec"]``: ``dataset_path``, ``split``, ``text_column``,
        ``model_path``.
    """

    def __init__(self, spec: dict[str, Any]) -> None:
        self._spec = spec
        self._pieces: dict[int, str | None] = {}

    @cached_property
    def _fast(self) -> Any | None:
        """The ``tokenizers.Tokenizer`` of the model, or None."""
        path = Path(self._spec.get("model_path") or "") / "tokenizer.json"
        if not self._spec.get("model_path") or not path.is_file():
            return None
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(path))
        # Only decoding and exact offsets are wanted of it.
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer

    @cached_property
    def tokenizer(self) -> _Tokenizer | None:
        """The tokenizer of the model; None if it is no longer there."""
        if self._fast is not None:
            fast: _Tokenizer = self._fast
            return fast
        folder = Path(self._spec.get("model_path") or "")
        if not self._spec.get("model_path") or not (folder / "tokenizer_config.json").is_file():
            return None
        from transformers import AutoTokenizer

        slow: Any = AutoTokenizer.from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=False
        )
        found: _Tokenizer = slow
        return found

    @cached_property
    def _split(self) -> Any | None:
        path, split = self._spec.get("dataset_path"), self._spec.get("split")
        if not path or not split or not self._column:
            return None
        from mistudio_ext.store.arrow import open_split

        try:
            opened = open_split(Path(path), split)
        except (MiStudioError, OSError):
            return None
        return opened if self._column in opened.column_names else None

    @property
    def _column(self) -> str | None:
        tokenization = self._spec.get("tokenization") or {}
        return tokenization.get("column") or self._spec.get("text_column")

    def row_text(self, row: int) -> str | None:
        """Return the text of a dataset row; None if it is no longer there or not text."""
        if self._split is None:
            return None
        found = self._split.rows(row, 1, [self._column])
        text = found[0][self._column] if found else None
        return text if isinstance(text, str) else None

    def token_text(self, token: int) -> str | None:
        """Return one token's text, with the space that belongs to it.

        Parts of a character that is split over tokens come out as ``�``.
        """
        if token not in self._pieces:
            self._pieces[token] = self._decode_one(token)
        return self._pieces[token]

    def sample_text(self, ids: Sequence[int], row: int) -> str | None:
        """Return the text of a sample.

        Parameters
        ----------
        ids
            Its token ids, special tokens included.
        row
            The dataset row in which it begins.

        Returns
        -------
        str or None
            The exact stretch of the dataset's text if the tokens are found in
            it, else the decoded tokens; None without dataset and tokenizer.
        """
        text = self.row_text(row)
        if self._fast is not None and text is not None:
            exact = _stretch(self._fast, text, list(ids))
            if exact is not None:
                return exact
        if self.tokenizer is not None:
            return self.tokenizer.decode(list(ids), skip_special_tokens=True)
        return text

    def _decode_one(self, token: int) -> str | None:
        tokenizer = self.tokenizer
        if tokenizer is None:
            return None
        if self._fast is not None:
            piece = self._fast.id_to_token(token)
            # SentencePiece marks the space; decode would drop it from a lone token.
            if piece is not None and "\u2581" in piece:
                return str(piece.replace("\u2581", " "))
        return tokenizer.decode([token], skip_special_tokens=False)


def _stretch(tokenizer: Any, text: str, ids: list[int]) -> str | None:
    """Return the part of ``text`` that has these tokens (special ones aside), if there is one."""
    encoding = tokenizer.encode(text, add_special_tokens=False)
    special = {
        number
        for number, token in tokenizer.get_added_tokens_decoder().items()
        if token.special and number not in encoding.ids
    }
    wanted = [number for number in ids if number not in special]
    if not wanted:
        return ""
    found: list[int] = encoding.ids
    for start in range(len(found) - len(wanted) + 1):
        if found[start] == wanted[0] and found[start : start + len(wanted)] == wanted:
            first, last = encoding.offsets[start][0], encoding.offsets[start + len(wanted) - 1][1]
            if len(wanted) == len(found):
                return text
            return text[first:last]
    return None
