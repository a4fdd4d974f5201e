"""What a column holds: text, turns of a chat, token ids, or something else."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from mistudio_ext.errors import InvalidInputError
from mistudio_ext.store.turns import CONTENT_KEYS, ROLE_KEYS, messages, shown_turns

if TYPE_CHECKING:
    import pyarrow as pa

Kind = Literal["text", "chat", "ids", "media", "other"]

#: Column names that usually hold the text, best first.
TEXT_NAMES = (
    "text",
    "content",
    "sentence",
    "document",
    "story",
    "article",
    "body",
    "passage",
    "raw_content",
    "prompt",
    "instruction",
    "question",
    "code",
)

#: Column names that usually hold turns, best first.
CHAT_NAMES = ("messages", "conversations", "conversation", "chat", "dialogue", "turns")

#: Column of a dataset that is tokenised already.
IDS_NAME = "input_ids"


def kind(dtype: pa.DataType, values: Sequence[Any] = ()) -> Kind:
    """Return what a column holds.

    Parameters
    ----------
    dtype
        Its Arrow type.
    values
        Some of its cells, which tell whether JSON holds chats.
    """
    import pyarrow.types as t

    if is_json(dtype):
        there = [value for value in values if value is not None]
        return "chat" if there and all(map(messages, there)) else "other"
    if t.is_string(dtype) or t.is_large_string(dtype) or t.is_string_view(dtype):
        return "text"
    if is_binary(dtype):
        return "media"
    if t.is_list(dtype) or t.is_large_list(dtype) or t.is_fixed_size_list(dtype):
        if t.is_integer(dtype.value_type):
            return "ids"
        if t.is_struct(dtype.value_type) and _is_turn(dtype.value_type):
            return "chat"
        return "other"
    if t.is_struct(dtype):
        if media_field(dtype) is not None:
            return "media"
        if _is_turn(dtype) and all(t.is_list(field.type) for field in dtype):
            return "chat"
    return "other"


def type_name(dtype: pa.DataType) -> str:
    """Return an Arrow type as it is shown."""
    return str(dtype).replace("item: ", "").replace("extension<arrow.json>", "json")


def no_ids(dtype: pa.DataType) -> InvalidInputError:
    """Return the error for a column ``input_ids`` that holds something else than token ids."""
    return InvalidInputError(
        f"The column '{IDS_NAME}' holds {type_name(dtype)}, not one list of whole "
        "numbers for each row.",
        code="bad_token_ids",
        field="text_column",
        hint="Flatten the lists and make the ids whole numbers, or choose a column of text.",
    )


def is_json(dtype: pa.DataType) -> bool:
    """Return whether a column holds JSON, or lists of it."""
    import pyarrow.types as t

    if t.is_list(dtype) or t.is_large_list(dtype):
        dtype = dtype.value_type
    return getattr(dtype, "extension_name", "") == "arrow.json"


def has_json(dtype: pa.DataType) -> bool:
    """Return whether a part of a column is JSON."""
    if getattr(dtype, "extension_name", "") == "arrow.json":
        return True
    return any(has_json(dtype.field(i).type) for i in range(dtype.num_fields))


def is_binary(dtype: pa.DataType) -> bool:
    """Return whether a column of this type holds raw bytes."""
    import pyarrow.types as t

    return bool(
        t.is_binary(dtype)
        or t.is_large_binary(dtype)
        or t.is_fixed_size_binary(dtype)
        or t.is_binary_view(dtype)
    )


def media_field(dtype: pa.DataType) -> int | None:
    """Return the index of the ``bytes`` child of an image or audio struct, else None."""
    index = int(dtype.get_field_index("bytes"))
    return index if index >= 0 and is_binary(dtype.field(index).type) else None


def _is_turn(struct: pa.DataType) -> bool:
    names = {field.name for field in struct}
    return bool(names & set(ROLE_KEYS)) and bool(names & set(CONTENT_KEYS))


def detect_text_column(schema: pa.Schema, rows: Sequence[Mapping[str, Any]] = ()) -> str | None:
    """Choose the column with the text.

    A well-known name of a text column wins, then a well-known name of a chat
    column, then the text column whose values are longest on ``rows``, then any
    chat column.

    Parameters
    ----------
    schema
        The dataset's Arrow schema.
    rows
        Some rows, to compare the lengths of the text columns, and to see whether JSON holds chats.

    Returns
    -------
    str or None
        None if the dataset has ``input_ids`` and no text, or no text at all.
    """
    kinds: dict[str, Kind] = {
        str(field.name): kind(field.type, [row.get(field.name) for row in rows]) for field in schema
    }
    texts = [name for name, what in kinds.items() if what == "text"]
    chats = [name for name, what in kinds.items() if what == "chat"]
    lower = {name.lower(): name for name in texts}
    for name in TEXT_NAMES:
        if name in lower and (name in TEXT_NAMES[:9] or not chats):
            return lower[name]
    for name in CHAT_NAMES:
        if name in chats:
            return name
    if kinds.get(IDS_NAME) == "ids":
        return None
    if texts:
        return max(texts, key=lambda name: (_total_length(rows, name), -texts.index(name)))
    return chats[0] if chats else None


def _total_length(rows: Iterable[Mapping[str, Any]], name: str) -> int:
    return sum(len(row.get(name) or "") for row in rows)


def as_json(value: Any) -> Any:
    """Return a cell as JSON can hold it: bytes by their size, dates in ISO 8601."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, bytes):
        return f"<{len(value):,} bytes>"
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(item) for item in value]
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def as_text(value: Any) -> str:
    """Return the text of one cell: turns as ``role: content``, ids as numbers, the rest as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    chat = shown_turns(value)
    if chat is not None:
        return "\n".join(f"{turn['role']}: {turn['content']}" for turn in chat)
    if isinstance(value, list) and all(isinstance(item, int) for item in value):
        return " ".join(map(str, value))
    return json.dumps(value, default=str, ensure_ascii=False)
