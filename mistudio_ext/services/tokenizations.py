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
from mistudio_ext.errors import ConflictError
from mistudio_ext.jobs import JobKind
from mistudio_ext.services import remedies
from mistudio_ext.services.context import Context, Json, audit, remove_folder, text_of
from mistudio_ext.services.datasets import choose_split
from mistudio_ext.services.tokenization_settings import (
    as_far_as,
    context_length,
    identity_of,
    require_column,
)
from mistudio_ext.services.tokenizers import Tokenizers, TokenizerSource
from mistudio_ext.spec import TokenizationSpec

KIND = "tokenize"


class TokenizationService:
    """Everything a user does with tokenizations."""

    def __init__(self, context: Context, tokenizers: Tokenizers) -> None:
        self._context = context
        self._tokenizers = tokenizers
        self._catalog = context.catalog.tokenizations
        context.jobs.register(
            JobKind(
                KIND,
                prepare=self._prepare,
                finish=self._finish,
                fail=self._fail,
                restart=self._restart,
                remedies=lambda _job, error: remedies.common(error),
                change=self._change,
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
        """Tokenise a split: ``{model | tokenizer, split?, …settings of TokenizationSpec}``.

        ``tokenizer`` is the path of a tokenizer's folder.
        """
        settings = {k: v for k, v in body.items() if k not in ("model", "tokenizer", "split")}
        source = self._tokenizers.asked_for(body)
        dataset = self._context.catalog.datasets.get(dataset_id)
        spec = TokenizationSpec.from_dict(settings)
        with self._context.creating:
            record = self._find_or_add(dataset, source, text_of(body, "split"), spec)
        jobs = self._context.jobs
        done = record.state == "ready" or record.job_id is None
        return view(record), None if done else jobs.view(jobs.get(str(record.job_id)))

    def ensure(
        self,
        dataset: DatasetRecord,
        model: ModelRecord,
        split: str | None,
        spec: TokenizationSpec,
        max_samples: int | None = None,
    ) -> TokenizationRecord:
        """Return the tokenization with these settings, starting it if it is not there.

        Dataset and model may still be on their way: the job waits for theirs. Where the
        first ``max_samples`` contexts are wanted, a long split is not tokenised to its end.
        """
        with self._context.creating:
            split = choose_split(dataset, split)
            if self.find(dataset, model, split, spec) is None:
                spec = as_far_as(dataset, split, spec, max_samples)
            return self._find_or_add(dataset, TokenizerSource(model), split, spec)

    def _find_or_add(
        self,
        dataset: DatasetRecord,
        source: TokenizerSource,
        split: str | None,
        spec: TokenizationSpec,
    ) -> TokenizationRecord:
        split = choose_split(dataset, split)
        settings = self._resolved(dataset, source, spec).to_dict()
        identity = identity_of(dataset, source, split, settings)
        existing = self._catalog.find(identity=identity)
        if existing is not None and existing.state == "ready":
            return existing
        if existing is not None and existing.job_id and self._whole(existing):
            return self._resume(existing)
        if existing is not None:
            # Its model is gone, or its server died before the job was queued: made anew.
            remove_folder(self._context.settings.folder.tokenization(existing.id))
            self._catalog.delete(existing.id)
        record = TokenizationRecord(
            id=new_id("tok"),
            dataset_id=dataset.id,
            model_id=source.model.id if source.model else None,
            tokenizer=source.to_record(),
            split=split,
            settings=settings,
            identity=identity,
        )
        self._catalog.add(record)
        job = self._context.jobs.submit(
            KIND,
            ("tokenization", record.id, f"{dataset.name} / {split}"),
            {"tokenization": record.id},
            depends_on=[
                job_id
                for job_id in (None if dataset.state == "ready" else dataset.job_id, source.job_id)
                if job_id
            ],
        )
        return self._changed(record.id, job_id=job.id)

    def find(
        self,
        dataset: DatasetRecord,
        model: ModelRecord,
        split: str,
        spec: TokenizationSpec,
        max_samples: int | None = None,
    ) -> TokenizationRecord | None:
        """Return the tokenization with these settings, or of the first contexts, if it is there."""
        source = TokenizerSource(model)
        for wanted in (spec, as_far_as(dataset, split, spec, max_samples)):
            settings = self._resolved(dataset, source, wanted).to_dict()
            found = self._catalog.find(identity=identity_of(dataset, source, split, settings))
            if found is not None:
                return found
        return None

    def delete(self, dataset_id: str, tokenization_id: str) -> Json:
        """Delete a tokenization; refused while a job needs it."""
        record = self._of(dataset_id, tokenization_id)
        users = self._context.catalog.extractions.list(tokenization_id=record.id)
        exports = self._context.jobs.all(kind="tokenization.export", target_id=record.id)
        jobs = [record.job_id, *(u.job_id for u in users), *(e.id for e in exports)]
        if any(self._context.active(job) for job in jobs):
            raise ConflictError(
                "The tokenization is in use by a running or queued job.",
                code="in_use",
                hint="Cancel the job or wait for it to end.",
            )
        freed = remove_folder(self._context.settings.folder.tokenization(record.id))
        self._catalog.delete(record.id)
        audit.info("deleted tokenization %s of %s, %d bytes", record.id, dataset_id, freed)
        self._context.bus.publish(
            "tokenization", f"tokenizations/{record.id}", {"id": record.id, "deleted": True}
        )
        return {"deleted": [record.id], "freed_bytes": freed}

    # -- the job -----------------------------------------------------------------------------

    def _prepare(self, job: JobRecord) -> Json:
        record = self._catalog.get(job.params["tokenization"])
        dataset = self._context.catalog.datasets.get(record.dataset_id)
        source = self._tokenizers.of(record)
        split = record.split
        if split not in [s["name"] for s in dataset.splits] and len(dataset.splits) == 1:
            # The only split of a dataset that was not there yet when this was asked for.
            split = dataset.splits[0]["name"]
        split = choose_split(dataset, split)
        spec = TokenizationSpec.from_dict(record.settings)
        settings = self._resolved(dataset, source, spec).to_dict()
        # Now that model and dataset are known, the same request must find this one.
        identity = identity_of(dataset, source, split, settings)
        if self._catalog.find(identity=identity) is not None:
            identity = record.identity
        self._changed(record.id, settings=settings, split=split, identity=identity)
        folder = self._context.settings.folder
        return self._context.worker_spec(
            allow_remote_code=self._context.may_run_code(source.model),
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
            model=source.to_spec(),
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

    def _change(self, job: JobRecord, fields: Json) -> None:
        """Change the settings of a failed tokenization; it begins anew."""
        with self._context.creating:
            record = self._catalog.get(job.params["tokenization"])
            dataset = self._context.catalog.datasets.get(record.dataset_id)
            source = self._tokenizers.of(record)
            spec = TokenizationSpec.from_dict({**record.settings, **fields})
            settings = self._resolved(dataset, source, spec).to_dict()
            identity = identity_of(dataset, source, record.split, settings)
            remedies.same_elsewhere(self._catalog.find, record, identity)
            remove_folder(self._context.settings.folder.tokenization(record.id))
            self._changed(record.id, settings=settings, identity=identity)

    def _whole(self, record: TokenizationRecord) -> bool:
        """Tell whether what a failed one needs is still there."""
        catalog = self._context.catalog
        return (
            record.tokenizer is not None or catalog.models.find(id=record.model_id) is not None
        ) and catalog.jobs.find(id=str(record.job_id)) is not None

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
        self, dataset: DatasetRecord, source: TokenizerSource, spec: TokenizationSpec
    ) -> TokenizationSpec:
        """Fill in what is left to the dataset and the model, as far as they are known."""
        column = spec.column or dataset.text_column
        require_column(dataset, column)
        return replace(spec, column=column, context=context_length(source, spec))

    @staticmethod
    def context_length(model: ModelRecord, spec: TokenizationSpec) -> int | None:
        """Return the context to use with a model; None while the model's own is not known."""
        return context_length(TokenizerSource(model), spec)

    def _changed(self, tokenization_id: str, **changes: Any) -> TokenizationRecord:
        record = self._catalog.update(tokenization_id, **changes)
        self._context.bus.publish("tokenization", f"tokenizations/{tokenization_id}", view(record))
        return record


def view(record: TokenizationRecord) -> Json:
    """Return a tokenization as REST and events give it."""
    data = dict(vars(record))
    del data["identity"]
    if data["tokenizer"] is not None:
        data["tokenizer"] = {k: data["tokenizer"][k] for k in ("path", "fingerprint")}
    return data
