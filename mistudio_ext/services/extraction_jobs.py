"""Extractions as jobs: what a worker is handed, and what becomes of its result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mistudio_ext.catalog import (
    DatasetRecord,
    ExtractionRecord,
    JobRecord,
    ModelRecord,
    TokenizationRecord,
)
from mistudio_ext.errors import ConflictError
from mistudio_ext.jobs import JobKind, Needs
from mistudio_ext.services import estimates, fallback, manifests, remedies
from mistudio_ext.services.context import Context, Json
from mistudio_ext.services.disk_use import disk_use
from mistudio_ext.services.extraction_plan import ExtractionPlanner, identity_of
from mistudio_ext.services.extraction_records import (
    ExtractionRecords,
    engine_spec,
    has_weights,
    weights_of,
)
from mistudio_ext.services.models import ModelService, known_files
from mistudio_ext.spec import MODEL_FORMATS, ExtractionSpec, fingerprint

KIND = "extract"

#: What a worker is told of a model that makes no difference to what is in memory.
_NOT_LOADED = {"id", "name", "repo_id", "revision", "requested_format", "fallback_reason"}

#: Extractions at the same time; how many really run is for the devices to say.
LIMIT = 64


class ExtractionJobs:
    """The kind of job that extracts."""

    def __init__(
        self,
        context: Context,
        models: ModelService,
        records: ExtractionRecords,
        planner: ExtractionPlanner,
    ) -> None:
        self._context = context
        self._models = models
        self._records = records
        self._planner = planner
        context.jobs.register(
            JobKind(
                KIND,
                prepare=self._prepare,
                finish=self._finish,
                fail=self._fail,
                restart=self._restart,
                remedies=self._remedies,
                change=self._change,
                environment=context.worker_environment,
                limit=LIMIT,
                needs=self._needs,
            )
        )

    def submit(self, record: ExtractionRecord, depends_on: Sequence[str]) -> JobRecord:
        """Queue an extraction behind the jobs that make its model and its tokens."""
        return self._context.jobs.submit(
            KIND,
            ("extraction", record.id, record.name),
            {"extraction": record.id},
            depends_on=list(depends_on),
        )

    def _needs(self, job: JobRecord) -> Needs:
        """Return the device that a job wants, the memory it takes there, and its model."""
        record = self._context.catalog.extractions.get(job.params["extraction"])
        model = self._context.catalog.models.get(record.model_id)
        spec = engine_spec(record)
        architecture = self._models.architecture(model.id) if model.state == "ready" else None
        place = self._context.jobs.place(spec.device)
        return Needs(
            device=spec.device,
            memory=estimates.device_memory(model, spec, architecture, self._longest(record), place),
            model=self._loaded(model, record),
        )

    def _loaded(self, model: ModelRecord, record: ExtractionRecord) -> str:
        """Return what stands for a model in memory: all that a worker is told of how to load it."""
        told = _model(model, _smaller(model, record.spec.get("fallback") or ()))
        how = {
            "allow_remote_code": self._context.may_run_code(model),
            "allow_pickle": self._context.settings.allow_pickle,
        }
        return fingerprint({"model": {k: told[k] for k in told.keys() - _NOT_LOADED}, **how})

    def _longest(self, record: ExtractionRecord) -> int:
        tokenization = self._context.catalog.tokenizations.get(record.tokenization_id)
        return int(tokenization.settings["context"] or 1)

    def _prepare(self, job: JobRecord) -> Json:
        catalog, folder = self._context.catalog, self._context.settings.folder
        record = catalog.extractions.get(job.params["extraction"])
        model = catalog.models.get(record.model_id)
        if not has_weights(record, model):
            raise _other_weights(record, model)
        dataset = catalog.datasets.get(record.dataset_id)
        tokenization = catalog.tokenizations.get(record.tokenization_id)
        hooks = self._planner.hooks(model, tuple(record.spec["asked"]), record.spec["layers"])
        spec = replace(engine_spec(record), hooks=hooks)
        length = int(tokenization.settings["context"])
        held = disk_use(folder.extraction(record.id)).own
        self._planner.require_space(
            model, dataset, tokenization.split, tokenization, length, spec, held
        )
        size = estimates.size_of(
            self._context, dataset, tokenization.split, tokenization, length, spec.max_samples
        )
        smaller = record.spec.get("fallback") or ()
        final = identity_of(model, tokenization, spec, smaller, spec.device_kind)
        same = catalog.extractions.find(fingerprint=final)
        if same is not None and same.id != record.id:
            final = record.fingerprint
        record = self._records.changed(
            record.id,
            state="running",
            fingerprint=final,
            spec={
                **record.spec,
                **spec.to_dict(),
                "context": length,
                "weights": weights_of(model),
            },
            split=tokenization.split,
            n_samples=size.n_samples,
            n_tokens=size.n_tokens,
        )
        manifests.write_first(folder, record, spec, model, dataset, tokenization)
        return self._context.worker_spec(
            needs_bytes=-held,  # What it has already is its own; the rest was asked for above.
            allow_remote_code=self._context.may_run_code(model),
            extraction={
                "id": record.id,
                "name": record.name,
                "path": str(folder.extraction(record.id)),
                "fingerprint": record.fingerprint,
                "spec": spec.to_dict(),
                "created_at": record.created_at,
                "reuse": [
                    str(folder.extraction(other.id))
                    for other in self._records.with_other_hooks(model, tokenization, spec)
                ],
            },
            model={
                **_model(model, _smaller(model, smaller)),
                "files": known_files(self._context, model),
            },
            dataset=self._dataset(dataset, tokenization),
            tokenization={
                "id": tokenization.id,
                "path": str(folder.tokenization(tokenization.id)),
                "settings": tokenization.settings,
            },
        )

    def _dataset(self, dataset: DatasetRecord, tokenization: TokenizationRecord) -> Json:
        return {
            "id": dataset.id,
            "name": dataset.name,
            "repo_id": dataset.repo_id,
            "path": str(self._context.settings.folder.dataset(dataset.id)),
            "split": tokenization.split,
            "text_column": tokenization.settings["column"] or dataset.text_column,
            "fingerprint": dataset.fingerprint,
        }

    def _finish(self, job: JobRecord, result: Json) -> None:
        extraction_id = job.params["extraction"]
        self._records.note_name(extraction_id)
        record = self._context.catalog.extractions.get(extraction_id)
        self._records.changed(
            extraction_id,
            state="done",
            error=None,
            n_samples=result["n_samples"],
            n_tokens=result["n_tokens"],
            bytes=result["bytes"],
            timings=result.get("timings", {}),
            warnings=result.get("warnings", []),
            spec={
                **record.spec,
                "format": result.get("format"),
                "device_kind": "cpu" if result.get("device") == "cpu" else "gpu",
            },
        )

    def _fail(self, job: JobRecord, state: str, error: Json) -> None:
        extraction_id = job.params["extraction"]
        if self._context.catalog.extractions.find(id=extraction_id) is None:
            return
        self._records.note_state(extraction_id, state, error)
        self._records.note_name(extraction_id)

    def _remedies(self, job: JobRecord, error: Json) -> Sequence[Json]:
        record = self._context.catalog.extractions.get(job.params["extraction"])
        if error["code"] == "out_of_memory":
            return remedies.fewer_tokens(engine_spec(record).batch_tokens)
        return remedies.common(error)

    def _change(self, job: JobRecord, fields: Json) -> None:
        """Change how a failed extraction is computed; what it computes stays."""
        remedies.only(fields, "batch_tokens", "device")
        record = self._context.catalog.extractions.get(job.params["extraction"])
        spec = ExtractionSpec.from_dict({**engine_spec(record).to_dict(), **fields})
        self._context.jobs.place(spec.device)
        self._records.changed(record.id, spec={**record.spec, **spec.to_dict()})

    def _restart(self, job: JobRecord) -> None:
        self._records.note_state(job.params["extraction"], "queued", None)


def _smaller(model: ModelRecord, formats: Sequence[str]) -> list[str]:
    """Return what is left to fall back to; nothing for what its publisher quantised."""
    return fallback.after(formats, model.format) if model.format in MODEL_FORMATS else []


def _model(model: ModelRecord, smaller: Sequence[str]) -> Json:
    return {
        "id": model.id,
        "name": model.name,
        "repo_id": model.repo_id,
        "path": model.path,
        "revision": model.revision,
        "format": model.format,
        "requested_format": model.requested_format,
        "fallback_reason": model.fallback_reason,
        "fallback": smaller,
        "fingerprint": model.fingerprint,
        "tokenizer_fingerprint": model.tokenizer_fingerprint,
    }


def _other_weights(record: ExtractionRecord, model: ModelRecord) -> ConflictError:
    return ConflictError(
        f"'{record.name}' was begun with earlier weights of '{model.name}', which are gone.",
        code="model_changed",
        field="model",
        hint="Ask for the extraction again; it is made of the present weights.",
    )
