"""How a data file is to be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mistudio_ext.errors import MiStudioError


@dataclass(frozen=True)
class Settings:
    """What is said, or was found, about how to read a file. None stands for "find out".

    Parameters
    ----------
    encoding
        Of formats of text.
    delimiter
        Of delimited values, one character.
    header
        Whether the first row names the columns.
    quoting
        ``standard``: quotation marks enclose values; ``none``: they are text.
    types
        Of delimited values: column -> ``text``, ``integer`` or ``number``.
    names
        Names of the columns, from a dataset card.
    skip_lines
        Lines before the first row.
    text_column
        The column that a person named as the text.
    looks_like
        An encoding that bytes outside UTF-8 may be of; a hint, not a setting.
    extra
        Options of one format alone, as a dataset card gives them.
    """

    encoding: str | None = None
    delimiter: str | None = None
    header: bool | None = None
    quoting: str | None = None
    types: Mapping[str, str] = field(default_factory=dict)
    names: tuple[str, ...] | None = None
    skip_lines: int = 0
    text_column: str | None = None
    looks_like: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ReadAs:
    """How a file is read, after what was not said has been found out.

    Parameters
    ----------
    settings
        Complete.
    options
        The part of it that a user can give, as in the ``options`` of a request.
    said
        The same in words: ``delimiter ';'``, ``windows-1252``.
    warnings
        What a user should know about it.
    doubt
        Raised by an import whose user left open what cannot be told for sure; shown by
        ``datasets/detect``.
    """

    settings: Settings
    options: dict[str, Any] = field(default_factory=dict)
    said: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    doubt: MiStudioError | None = None
