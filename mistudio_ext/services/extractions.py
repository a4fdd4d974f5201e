"""Extractions: asked for, opened again, renamed, deleted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from mistudio_ext.activations import manifest
from mistudio_ext.catalog import (
    DatasetRecord,
    ExtractionRecord,
    ModelRecord,
    TokenizationRecord,
    new_id,
)
from mistudio_ext.errors import AccessDeniedError, ConflictError
from mistudio_ext.services import estimates, manifests, requests
from mistudio_ext.services.context import (
    Context,
    Json,
    audit,
    delete_each,
    free_name,
    new_name,
    remove_folder,
)
from mistudio_ext.services.datasets import DatasetService, choose_split
from mistudio_ext.services.extraction_jobs import ExtractionJobs
from mistudio_ext.services.extraction_plan import ExtractionPlanner, identity_of
from mistudio_ext.services.extraction_records import ExtractionRecords
from mistudio_ext.services.models import ModelService
from mistudio_ext.services.names import automatic_name
from mistudio_ext.services.resolve import Resolver
from mistudio_ext.services.tokenizations import TokenizationService
from mistudio_ext.services.variants import VariantService
from mistudio_ext.spec import ExtractionSpec, fingerprint

#: An extraction, its job (None if it needs none), and whether work was started.
Started = tuple[Json, Json | None, bool]


class ExtractionService:
    """Everything a user does with extractions."""

    def __init__(
        self,
        context: Context,
        datasets: DatasetService,
        models: ModelService,
        tokenizations: TokenizationService,
        variants: VariantService,
    ) -> None:
        self._context = context
        self._catalog = context.catalog.extractions
        self._tokenizations = tokenizations
        self._variants = variants
        self._resolver = Resolver(context, datasets, models, variants)
        self._records = ExtractionRecords(context)
        self._planner = ExtractionPlanner(context, models, self._records)
        self._jobs = ExtractionJobs(context, models, self._records, self._planner)
        self.view = self._records.view

    # -- reading ---------------------------------------------------------------------------

    def list(self) -> list[Json]:
        """Return all extractions, newest first."""
        return [self.view(record) for record in self._catalog.list()]

    def get(self, extraction_id: str) -> Json:
        """Return one extraction."""
        return self.view(self._catalog.get(extraction_id))

    def record(self, name: str) -> ExtractionRecord:
        """Return the extraction with this id or name."""
        found = self._catalog.find(id=name) or self._catalog.find(name=name)
        return found or self._catalog.get(name)

    def manifest(self, extraction_id: str) -> Json:
        """Return the manifest of an extraction."""
        self._catalog.get(extraction_id)
        return manifest.read(self._context.settings.folder.extraction(extraction_id))

    def estimate(self, body: Json) -> Json:
        """Return what an extraction would take; registers nothing."""
        request = requests.read(body)
        model = self._resolver.known_model(request.model, request.format)
        dataset = self._resolver.known_dataset(request.dataset)
        hooks = self._planner.hooks(model, request.hooks, request.layers)
        split = choose_split(dataset, request.split)
        most = request.spec.max_samples
        reader = self._variants.root(model)
        found = self._tokenizations.find(dataset, reader, split, request.tokenization, most)
        length = self._tokenizations.context_length(model, request.tokenization)
        size = estimates.size_of(self._context, dataset, split, found, length or 1, most)
        return self._planner.estimate(model, request.spec, hooks, size)

    # -- changing ----------------------------------------------------------------------------

    def create(self, body: Json) -> Started:
        """Start an extraction, or return the one with the same spec.

        Parameters
        ----------
        body
            See ``POST extractions`` in the REST documentation.

        Returns
        -------
        tuple
            The extraction, its job (None if it needs none), and whether work was started.
        """
        request = requests.read(body)
        with self._context.creating:
            return self._find_or_add(request)

    def _find_or_add(self, request: requests.ExtractionRequest) -> Started:
        self._resolver.check(request.model, request.dataset)
        model = self._resolver.model(request.model, request.format, request.fallback)
        dataset = self._resolver.dataset(request.dataset)
        identity = fingerprint(request.identity(model.id, dataset.id))
        existing = self._records.same_request(model, dataset, identity)
        if existing is not None and self._records.is_whole(existing):
            return self._resume(existing)
        hooks = self._planner.hooks(model, request.hooks, request.layers)
        spec = replace(request.spec, hooks=hooks)
        split = choose_split(dataset, request.split)
        # A variant reads with its parent's tokenizer, and need not be made for that.
        reader = self._variants.root(model)
        most = spec.max_samples
        found = self._tokenizations.find(dataset, reader, split, request.tokenization, most)
        if found is not None:
            same = self._catalog.find(fingerprint=identity_of(model, found, spec, request.fallback))
            if same is not None and self._records.is_whole(same):
                return self._resume(same)
            existing = existing or same
        self._context.jobs.place(spec.device)  # Told now if there is none, not by a failed job.
        if existing is not None:
            self._records.remove(existing)  # Its parts are gone; it is made anew.
        name = self._name(request, hooks)
        length = self._tokenizations.context_length(reader, request.tokenization)
        self._planner.require_space(model, dataset, split, found, length, spec)
        tokenization = self._tokenizations.ensure(
            dataset, reader, split, request.tokenization, most
        )
        record = _new_record(request, name, identity, spec, model, dataset, tokenization)
        self._write_first(record, spec, model, dataset, tokenization)
        self._catalog.add(record)
        waits_for = [r.job_id for r in (model, tokenization) if r.state != "ready" and r.job_id]
        job = self._jobs.submit(record, depends_on=waits_for)
        record = self._records.changed(record.id, job_id=job.id)
        return self.view(record), self._context.jobs.view(job), True

    def rename(self, extraction_id: str, name: Any) -> Json:
        """Give an extraction another name, in the catalog and in its manifest."""
        self._catalog.get(extraction_id)
        wanted = new_name(self._catalog.find, extraction_id, "extraction", name)
        record = self._records.changed(extraction_id, name=requests.checked_name(wanted))
        if record.state not in ("queued", "running"):
            # Else the worker holds the manifest until it ends.
            self._records.note_name(extraction_id)
        return self.view(record)

    def delete(self, extraction_id: str) -> Json:
        """Delete an extraction with its arrays; refused while its job is active."""
        record = self._catalog.get(extraction_id)
        if self._context.active(record.job_id):
            raise ConflictError(
                f"'{record.name}' is still being made.",
                code="in_use",
                hint="Cancel its job first.",
            )
        freed = self._records.remove(record)
        audit.info("deleted extraction %s '%s', %d bytes", extraction_id, record.name, freed)
        return {"deleted": [extraction_id], "freed_bytes": freed}

    def delete_many(self, ids: Sequence[str]) -> Json:
        """Delete many; see :func:`delete_each`."""
        return delete_each(self.delete, ids)

    # -- parts ---------------------------------------------------------------------------------

    def _write_first(
        self,
        record: ExtractionRecord,
        spec: ExtractionSpec,
        model: ModelRecord,
        dataset: DatasetRecord,
        tokenization: TokenizationRecord,
    ) -> None:
        folder = self._context.settings.folder
        try:
            manifests.write_first(folder, record, spec, model, dataset, tokenization)
        except OSError as error:
            remove_folder(folder.extraction(record.id))
            raise AccessDeniedError(
                f"The data folder cannot be written: {error.strerror}.",
                code="data_folder_not_writable",
                hint=f"Look at {folder.root} and at its disk.",
            ) from error

    def _resume(self, record: ExtractionRecord) -> Started:
        """Return an extraction that is there; one that did not end well goes on."""
        jobs = self._context.jobs
        if record.state == "done" or record.job_id is None:
            return self.view(record), None, False
        if record.state in ("queued", "running"):
            return self.view(record), jobs.view(jobs.get(record.job_id)), False
        job = jobs.retry(record.job_id)
        return self.get(record.id), jobs.view(job), True

    def _name(self, request: requests.ExtractionRequest, hooks: Sequence[str]) -> str:
        if request.name is not None:
            self._records.require_free_name(request.name)
            return request.name
        # Full names once the model is known: they say which layers "all" or -1 are.
        layers = request.layers if hooks == request.hooks else None
        name = automatic_name({**request.spec.to_dict(), "hooks": hooks, "layers": layers})
        return free_name(self._catalog.find, f"{name}_{datetime.now():%H%M}")


def _new_record(
    request: requests.ExtractionRequest,
    name: str,
    identity: str,
    spec: ExtractionSpec,
    model: ModelRecord,
    dataset: DatasetRecord,
    tokenization: TokenizationRecord,
) -> ExtractionRecord:
    # What decides the arrays is not all known before the model is.
    known = model.n_layers is not None
    final = identity_of(model, tokenization, spec, request.fallback) if known else identity
    return ExtractionRecord(
        id=new_id("ext"),
        name=name,
        fingerprint=final,
        model_id=model.id,
        dataset_id=dataset.id,
        tokenization_id=tokenization.id,
        split=tokenization.split,
        spec={
            **spec.to_dict(),
            "request": identity,
            "fallback": list(request.fallback),
            "layers": request.layers,
            "asked": list(request.hooks),
            "context": tokenization.settings["context"],
        },
    )
