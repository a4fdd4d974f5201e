"""Tokenizations: a split of a dataset as token ids of a model's tokenizer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mistudio_ext.catalog import (
    DatasetRecord,
    JobRecord,
    ModelRecord,
    TokenizationRecord,
    new_id,
)
from mistudio_ext.errors import ConflictError, InvalidInputError
from mistudio_ext.jobs import JobKind
from mistudio_ext.services.context import Context, Json, remove_folder, text_of
from mistudio_ext.services.datasets import choose_split
from mistudio_ext.spec import TokenizationSpec, fingerprint

KIND = "tokenize"

#: Context in tokens where neither the user nor the model says one, and the longest default.
DEFAULT_CONTEXT = 1024


class TokenizationService:
    """Everything a user does with tokenizations."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._catalog = context.catalog.tokenizations
        context.jobs.register(
            JobKind(
                KIND,
                prepare=self._prepare,
                finish=self._finish,
                fail=self._fail,
                restart=self._restart,
                environment=context.worker_environment,
                limit=1,
            )
        )

    def list(self, dataset_id: str) -> list[Json]:
        """Return the tokenizations of a dataset, newest first."""
        self._context.catalog.datasets.get(dataset_id)
        return [view(record) for record in self._catalog.list(dataset_id=dataset_id)]

    def get(self, dataset_id: str, tokenization_id: str) -> Json:
        """Return one tokenization of a dataset."""
        return view(self._of(dataset_id, tokenization_id))

    def create(self, dataset_id: str, body: Json) -> tuple[Json, Json | None]:
        """Tokenise a split: ``{model, split?, …settings of TokenizationSpec}``."""
        catalog = self._context.catalog
        settings = {k: v for k, v in body.items() if k not in ("model", "split", "name")}
        model_id = text_of(body, "model")
        if model_id is None:
            raise InvalidInputError(
                "A model is needed for its tokenizer.", code="model_missing", field="model"
            )
        record = self.ensure(
            catalog.datasets.get(dataset_id),
            catalog.models.get(model_id),
            text_of(body, "split"),
            TokenizationSpec.from_dict(settings),
        )
        jobs = self._context.jobs
        done = record.state == "ready" or record.job_id is None
        return view(record), None if done else jobs.view(jobs.get(str(record.job_id)))

    def ensure(
        self,
        dataset: DatasetRecord,
        model: ModelRecord,
        split: str | None,
        spec: TokenizationSpec,
    ) -> TokenizationRecord:
        """Return the tokenization with these settings, starting it if it is not there.

        Dataset and model may still be on their way: the job waits for theirs.
        """
        with self._context.creating:
            return self._find_or_add(dataset, model, split, spec)

    def _find_or_add(
        self,
        dataset: DatasetRecord,
        model: ModelRecord,
        split: str | None,
        spec: TokenizationSpec,
    ) -> TokenizationRecord:
        split = choose_split(dataset, split)
        spec = self._resolved(dataset, model, spec)
        settings = spec.to_dict()
        identity = _identity(dataset, model, split, settings)
        existing = self._catalog.find(identity=identity)
        if existing is not None and existing.state == "ready":
            return existing
        if existing is not None and existing.job_id and self._whole(existing):
            return self._resume(existing)
        if existing is not None:
            # Its model is gone, or its server died before the job was queued: made anew.
            self._catalog.delete(existing.id)
        record = TokenizationRecord(
            id=new_id("tok"),
            dataset_id=dataset.id,
            model_id=model.id,
            split=split,
            settings=settings,
            identity=identity,
        )
        self._catalog.add(record)
        job = self._context.jobs.submit(
            KIND,
            ("tokenization", record.id, f"{dataset.name} / {split}"),
            {"tokenization": record.id},
            depends_on=[p.job_id for p in (dataset, model) if p.state != "ready" and p.job_id],
        )
        return self._changed(record.id, job_id=job.id)

    def find(
        self,
        dataset: DatasetRecord,
        model: ModelRecord,
        split: str,
        spec: TokenizationSpec,
    ) -> TokenizationRecord | None:
        """Return the tokenization with these settings if it is there."""
        settings = self._resolved(dataset, model, spec).to_dict()
        return self._catalog.find(identity=_identity(dataset, model, split, settings))

    def preview(self, body: Json) -> Json:
        """Tokenise a few texts at once: ``{model, texts, …settings}``.

        The contexts are cut by the code that cuts them in the real run.
        """
        from mistudio_ext.store.preview import open_previewer

        own = ("model", "texts")
        spec = TokenizationSpec.from_dict({k: v for k, v in body.items() if k not in own})
        name = text_of(body, "model")
        if name is None:
            raise InvalidInputError(
                "A model is needed for its tokenizer.", code="model_missing", field="model"
            )
        model = self._context.catalog.models.get(name)
        if model.state != "ready":
            raise ConflictError(
                f"'{model.name}' is not ready: it is {model.state}.",
                code="model_not_ready",
                field="model",
            )
        texts = body.get("texts")
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise InvalidInputError(
                "texts must be a list of texts.", code="bad_texts", field="texts"
            )
        spec = replace(spec, context=self.context_length(model, spec))
        folder = self._context.settings.folder.model(model.id)
        return open_previewer(folder).preview(texts, spec)

    def delete(self, dataset_id: str, tokenization_id: str) -> Json:
        """Delete a tokenization; refused while a job needs it."""
        record = self._of(dataset_id, tokenization_id)
        users = self._context.catalog.extractions.list(tokenization_id=record.id)
        if any(self._context.active(job) for job in [record.job_id, *(u.job_id for u in users)]):
            raise ConflictError(
                "The tokenization is in use by a running or queued job.",
                code="in_use",
                hint="Cancel the job or wait for it to end.",
            )
        freed = remove_folder(self._context.settings.folder.tokenization(record.id))
        self._catalog.delete(record.id)
        self._context.bus.publish(
            "tokenization", f"tokenizations/{record.id}", {"id": record.id, "deleted": True}
        )
        return {"deleted": [record.id], "freed_bytes": freed}

    # -- the job -----------------------------------------------------------------------------

    def _prepare(self, job: JobRecord) -> Json:
        record = self._catalog.get(job.params["tokenization"])
        dataset = self._context.catalog.datasets.get(record.dataset_id)
        model = self._context.catalog.models.get(record.model_id)
        split = record.split
        if split not in [s["name"] for s in dataset.splits] and len(dataset.splits) == 1:
            # The only split of a dataset that was not there yet when this was asked for.
            split = dataset.splits[0]["name"]
        split = choose_split(dataset, split)
        spec = TokenizationSpec.from_dict(record.settings)
        settings = self._resolved(dataset, model, spec).to_dict()
        # Now that model and dataset are known, the same request must find this one.
        identity = _identity(dataset, model, split, settings)
        if self._catalog.find(identity=identity) is not None:
            identity = record.identity
        self._changed(record.id, settings=settings, split=split, identity=identity)
        folder = self._context.settings.folder
        return self._context.worker_spec(
            tokenization={
                "id": record.id,
                "path": str(folder.tokenization(record.id)),
                "settings": settings,
            },
            dataset={
                "id": dataset.id,
                "name": dataset.name,
                "path": str(folder.dataset(dataset.id)),
                "split": split,
                "text_column": dataset.text_column,
                "fingerprint": dataset.fingerprint,
            },
            model={
                "id": model.id,
                "name": model.name,
                "path": model.path,
                "tokenizer_fingerprint": model.tokenizer_fingerprint,
            },
        )

    def _finish(self, job: JobRecord, result: Json) -> None:
        known = ("n_samples", "n_tokens", "n_rows", "skipped", "bytes")
        changes = {name: result[name] for name in known}
        self._changed(job.params["tokenization"], state="ready", error=None, **changes)

    def _fail(self, job: JobRecord, _state: str, error: Json) -> None:
        self._context.sweep()
        if self._catalog.find(id=job.params["tokenization"]) is not None:
            self._changed(job.params["tokenization"], state="failed", error=error)

    def _restart(self, job: JobRecord) -> None:
        self._changed(job.params["tokenization"], state="pending", error=None)

    def _whole(self, record: TokenizationRecord) -> bool:
        """Tell whether what a failed one needs is still there."""
        catalog = self._context.catalog
        return (
            catalog.models.find(id=record.model_id) is not None
            and catalog.jobs.find(id=str(record.job_id)) is not None
        )

    def _resume(self, record: TokenizationRecord) -> TokenizationRecord:
        if record.state == "failed" and record.job_id:
            self._context.jobs.retry(record.job_id)
        return self._catalog.get(record.id)

    # -- shared --------------------------------------------------------------------------------

    def _of(self, dataset_id: str, tokenization_id: str) -> TokenizationRecord:
        record = self._catalog.get(tokenization_id)
        if record.dataset_id != dataset_id:
            return self._catalog.get(f"{dataset_id}/{tokenization_id}")
        return record

    def _resolved(
        self, dataset: DatasetRecord, model: ModelRecord, spec: TokenizationSpec
    ) -> TokenizationSpec:
        """Fill in what is left to the dataset and the model, as far as they are known."""
        column = spec.column or dataset.text_column
        _require_column(dataset, column)
        return replace(spec, column=column, context=self.context_length(model, spec))

    @staticmethod
    def context_length(model: ModelRecord, spec: TokenizationSpec) -> int | None:
        """Return the context to use; None while the model's own is not known."""
        if spec.context is None:
            if model.state != "ready":
                return None
            return min(model.context or DEFAULT_CONTEXT, DEFAULT_CONTEXT)
        if model.context and spec.context > model.context:
            raise InvalidInputError(
                f"The context of {spec.context} tokens is longer than the model can read "
                f"({model.context}).",
                code="context_too_long",
                field="context",
                hint=f"Choose at most {model.context}.",
            )
        return spec.context

    def _changed(self, tokenization_id: str, **changes: Any) -> TokenizationRecord:
        record = self._catalog.update(tokenization_id, **changes)
        self._context.bus.publish("tokenization", f"tokenizations/{tokenization_id}", view(record))
        return record


def _identity(dataset: DatasetRecord, model: ModelRecord, split: str, settings: Json) -> str:
    """Return what is the same for the same ids: dataset, split, tokenizer and settings."""
    tokenizer = model.tokenizer_fingerprint or model.id
    return fingerprint({"dataset": dataset.id, "split": split, "tokenizer": tokenizer, **settings})


def _require_column(dataset: DatasetRecord, column: str | None) -> None:
    names = [c["name"] for c in dataset.columns]
    if names and column is not None and column not in names:
        raise InvalidInputError(
            f"'{dataset.name}' has no column '{column}'.",
            code="no_such_column",
            field="column",
            hint=f"Its columns are {', '.join(names)}.",
        )


def view(record: TokenizationRecord) -> Json:
    """Return a tokenization as REST and events give it."""
    data = dict(vars(record))
    del data["identity"]
    return data
