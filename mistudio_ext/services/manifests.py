"""The first manifest of an extraction, so that a handle can be opened at once."""

from __future__ import annotations

from mistudio_ext import hookpoints
from mistudio_ext.activations import manifest
from mistudio_ext.catalog import DatasetRecord, ExtractionRecord, ModelRecord, TokenizationRecord
from mistudio_ext.paths import DataFolder
from mistudio_ext.services.context import Json
from mistudio_ext.spec import ExtractionSpec


def write_first(
    folder: DataFolder,
    record: ExtractionRecord,
    spec: ExtractionSpec,
    model: ModelRecord,
    dataset: DatasetRecord,
    tokenization: TokenizationRecord,
) -> None:
    """Write the manifest of a queued extraction.

    Where a worker has been before, its manifest stays: it goes on from there.
    """
    path = folder.extraction(record.id)
    if (path / "manifest.json").exists() and manifest.read(path).get("n_tokens") is not None:
        return
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    manifest.write(
        path,
        {
            "schema_version": manifest.SCHEMA_VERSION,
            "state": "queued",
            "id": record.id,
            "name": record.name,
            "fingerprint": record.fingerprint,
            "created_at": record.created_at,
            "updated_at": record.updated_at,
            "spec": _spec(folder, record, spec, model, dataset, tokenization),
            "n_samples": None,
            "n_tokens": None,
            "files": {},
            "versions": {},
            "timings": {},
            "warnings": [],
            "error": None,
        },
    )


def _spec(
    folder: DataFolder,
    record: ExtractionRecord,
    spec: ExtractionSpec,
    model: ModelRecord,
    dataset: DatasetRecord,
    tokenization: TokenizationRecord,
) -> Json:
    # While the model is not known, short names could not be expanded over its layers yet.
    hooks = list(spec.hooks) if model.state == "ready" else []
    layers = {hookpoints.split_name(hook)[0] for hook in hooks}
    return {
        "model": model.repo_id or model.name,
        "model_id": model.id,
        "model_path": model.path,
        "repo_id": model.repo_id,
        "revision": model.revision,
        "model_fingerprint": model.fingerprint,
        "tokenizer_fingerprint": model.tokenizer_fingerprint,
        "quantization": model.format,
        "dataset": dataset.repo_id or dataset.name,
        "dataset_id": dataset.id,
        "dataset_path": str(folder.dataset(dataset.id)),
        "dataset_fingerprint": dataset.fingerprint,
        "fingerprint": record.fingerprint,
        "split": tokenization.split,
        "text_column": tokenization.settings["column"] or dataset.text_column,
        "tokenization": {"id": tokenization.id, **tokenization.settings},
        "layers": sorted(layer for layer in layers if layer is not None),
        "hooks": hooks,
        "layout": spec.layout,
        "positions": spec.positions,
        "dtype": spec.dtype,
        "context": tokenization.settings["context"],
        "max_samples": spec.max_samples,
    }
