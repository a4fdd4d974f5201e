"""Models: registered from the Hub, from a folder, or the bundled sample."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mistudio_ext import sample
from mistudio_ext.catalog import JobRecord, ModelRecord, new_id
from mistudio_ext.catalog.records import ArchitectureRecord
from mistudio_ext.errors import ConflictError, InvalidInputError, NotFoundError
from mistudio_ext.jobs import JobKind
from mistudio_ext.services.context import (
    Context,
    Json,
    audit,
    delete_each,
    free_name,
    new_name,
    only_known,
    remove_folder,
    signature,
    text_of,
)
from mistudio_ext.services.hub_ids import repo_id
from mistudio_ext.spec import MODEL_FORMATS, fingerprint

KIND = "model.import"

_FIELDS = ("source", "path", "repo_id", "revision", "format", "token", "name")

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
        context.jobs.register(
            JobKind(
                KIND,
                prepare=self._prepare,
                finish=self._finish,
                fail=self._fail,
                restart=self._restart,
                environment=context.worker_environment,
                limit=2,
                apart=True,
            )
        )

    # -- reading ---------------------------------------------------------------------------

    def list(self) -> list[Json]:
        """Return all models, newest first."""
        return [view(record) for record in self._catalog.list()]

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
            ``{source: sample|path|hub, path?, repo_id?, revision?, format?, token?, name?}``.

        Returns
        -------
        tuple
            The model, and the job that makes it, None if it is there already.
        """
        only_known(body, *_FIELDS)
        request, secrets = self._request(body)
        with self._context.creating:
            return self._find_or_add(request, secrets, text_of(body, "name"))

    def _find_or_add(
        self, request: Json, secrets: dict[str, str], name: str | None
    ) -> tuple[Json, Json | None]:
        identity = _identity(request)
        existing = self._catalog.find(identity=identity)
        if existing is not None:
            return self._resume(existing, secrets)
        record = ModelRecord(
            id=new_id("model"),
            name=free_name(self._catalog.find, name or _default_name(request)),
            source=request["source"],
            repo_id=request.get("repo_id"),
            revision=request.get("revision"),
            source_path=request.get("path"),
            request=request,
            identity=identity,
            format=request["format"],
        )
        self._catalog.add(record)
        return self._submit(record, secrets)

    def _submit(self, record: ModelRecord, secrets: dict[str, str]) -> tuple[Json, Json]:
        job = self._context.jobs.submit(
            KIND, ("model", record.id, record.name), {"model": record.id}, secrets=secrets
        )
        record = self._changed(record.id, job_id=job.id)
        return view(record), self._context.jobs.view(job)

    def in_format(self, record: ModelRecord, wanted: str) -> ModelRecord:
        """Return the same model in another format, registering it if it is not there."""
        if record.format == wanted:
            return record
        body: Json = {"source": record.source, "format": wanted}
        names = {"hub": ("repo_id", "revision"), "path": ("path",)}.get(record.source, ())
        body |= {name: record.request[name] for name in names if record.request.get(name)}
        created, _ = self.create(body)
        return self._catalog.get(created["id"])

    def check(self, body: Json) -> None:
        """Raise the error that :meth:`create` would raise for this body at once."""
        self._request(body)

    def rename(self, model_id: str, name: Any) -> Json:
        """Give a model another name."""
        self._catalog.get(model_id)
        return view(
            self._changed(model_id, name=new_name(self._catalog.find, model_id, "model", name))
        )

    def delete(self, model_id: str) -> Json:
        """Delete a model from the catalog with the files that we made; refused while in use."""
        record = self._catalog.get(model_id)
        catalog = self._context.catalog
        extractions = catalog.extractions.list(model_id=model_id)
        tokenizations = catalog.tokenizations.list(model_id=model_id)
        busy = [e.job_id for e in extractions] + [t.job_id for t in tokenizations]
        if any(self._context.active(job_id) for job_id in [record.job_id, *busy]):
            raise ConflictError(
                f"'{record.name}' is in use by a running or queued job.",
                code="in_use",
                hint="Cancel the job or wait for it to end.",
            )
        freed = remove_folder(self._context.settings.folder.model(model_id))
        self._architectures.delete(model_id)
        self._catalog.delete(model_id)
        audit.info("deleted model %s '%s', %d bytes", model_id, record.name, freed)
        self._context.bus.publish("model", f"models/{model_id}", {"id": model_id, "deleted": True})
        return {"deleted": [model_id], "freed_bytes": freed}

    def delete_many(self, ids: Sequence[str]) -> Json:
        """Delete many; see :func:`delete_each`."""
        return delete_each(self.delete, ids)

    # -- the import job ------------------------------------------------------------------------

    def _prepare(self, job: JobRecord) -> Json:
        record = self._catalog.get(job.params["model"])
        return self._context.worker_spec(
            model={
                "id": record.id,
                "name": record.name,
                "source": record.source,
                "source_path": record.request.get("path"),
                "repo_id": record.repo_id,
                "revision": record.request.get("revision"),
                "format": record.format,
                "path": str(self._context.settings.folder.model(record.id)),
                "endpoint": self._context.settings.hub_endpoint,
            }
        )

    def _finish(self, job: JobRecord, result: Json) -> None:
        model_id = job.params["model"]
        architecture = result["architecture"]
        self._architectures.delete(model_id)
        self._architectures.add(ArchitectureRecord(id=model_id, document=architecture))
        known = ("path", "revision", "fingerprint", "tokenizer_fingerprint", "size_bytes")
        changes = {name: result[name] for name in known}
        changes["in_hf_cache"] = bool(result.get("in_hf_cache"))
        changes |= {column: architecture.get(key) for column, key in _FACTS.items()}
        self._changed(model_id, state="ready", error=None, **changes)

    def _fail(self, job: JobRecord, _state: str, error: Json) -> None:
        if self._catalog.find(id=job.params["model"]) is not None:
            self._changed(job.params["model"], state="failed", error=error)

    def _restart(self, job: JobRecord) -> None:
        self._changed(job.params["model"], state="pending", error=None)

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

    def _changed(self, model_id: str, **changes: Any) -> ModelRecord:
        record = self._catalog.update(model_id, **changes)
        self._context.bus.publish("model", f"models/{model_id}", view(record))
        return record

    # -- requests --------------------------------------------------------------------------------

    def _request(self, body: Json) -> tuple[Json, dict[str, str]]:
        """Check a request; return what is kept of it, and its secrets."""
        source = text_of(body, "source")
        wanted = text_of(body, "format") or "fp32"
        if wanted not in MODEL_FORMATS:
            raise InvalidInputError(
                f"There is no format '{wanted}'.",
                code="bad_format",
                field="format",
                hint=f"Choose one of {', '.join(MODEL_FORMATS)}.",
            )
        request: Json = {"source": source, "format": wanted}
        if source == "sample":
            request["path"] = str(sample.MODEL_DIR)
        elif source == "path":
            request["path"] = str(model_folder(self._context.local_path(body.get("path"))))
        elif source == "hub":
            wanted_repo = repo_id(body.get("repo_id"))
            revision = text_of(body, "revision")
            shared = None if revision else self._context.shared_model(wanted_repo)
            if shared is not None:
                return {**request, "source": "path", "path": str(shared)}, {}
            request["repo_id"] = wanted_repo
            if revision is not None:
                request["revision"] = revision
        else:
            raise InvalidInputError(
                f"A model cannot come from {source!r}.",
                code="bad_source",
                field="source",
                hint="Choose one of sample, path, hub.",
            )
        token = text_of(body, "token")
        return request, {"HF_TOKEN": token} if token else {}


