"""Extractions: asked for, queued, opened again, deleted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

from mistudio_ext import hookpoints
from mistudio_ext.activations import journal, manifest
from mistudio_ext.catalog import (
    DatasetRecord,
    ExtractionRecord,
    JobRecord,
    ModelRecord,
    TokenizationRecord,
    new_id,
)
from mistudio_ext.errors import AccessDeniedError, ConflictError, InvalidInputError
from mistudio_ext.jobs import JobKind, Needs
from mistudio_ext.services import estimates, fallback, manifests, requests
from mistudio_ext.services.context import (
    Context,
    Json,
    audit,
    delete_each,
    folder_bytes,
    free_bytes,
    free_name,
    new_name,
    remove_folder,
)
from mistudio_ext.services.datasets import DatasetService, choose_split
from mistudio_ext.services.models import ModelService, require_layers
from mistudio_ext.services.names import automatic_name
from mistudio_ext.services.resolve import Resolver
from mistudio_ext.services.tokenizations import TokenizationService
from mistudio_ext.services.variants import VariantService
from mistudio_ext.spec import ExtractionSpec, fingerprint

KIND = "extract"

#: Extractions at the same time; how many really run is for the devices to say.
LIMIT = 64


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
        self._models = models
        self._tokenizations = tokenizations
        self._variants = variants
        self._resolver = Resolver(context, datasets, models, variants)
        context.jobs.register(
            JobKind(
                KIND,
                prepare=self._prepare,
                finish=self._finish,
                fail=self._fail,
                restart=self._restart,
                environment=context.worker_environment,
                limit=LIMIT,
                needs=self._needs,
            )
        )

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
        hooks = self._hooks(model, request.hooks, request.layers)
        split = choose_split(dataset, request.split)
        found = self._tokenizations.find(dataset, model, split, request.tokenization)
        length = self._tokenizations.context_length(model, request.tokenization)
        size = estimates.size_of(
            self._context, dataset, split, found, length or 1, request.spec.max_samples
        )
        return self._estimate(model, request.spec, hooks, size)

    # -- changing ----------------------------------------------------------------------------

    def create(self, body: Json) -> tuple[Json, Json | None, bool]:
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

    def _find_or_add(self, request: requests.ExtractionRequest) -> tuple[Json, Json | None, bool]:
        self._resolver.check(request.model, request.dataset)
        model = self._resolver.model(request.model, request.format, request.fallback)
        dataset = self._resolver.dataset(request.dataset)
        identity = fingerprint(request.identity(model.id, dataset.id))
        existing = self._same_request(model, dataset, identity)
        if existing is not None and self._whole(existing):
            return self._resume(existing)
        hooks = self._hooks(model, request.hooks, request.layers)
        spec = replace(request.spec, hooks=hooks)
        split = choose_split(dataset, request.split)
        # A variant reads with its parent's tokenizer, and need not be made for that.
        reader = self._variants.root(model)
        found = self._tokenizations.find(dataset, reader, split, request.tokenization)
        if found is not None:
            final = self._fingerprint(model, found, spec, request.fallback)
            same = self._catalog.find(fingerprint=final)
            if same is not None and self._whole(same):
                return self._resume(same)
            existing = existing or same
        if existing is not None:
            self._discard(existing)
        name = self._name(request, hooks)
        length = self._tokenizations.context_length(reader, request.tokenization)
        self._require_space(model, dataset, split, found, length, spec)
        tokenization = self._tokenizations.ensure(dataset, reader, split, request.tokenization)
        known = model.n_layers is not None
        record = ExtractionRecord(
            id=new_id("ext"),
            name=name,
            fingerprint=(
                self._fingerprint(model, tokenization, spec, request.fallback)
                if known
                else identity
            ),
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
        self._catalog.add(record)
        waits_for = [r.job_id for r in (model, tokenization) if r.state != "ready" and r.job_id]
        job = self._context.jobs.submit(
            KIND,
            ("extraction", record.id, record.name),
            {"extraction": record.id},
            depends_on=waits_for,
        )
        record = self._changed(record.id, job_id=job.id)
        return self.view(record), self._context.jobs.view(job), True

    def rename(self, extraction_id: str, name: Any) -> Json:
        """Give an extraction another name, in the catalog and in its manifest."""
        self._catalog.get(extraction_id)
        wanted = new_name(self._catalog.find, extraction_id, "extraction", name)
        record = self._changed(extraction_id, name=requests.checked_name(wanted))
        if record.state not in ("queued", "running"):
            self._note_name(extraction_id)  # Else the worker holds the manifest until it ends.
        return self.view(record)

    def _note_name(self, extraction_id: str) -> None:
        """Bring a new name into the manifest."""
        record = self._catalog.get(extraction_id)
        folder = self._context.settings.folder.extraction(extraction_id)
        if (folder / "manifest.json").exists() and manifest.read(folder)["name"] != record.name:
            manifest.update(folder, name=record.name)

    def delete(self, extraction_id: str) -> Json:
        """Delete an extraction with its arrays; refused while its job is active."""
        record = self._catalog.get(extraction_id)
        if self._context.active(record.job_id):
            raise ConflictError(
                f"'{record.name}' is still being made.",
                code="in_use",
                hint="Cancel its job first.",
            )
        freed = remove_folder(self._context.settings.folder.extraction(extraction_id))
        self._catalog.delete(extraction_id)
        audit.info("deleted extraction %s '%s', %d bytes", extraction_id, record.name, freed)
        self._context.bus.publish(
            "extraction", f"extractions/{extraction_id}", {"id": extraction_id, "deleted": True}
        )
        return {"deleted": [extraction_id], "freed_bytes": freed}

    def delete_many(self, ids: Sequence[str]) -> Json:
        """Delete many; see :func:`delete_each`."""
        return delete_each(self.delete, ids)

    # -- the job -----------------------------------------------------------------------------

    def _needs(self, job: JobRecord) -> Needs:
        """Return the device that a job wants, the memory it takes there, and its model."""
        record = self._catalog.get(job.params["extraction"])
        model = self._context.catalog.models.get(record.model_id)
        spec = _engine_spec(record)
        architecture = self._models.architecture(model.id) if model.state == "ready" else None
        loaded = {
            "path": model.path,
            "fingerprint": model.fingerprint,
            "format": model.format,
            "fallback": record.spec.get("fallback"),
            "allow_remote_code": self._context.may_run_code(model),
        }
        return Needs(
            device=spec.device,
            memory=estimates.device_memory(model, spec, architecture),
            model=fingerprint(loaded),
        )

    def _prepare(self, job: JobRecord) -> Json:
        record = self._catalog.get(job.params["extraction"])
        catalog = self._context.catalog
        model = catalog.models.get(record.model_id)
        dataset = catalog.datasets.get(record.dataset_id)
        tokenization = catalog.tokenizations.get(record.tokenization_id)
        asked, layers = tuple(record.spec["asked"]), record.spec["layers"]
        spec = _engine_spec(record)
        spec = replace(spec, hooks=self._hooks(model, asked, layers))
        length = int(tokenization.settings["context"])
        held = folder_bytes(self._context.settings.folder.extraction(record.id))
        self._require_space(model, dataset, tokenization.split, tokenization, length, spec, held)
        size = estimates.size_of(
            self._context, dataset, tokenization.split, tokenization, length, spec.max_samples
        )
        final = self._fingerprint(model, tokenization, spec, record.spec.get("fallback") or ())
        same = self._catalog.find(fingerprint=final)
        if same is not None and same.id != record.id:
            final = record.fingerprint
        kept = {**record.spec, **spec.to_dict(), "context": tokenization.settings["context"]}
        record = self._changed(
            record.id,
            state="running",
            fingerprint=final,
            spec=kept,
            split=tokenization.split,
            n_samples=size.n_samples,
            n_tokens=size.n_tokens,
        )
        folder = self._context.settings.folder
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
                "reuse": self._with_other_hooks(record, spec),
            },
            model={
                "id": model.id,
                "name": model.name,
                "repo_id": model.repo_id,
                "path": model.path,
                "revision": model.revision,
                "format": model.format,
                "fallback": fallback.after(record.spec.get("fallback") or (), model.format),
                "fingerprint": model.fingerprint,
            },
            dataset={
                "id": dataset.id,
                "name": dataset.name,
                "repo_id": dataset.repo_id,
                "path": str(folder.dataset(dataset.id)),
                "split": tokenization.split,
                "text_column": tokenization.settings["column"] or dataset.text_column,
                "fingerprint": dataset.fingerprint,
            },
            tokenization={
                "id": tokenization.id,
                "path": str(folder.tokenization(tokenization.id)),
                "settings": tokenization.settings,
            },
        )

    def _finish(self, job: JobRecord, result: Json) -> None:
        self._note_name(job.params["extraction"])
        record = self._catalog.get(job.params["extraction"])
        self._changed(
            record.id,
            state="done",
            error=None,
            n_samples=result["n_samples"],
            n_tokens=result["n_tokens"],
            bytes=result["bytes"],
            timings=result.get("timings", {}),
            warnings=result.get("warnings", []),
            spec={**record.spec, "format": result.get("format")},
        )

    def _fail(self, job: JobRecord, state: str, error: Json) -> None:
        extraction_id = job.params["extraction"]
        if self._catalog.find(id=extraction_id) is None:
            return
        folder = self._context.settings.folder.extraction(extraction_id)
        self._changed(extraction_id, state=state, error=error)
        if (folder / "manifest.json").exists():
            manifest.update(folder, state=state, error=error)
            self._note_name(extraction_id)

    def _restart(self, job: JobRecord) -> None:
        folder = self._context.settings.folder.extraction(job.params["extraction"])
        if (folder / "manifest.json").exists():
            manifest.update(folder, state="queued", error=None)
        self._changed(job.params["extraction"], state="queued", error=None)

    # -- parts ---------------------------------------------------------------------------------

    def _same_request(
        self, model: ModelRecord, dataset: DatasetRecord, identity: str
    ) -> ExtractionRecord | None:
        candidates = self._catalog.list(model_id=model.id, dataset_id=dataset.id)
        return next((c for c in candidates if c.spec.get("request") == identity), None)

    def _with_other_hooks(self, record: ExtractionRecord, spec: ExtractionSpec) -> Sequence[str]:
        """Return the folders of finished extractions that differ in nothing but their hooks."""
        wanted = replace(spec, hooks=()).identity()
        done = self._catalog.list(
            model_id=record.model_id, tokenization_id=record.tokenization_id, state="done"
        )
        return [
            str(self._context.settings.folder.extraction(other.id))
            for other in done
            if replace(_engine_spec(other), hooks=()).identity() == wanted
        ]

    def _whole(self, record: ExtractionRecord) -> bool:
        """Tell whether an extraction is done, on its way, or can be gone on with."""
        if record.state == "done":
            return True
        catalog = self._context.catalog
        return (
            record.job_id is not None
            and catalog.jobs.find(id=record.job_id) is not None
            and catalog.tokenizations.find(id=record.tokenization_id) is not None
        )

    def _discard(self, record: ExtractionRecord) -> None:
        """Clear away an unfinished extraction whose parts are gone; it is made anew."""
        remove_folder(self._context.settings.folder.extraction(record.id))
        self._catalog.delete(record.id)
        self._context.bus.publish(
            "extraction", f"extractions/{record.id}", {"id": record.id, "deleted": True}
        )

    def _resume(self, record: ExtractionRecord) -> tuple[Json, Json | None, bool]:
        """Return an extraction that is there; one that did not end well goes on."""
        jobs = self._context.jobs
        if record.state == "done" or record.job_id is None:
            return self.view(record), None, False
        if record.state in ("queued", "running"):
            return self.view(record), jobs.view(jobs.get(record.job_id)), False
        job = jobs.retry(record.job_id)
        return self.get(record.id), jobs.view(job), True

    def _hooks(self, model: ModelRecord, hooks: tuple[str, ...], layers: Any) -> tuple[str, ...]:
        """Expand hook names; as they were asked for while the model is not known yet."""
        if model.state != "ready":
            return hooks
        names = hookpoints.expand(hooks, layers, require_layers(model))
        architecture = self._models.architecture(model.id)
        offered = {hook["name"] for hook in architecture["hooks"]}
        offered |= {hookpoints.MODULE_PREFIX + path for path in modules(architecture["tree"])}
        for name in names:
            if name not in offered:
                raise _no_such_hook(name, model, architecture)
        return names

    @staticmethod
    def _fingerprint(
        model: ModelRecord,
        tokenization: TokenizationRecord,
        spec: ExtractionSpec,
        smaller: Sequence[str] = (),
    ) -> str:
        facts = {"model": model.id, "tokenization": tokenization.id, **spec.identity()}
        # What may end in another format is never taken for what may not.
        return fingerprint({**facts, "fallback": list(smaller)} if smaller else facts)

    def _require_space(
        self,
        model: ModelRecord,
        dataset: DatasetRecord,
        split: str,
        tokenization: TokenizationRecord | None,
        length: int | None,
        spec: ExtractionSpec,
        held: int = 0,
    ) -> None:
        """Raise NoSpaceError if the arrays cannot fit on the disk beside what they hold already."""
        if model.state != "ready" or dataset.state != "ready" or length is None:
            return  # Looked at again when the job starts.
        size = estimates.size_of(
            self._context, dataset, split, tokenization, length, spec.max_samples
        )
        needed = self._estimate(model, spec, spec.hooks, size)["bytes"] - held
        self._context.require_room("The extraction", needed)

    def _estimate(
        self, model: ModelRecord, spec: ExtractionSpec, hooks: Any, size: estimates.Size
    ) -> Json:
        architecture = self._models.architecture(model.id) if model.state == "ready" else None
        widths = estimates.hook_widths(hooks, architecture, model.d_model or 1)
        n_bytes = estimates.array_bytes(size, widths, spec)
        speed, measured = estimates.tokens_per_second(self._context, model)
        return {
            "n_samples": size.n_samples,
            "n_tokens": size.n_tokens,
            "exact": size.exact,
            "hooks": list(hooks),
            "bytes": n_bytes,
            "seconds": size.n_tokens / speed,
            "tokens_per_second": speed,
            "measured": measured,
            "device_memory_bytes": estimates.device_memory(model, spec, architecture),
            "disk_free_bytes": free_bytes(self._context.settings.data_dir),
            "warnings": estimates.warnings_for(self._context, n_bytes, list(hooks), spec),
        }

    def _name(self, request: requests.ExtractionRequest, hooks: Sequence[str]) -> str:
        if request.name is not None:
            self._require_free_name(request.name)
            return request.name
        # Full names once the model is known: they say which layers "all" or -1 are.
        layers = request.layers if hooks == request.hooks else None
        name = automatic_name({**request.spec.to_dict(), "hooks": hooks, "layers": layers})
        return free_name(self._catalog.find, f"{name}_{datetime.now():%H%M}")

    def _require_free_name(self, name: str) -> None:
        if self._catalog.find(name=name) is not None:
            raise ConflictError(
                f"There is already an extraction '{name}' with another spec.",
                code="name_taken",
                field="name",
                hint="Choose another name, for example "
                f"'{free_name(self._catalog.find, name)}', or delete that one.",
            )

    def _changed(self, extraction_id: str, **changes: Any) -> ExtractionRecord:
        record = self._catalog.update(extraction_id, **changes)
        self._context.bus.publish("extraction", f"extractions/{extraction_id}", self.view(record))
        return record

    def view(self, record: ExtractionRecord) -> Json:
        """Return an extraction as REST and events give it."""
        catalog = self._context.catalog
        path = self._context.settings.folder.extraction(record.id)
        model = catalog.models.find(id=record.model_id)
        dataset = catalog.datasets.find(id=record.dataset_id)
        unit: Literal["tokens", "samples"] = (
            "tokens" if record.spec["positions"] == "all" else "samples"
        )
        written = journal.last(path) if record.state != "done" else None
        data = {**vars(record)}
        data["model"] = model.name if model else None
        data["dataset"] = dataset.name if dataset else None
        data["path"] = str(path)
        data["format"] = record.spec.get("format") or (model.format if model else None)
        data["unit"] = unit
        data["total"] = record.n_tokens if unit == "tokens" else record.n_samples
        data["ready"] = written[unit] if written else 0
        if record.state == "done":
            data["ready"] = data["total"]
        data["spec"] = {k: v for k, v in record.spec.items() if k not in ("request", "asked")}
        return data


def modules(tree: Iterable[Json]) -> Iterator[str]:
    """Return the paths of all modules in an architecture's tree."""
    for node in tree:
        yield node["name"]
        yield from modules(node.get("children") or [])


def _engine_spec(record: ExtractionRecord) -> ExtractionSpec:
    names = ExtractionSpec.__dataclass_fields__
    return ExtractionSpec.from_dict({k: v for k, v in record.spec.items() if k in names})


def _no_such_hook(name: str, model: ModelRecord, architecture: Json) -> InvalidInputError:
    layer, short = hookpoints.split_name(name)
    reasons = {u["short"]: u["reason"] for u in architecture.get("unavailable", [])}
    offered = dict.fromkeys(hook["short"] for hook in architecture["hooks"])
    return InvalidInputError(
        f"'{model.name}' has no hook point '{name}'"
        + (f": {reasons[short]}" if short in reasons else ".").replace("..", "."),
        code="no_such_hook",
        field="hooks",
        hint=f"It offers {', '.join(offered)}"
        + (f" in layers 0 to {architecture['n_layers'] - 1}." if layer is not None else "."),
    )
