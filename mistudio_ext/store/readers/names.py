"""Names of columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mistudio_ext.errors import InvalidInputError

if TYPE_CHECKING:
    import pyarrow as pa


def each_once(names: Sequence[str]) -> list[str]:
    """Return the names, with ``.1``, ``.2``, … behind those that stand there again."""
    taken = Counter(names)
    seen: Counter[str] = Counter()
    found: list[str] = []
    for name in names:
        unique = name
        while seen[name] and unique in taken:
            unique = f"{name}.{seen[name]}"
            seen[name] += 1
        seen[name] += 1
        taken[unique] += 1
        found.append(unique)
    return found


def require_names(schema: pa.Schema) -> None:
    """Refuse names that Arrow's files cannot keep: they would end at the character NUL.

    Raises
    ------
    InvalidInputError
        ``bad_column_name``.
    """
    for field in schema:
        _require_name(field)


def _require_name(field: pa.Field) -> None:
    if "\0" in field.name:
        shown = field.name.replace("\0", "\\0")
        raise InvalidInputError(
            f"The name of the column '{shown}' has the character NUL in it.",
            code="bad_column_name",
            field="path",
            hint="Rename the column in the file, then import again.",
        )
    for i in range(field.type.num_fields):
        _require_name(field.type.field(i))
