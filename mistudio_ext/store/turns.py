"""Chats: the turns of a cell, as templates get them and as people read them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from mistudio_ext.errors import InvalidInputError

ROLE_KEYS = ("role", "from", "speaker")
CONTENT_KEYS = ("content", "value", "text")

#: Column with the tools that a chat could use, as templates get them.
TOOLS_NAME = "tools"

_REASONING_KEYS = ("reasoning_content", "thinking", "reasoning")

#: What a part that is no text is called by, best first.
_PART_NAMES = ("url", "path", "name", "file_name", "file_id", "id")


def messages(value: Any) -> list[dict[str, Any]] | None:
    """Return the turns of a chat with all that they have, None if the value is no chat.

    The keys of a turn keep their names and order, except that its role and its content are called
    ``role`` and ``content``, as chat templates want.

    Parameters
    ----------
    value
        A list of turns, or an object of lists.
    """
    if isinstance(value, Mapping):
        lists = {key: item for key, item in value.items() if isinstance(item, list)}
        rows = zip_longest(*lists.values())
        value = [dict(zip(lists, row, strict=True)) for row in rows]
    if not isinstance(value, list) or not value:
        return None
    found = []
    for turn in value:
        if not isinstance(turn, Mapping):
            return None
        role = next((key for key in ROLE_KEYS if turn.get(key) is not None), None)
        if role is None:
            return None
        found.append(_message(turn, role))
    return found


def _message(turn: Mapping[str, Any], role: str) -> dict[str, Any]:
    content = next((key for key in CONTENT_KEYS if turn.get(key) is not None), "content")
    names = {role: "role", content: "content"}
    # A key that has the name already but no value gives way to the one that has it.
    kept = (key for key in turn if key in names or key not in ("role", "content"))
    message = {names.get(key, key): turn[key] for key in kept}
    message["role"] = str(message["role"])
    return message


def shown_turns(value: Any) -> list[dict[str, Any]] | None:
    """Return the turns of a chat as they are shown, None if the value is no chat.

    ``content`` is text: what the turn says, its reasoning and its calls, and in place of each
    part that is no text its name, like ``[image: cat.png]``. What else a turn has stays beside it;
    parts of a content are under ``parts``.
    """
    found = messages(value)
    if found is None:
        return None
    shown = []
    for message in found:
        turn = {"role": message["role"], "content": _content(message)}
        others = {
            key: item for key, item in message.items() if key not in turn and item is not None
        }
        if isinstance(message.get("content"), list):
            turn["parts"] = message["content"]
        shown.append(turn | others)
    return shown


def _content(message: Mapping[str, Any]) -> str:
    """Return all that a turn says as text."""
    lines = []
    for reasoning in dict.fromkeys(
        message[key] for key in _REASONING_KEYS if isinstance(message.get(key), str)
    ):
        if reasoning:
            lines.append(f"[reasoning] {reasoning}")
    content = message.get("content")
    if isinstance(content, list):
        lines += [text for text in map(_part, content) if text]
    elif content is not None:
        lines.append(content if isinstance(content, str) else _json(content))
    calls = message.get("tool_calls")
    if not isinstance(calls, list):
        calls = [] if calls is None else [calls]
    if message.get("function_call") is not None:
        calls = [*calls, message["function_call"]]
    return "\n".join([*lines, *map(_call, calls)])


def _part(part: Any) -> str:
    """Return a part of a content: its text, or what it is."""
    if not isinstance(part, Mapping):
        return part if isinstance(part, str) else _json(part)
    text = part.get("text")
    if isinstance(text, str):
        return text
    kind = str(part.get("type") or next(iter(part), "part"))
    inner = part.get(kind, part)
    inner = inner if isinstance(inner, Mapping) else {"name": inner, **part}
    name = next((inner[key] for key in _PART_NAMES if isinstance(inner.get(key), str)), None)
    return f"[{kind}: {name[:200]}]" if name else f"[{kind}]"


def _call(call: Any) -> str:
    """Return a call of a tool: its name and arguments."""
    function = call.get("function", call) if isinstance(call, Mapping) else call
    if not isinstance(function, Mapping) or "name" not in function:
        return f"[call {_json(call)}]"
    arguments = function.get("arguments")
    written = arguments if isinstance(arguments, str) else _json(arguments)
    return f"[call {function['name']}({'' if arguments is None else written})]"


def tools(value: Any, where: str = "beside the turns") -> list[Any] | None:
    """Return the tools of a cell as ``apply_chat_template`` takes them; None if there are none.

    Parameters
    ----------
    value
        A list of objects, or their JSON text.
    where
        Whose tools they are, for messages.

    Raises
    ------
    InvalidInputError
        ``bad_row`` if it is neither.
    """
    if isinstance(value, str):
        value = _loaded(value, where) if value.strip() else None
    if not value:
        return None
    items = value if isinstance(value, Sequence) else [value]
    found = [_loaded(item, where) if isinstance(item, str) else item for item in items]
    if not all(isinstance(item, Mapping) for item in found):
        raise _no_tools(where, "they are no list of objects")
    return found


def _loaded(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise _no_tools(where, str(error)) from error


def _no_tools(where: str, reason: str) -> InvalidInputError:
    return InvalidInputError(
        f"The tools {where} cannot be read: {reason}.",
        code="bad_row",
        field="chat_template",
        hint=f"Fix the column '{TOOLS_NAME}', or switch the chat template off.",
    )


def _json(value: Any) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)
