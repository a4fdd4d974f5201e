"""What a dataset card says about reading its files, in the words of ``datasets`` and pandas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mistudio_ext.errors import InvalidInputError
from mistudio_ext.store.readers.settings import Settings, one_delimiter, text_encoding

#: Options of pandas that change nothing here: how it works, and which texts it makes null or
#: numbers of, which no reader does.
_WITHOUT_EFFECT = {
    "chunksize", "date_format", "decimal", "doublequote", "encoding_errors", "engine",
    "error_bad_lines", "false_values", "float_precision", "keep_default_na", "mangle_dupe_cols",
    "memory_map", "na_filter", "na_values", "on_bad_lines", "skip_blank_lines", "thousands",
    "true_values", "verbose", "warn_bad_lines",
}  # fmt: skip

#: Options of JSON that change nothing here.
_HOW_JSON_IS_READ = frozenset(
    ("block_size", "chunksize", "encoding_errors", "newlines_in_values", "on_mixed_types",
     "parse_agent_traces", "use_threads")
)  # fmt: skip

#: ``csv.QUOTE_NONE``.
_QUOTE_NONE = 3


def card_settings(reader: str, options: Mapping[str, Any]) -> Settings:
    """Return the options of a dataset card as settings.

    Raises
    ------
    InvalidInputError
        ``unknown_option`` for one that would change the rows and is not supported.
    """
    left = dict(options)
    encoding = left.pop("encoding", None)
    encoding = text_encoding(encoding) if encoding else None
    if reader == "csv":
        return _delimited(left, encoding)
    if reader == "text":
        found = Settings(encoding=encoding, extra=_taken(left, "sample_by"))
        _refuse({k: v for k, v in left.items() if k != "keep_linebreaks" or v})
        return found
    if reader == "json":
        found = Settings(encoding=encoding, extra=_taken(left, "field"))
        _refuse({k: v for k, v in left.items() if k not in _HOW_JSON_IS_READ})
        return found
    found = Settings(extra=_taken(left, "columns"))
    _refuse({k: v for k, v in left.items() if k not in ("batch_size", "on_bad_files")})
    return found


def _delimited(left: dict[str, Any], encoding: str | None) -> Settings:
    delimiter = left.pop("delimiter", None) or left.pop("sep", None)
    left.pop("sep", None)
    names = left.pop("column_names", None) or left.pop("names", None)
    left.pop("names", None)
    header, skipped = _header(left, has_names=names is not None)
    quoting = _quoting(left)
    _refuse(left)
    return Settings(
        encoding=encoding,
        delimiter=one_delimiter(delimiter) if delimiter else None,
        header=header,
        quoting=quoting,
        names=None if names is None else tuple(map(str, names)),
        skip_lines=skipped,
    )


def _header(left: dict[str, Any], *, has_names: bool) -> tuple[bool | None, int]:
    """Return whether the first row names the columns, and how many lines come before it."""
    skipped = left.get("skiprows") or 0
    header = left.get("header", "infer")
    if isinstance(skipped, int) and (header in ("infer", None) or isinstance(header, int)):
        left.pop("skiprows", None)
        left.pop("header", None)
        if header == "infer":
            return (False if has_names else None), skipped
        return header is not None, skipped + (header or 0)
    return None, 0


def _quoting(left: dict[str, Any]) -> str | None:
    if left.get("quotechar") in ('"', "", None):
        mark = left.pop("quotechar", '"')
        if left.get("quoting") in (0, 1, 2, _QUOTE_NONE, None):
            value = left.pop("quoting", None)
            if left.get("escapechar") in ("\\", None):
                escape = left.pop("escapechar", None)
                if mark == "" or value == _QUOTE_NONE:
                    return "none"
                return "backslash" if escape else None
    return None


def _taken(left: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: left.pop(name) for name in names if name in left}


def _refuse(left: Mapping[str, Any]) -> None:
    for name, value in left.items():
        if name not in _WITHOUT_EFFECT and value is not None:
            raise InvalidInputError(
                f"The dataset card reads its files with {name}={value!r}, which is not supported.",
                code="unknown_option",
                field="path",
                hint="Import the data files without the card, and say how they are written.",
            )
