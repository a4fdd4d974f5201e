"""Where the bundled sample lies: each installation has it at a place of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mistudio_ext import sample
from mistudio_ext.catalog import Catalog, DatasetRecord, ModelRecord
from mistudio_ext.services import dataset_requests, model_requests
from mistudio_ext.services.context import Json

Record = DatasetRecord | ModelRecord


def follow_sample(catalog: Catalog) -> None:
    """Let the catalog's sample, and what was made of it, be read where this installation has it.

    The same contents are the same sample. One with other contents stays what it is.
    """
    for dataset in catalog.datasets.list(source="sample"):
        if _moved(dataset, sample.DATASET_DIR, dataset_requests.identity):
            catalog.datasets.update(dataset.id, **_at(dataset, sample.DATASET_DIR))
    models = catalog.models.list(source="sample")
    moved = {m.id for m in models if _moved(m, sample.MODEL_DIR, model_requests.identity)}
    for model in models:
        if model.id in moved or model.parent_id in moved:
            # None until it was inspected.
            path = model.path and str(sample.MODEL_DIR)
            catalog.models.update(model.id, path=path, **_at(model, sample.MODEL_DIR))


def _moved(record: Record, place: Path, identity: Callable[[Json], str]) -> bool:
    """Tell whether a record is of the sample, but not of the files in this place."""
    here = {**record.request, "path": str(place)}
    return record.request["path"] != str(place) and record.identity == identity(here)


def _at(record: Record, place: Path) -> Json:
    return {"source_path": str(place), "request": {**record.request, "path": str(place)}}
