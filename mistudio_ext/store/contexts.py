"""Cut rows of token ids into contexts.

``truncate``
    One context per row: prefix, as much of the row as fits, suffix. The same
    as ``tokenizer(text, truncation=True, max_length=context)``.
``chunk``
    All of the row, in pieces that each get prefix and suffix.
``pack``
    Whole rows one after the other as long as they fit, each followed by the
    tokenizer's suffix or, if it has none, by EOS. The prefix stands once at
    the beginning of a context. A row longer than a context is cut; its rest
    begins a new one. The model sees no wall between the rows of a context;
    where they begin is kept beside the tokens.

BOS: ``auto`` keeps the tokenizer's own prefix; ``each`` adds BOS to every
context where the prefix has none; ``first`` has BOS only where a row begins;
``none`` takes it away.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mistudio_ext.errors import InvalidInputError
from mistudio_ext.spec import TokenizationSpec
from mistudio_ext.store.flatcut import Plan

Ids = Sequence[int]


@dataclass(frozen=True)
class Frame:
    """Special tokens around the text of one row.

    Attributes
    ----------
    prefix, suffix
        Token ids before and after.
    bos
        The tokenizer's BOS (or CLS) token id, None if it has none.
    eos
        The tokenizer's EOS (or SEP) token id, None if it has none.
    """

    prefix: tuple[int, ...]
    suffix: tuple[int, ...]
    bos: int | None
    eos: int | None


@dataclass
class Block:
    """Some finished contexts, flat.

    Attributes
    ----------
    tokens
        Token ids of all contexts, one after the other.
    lengths, rows, starts
        Per context: tokens, dataset row of the first, its index in that row.
    doc_lengths, doc_rows, doc_starts
        Per piece of a row (``pack`` only): the same.
    empty, short
        Rows without tokens; contexts left out because they are short.
    """

    tokens: list[int] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    doc_lengths: list[int] = field(default_factory=list)
    doc_rows: list[int] = field(default_factory=list)
    doc_starts: list[int] = field(default_factory=list)
    empty: int = 0
    short: int = 0

    def head(self, n: int) -> Block:
        """Return the first ``n`` contexts."""
        end = sum(self.lengths[:n])
        docs = int(np.searchsorted(np.cumsum(self.doc_lengths), end, side="right"))
        return replace(
            self,
            tokens=self.tokens[:end],
            lengths=self.lengths[:n],
            rows=self.rows[:n],
            starts=self.starts[:n],
            doc_lengths=self.doc_lengths[:docs],
            doc_rows=self.doc_rows[:docs],
            doc_starts=self.doc_starts[:docs],
        )

    def contexts(self) -> list[npt.NDArray[np.int64]]:
        """Return the token ids of each context."""
        ends = np.cumsum(self.lengths)[:-1]
        return np.split(np.asarray(self.tokens, np.int64), ends) if self.lengths else []


class Cutter:
    """Makes contexts out of rows; what is left of a packed context waits for the next rows.

    Parameters
    ----------
    settings
        With ``context`` set.
    frame
        The tokenizer's special tokens.
    own_specials
        False if the rows bring their special tokens along (chat templates, ready ids).
    """

    def __init__(
        self, settings: TokenizationSpec, frame: Frame, *, own_specials: bool = True
    ) -> None:
        if settings.context is None:
            raise InvalidInputError(
                "The context length is not set.", code="no_context", field="context"
            )
        self._settings = settings
        self._context = settings.context
        self._bos = frame.bos
        self._merge_bos = not own_specials
        add = settings.special_tokens and own_specials
        own = frame.prefix if add else ()
        self._suffix = frame.suffix if add else ()
        self._first, self._later = self._prefixes(own)
        if settings.mode == "pack" and add and not self._suffix and frame.eos is not None:
            self._suffix = (frame.eos,)
        self._check_room()
        self._block = Block()
        self._open: list[int] = []
        self._open_docs: list[tuple[int, int, int]] = []

    def _prefixes(self, own: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the special tokens before the first and the later contexts of a row."""
        bare = tuple(token for token in own if token != self._bos)
        if self._settings.bos == "auto":
            return own, own
        if self._settings.bos == "none":
            return bare, bare
        if self._bos is None:
            raise InvalidInputError(
                "The tokenizer has no BOS token.",
                code="no_bos",
                field="bos",
                hint="Choose auto or none.",
            )
        whole = (self._bos, *bare)
        return whole, whole if self._settings.bos == "each" else bare

    def _check_room(self) -> None:
        specials = max(len(self._first), len(self._later)) + len(self._suffix)
        if self._context <= specials:
            raise InvalidInputError(
                f"A context of {self._context} tokens has no room beside "
                f"{specials} special tokens.",
                code="context_too_small",
                field="context",
                hint=f"Choose at least {specials + 1}.",
            )
        room = self._context - specials
        if self._settings.mode == "chunk" and self._settings.overlap >= room:
            raise InvalidInputError(
                f"An overlap of {self._settings.overlap} leaves nothing new in a context "
                f"with room for {room} tokens.",
                code="overlap_too_large",
                field="overlap",
                hint=f"Choose at most {room - 1}.",
            )

    @property
    def plan(self) -> Plan:
        """How rows with the tokenizer's own special tokens are cut (not for ``pack``)."""
        return Plan(
            first=self._first,
            later=self._later,
            suffix=self._suffix,
            context=self._context,
            overlap=self._settings.overlap if self._settings.mode == "chunk" else None,
            min_tokens=self._settings.min_tokens,
        )

    def state(self) -> dict[str, Any]:
        """Return what waits for the next rows, as JSON; take the finished contexts first."""
        return {"open": list(map(int, self._open)), "open_docs": self._open_docs}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where another cutter with the same settings was."""
        self._open = list(state["open"])
        self._open_docs = [(length, row, start) for length, row, start in state["open_docs"]]

    def add(self, rows: Iterable[tuple[int, Ids]]) -> None:
        """Cut rows, given as ``(dataset row, token ids)``."""
        for row, ids in rows:
            if not len(ids):
                self._block.empty += 1
            elif self._settings.mode == "truncate":
                self._emit_piece(row, 0, ids, self._first)
            elif self._settings.mode == "chunk":
                self._chunk(row, ids)
            else:
                self._pack(row, ids)

    def take(self) -> Block:
        """Return the contexts finished since the last call."""
        block, self._block = self._block, Block()
        return block

    def finish(self) -> Block:
        """Close the context that was being filled, and return what is left."""
        self._close_open()
        return self.take()

    def _emit_piece(self, row: int, start: int, ids: Ids, prefix: tuple[int, ...]) -> int:
        """Emit one context with as many of the ids as fit; return how many did."""
        if self._merge_bos and prefix and prefix[0] == self._bos and ids[0] == self._bos:
            prefix = prefix[1:]
        piece = ids[: self._context - len(prefix) - len(self._suffix)]
        self._emit([*prefix, *piece, *self._suffix], row, start)
        return len(piece)

    def _emit(self, tokens: list[int], row: int, start: int) -> bool:
        if len(tokens) < self._settings.min_tokens:
            self._block.short += 1
            return False
        self._block.tokens += tokens
        self._block.lengths.append(len(tokens))
        self._block.rows.append(row)
        self._block.starts.append(start)
        return True

    def _chunk(self, row: int, ids: Ids) -> None:
        start = 0
        while True:
            prefix = self._later if start else self._first
            used = self._emit_piece(row, start, ids[start : start + self._context], prefix)
            if start + used >= len(ids):
                return
            start += used - self._settings.overlap

    def _pack(self, row: int, ids: Ids) -> None:
        by_row = self._settings.bos == "first"
        head = self._first if by_row else ()
        if self._merge_bos and head and ids[0] == self._bos:
            head = ()
        body = [*head, *ids, *self._suffix]
        lead = () if by_row else self._first
        if len(self._open) + len(body) > self._context:
            self._close_open()
        at = 0
        while at < len(head) + len(ids):
            if not self._open:
                self._open = list(lead)
            used = min(self._context - len(self._open), len(body) - at)
            docs = sum(length for length, _, _ in self._open_docs)
            self._open += body[at : at + used]
            self._open_docs.append((len(self._open) - docs, row, max(0, at - len(head))))
            at += used
            if len(self._open) >= self._context:
                self._close_open()

    def _close_open(self) -> None:
        if self._open_docs:
            _, row, start = self._open_docs[0]
            if self._emit(self._open, row, start):
                for length, doc_row, doc_start in self._open_docs:
                    self._block.doc_lengths.append(length)
                    self._block.doc_rows.append(doc_row)
                    self._block.doc_starts.append(doc_start)
        self._open, self._open_docs = [], []
