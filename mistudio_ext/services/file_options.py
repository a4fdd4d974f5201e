"""How a file of texts is to be read, as a request says it."""

from __future__ import annotations

from typing import Any

from mistudio_ext.errors import InvalidInputError
from mistudio_ext.services.context import Json
from mistudio_ext.services.fields import only_known
from mistudio_ext.store.readers.bad_rows import CHOICES, bad_choice
from mistudio_ext.store.readers.settings import Settings


def file_options(value: Any) -> Json:
    """Return how a file is to be read, checked."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidInputError("options must be an object.", code="bad_option", field="options")
    only_known(
        value,
        *("format", "encoding", "delimiter", "header", "quoting", "types", "field", "bad_rows"),
    )
    Settings.from_options(value)
    if value.get("bad_rows", "stop") not in CHOICES:
        raise bad_choice(value["bad_rows"])
    return value
