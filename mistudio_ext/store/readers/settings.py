"""How a data file is to be read."""

from __future__ import annotations

import codecs
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from mistudio_ext.errors import InvalidInputError, MiStudioError
from mistudio_ext.store.readers.numbers import TYPES
from mistudio_ext.store.readers.quoting import QUOTINGS

#: Format -> options that change how it is read.
OPTIONS: dict[str, tuple[str, ...]] = {
    "csv": ("encoding", "delimiter", "header", "quoting", "types"),
    "text": ("encoding",),
    "json": ("encoding", "field"),
    "parquet": (),
    "arrow": (),
}


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

    @classmethod
    def from_options(cls, options: Mapping[str, Any], text_column: str | None = None) -> Settings:
        """Return the options of a request as settings.

        Raises
        ------
        InvalidInputError
            ``bad_option``, naming the option.
        """
        header = options.get("header")
        if header is not None and not isinstance(header, bool):
            raise _bad("header", f"header cannot be {header!r}.", "Choose true or false.")
        field = _given(options, "field", _field)
        return cls(
            encoding=_given(options, "encoding", text_encoding),
            delimiter=_given(options, "delimiter", one_delimiter),
            header=header,
            quoting=_given(options, "quoting", _quoting),
            types=_given(options, "types", _types) or {},
            text_column=text_column,
            extra={"field": field} if field is not None else {},
        )

    def over(self, other: Settings) -> Settings:
        """Return these settings, and those of ``other`` where these say nothing."""
        said = {f.name: getattr(self, f.name) for f in fields(self)}
        unsaid = Settings()
        return replace(other, **{k: v for k, v in said.items() if v != getattr(unsaid, k)})


def refuse_without_effect(options: Mapping[str, Any], formats: Collection[str], name: str) -> None:
    """Raise ``bad_option`` for an option that changes nothing in files of these formats."""
    known = {option for each in formats for option in OPTIONS.get(each, ())}
    for option in sorted({option for each in OPTIONS.values() for option in each} - known):
        if options.get(option) not in (None, {}):
            raise _bad(
                option,
                f"The option '{option}' has no effect on {name}.",
                f"Leave it out; the files are read as {', '.join(sorted(formats)) or 'saved'}.",
            )


def text_encoding(name: Any) -> str:
    """Return Python's name of an encoding.

    Raises
    ------
    InvalidInputError
        ``bad_option`` if there is none, or what has the name does not encode text.
    """
    try:
        "".encode(name)
        # Some encode text but cannot be read piece by piece, or not past a mistake (idna).
        codecs.getincrementaldecoder(name)("replace").decode(b"a")
        return codecs.lookup(name).name
    except (LookupError, TypeError, ValueError):
        raise _bad(
            "encoding",
            f"There is no encoding called '{name}'.",
            "Choose utf-8, utf-16, cp1252, latin-1 or another that Python knows.",
        ) from None


def one_delimiter(mark: Any) -> str:
    """Return a delimiter as it is; ``bad_option`` if it cannot be one."""
    if isinstance(mark, str) and len(mark) == 1 and mark not in '\r\n"':
        return mark
    hint = "A delimiter is one character, no quotation mark and no end of a line."
    raise _bad("delimiter", f"{mark!r} cannot be a delimiter.", hint)


def _field(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise _bad("field", f"field cannot be {value!r}.", "Give the name of the field with the rows.")


def _quoting(value: Any) -> str:
    if value in QUOTINGS:
        return str(value)
    raise _bad("quoting", f"quoting cannot be {value!r}.", f"Choose {_listed(QUOTINGS)}.")


def _types(value: Any) -> dict[str, str]:
    if isinstance(value, Mapping) and all(kind in TYPES for kind in value.values()):
        return {str(name): str(kind) for name, kind in value.items()}
    hint = f'Give each column one of {_listed(TYPES)}, as in {{"code": "text"}}.'
    raise _bad("types", f"types cannot be {value!r}.", hint)


def _listed(names: Collection[str]) -> str:
    *before, last = names
    return f"{', '.join(before)} or {last}"


def _given(options: Mapping[str, Any], name: str, check: Any) -> Any:
    value = options.get(name)
    return check(value) if value is not None and value != "" else None


def _bad(field_name: str, message: str, hint: str) -> InvalidInputError:
    return InvalidInputError(message, code="bad_option", field=field_name, hint=hint)


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