def model_folder(path: Path) -> Path:
    """Return the path if it is a folder that ``save_pretrained`` could have written.

    Raises
    ------
    InvalidInputError
        If it is not; the worker looks closer.
    """
    hint = "Choose a folder that save_pretrained wrote: config.json and *.safetensors."
    problem = None
    if not path.is_dir():
        problem = "it is not a folder"
    elif not (path / "config.json").is_file():
        problem = "there is no config.json in it"
    else:
        try:
            config = json.loads((path / "config.json").read_text())
            if not isinstance(config, dict) or "model_type" not in config:
                problem = "its config.json names no model_type"
        except (ValueError, OSError):
            problem = "its config.json cannot be read"
    if problem:
        raise InvalidInputError(
            f"'{path}' is not a model: {problem}.", code="not_a_model", field="path", hint=hint
        )
    return path


def require_layers(record: ModelRecord) -> int:
    """Return the number of layers of an inspected model."""
    if record.n_layers is None:
        raise NotFoundError(f"'{record.name}' has not been inspected.", code="model_not_ready")
    return record.n_layers


def view(record: ModelRecord) -> Json:
    """Return a model as REST and events give it."""
    data = dict(vars(record))
    for private in ("request", "identity"):
        del data[private]
    return data


def _identity(request: Json) -> str:
    where = request.get("repo_id")
    if request["source"] != "hub":
        where = signature(Path(request["path"]))
    facts = {name: request.get(name) for name in ("source", "revision", "format")}
    return fingerprint({"where": where, **facts})


def _default_name(request: Json) -> str:
    if request["source"] == "sample":
        name = sample.MODEL_NAME
    elif request["source"] == "hub":
        name = request["repo_id"]
    else:
        name = Path(request["path"]).name
    return name if request["format"] == "fp32" else f"{name} ({request['format']})"
