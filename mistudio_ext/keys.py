"""What makes two requests the same: everything that they say, but for what is named here.

A result is found again under a key. The key is derived from the request itself: a field
that a request gets tomorrow counts, unless somebody adds it to :data:`NOT_COUNTED` with
the reason.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from typing import Any

#: Number of the rules by which something is made, for what lies in the catalog under a key. A
#: release that changes a rule counts it up: what earlier rules made is then made again.
RULES: dict[str, int] = {
    # 2: special tokens are found on the tokenizer's own vocabulary; with the one English
    #    sentence of the first release, BOS and EOS could land at the end of every row.
    "tokenization": 2,
    # 2: what previews keep of a tokenizer (its special tokens, texts of its tokens), and the
    #    checks of hook points and sizes in the architecture, by the rules of today.
    "model": 2,
    # 2: a cell of CSV is a text until its column is a number losslessly; JSON, Parquet and
    #    Arrow come through as they are.
    "dataset": 2,
    # 2: hooks and padding are checked in units of each dtype's rounding; the first release was
    #    off in half precision for models that read both ways.
    "extraction": 2,
}

#: Request -> its fields that are in no key, and why.
NOT_COUNTED: dict[str, dict[str, str]] = {
    "ExtractionSpec": {
        "batch_tokens": "how many tokens go through at once: values differ by rounding alone",
        "device": "its kind counts where one is named, its number does not",
    },
    "ExtractionRequest": {
        "name": "what the result is called",
        "model": "stands for a record, whose id and weights count",
        "dataset": "stands for a record, whose id counts",
        "format": "stands for a record of the model in that format",
    },
    "TokenizationSpec": {},
    "models": {
        "name": "what the record is called",
        "token": "the right to read, not what is read",
        "path": "counted as the place of the files",
        "repo_id": "counted as the place of the files",
    },
    "datasets": {
        "name": "what the record is called",
        "token": "the right to read, not what is read",
        "path": "counted as the place of the files",
        "upload": "counted as the place of the files",
        "repo_id": "counted as the place of the files",
        "source": "counted beside the choices",
        "split": "is read as one of the splits",
    },
}


def facts_of(request: Any) -> dict[str, Any]:
    """Return all that counts of a request (a dataclass): every field, less those not counted.

    Requests inside the request are facts of their own, so that fields of the same name never
    meet.

    Raises
    ------
    KeyError
        For a kind of request that :data:`NOT_COUNTED` does not name.
    """
    left_out = NOT_COUNTED[type(request).__name__]
    values = {f.name: getattr(request, f.name) for f in fields(request) if f.name not in left_out}
    return {name: facts_of(v) if is_dataclass(v) else v for name, v in values.items()}


def counted(kind: str, names: Iterable[str]) -> tuple[str, ...]:
    """Return which fields of a JSON request count."""
    return tuple(name for name in names if name not in NOT_COUNTED[kind])
