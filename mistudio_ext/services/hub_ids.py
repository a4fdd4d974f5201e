"""Names of repositories on the Hugging Face Hub."""

from __future__ import annotations

import re
from typing import Any

from mistudio_ext.errors import InvalidInputError

_REPO = re.compile(r"^(?:[A-Za-z0-9][\w.-]{0,95}/)?[A-Za-z0-9_][\w.-]{0,95}$")


def is_repo_id(text: str) -> bool:
    """Tell whether a text could be a repository's id (``org/name`` or ``name``)."""
    return bool(_REPO.match(text)) and ".." not in text and "--" not in text


def repo_id(text: Any) -> str:
    """Return a repository id, or raise InvalidInputError."""
    if not isinstance(text, str) or not is_repo_id(text.strip()):
        raise InvalidInputError(
            f"{text!r} is not the name of a repository on the Hub.",
            code="bad_repo_id",
            field="repo_id",
            hint="Write it as on the Hub: org/name.",
        )
    return text.strip()
