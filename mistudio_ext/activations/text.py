"""From token ids back to text: the dataset's own words, and the tokenizer's."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from mistudio_ext import model_files
from mistudio_ext.activations import kept_tokenizers
from mistudio_ext.activations.tokenizer import TokenTexts
from mistudio_ext.errors import MiStudioError


class TextSource:
    """Text of samples and tokens, as far as dataset and tokenizer are still there.

    Parameters
    ----------
    spec
        ``manifest["spec"]``: ``dataset_path``, ``split``, ``text_column``,
        ``model_path``, ``model_id``, ``tokenizer_fingerprint``.
    prepared
        What the import of the model kept of its tokenizer; None looks for it beside the
        dataset.
    load
        Load a tokenizer with transformers where nothing else has its texts.
    """

    def __init__(
        self, spec: dict[str, Any], prepared: Path | None = None, *, load: bool = True
    ) -> None:
        self._spec = spec
        self._tokenizer = TokenTexts(_folders(spec, prepared or _prepared(spec)), load=load)

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
    def _settings(self) -> dict[str, Any]:
        return self._spec.get("tokenization") or {}

    @property
    def _column(self) -> str | None:
        return self._settings.get("column") or self._spec.get("text_column")

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
        return self._tokenizer.text(token)

    def sample_text(
        self, ids: Sequence[int], row: int, start: int | None = None, following: int | None = None
    ) -> str | None:
        """Return the text of a sample.

        Parameters
        ----------
        ids
            Its token ids, special tokens included.
        row
            The dataset row in which it begins.
        start
            Index in that row of its first token that is not special; None if it is not known.
        following
            The same of the next sample, if that goes on with this row.

        Returns
        -------
        str or None
            The exact stretch of the dataset's text if the tokens are found in
            it, else the decoded tokens; None where neither can be had.
        """
        text = self.row_text(row)
        size = None
        if start is not None and following is not None:
            size = following - start + int(self._settings.get("overlap") or 0)
        if text is not None and (exact := self._stretch(text, list(ids), start, size)) is not None:
            return exact
        decoded = self._tokenizer.decode(list(ids))
        if decoded is not None or text is None:
            return decoded
        # Without a tokenizer the row is the sample's text only if it was not cut.
        return text if not start and len(ids) != self._spec.get("context") else None

    def _stretch(
        self, text: str, ids: list[int], start: int | None, size: int | None
    ) -> str | None:
        """Return the part of ``text`` that has these tokens (special ones aside)."""
        if self._settings.get("junk") == "remove":
            from mistudio_ext.store.junk import without_junk

            text = without_junk(text)
        encoded = self._tokenizer.encode(text)
        if encoded is None:
            return None
        found, spans = encoded
        place = self._place(found, ids, start, size)
        if place is None:
            return None
        first, last = place
        if last - first == len(found):
            return text
        if first == last:
            return ""
        return None if spans is None else text[spans[first][0] : spans[last - 1][1]]

    def _place(
        self, found: list[int], ids: list[int], start: int | None, size: int | None
    ) -> tuple[int, int] | None:
        """Return which tokens of its row a sample has, [first, last)."""
        if start is not None:
            return self._place_from(found[: None if size is None else start + size], ids, start)
        special = self._tokenizer.special - set(found)
        wanted = [token for token in ids if token not in special]
        for first in range(len(found) - len(wanted) + 1):
            if found[first : first + len(wanted)] == wanted:
                return first, first + len(wanted)
        return None

    def _place_from(self, found: list[int], ids: list[int], start: int) -> tuple[int, int] | None:
        """Return the same where the first token's place in the row is known.

        What stands before and after the row's tokens must be special; the longest stretch of
        the row is taken, because a text may have special tokens written in it.
        """
        special, rest = self._tokenizer.special, found[start:]
        best: tuple[int, int] | None = None
        for head in range(len(ids) + 1):
            size = _alike(ids[head:], rest)
            if special.issuperset(ids[head + size :]) and (
                best is None or size > best[1] - best[0]
            ):
                best = (start, start + size)
            if head < len(ids) and ids[head] not in special:
                break
        return best


def _alike(left: Sequence[int], right: Sequence[int]) -> int:
    """Return how many tokens two sequences have in common at their beginning."""
    pairs = enumerate(zip(left, right, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(left), len(right)))


def _folders(spec: dict[str, Any], prepared: Path | None) -> list[Path]:
    """Return where the tokenizer is that made the ids, best first; not another that came later."""
    wanted, model = spec.get("tokenizer_fingerprint"), Path(spec.get("model_path") or "")
    kept = None if prepared is None else kept_tokenizers.find(prepared, wanted)
    found = [] if kept is None else [kept]
    if kept is not None and (kept / "tokenizer.json").is_file():
        return found
    return [*found, model] if model.name and _has_tokenizer(model, wanted) else found


def _has_tokenizer(model: Path, wanted: str | None) -> bool:
    """Tell whether a model's folder still has a tokenizer; None where it was not noted."""
    if wanted is None:
        return True
    try:
        return bool(model_files.tokenizer_in(model)["fingerprint"] == wanted)
    except (OSError, ImportError):
        return False


def _prepared(spec: dict[str, Any]) -> Path | None:
    """Return where the import of the model kept its tokenizer, in the dataset's data folder."""
    dataset, model = spec.get("dataset_path"), spec.get("model_id")
    return Path(dataset).parent.parent / "models" / model if dataset and model else None
