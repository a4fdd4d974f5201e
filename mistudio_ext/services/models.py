"""Models: registered from the Hub, from a folder, or the bundled sample."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mistudio_ext import keys, model_files
from mistudio_ext.catalog import JobRecord, ModelRecord, new_id
from mistudio_ext.catalog.records import ArchitectureRecord
from mistudio_ext.errors import ConflictError, MiStudioError, NotFoundError
from mistudio_ext.jobs import JobKind
from mistudio_ext.published import already_quantised
from mistudio_ext.services import model_requests, remedies
from mistudio_ext.services.context import Context, Json, audit, free_name, new_name, text_of
from mistudio_ext.services.model_filters import distinct, passes
from mistudio_ext.services.model_removal import ModelRemoval
from mistudio_ext.services.names import kept_name, noticed
from mistudio_ext.spec import MODEL_FORMATS

KIND = "model.import"

#: Facts of the architecture that the list of models shows: column -> key.
_FACTS = {
    "family": "model_type",
    "n_params": "n_params",
    "n_layers": "n_layers",
    "d_model": "d_model",
    "vocab_size": "vocab_size",
    "context": "context",
}


class ModelService:
    """Everything a user does with models."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._catalog = context.catalog.models
        self._architectures = context.catalog.architectures
        self._removal = ModelRemoval(context)
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
                limit=2,
                apart=True,
            )
        )

    # -- reading ---------------------------------------------------------------------------

    def list(self, **filters: Any) -> list[Json]:
        """Return all models, newest first, or those that pass; see :mod:`model_filters`."""
        records = distinct(self._catalog.list())
        return [view(record) for record in records if passes(record, filters)]

    def get(self, model_id: str) -> Json:
        """Return one model."""
        return view(self._catalog.get(model_id))

    def record(self, name: str) -> ModelRecord:
        """Return the model with this id or name."""
        found = self._catalog.find(id=name) or self._catalog.find(name=name)
        return found or self._catalog.get(name)

    def architecture(self, model_id: str) -> Json:
        """Return what the inspection found: facts, layer tree, hook points, checks."""
        record = self._catalog.get(model_id)
        found = self._architectures.find(id=model_id)
        if found is None:
            raise ConflictError(
                f"'{record.name}' has not been inspected: it is {record.state}.",
                code="model_not_ready",
                hint="Wait for its job to end, or look at the job's error.",
            )
        return {**found.document, "id": record.id, "name": record.name, "format": record.format}

    # -- changing ----------------------------------------------------------------------------

    def create(self, body: Json) -> tuple[Json, Json | None]:
        """Register a model and start its import.

        Parameters
        ----------
        body
            ``{source: sample|path|hub, path?, repo_id?, revision?, format?, token?, name?,
            trust_remote_code?}``.

        Returns
        -------
        tuple
            The model, and the job that makes it, None if it is there already.
        """
        request, secrets = model_requests.read(self._context, body)
        known = self._find(request)
        if known is not None:
            self.current(known)  # Before others have to wait: it may read all of the files.
        with self._context.creating:
            return self._find_or_add(request, secrets, text_of(body, "name"))

    def _find_or_add(
        self, request: Json, secrets: dict[str, str], name: str | None
    ) -> tuple[Json, Json | None]:
        existing = self._find(request)
        if existing is not None:
            if request.get("format_chosen"):
                require_choice(existing, request["format"])
            if name:
                new_name(self._catalog.find, existing.id, "model", name)  # Another may have it.
            view, job = self._resume(existing, secrets)
            return noticed(view, kept_name("model", existing.name, name)), job
        record = ModelRecord(
            id=new_id("model"),
            name=new_name(self._catalog.find, "", "model", name)
            if name
            else free_name(self._catalog.find, model_requests.default_name(request)),
            source=request["source"],
            repo_id=request.get("repo_id"),
            revision=request.get("revision"),
            source_path=request.get("path"),
            request=request,
            identity=model_requests.identity(request),
            format=request["format"],
        )
        self._catalog.add(record)
        return self._submit(record, secrets)

    def _find(self, request: Json) -> ModelRecord | None:
        """Return the record of this place, in this format; a folder has one, whatever is in it."""
        found = self._catalog.find(identity=model_requests.identity(request))
        if found is None and request["source"] == "path":
            # Earlier releases knew a folder by the times of its files.
            there = self._catalog.list(source="path", source_path=request["path"])
            asked = {k: v for k, v in request.items() if k != "format_chosen"}
            found = next((r for r in there if not r.parent_id and r.request == asked), None)
        return found

    def current(self, record: ModelRecord) -> ModelRecord:
        """Return a model's record, brought up to date if its files are not those it was made of.

        Its files are looked at (sizes and times), and read if those differ. If the content is
        another one, the model is imported again: the record is pending then, and whoever needs
        it waits for the job. So is one that an earlier release read by other rules. One whose
        files are gone stays as it is.
        """
        if record.state != "ready" or record.parent_id or not record.path:
            return record
        folder = Path(record.path)
        if not (folder / "config.json").is_file():
            return record
        known = record.files or self._names_of(folder)
        now = model_files.same(folder, {**known, "fingerprint": record.fingerprint})
        read_so = known.get("rules") == keys.RULES["model"]
        if now is not None and read_so:
            if now != record.files.get("stamp"):
                record = self._catalog.update(record.id, files={**known, "stamp": now})
            return record
        with self._context.creating:
            latest = self._catalog.get(record.id)
            if latest.state == "ready" and latest.files == record.files:
                why = "by earlier rules" if now is not None else "from other files"
                audit.info("model %s '%s' was read %s", record.id, record.name, why)
                # The same files keep their results; what is known of them is found anew.
                other: Json = {"fingerprint": None, "tokenizer_fingerprint": None}
                nothing: Json = {"files": {}, **(other if now is None else {})}
                self._submit(self.changed(record.id, state="pending", **nothing), {})
            return self._catalog.get(record.id)

    def _names_of(self, folder: Path) -> Json:
        """Return the names of a model's files, for a record of a release that did not note them."""
        from mistudio_ext.workers.model_folder import open_model

        try:
            found = open_model(folder, allow_pickle=self._context.settings.allow_pickle)
        except MiStudioError:
            return {"names": [], "stamp": {}}  # No model any more: the import says why.
        return {"names": found.names, "stamp": {}}

    def _submit(self, record: ModelRecord, secrets: dict[str, str]) -> tuple[Json, Json]:
        job = self._context.jobs.submit(
            KIND, ("model", record.id, record.name), {"model": record.id}, secrets=secrets
        )
        record = self.changed(record.id, job_id=job.id)
        return view(record), self._context.jobs.view(job)

    def check(self, body: Json) -> None:
        """Raise the error that :meth:`create` would raise for this body at once."""
        model_requests.read(self._context, body)

    def known(self, body: Json) -> ModelRecord | None:
        """Return the record that a body would register, if it is there already."""
        return self._find(model_requests.read(self._context, body)[0])

    def rename(self, model_id: str, name: Any) -> Json:
        """Give a model another name."""
        self._catalog.get(model_id)
        return view(
            self.changed(model_id, name=new_name(self._catalog.find, model_id, "model", name))
        )

    def delete(self, model_id: str, *, variants: bool = False) -> Json:
        """Delete a model; see :meth:`ModelRemoval.delete`."""
        return self._removal.delete(model_id, variants=variants)

    # -- the import job ------------------------------------------------------------------------

    def _prepare(self, job: JobRecord) -> Json:
        record = self._catalog.get(job.params["model"])
        return self._context.worker_spec(
            allow_remote_code=self._context.may_run_code(record),
            model={
                "id": record.id,
                "name": record.name,
                "source": record.source,
                "source_path": record.request.get("path"),
                "repo_id": record.repo_id,
                "revision": record.request.get("revision"),
                "format": model_requests.format_of_files(record.request),
                "path": str(self._context.settings.folder.model(record.id)),
                "endpoint": self._context.settings.hub_endpoint,
            },
        )

    def _finish(self, job: JobRecord, result: Json) -> None:
        model_id = job.params["model"]
        architecture = result["architecture"]
        described = (result.get("tokenizer") or {}).get("description")
        self.keep_architecture(model_id, {**architecture, "tokenizer": described})
        known = ("path", "revision", "fingerprint", "tokenizer_fingerprint", "size_bytes", "format")
        changes = {name: result[name] for name in known}
        changes["files"] = result["files"]
        changes["in_hf_cache"] = bool(result.get("in_hf_cache"))
        changes["downloaded"] = bool(result.get("downloaded"))
        changes |= facts_of(architecture)
        self.changed(model_id, state="ready", error=None, **changes)

    def _fail(self, job: JobRecord, _state: str, error: Json) -> None:
        if self._catalog.find(id=job.params["model"]) is not None:
            self.changed(job.params["model"], state="failed", error=error)

    def _restart(self, job: JobRecord) -> None:
        self.changed(job.params["model"], state="pending", error=None)

    def _remedies(self, job: JobRecord, error: Json) -> Sequence[Json]:
        record = self._catalog.get(job.params["model"])
        if error["code"] == "out_of_memory":
            return remedies.smaller_formats(record.format)
        if error["code"] == "remote_code" and self._context.settings.allow_remote_code:
            if record.source == "hub" and not model_requests.is_commit(record.revision):
                trusted = remedies.change("Allow its code at one commit", trust_remote_code=True)
                return [{**trusted, "ask": "revision"}]
            return [remedies.change("Allow its code", trust_remote_code=True)]
        return remedies.common(error)

    def _change(self, job: JobRecord, fields: Json) -> None:
        """Change what a failed import was asked for."""
        remedies.only(fields, "format", "revision", "trust_remote_code")
        with self._context.creating:
            record = self._catalog.get(job.params["model"])
            request, _ = model_requests.read(
                self._context, {**model_requests.asked(record.request), **fields}
            )
            identity = model_requests.identity(request)
            remedies.same_elsewhere(self._catalog.find, record, identity)
            self.changed(
                record.id,
                request=request,
                identity=identity,
                format=request["format"],
                revision=request.get("revision"),
            )

    def _resume(self, record: ModelRecord, secrets: dict[str, str]) -> tuple[Json, Json | None]:
        """Return a model that was asked for before; a failed one is tried again."""
        jobs = self._context.jobs
        if record.state == "failed" and record.job_id:
            job = jobs.retry(record.job_id, secrets)
            return self.get(record.id), jobs.view(job)
        if record.state == "pending" and record.job_id:
            return view(record), jobs.view(jobs.get(record.job_id))
        if record.state != "ready":
            # Its server died between adding the row and queueing the job.
            return self._submit(record, secrets)
        return view(record), None

    def keep_architecture(self, model_id: str, document: Json) -> None:
        """Keep what a worker found inside a model."""
        self._architectures.delete(model_id)
        self._architectures.add(ArchitectureRecord(id=model_id, document=document))

    def changed(self, model_id: str, **changes: Any) -> ModelRecord:
        """Change a model's row and tell the world."""
        record = self._catalog.update(model_id, **changes)
        self._context.bus.publish("model", f"models/{model_id}", view(record))
        return record


