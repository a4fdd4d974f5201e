"""Extractions as the catalog has them: seen, changed, found again, cleared away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

from mistudio_ext import keys
from mistudio_ext.activations import journal, manifest
from mistudio_ext.catalog import (
    DatasetRecord,
    ExtractionRecord,
    ModelRecord,
    TokenizationRecord,
)
from mistudio_ext.errors import ConflictError
from mistudio_ext.services.context import Context, Json, free_name, remove_folder
from mistudio_ext.spec import ExtractionSpec

#: What a record keeps to be found again.
_PRIVATE = ("request", "asked", "weights", "device_kind")


class ExtractionRecords:
    """The catalog's extractions and their folders; every change is published."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._catalog = context.catalog.extractions

    def changed(self, extraction_id: str, **changes: Any) -> ExtractionRecord:
        """Change a record, and tell who listens."""
        record = self._catalog.update(extraction_id, **changes)
        self._context.bus.publish("extraction", f"extractions/{extraction_id}", self.view(record))
        return record

    def remove(self, record: ExtractionRecord) -> int:
        """Delete an extraction with its folder, tell who listens, return the bytes freed."""
        freed = remove_folder(self._context.settings.folder.extraction(record.id))
        self._catalog.delete(record.id)
        self._context.bus.publish(
            "extraction", f"extractions/{record.id}", {"id": record.id, "deleted": True}
        )
        return freed

    def note_name(self, extraction_id: str) -> None:
        """Bring a new name into the manifest."""
        record = self._catalog.get(extraction_id)
        folder = self._context.settings.folder.extraction(extraction_id)
        if (folder / "manifest.json").exists() and manifest.read(folder)["name"] != record.name:
            manifest.update(folder, name=record.name)

    def note_state(self, extraction_id: str, state: str, error: Json | None) -> None:
        """Bring a state into the manifest, if there is one already, and into the catalog."""
        folder = self._context.settings.folder.extraction(extraction_id)
        self.changed(extraction_id, state=state, error=error)
        if (folder / "manifest.json").exists():
            manifest.update(folder, state=state, error=error)

    def require_free_name(self, name: str, model: ModelRecord | None) -> None:
        """Raise ConflictError if another extraction has this name."""
        other = self._catalog.find(name=name)
        if other is not None:
            # A record without weights is of a release that did not note them.
            earlier = model and other.model_id == model.id and not has_weights(other, model)
            what = "of earlier weights of the model" if earlier else "with another spec"
            raise ConflictError(
                f"There is already an extraction '{name}' {what}.",
                code="name_taken",
                field="name",
                hint="Choose another name, for example "
                f"'{free_name(self._catalog.find, name)}', or delete that one.",
            )

    def same_request(
        self, model: ModelRecord, dataset: DatasetRecord, identity: str
    ) -> Sequence[ExtractionRecord]:
        """Return the extractions that were asked for in the same words, whatever the weights."""
        candidates = self._catalog.list(model_id=model.id, dataset_id=dataset.id)
        return [c for c in candidates if c.spec.get("request") == identity]

    def is_whole(self, record: ExtractionRecord) -> bool:
        """Tell whether an extraction is done, on its way, or can be gone on with."""
        if record.state == "done":
            return True
        catalog = self._context.catalog
        return (
            record.job_id is not None
            and catalog.jobs.find(id=record.job_id) is not None
            and catalog.tokenizations.find(id=record.tokenization_id) is not None
        )

    def with_other_hooks(
        self, model: ModelRecord, tokenization: TokenizationRecord, spec: ExtractionSpec
    ) -> Sequence[ExtractionRecord]:
        """Return finished extractions that differ in nothing but their hooks."""
        wanted = keys.facts_of(replace(spec, hooks=()))
        done = self._catalog.list(model_id=model.id, tokenization_id=tokenization.id, state="done")
        return [
            other
            for other in done
            if has_weights(other, model)
            and keys.facts_of(replace(engine_spec(other), hooks=())) == wanted
        ]

    def view(self, record: ExtractionRecord) -> Json:
        """Return an extraction as REST and events give it."""
        catalog = self._context.catalog
        path = self._context.settings.folder.extraction(record.id)
        model = catalog.models.find(id=record.model_id)
        dataset = catalog.datasets.find(id=record.dataset_id)
        unit: Literal["tokens", "samples"] = (
            "tokens" if record.spec["positions"] == "all" else "samples"
        )
        total = record.n_tokens if unit == "tokens" else record.n_samples
        written = journal.last(path) if record.state != "done" else None
        return {
            **vars(record),
            "model": model.name if model else None,
            "dataset": dataset.name if dataset else None,
            "path": str(path),
            "format": record.spec.get("format") or (model.format if model else None),
            "unit": unit,
            "total": total,
            "ready": total if record.state == "done" else written[unit] if written else 0,
            "spec": {k: v for k, v in record.spec.items() if k not in _PRIVATE},
        }


def weights_of(model: ModelRecord) -> str:
    """Return what stands for a model's weights; while they are being read, for that reading."""
    return model.fingerprint or f"job:{model.job_id}"


def has_weights(record: ExtractionRecord, model: ModelRecord) -> bool:
    """Tell whether an extraction is of the weights that the model has now."""
    return record.spec.get("weights") in (weights_of(model), f"job:{model.job_id}")


def engine_spec(record: ExtractionRecord) -> ExtractionSpec:
    """Return what the engine reads of a record's spec."""
    names = ExtractionSpec.__dataclass_fields__
    return ExtractionSpec.from_dict({k: v for k, v in record.spec.items() if k in names})
