"""Find sequences of token ids in a tokenization, also where a row goes on in its next context."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mistudio_ext.spec import TokenizationSpec
from mistudio_ext.store.contexts import Cutter, Frame

IntArray = npt.NDArray[np.integer[Any]]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Joints:
    """What stands between two pieces of one row.

    Attributes
    ----------
    before
        Special tokens at the beginning of a later piece.
    after
        Special tokens at the end of a piece that is not the last.
    overlap
        Tokens that a piece repeats from the one before.
    """

    before: int
    after: int
    overlap: int

    @classmethod
    def of(cls, manifest: dict[str, Any]) -> Joints | None:
        """Return those of a tokenization; None if no row has several pieces."""
        settings, facts = manifest.get("settings") or {}, manifest["tokenizer"]
        if settings.get("mode") not in ("chunk", "pack"):
            return None
        spec = TokenizationSpec.from_dict(settings)
        frame = Frame(
            tuple(facts.get("prefix") or ()),
            tuple(facts.get("suffix") or ()),
            facts.get("bos_token_id"),
            facts.get("eos_token_id"),
        )
        ready = spec.chat_template or manifest.get("ready_rows") or facts.get("class") is None
        plan = Cutter(spec, frame, own_specials=not ready).plan
        if spec.mode == "chunk":
            return cls(len(plan.later), len(plan.suffix), spec.overlap)
        # A packed row that is cut fills its context; its rest begins the next one.
        return cls(0 if spec.bos == "first" else len(plan.first), 0, 0)


class Pieces:
    """The pieces of rows that a tokenization's flat token ids consist of.

    Parameters
    ----------
    tokens
        Flat token ids.
    docs, rows, starts
        Bounds of the pieces [n_pieces + 1], their rows, and their first tokens' places in them.
    joints
        What stands between two pieces of one row; None if there are no such pieces.
    """

    def __init__(
        self,
        tokens: IntArray,
        docs: IntArray,
        rows: IntArray,
        starts: IntArray,
        joints: Joints | None,
    ) -> None:
        self._tokens = tokens
        self._ends: Ints = np.asarray(docs[1:], np.int64)
        #: Whether a piece is followed by another one of its row.
        self._joined = np.zeros(len(self._ends), bool)
        self._content_ends = self._ends
        self._overlap = 0 if joints is None else joints.overlap
        self._next = self._ends
        if joints is not None and len(self._ends):
            self._join(joints, np.asarray(rows), np.asarray(starts, np.int64))

    def _join(self, joints: Joints, rows: IntArray, starts: Ints) -> None:
        self._joined[:-1] = (rows[1:] == rows[:-1]) & (starts[1:] > starts[:-1])
        self._content_ends = self._ends - np.where(self._joined, joints.after, 0)
        before = np.full(len(self._ends), joints.before)
        # The content of a piece with a successor is known; what is left are special tokens
        # (ready ids that begin with BOS get no second one).
        content = starts[1:] - starts[:-1] + joints.overlap
        sizes = np.diff(self._ends, prepend=0)[:-1]
        before[:-1][self._joined[:-1]] = (sizes - content - joints.after)[self._joined[:-1]]
        self._next = self._ends + np.append(before[1:], 0) + joints.overlap

    def holding(self, begins: Ints, wanted: Sequence[int]) -> Ints:
        """Return those places of the first wanted token where all of the sequence stands."""
        found = self._inside(begins, wanted)
        if len(wanted) == 1 or not self._joined.any():
            return found
        return np.union1d(found, self._across(begins, wanted))

    def _inside(self, begins: Ints, wanted: Sequence[int]) -> Ints:
        """Return the places where the sequence stands in one piece."""
        found = begins[begins + len(wanted) <= len(self._tokens)]
        for i, token in enumerate(wanted[1:], 1):
            found = found[self._tokens[found + i] == token]
            if not len(found):
                break
        pieces = np.searchsorted(self._ends, found, side="right")
        ends = found + len(wanted)
        again = self._repeated(found, pieces) & (ends <= self._content_ends[pieces])
        return found[(ends <= self._ends[pieces]) & ~again]

    def _repeated(self, places: Ints, pieces: Ints) -> npt.NDArray[np.bool_]:
        """Return which places the next piece repeats; they are counted there."""
        return self._joined[pieces] & (places >= self._content_ends[pieces] - self._overlap)

    def _across(self, begins: Ints, wanted: Sequence[int]) -> Ints:
        """Return the places where the sequence goes on in the next piece."""
        pieces = np.searchsorted(self._ends, begins, side="right")
        content_ends = self._content_ends[pieces]
        near = self._joined[pieces] & (begins + len(wanted) > content_ends)
        near &= (begins < content_ends) & ~self._repeated(begins, pieces)
        found, places, pieces = begins[near], begins[near], pieces[near]
        for token in wanted[1:]:
            if not len(found):
                break
            places = places + 1
            ends = self._joined[pieces] & (places == self._content_ends[pieces])
            places = np.where(ends, self._next[pieces], places)
            pieces = pieces + ends
            right = places < self._ends[pieces]
            right[right] = self._tokens[places[right]] == token
            found, places, pieces = found[right], places[right], pieces[right]
        return found
