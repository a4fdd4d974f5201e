"""The catalog: what there is, in SQLite. The only place that knows SQL."""

from mistudio_ext.catalog.catalog import Catalog
from mistudio_ext.catalog.records import (
    DatasetRecord,
    ExtractionRecord,
    JobRecord,
    ModelRecord,
    PresetRecord,
    TemplateRecord,
    TokenizationRecord,
    new_id,
    now,
)

__all__ = [
    "Catalog",
    "DatasetRecord",
    "ExtractionRecord",
    "JobRecord",
    "ModelRecord",
    "PresetRecord",
    "TemplateRecord",
    "TokenizationRecord",
    "new_id",
    "now",
]
