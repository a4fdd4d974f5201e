"""Extractions: asked for, opened again, renamed, deleted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from mistudio_ext.activations import journal, manifest
from mistudio_ext.catalog import (
    DatasetRecord,
    ExtractionRecord,
    ModelRecord,
    TokenizationRecord,
    new_id,
)
from mistudio_ext.errors import AccessDeniedError, ConflictError
from mistudio_ext.jobs.kinds import ENDED
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
from mistudio_ext.services.extraction_records import (
    ExtractionRecords,
    has_weights,
    weights_of,
)
from mistudio_ext.services.models import ModelService
from mistudio_ext.services.names import automatic_name, kept_name, noticed
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
        self._resolver.check(request.model, request.dataset, request.format)
        model = self._resolver.model(request.model, request.format, request.fallback)
        dataset = self._resolver.dataset(request.dataset)
        asked_before = list(self._asked_before(request, model, dataset))
        existing = next((r for r in asked_before if has_weights(r, model)), None)
        if existing is not None and self._records.is_whole(existing):
            return self._resume(existing, request)
        hooks = self._planner.hooks(model, request.hooks, request.layers)
        spec = replace(request.spec, hooks=hooks)
        split = choose_split(dataset, request.split)
        # A variant reads with its parent's tokenizer, and need not be made for that.
        reader = self._variants.root(model)
        most = spec.max_samples
        found = self._tokenizations.find(dataset, reader, split, request.tokenization, most)
        if found is not None:
            same = self._made_before(request, spec, model, found)
            if same is not None and self._records.is_whole(same):
                return self._resume(same, request)
            existing = existing or same
        # Told now if there is none, not by a failed job.
        place = self._context.jobs.place(spec.device)
        for useless in {r.id: r for r in (existing, *_stuck(asked_before, request)) if r}.values():
            self._records.remove(useless)  # Its parts are gone; it is made anew.
        name = self._name(request, hooks, model)
        length = self._tokenizations.context_length(reader, request.tokenization)
        self._planner.require_space(model, dataset, split, found, length, spec)
        tokenization = self._tokenizations.ensure(
            dataset, reader, split, request.tokenization, most
        )
        identity = request.identity(model.id, dataset.id, spec.device_kind)
        record = _new_record(request, name, identity, spec, model, dataset, tokenization)
        record = replace(record, spec={**record.spec, "device_kind": place.kind})
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

    def _asked_before(
        self, request: requests.ExtractionRequest, model: ModelRecord, dataset: DatasetRecord
    ) -> Iterator[ExtractionRecord]:
        """Return what was asked for in the same words, of these weights or earlier ones."""
        for kind in _kinds(request.spec):
            identity = fingerprint(request.identity(model.id, dataset.id, kind))
            for record in self._records.same_request(model, dataset, identity):
                if _fits(record, request.spec):
                    yield record

    def _made_before(
        self,
        request: requests.ExtractionRequest,
        spec: ExtractionSpec,
        model: ModelRecord,
        tokenization: TokenizationRecord,
    ) -> ExtractionRecord | None:
        """Return the extraction whose arrays are those that are asked for, in whatever words."""
        for kind in _kinds(spec):
            key = identity_of(model, tokenization, spec, request.fallback, kind)
            found = self._catalog.find(fingerprint=key)
            if found is not None and _fits(found, spec):
                return found
        return None

    def _resume(self, record: ExtractionRecord, request: requests.ExtractionRequest) -> Started:
        """Return an extraction that is there; one that did not end well goes on."""
        jobs = self._context.jobs
        notices = self._notices(record, request)
        if record.state == "done" or record.job_id is None:
            return noticed(self.view(record), notices), None, False
        if record.state in ("queued", "running"):
            view = noticed(self.view(record), notices)
            return view, jobs.view(jobs.get(record.job_id)), False
        how = {"batch_tokens": request.spec.batch_tokens, "device": request.spec.device}
        self._records.changed(record.id, spec={**record.spec, **how})
        job = jobs.retry(record.job_id)
        return noticed(self.get(record.id), notices), jobs.view(job), True

    def _notices(
        self, record: ExtractionRecord, request: requests.ExtractionRequest
    ) -> Sequence[Json]:
        """Return what of a request has no effect, since what it asks for is there already."""
        if request.name not in (None, record.name):
            model = self._context.catalog.models.find(id=record.model_id)
            # Whoever opens that name would get another one.
            self._records.require_free_name(str(request.name), model)
        found = kept_name("extraction", record.name, request.name)
        made, wanted = record.spec.get("batch_tokens"), request.spec.batch_tokens
        folder = self._context.settings.folder.extraction(record.id)
        begun = record.state in ("queued", "running", "done") or journal.last(folder) is not None
        if wanted not in (None, made) and begun:
            how = "that the engine chose" if made is None else f"of {made} tokens"
            found.append(
                {
                    "code": "made_already",
                    "field": "batch_tokens",
                    "message": f"'{record.name}' is there already, with batches {how}: "
                    f"batch_tokens={wanted} has no effect.",
                    "hint": "Values differ by rounding alone. Delete it to make it again.",
                }
            )
        return found

    def _name(
        self, request: requests.ExtractionRequest, hooks: Sequence[str], model: ModelRecord
    ) -> str:
        if request.name is not None:
            self._records.require_free_name(request.name, model)
            return request.name
        # Full names once the model is known: they say which layers "all" or -1 are.
        layers = request.layers if hooks == request.hooks else None
        name = automatic_name({**request.spec.to_dict(), "hooks": hooks, "layers": layers})
        return free_name(self._catalog.find, f"{name}_{datetime.now():%H%M}")


def _kinds(spec: ExtractionSpec) -> tuple[str | None, ...]:
    """Return the kinds of device under which a result may be kept; None for any.

    What nobody chose a device for was made on one all the same.
    """
    return (None, "cpu", "gpu") if spec.device_kind is None else (spec.device_kind, None)


def _fits(record: ExtractionRecord, spec: ExtractionSpec) -> bool:
    """Tell whether an extraction is, or will be, computed on the kind of device asked for."""
    return spec.device_kind is None or record.spec.get("device_kind") == spec.device_kind


def _stuck(
    asked_before: Sequence[ExtractionRecord], request: requests.ExtractionRequest
) -> list[ExtractionRecord]:
    """Return what has the name that is wanted, and cannot go on: its weights are gone."""
    ended = [r for r in asked_before if r.state in ENDED and r.state != "done"]
    return [r for r in ended if r.name == request.name]


def _new_record(
    request: requests.ExtractionRequest,
    name: str,
    identity: Json,
    spec: ExtractionSpec,
    model: ModelRecord,
    dataset: DatasetRecord,
    tokenization: TokenizationRecord,
) -> ExtractionRecord:
    # What decides the arrays is not all known before the model is.
    known = model.n_layers is not None
    asked = fingerprint(identity)
    final = (
        identity_of(model, tokenization, spec, request.fallback, spec.device_kind)
        if known
        else fingerprint({**identity, "weights": weights_of(model)})
    )
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
            "request": asked,
            "weights": weights_of(model),
            "fallback": list(request.fallback),
            "layers": request.layers,
            "asked": list(request.hooks),
            "context": tokenization.settings["context"],
        },
    )
