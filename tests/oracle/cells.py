"""Whether a value of a file came through."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


def same_cell(mine: Any, written: str) -> bool:
    """Tell whether a cell came through: as its text, or as a number that says the same."""
    if isinstance(mine, str):
        return mine.replace("\r\n", "\n") == written.replace("\r\n", "\n")
    if mine is None:
        return written == ""
    if isinstance(mine, bool):
        return written.lower() == str(mine).lower()
    if isinstance(mine, int):
        return written == str(mine)
    if isinstance(mine, float):
        number = _number(written)
        digits = written.lstrip("-")
        plain = not (digits.startswith("0") and digits[1:2].isdigit())
        return number is not None and (mine == number) and plain
    return str(mine) == written


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def same_value(mine: Any, written: Any) -> bool:
    """Tell whether a value of JSON or Arrow came through, perhaps as text with the same content."""
    if mine is None or written is None:
        return _nothing(mine) and _nothing(written)
    if isinstance(written, bool) or isinstance(mine, bool):
        return (mine == written and type(mine) is type(written)) or _as_text(mine, written)
    if isinstance(written, (int, float)) and isinstance(mine, (int, float)):
        both_nan = isinstance(mine, float) and math.isnan(mine) and written != written
        return both_nan or (
            mine == written and (isinstance(written, float) or int(mine) == written)
        )
    if isinstance(written, Mapping) and isinstance(mine, Mapping):
        keys = set(mine) | set(written)
        return all(same_value(mine.get(k), written.get(k)) for k in keys)
    if isinstance(written, list) and isinstance(mine, list):
        return len(mine) == len(written) and all(map(same_value, mine, written))
    if isinstance(written, str) and isinstance(mine, str):
        return mine == written
    return _as_text(mine, written)


def _nothing(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(_nothing(part) for part in value.values())
    return value is None or value == []


def _as_text(mine: Any, written: Any) -> bool:
    if not isinstance(mine, str):
        return False
    try:
        return mine == str(written) or bool(json.loads(mine) == written)
    except ValueError:
        return False
