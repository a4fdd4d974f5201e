"""The tables, derived from the records so that a field is written once."""

from __future__ import annotations

import types
import typing
from dataclasses import fields

import sqlalchemy as sa

from mistudio_ext.catalog import records

metadata = sa.MetaData()

_SQL_TYPES: dict[type, type[sa.types.TypeEngine[typing.Any]]] = {
    str: sa.Text,
    int: sa.BigInteger,
    bool: sa.Boolean,
    float: sa.Float,
    dict: sa.JSON,
    list: sa.JSON,
}


def _column(name: str, hint: typing.Any) -> sa.Column[typing.Any]:
    """Translate one annotated field of a record into a column."""
    options = [t for t in typing.get_args(hint) if t is not types.NoneType]
    optional = isinstance(hint, types.UnionType) and types.NoneType in typing.get_args(hint)
    plain = options[0] if optional else hint
    base = typing.get_origin(plain) or plain
    kind = _SQL_TYPES[base]
    column_type = sa.JSON(none_as_null=True) if kind is sa.JSON else kind()
    return sa.Column(name, column_type, primary_key=name == "id", nullable=optional)


def _table(name: str, record: type[records.Record], *indexes: str) -> sa.Table:
    hints = typing.get_type_hints(record)
    columns = [_column(field.name, hints[field.name]) for field in fields(record)]
    table = sa.Table(name, metadata, *columns)
    for column in indexes:
        unique = column.endswith("!")
        column = column.rstrip("!")
        sa.Index(f"ix_{name}_{column}", table.c[column], unique=unique)
    return table


datasets = _table("datasets", records.DatasetRecord, "identity!")
models = _table("models", records.ModelRecord, "identity!")
architectures = _table("architectures", records.ArchitectureRecord)
tokenizations = _table("tokenizations", records.TokenizationRecord, "identity!", "dataset_id")
extractions = _table("extractions", records.ExtractionRecord, "fingerprint!", "name!")
jobs = _table("jobs", records.JobRecord, "state")
templates = _table("templates", records.TemplateRecord, "name!")
tokenization_presets = _table("tokenization_presets", records.PresetRecord, "name!")
replies = _table("replies", records.ReplyRecord)
