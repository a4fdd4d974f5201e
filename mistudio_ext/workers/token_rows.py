"""Token ids of a split's rows, from text, turns, or a column of ids."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mistudio_ext.errors import InvalidInputError, MiStudioError
from mistudio_ext.spec import TokenizationSpec
from mistudio_ext.store import columns as cols
from mistudio_ext.store.arrow import Split
from mistudio_ext.store.cells import cells
from mistudio_ext.store.contexts import Frame
from mistudio_ext.store.junk import junk_share, without_junk
from mistudio_ext.store.turns import TOOLS_NAME, messages
from mistudio_ext.store.turns import tools as tools_of
from mistudio_ext.workers.ready_ids import ready_ids
from mistudio_ext.workers.text_encoder import TextEncoder, model_vocab_size

if TYPE_CHECKING:
    from mistudio_ext.workers.reporter import Reporter

#: What mends a row that cannot be tokenized.
SKIP = ({"label": "Skip bad rows", "change": {"bad_rows": "skip"}},)

#: Characters that go through the tokenizer at once; bounds the memory.
BATCH_CHARS = 2_000_000

#: Rows, and characters of each, on which a quick tokenizer is compared with the real one.
CHECKED_ROWS, CHECKED_CHARS = 500, 4_000

#: Rows on which the special tokens around a text are compared with the tokenizer's own.
COMPARED_ROWS = 32

#: Bad rows that are named.
NAMED_ROWS = 20

_MASK_NAME = "attention_mask"

Ids = npt.NDArray[np.integer[Any]]
Ints = npt.NDArray[np.int64]

_NO_FRAME = Frame((), (), None, None)


class LeftOut:
    """Counts the rows that are left out, and names the first bad ones."""

    def __init__(self) -> None:
        self._junk = self._bad = 0
        self._named: list[dict[str, Any]] = []

    def junk(self) -> None:
        """Count a row with too much junk."""
        self._junk += 1

    def bad(self, row: int, error: MiStudioError) -> None:
        """Count a row that cannot be tokenised."""
        self._bad += 1
        if len(self._named) < NAMED_ROWS:
            self._named.append({"row": row, "message": error.message})

    def to_dict(self) -> dict[str, Any]:
        """Return ``{"junk", "bad", "bad_rows": [{"row", "message"}]}``."""
        return {"junk": self._junk, "bad": self._bad, "bad_rows": list(self._named)}

    def restore(self, kept: dict[str, Any]) -> None:
        """Go on from what :meth:`to_dict` gave."""
        self._junk, self._bad = kept["junk"], kept["bad"]
        self._named = list(kept["bad_rows"])


class RowReader:
    """Yields the token ids of a split's rows, from text, turns, or a column of ids."""

    def __init__(
        self,
        split: Split,
        column: str,
        settings: TokenizationSpec,
        encoder: TextEncoder | None,
        vocab_size: int | None,
    ) -> None:
        self._split = split
        self._column = column
        self._settings = settings
        self._encoder = encoder
        self._kind = cols.kind(split.schema.field(column).type)
        self._vocab_size = vocab_size
        self.n_rows = min(split.n_rows, settings.max_rows or split.n_rows)
        #: Whether the rows bring their special tokens along.
        self.ready = self._kind == "ids" or settings.chat_template
        #: Whether the tokenizer's special tokens are put around the rows.
        self.framed = settings.special_tokens and not self.ready
        self.left_out = LeftOut()

    @classmethod
    def open(
        cls,
        split: Split,
        column: str,
        settings: TokenizationSpec,
        model: Path,
        report: Reporter,
        allow_remote_code: bool = False,
    ) -> RowReader:
        """Load the tokenizer if the column needs one."""
        encoder, vocab_size = None, model_vocab_size(model)
        ready = cols.kind(split.schema.field(column).type) == "ids"
        if column == cols.IDS_NAME and not ready:
            raise cols.no_ids(split.schema.field(column).type)
        if not ready or settings.bos in ("each", "first"):
            report.phase("loading tokenizer")
            encoder = TextEncoder.load(model, allow_remote_code=allow_remote_code)
            if not ready or vocab_size is None:
                vocab_size = encoder.vocab_size
        reader = cls(split, column, settings, encoder, vocab_size)
        if encoder is not None and not ready:
            texts = reader.some_texts()
            if reader.framed:
                encoder.compare(texts[:: max(1, len(texts) // COMPARED_ROWS)])
            encoder.quicken(texts)
        return reader

    def some_texts(self) -> list[str]:
        """Return texts from all over the rows, as the tokenizer gets them in the run."""
        step = max(1, self.n_rows // CHECKED_ROWS)
        rows = self._split.take(range(0, self.n_rows, step), [self._column])
        texts = (cols.as_text(row[self._column])[:CHECKED_CHARS] for row in rows)
        return [without_junk(t) if self._settings.junk == "remove" else t for t in texts]

    @property
    def frame(self) -> Frame:
        """Special tokens that the tokenizer puts around a text."""
        if self._encoder is None:
            return _NO_FRAME
        return self._encoder.frame_for(self._settings)

    @property
    def dtype(self) -> type[np.uint16] | type[np.int32]:
        """Smallest dtype that holds every token id."""
        return np.uint16 if self._vocab_size and self._vocab_size <= 1 << 16 else np.int32

    def facts(self) -> dict[str, Any]:
        """Return what is written into the manifest about the tokenizer."""
        if self._encoder is None:
            return {"class": None, "fast": None, "vocab_size": self._vocab_size or 0}
        quick = self._encoder.quick
        return {
            **self._encoder.facts(),
            "vocab_size": self._vocab_size,
            "encoder": "tokenizers" if quick is None else quick.name,
        }

    @property
    def decode(self) -> Callable[[int], str] | None:
        """Gives the text of a token, if there is a tokenizer."""
        return None if self._encoder is None else self._encoder.decode

    @property
    def flat(self) -> bool:
        """Whether :meth:`flat_batches` can be used: a quick tokenizer, and plain text."""
        return self._encoder is not None and self._encoder.quick is not None and not self.ready

    def flat_batches(self, start: int = 0) -> Iterator[tuple[int, Ids, Ints, Ints]]:
        """Yield ``(row after the last, ids one after the other, ids and row of each row)``."""
        assert self._encoder is not None
        assert self._encoder.quick is not None
        for first, batch in self._split.iter_batches([self._column], start, self.n_rows):
            values = cells(batch.column(0))
            texts = [self._text(first + i, value) for i, value in enumerate(values)]
            for begin, end in _portions([len(text or "") for text in texts]):
                places = [i for i in range(begin, end) if texts[i] is not None]
                flat, sizes = self._encoder.quick.encode([texts[i] or "" for i in places])
                yield first + end, flat, sizes, np.array(places, np.int64) + first

    def batches(self, start: int = 0) -> Iterator[tuple[int, list[list[int] | None]]]:
        """Yield ``(first row, token ids of each row)`` from a row on; None for one left out."""
        beside = _MASK_NAME if self._kind == "ids" else TOOLS_NAME
        wanted = self._kind == "ids" or self._settings.chat_template
        there = wanted and beside in self._split.schema.names and beside != self._column
        names = [self._column, beside] if there else [self._column]
        for first, batch in self._split.iter_batches(names, start, self.n_rows):
            values = cells(batch.column(0))
            others = cells(batch.column(1)) if there else [None] * len(values)
            pairs = enumerate(zip(values, others, strict=True), first)
            if self._kind == "ids":
                yield first, [self._ready_ids(row, *pair) for row, pair in pairs]
                continue
            texts = [self._text(row, *pair) for row, pair in pairs]
            for begin, end in _portions([len(text or "") for text in texts]):
                yield first + begin, self._encode(first + begin, texts[begin:end])

    def _ready_ids(self, row: int, ids: Any, mask: Any) -> list[int] | None:
        try:
            return ready_ids(row, ids, mask, self._vocab_size)
        except MiStudioError as error:
            self._leave_out(row, error)
            return None

    def _leave_out(self, row: int, error: MiStudioError) -> None:
        """Count a bad row if bad rows are skipped, else raise the error that names it."""
        if self._settings.bad_rows == "stop":
            raise error
        self.left_out.bad(row, error)

    def _text(self, row: int, value: Any, tools: Any = None) -> str | None:
        """Return the text of a row; None if it is left out."""
        limit = self._settings.max_junk_share
        if limit is not None and junk_share(cols.as_text(value)) > limit:
            self.left_out.junk()
            return None
        text = cols.as_text(value)
        if self._settings.chat_template and value is not None:
            try:
                text = self._chat(row, value, tools)
            except InvalidInputError as error:
                if error.code == "no_chat_template":
                    raise
                self._leave_out(row, error)
                return None
        return without_junk(text) if self._settings.junk == "remove" else text

    def _chat(self, row: int, value: Any, tools: Any) -> str:
        turns = messages(value)
        if turns is None or self._encoder is None:
            raise InvalidInputError(
                f"Row {row} of column '{self._column}' is no list of turns.",
                code="no_chat",
                field="chat_template",
                hint="Switch the chat template off, choose a column of role and content, "
                "or skip bad rows.",
            )
        try:
            return self._encoder.render_chat(turns, tools_of(tools, f"of row {row}"))
        except MiStudioError:
            raise
        except Exception as error:
            raise InvalidInputError(
                f"The chat template refuses row {row}: {error}",
                code="bad_row",
                field="chat_template",
                hint="Mend the row, switch the chat template off, or skip bad rows.",
                remedies=SKIP,
            ) from error

    def _encode(self, first: int, texts: Sequence[str | None]) -> list[list[int] | None]:
        """Return the token ids of some rows; None for those left out."""
        assert self._encoder is not None
        places = [i for i, text in enumerate(texts) if text is not None]
        found: list[list[int] | None] = [None] * len(texts)
        try:
            encoded = self._encoder.encode([text for text in texts if text is not None])
        except Exception:  # noqa: BLE001 - whatever a tokenizer raises; the row is looked for
            return [self._encode_one(first + i, text) for i, text in enumerate(texts)]
        for i, ids in zip(places, encoded, strict=True):
            found[i] = self._with_known_frame(first + i, str(texts[i]), ids)
        return found

    def _with_known_frame(self, row: int, text: str, ids: list[int]) -> list[int] | None:
        """Return the ids of a row; None if it is left out for its special tokens."""
        assert self._encoder is not None
        if self.framed:
            try:
                self._encoder.require_frame(text, ids)
            except InvalidInputError as error:
                error.message = f"Row {row}: {error.message}"
                self._leave_out(row, error)
                return None
        return ids

    def _encode_one(self, row: int, text: str | None) -> list[int] | None:
        assert self._encoder is not None
        if text is None:
            return None
        try:
            ids = self._encoder.encode([text])[0]
        except Exception as cause:  # noqa: BLE001 - whatever a tokenizer raises, with the row
            error = InvalidInputError(
                f"The tokenizer fails on row {row}: {cause}",
                code="bad_row",
                hint="Mend the row, or skip bad rows.",
                remedies=SKIP,
            )
            error.__cause__ = cause
            self._leave_out(row, error)
            return None
        return self._with_known_frame(row, text, ids)


def _portions(sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Cut a list into runs of at most BATCH_CHARS, at least one item each."""
    begin = total = 0
    for i, size in enumerate(sizes):
        if i > begin and total + size > BATCH_CHARS:
            yield begin, i
            begin, total = i, 0
        total += size
    if begin < len(sizes):
        yield begin, len(sizes)
