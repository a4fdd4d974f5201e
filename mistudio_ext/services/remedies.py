"""What mends a failed job: changes of its request with which it can be tried again.

A remedy is ``{"label", "change": {field: value}}``, or ``{"label", "ask": field}`` where the user
has to give the value, perhaps with a ``change`` beside it. ``POST jobs/{id}/retry`` takes the
changes, and checks them like a first request.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mistudio_ext.catalog.records import Record
from mistudio_ext.errors import ConflictError
from mistudio_ext.room import human
from mistudio_ext.services.context import Json
from mistudio_ext.services.fields import only_known
from mistudio_ext.spec import MODEL_FORMATS

#: Errors that a token of the Hub mends.
_NEED_TOKEN = ("gated", "no_access", "bad_token", "repo_not_found")


def change(label: str, **fields: Any) -> Json:
    """Return a remedy that changes fields of the request."""
    return {"label": label, "change": fields}


def common(error: Json) -> list[Json]:
    """Return the remedies that every kind of job has for an error."""
    if error["code"] in _NEED_TOKEN:
        return [{"label": "Give a token of the Hub", "ask": "token"}]
    needed, free = error.get("needed_bytes"), error.get("free_bytes")
    if error["code"] == "no_space" and needed is not None and free is not None:
        return [change(f"Free {human(max(0, needed - free))}, then retry")]
    if error["code"] == "no_space":
        return [change("Free some space, then retry")]
    return []


def smaller_formats(wanted: str) -> list[Json]:
    """Return the formats that take less memory than this one."""
    order = [name for name in MODEL_FORMATS if name != "fp16"]
    after = order[order.index(wanted if wanted in order else "bf16") + 1 :]
    return [change(f"Use {name}", format=name) for name in after[:2]]


def fewer_tokens(batch_tokens: int | None) -> list[Json]:
    """Return smaller batches than this one (None: the engine's choice)."""
    fewer = max(1, (batch_tokens or 2048) // 4)
    return [change(f"Use batches of {fewer} tokens", batch_tokens=fewer)]


def only(fields: Json, *names: str) -> None:
    """Raise InvalidInputError if a retry is to change another field than these."""
    only_known(fields, *names)


def same_elsewhere(find: Callable[..., Record | None], record: Record, identity: str) -> None:
    """Raise ConflictError if the changed request is that of another record."""
    other = find(identity=identity)
    if other is not None and other.id != record.id:
        raise ConflictError(
            f"The changed request is that of '{getattr(other, 'name', other.id)}'.",
            code="already_there",
            hint="Use that one, and delete this one.",
        )
