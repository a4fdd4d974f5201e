"""Which models a list shows: by family, format, state, size and words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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


def distinct(models: Sequence[ModelRecord]) -> list[ModelRecord]:
    """Return the models without those that are the same weights in the same format again.

    A variant that fell back may land on a format that is there already: it stays in the
    catalog, so that what was asked for is found again, but is no second entry of a list.
    """
    shown: dict[tuple[str, str], ModelRecord] = {}
    ready = [model for model in models if model.state == "ready"]
    for model in sorted(ready, key=lambda m: (m.requested_format is not None, m.created_at)):
        shown.setdefault((model.parent_id or model.id, model.format), model)
    kept = {model.id for model in shown.values()}
    return [m for m in models if m.id in kept or m not in ready or m.requested_format is None]


def _contains(model: ModelRecord, words: str) -> bool:
    text = " ".join(str(part or "") for part in (model.name, model.repo_id, model.family)).lower()
    return all(word in text for word in words.lower().split())
