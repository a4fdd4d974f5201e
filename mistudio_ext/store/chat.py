"""Chat templates without transformers: for the live preview, which runs in the server."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NoReturn

from mistudio_ext.errors import InvalidInputError


def render_chat(
    template: str | None, specials: Mapping[str, Any], turns: Sequence[Mapping[str, str]]
) -> str:
    """Return turns as a tokenizer's chat template writes them.

    The sandbox has the filters and functions that transformers gives a template.

    Parameters
    ----------
    template
        Jinja source, None if the tokenizer has none.
    specials
        ``bos_token``, ``eos_token`` and so on.
    turns
        ``[{"role", "content"}, …]``.

    Raises
    ------
    InvalidInputError
        ``no_chat_template``, or ``bad_row`` with what the template says.
    """
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
            messages=list(turns),
            tools=None,
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


@lru_cache(maxsize=16)
def _compiled(template: str) -> Any:
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = _tojson
    environment.globals["raise_exception"] = _refuse
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    return environment.from_string(template)


def _tojson(value: Any, ensure_ascii: bool = False, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent)


def _refuse(message: str) -> NoReturn:
    from jinja2 import TemplateError

    raise TemplateError(message)