def require_layers(record: ModelRecord) -> int:
    """Return the number of layers of an inspected model."""
    if record.n_layers is None:
        raise NotFoundError(f"'{record.name}' has not been inspected.", code="model_not_ready")
    return record.n_layers


def facts_of(architecture: Json) -> Json:
    """Return the columns of a model's row that its architecture tells."""
    return {column: architecture.get(key) for column, key in _FACTS.items()}


def require_choice(root: ModelRecord, wanted: str) -> None:
    """Raise ``already_quantised`` for a format that a model's publisher left no choice of."""
    if root.format not in MODEL_FORMATS and wanted != root.format:
        raise already_quantised(root.name, root.format, wanted)


def known_files(context: Context, record: ModelRecord) -> Json | None:
    """Return what a worker compares a model's files with, None where nothing is known of them.

    The files of a variant are those of the model that it is of.
    """
    root = context.catalog.models.get(record.parent_id) if record.parent_id else record
    known = root.files if root.fingerprint == record.fingerprint else record.files
    return {**known, "fingerprint": record.fingerprint} if known else None


def view(record: ModelRecord) -> Json:
    """Return a model as REST and events give it."""
    data = dict(vars(record))
    data["trust_remote_code"] = bool(record.request.get("trust_remote_code"))
    for private in ("request", "identity", "files"):
        del data[private]
    return data
