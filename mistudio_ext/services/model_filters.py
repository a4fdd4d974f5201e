"""Which models a list shows: by family, format, state, size and words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # The routes read this while the server starts: the catalog brings SQLAlchemy.
    from mistudio_ext.catalog import ModelRecord

#: Name of a filter -> whether a model passes it with a value.
FILTERS: dict[str, Callable[[ModelRecord, Any], bool]] = {
    "family": lambda model, value: model.family == value,
    "format": lambda model, value: model.format == value,
    "state": lambda model, value: model.state == value,
    "q": lambda model, value: _contains(model, str(value)),
    "min_params": lambda model, value: (model.n_params or 0) >= value,
    "max_params": lambda model, value: model.n_params is not None and model.n_params <= value,
    "min_bytes": lambda model, value: (model.size_bytes or 0) >= value,
    "max_bytes": lambda model, value: model.size_bytes is not None and model.size_bytes <= value,
}

#: Filters whose values are whole numbers.
NUMBERS = ("min_params", "max_params", "min_bytes", "max_bytes")


def passes(model: ModelRecord, filters: Mapping[str, Any]) -> bool:
    """Tell whether a model passes all filters; a filter that is None is none."""
    return all(FILTERS[name](model, v) for name, v in filters.items() if v is not None)


def _contains(model: ModelRecord, words: str) -> bool:
    text = " ".join(str(part or "") for part in (model.name, model.repo_id, model.family)).lower()
    return all(word in text for word in words.lower().split())
