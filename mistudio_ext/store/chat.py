"""Chat templates without transformers: for the live preview, which runs in the server."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NoReturn

from mistudio_ext.errors import InvalidInputError

#: Names under which templates and datasets have a turn's reasoning.
_REASONING = ("reasoning_content", "thinking", "reasoning")


def render_chat(
    template: str | Mapping[str, str] | None,
    specials: Mapping[str, Any],
    turns: Sequence[Mapping[str, Any]],
    tools: Sequence[Any] | None = None,
) -> str:
    """Return turns as a tokenizer's chat template writes them.

    The sandbox has the filters and functions that transformers gives a template, and turns are
    prepared as ``apply_chat_template`` does: keys without a value are left out, and reasoning is
    there under the names that templates know.

    Parameters
    ----------
    template
        Jinja source, or one for each name (``default``, ``tool_use``); None if there is none.
    specials
        ``bos_token``, ``eos_token`` and so on.
    turns
        As :func:`mistudio_ext.store.turns.messages` gives them.
    tools
        What the chat could call, as JSON schemas.

    Raises
    ------
    InvalidInputError
        ``no_chat_template``, or ``bad_row`` with what the template says.
    """
    if isinstance(template, Mapping):
        used = "tool_use" if tools is not None and "tool_use" in template else "default"
        template = template.get(used)
    if not template:
        raise InvalidInputError(
            "The tokenizer has no chat template.",
            code="no_chat_template",
            field="chat_template",
            hint="Switch the chat template off to read turns as plain text.",
        )
    from jinja2 import TemplateError

    try:
        found: str = _compiled(template).render(
            messages=[_prepared(turn) for turn in turns],
            tools=None if tools is None else list(tools),
            documents=None,
            add_generation_prompt=False,
            **specials,
        )
    except (TemplateError, TypeError, ValueError, LookupError) as error:
        raise InvalidInputError(
            f"The chat template refuses the turns: {error}",
            code="bad_row",
            field="chat_template",
            hint="Mend the row, or switch the chat template off.",
        ) from error
    return found


def _prepared(turn: Mapping[str, Any]) -> dict[str, Any]:
    """Return a turn as transformers hands it to a template."""
    there = {key: value for key, value in turn.items() if value is not None}
    reasoning = next((there[key] for key in _REASONING if key in there), None)
    if reasoning is None:
        return there
    return {"thinking": reasoning, **there, "reasoning_content": reasoning}


@lru_cache(maxsize=16)
def _compiled(template: str) -> Any:
    from jinja2 import nodes
    from jinja2.ext import Extension
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """The tag around what the model wrote; it changes nothing in the text."""

        tags = {"generation"}  # noqa: RUF012 - the name and kind are jinja2's

        def parse(self, parser: Any) -> Any:
            number = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return nodes.Scope(body).set_lineno(number)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, "jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = _tojson
    environment.globals["raise_exception"] = _refuse
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    return environment.from_string(template)


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )


def _refuse(message: str) -> NoReturn:
    from jinja2 import TemplateError

    raise TemplateError(message)
