"""The fields of a request as JSON."""

from __future__ import annotations

from typing import Any

from mistudio_ext.errors import InvalidInputError


def only_known(body: dict[str, Any], *names: str) -> None:
    """Raise InvalidInputError if a request has a field that nobody reads."""
    for name in body:
        if name not in names:
            raise InvalidInputError(
                f"'{name}' is not a field of this request.",
                code="unknown_field",
                field=name,
                hint=f"The fields are {', '.join(names)}.",
            )
