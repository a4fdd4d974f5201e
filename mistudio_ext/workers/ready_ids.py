"""Token ids that a dataset brings along, checked row by row."""

from __future__ import annotations

from typing import Any

from mistudio_ext.errors import InvalidInputError
from mistudio_ext.store import columns as cols

#: Largest id that a tokenization can store.
_LARGEST = (1 << 31) - 1


def ready_ids(row: int, ids: Any, mask: Any, vocab_size: int | None) -> list[int]:
    """Return the token ids of a row that its attention mask keeps.

    Parameters
    ----------
    row
        Its number, for messages.
    ids, mask
        The cells ``input_ids`` and ``attention_mask``; None where there is none.
    vocab_size
        One more than the largest id that the model knows, if that is known.

    Raises
    ------
    InvalidInputError
        ``token_out_of_range``, or ``bad_row`` for ids and a mask that do not belong together and
        for null among the ids.
    """
    found = _unmasked(row, ids, mask)
    limit = vocab_size or _LARGEST + 1
    if found and (min(found) < 0 or max(found) >= limit):
        wrong = next(token for token in found if not 0 <= token < limit)
        raise InvalidInputError(
            f"Row {row} has the token id {wrong}, but the model knows ids from 0 to {limit - 1}.",
            code="token_out_of_range",
            field="model",
            hint="Choose the model that the dataset was tokenised for, or skip bad rows.",
        )
    return found


def _unmasked(row: int, ids: Any, mask: Any) -> list[int]:
    there: list[int] = []
    for token in ids or ():
        if token is None:
            raise _bad_row(row, "has null among its token ids")
        there.append(token)
    if mask is None:
        return there
    if not isinstance(mask, list) or len(mask) != len(there):
        other = f"one of {len(mask)}" if isinstance(mask, list) else "no list"
        raise _bad_row(row, f"has {len(there)} token ids, but its attention mask is {other}")
    return [token for token, keep in zip(there, mask, strict=True) if keep]


def _bad_row(row: int, what: str) -> InvalidInputError:
    return InvalidInputError(
        f"Row {row} {what}.",
        code="bad_row",
        field=cols.IDS_NAME,
        hint="Fix the row, or skip bad rows.",
    )
