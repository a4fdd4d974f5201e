"""Tokenizations: a split of a dataset as token ids of a model's tokenizer."""

from __future__ import annotations

import math
from collections.abc import Sequence
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
from mistudio_ext.services.context import Context, Json, audit, remove_folder, text_of
from mistudio_ext.services.datasets import choose_split
from mistudio_ext.services.tokenizers import Tokenizers, TokenizerSource
from mistudio_ext.spec import TokenizationSpec, fingerprint

KIND = "tokenize"

#: Context in tokens where neither the user nor the model says one, and the longest default.
DEFAULT_CONTEXT = 1024

#: Contexts that are made at least where an extraction wants only the first ones.
LEAST_SAMPLES = 10_000

#: Rows of a dataset that one preview shows at most.
PREVIEW_ROWS = 20

_PREVIEW_FIELDS = ("model", "tokenizer", "texts", "dataset", "split", "rows", "offset", "limit")


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
                spec = _as_far_as(dataset, split, spec, max_samples)
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
        identity = _identity(dataset, source, split, settings)
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
        for wanted in (spec, _as_far_as(dataset, split, spec, max_samples)):
            settings = self._resolved(dataset, source, wanted).to_dict()
            found = self._catalog.find(identity=_identity(dataset, source, split, settings))
            if found is not None:
                return found
        return None

    def preview(self, body: Json) -> Json:
        """Tokenise a few rows at once.

        The contexts are cut by the code that cuts them in the real run.

        Parameters
        ----------
        body
            ``{model | tokenizer, texts | dataset, split?, rows?, …settings}``: texts of
            the user's own (or lists of turns), or rows of a dataset, the first one by
            default. ``offset`` and ``limit`` say which of the contexts to return.
        """
        from mistudio_ext.store.preview import MAX_CONTEXTS, open_previewer

        settings = {k: v for k, v in body.items() if k not in _PREVIEW_FIELDS}
        spec = TokenizationSpec.from_dict(settings)
        source = self._tokenizers.asked_for(body)
        values = self._real_rows(body, spec) if text_of(body, "dataset") else _own_texts(body)
        spec = replace(spec, context=context_length(source, spec))
        previewer = open_previewer(self._tokenizers.preview_folder(source))
        offset, limit = _count(body, "offset", 0), _count(body, "limit", MAX_CONTEXTS)
        return previewer.preview(values, spec, offset, limit)

    def _real_rows(self, body: Json, spec: TokenizationSpec) -> Sequence[Any]:
        """Return the cells of some rows of a dataset."""
        from mistudio_ext.store.arrow import open_split

        dataset = self._context.catalog.datasets.get(str(body["dataset"]))
        if dataset.state != "ready":
            raise ConflictError(
                f"'{dataset.name}' is not ready: it is {dataset.state}.", code="dataset_not_ready"
            )
        rows = body.get("rows", [0])
        if not isinstance(rows, list) or not all(type(row) is int for row in rows):
            raise InvalidInputError(
                "rows must be a list of numbers.", code="bad_rows", field="rows"
            )
        column = spec.column or dataset.text_column
        if column is None:
            raise InvalidInputError(
                f"'{dataset.name}' is tokenised already.",
                code="no_text_column",
                field="dataset",
                hint="Its token ids are used as they are.",
            )
        split = choose_split(dataset, text_of(body, "split"))
        opened = open_split(self._context.settings.folder.dataset(dataset.id), split)
        opened.require(column)
        return [row[column] for row in opened.take(rows[:PREVIEW_ROWS], [column])]

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
        identity = _identity(dataset, source, split, settings)
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
        _require_column(dataset, column)
        return replace(spec, column=column, context=context_length(source, spec))

    @staticmethod
    def context_length(model: ModelRecord, spec: TokenizationSpec) -> int | None:
        """Return the context to use with a model; None while the model's own is not known."""
        return context_length(TokenizerSource(model), spec)

    def _changed(self, tokenization_id: str, **changes: Any) -> TokenizationRecord:
        record = self._catalog.update(tokenization_id, **changes)
        self._context.bus.publish("tokenization", f"tokenizations/{tokenization_id}", view(record))
        return record


def _as_far_as(
    dataset: DatasetRecord, split: str, spec: TokenizationSpec, max_samples: int | None
) -> TokenizationSpec:
    """Return settings that stop after the contexts that are wanted, where that saves much.

    The limit is a power of ten, so that a little more is there already.
    """
    if max_samples is None or spec.max_samples is not None:
        return spec
    enough = max(LEAST_SAMPLES, 10 ** math.ceil(math.log10(max_samples)))
    n_rows = next((s["n_rows"] for s in dataset.splits if s["name"] == split), 0)
    return replace(spec, max_samples=enough) if n_rows >= 10 * enough else spec


def context_length(source: TokenizerSource, spec: TokenizationSpec) -> int | None:
    """Return the context to use; None while the model's own is not known."""
    if spec.context is None:
        if not source.known:
            return None
        return min(source.context or DEFAULT_CONTEXT, DEFAULT_CONTEXT)
    if source.context and spec.context > source.context:
        raise InvalidInputError(
            f"The context of {spec.context} tokens is longer than the model can read "
            f"({source.context}).",
            code="context_too_long",
            field="context",
            hint=f"Choose at most {source.context}.",
        )
    return spec.context


def _own_texts(body: Json) -> Sequence[Any]:
    texts = body.get("texts")
    if not isinstance(texts, list) or not all(isinstance(text, (str, list)) for text in texts):
        raise InvalidInputError(
            "texts must be a list of texts, or of lists of turns.",
            code="bad_texts",
            field="texts",
            hint="Or name a dataset and rows of it.",
        )
    return texts


def _count(body: Json, name: str, default: int) -> int:
    value = body.get(name, default)
    if type(value) is not int or value < 0:
        raise InvalidInputError(
            f"{name} must be a whole number from 0.", code="bad_number", field=name
        )
    return value


def _identity(dataset: DatasetRecord, source: TokenizerSource, split: str, settings: Json) -> str:
    """Return what is the same for the same ids: dataset, split, tokenizer and settings."""
    facts = {"dataset": dataset.id, "split": split, "tokenizer": source.key}
    return fingerprint({**facts, **settings})


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
