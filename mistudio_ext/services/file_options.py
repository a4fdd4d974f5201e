"""How a file of texts is to be read, as a request says it."""

from __future__ import annotations

from typing import Any

from mistudio_ext.errors import InvalidInputError
from mistudio_ext.services.context import Json, only_known


def file_options(value: Any) -> Json:
    """Return how a file is to be read; who reads it checks the values."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidInputError("options must be an object.", code="bad_option", field="options")
    if not isinstance(value.get("header", True), bool):
        raise InvalidInputError("header must be true or false.", code="bad_option", field="header")
    only_known(value, "format", "encoding", "delimiter", "header", "bad_rows")
    return value
