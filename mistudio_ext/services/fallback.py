"""Which formats are tried when one does not fit into memory: only those that the user chose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mistudio_ext.errors import InvalidInputError
from mistudio_ext.services import footprint
from mistudio_ext.services.context import Json
from mistudio_ext.spec import MODEL_FORMATS

#: From the largest to the smallest. fp16 takes what bf16 takes, so it is no step down.
_ORDER = ("fp32", "bf16", "q8", "q4", "q2")


def read(body: Json, wanted: str) -> tuple[str, ...]:
    """Return the formats to try after ``wanted``, in order; none without ``fallback``.

    Parameters
    ----------
    body
        Request whose ``fallback`` is absent, false, true (each smaller format in
        turn) or a list of formats (these, in this order).
    wanted
        The format that is tried first.

    Raises
    ------
    InvalidInputError
        ``bad_fallback``, or ``format_unavailable`` for one that cannot be made here.
    """
    chosen: Any = body.get("fallback")
    if chosen in (None, False):
        return ()
    if chosen is True:
        start = "bf16" if wanted == "fp16" else wanted
        smaller = _ORDER[_ORDER.index(start) + 1 :]
        return tuple(name for name in smaller if footprint.unavailable(name, None) is None)
    if not isinstance(chosen, list) or not all(name in MODEL_FORMATS for name in chosen):
        raise InvalidInputError(
            f"{chosen!r} is not a choice of formats to fall back to.",
            code="bad_fallback",
            field="fallback",
            hint=f"Write true, or a list of some of {', '.join(MODEL_FORMATS)}.",
        )
    for name in chosen:
        footprint.require(name, None, field="fallback")
    return tuple(dict.fromkeys(name for name in chosen if name != wanted))


def after(formats: Sequence[str], made: str) -> list[str]:
    """Return what is left to try of a model that is in the format ``made`` already."""
    rest = list(formats)
    return rest[rest.index(made) + 1 :] if made in rest else rest
