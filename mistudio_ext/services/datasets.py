"""Datasets: registered from the Hub, from files, or the bundled sample."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mistudio_ext import sample
from mistudio_ext.catalog import DatasetRecord, JobRecord, new_id
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
from mistudio_ext.services.indexes import IndexService
from mistudio_ext.services.uploads import UploadService
from mistudio_ext.spec import fingerprint

KIND = "dataset.import"

_FIELDS = (
    "source",
    "path",
    "upload",
    "repo_id",
    "config",
    "revision",
    "split",
    "splits",
    "columns",
    "text_column",
    "name",
    "max_rows",
    "token",
    "options",
)

#: What decides which rows a dataset has.
_CHOICES = ("config", "revision", "splits", "columns", "max_rows", "text_column", "options")


class DatasetService:
    """Everything a user does with datasets."""

    def __init__(self, context: Context, indexes: IndexService, uploads: UploadService) -> None:
        self._context = context
        self._indexes = indexes
        self._uploads = uploads
        self._catalog = context.catalog.datasets
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
                reuses=False,
            )
        )

    # -- reading ---------------------------------------------------------------------------

    def list(self) -> list[Json]:
        """Return all datasets, newest first."""
        return [view(record) for record in self._catalog.list()]

    def get(self, dataset_id: str) -> Json:
        """Return one dataset."""
        return view(self._catalog.get(dataset_id))

    def record(self, name: str) -> DatasetRecord:
        """Return the dataset with this id or name."""
        found = self._catalog.find(id=name) or self._catalog.find(name=name)
        return found or self._catalog.get(name)

    def ready(self, dataset_id: str) -> DatasetRecord:
        """Return a dataset that can be read; ConflictError while it cannot."""
        record = self._catalog.get(dataset_id)
        if record.state != "ready":
            raise ConflictError(
                f"'{record.name}' is not ready: it is {record.state}.",
                code="dataset_not_ready",
                hint="Wait for its job to end, or look at the job's error.",
            )
        return record

    def samples(
        self,
        dataset_id: str,
        *,
        split: str | None = None,
        offset: int = 0,
        limit: int = 50,
        query: str | None = None,
        min_tokens: int | None = None,
        max_tokens: int | None = None,
        tokenization: str | None = None,
    ) -> Json:
        """Return a page of rows as the panel shows them."""
        from mistudio_ext.store.samples import page

        record = self.ready(dataset_id)
        tokens = None
        if tokenization:
            tokenized = self._context.catalog.tokenizations.get(tokenization)
            split = split or tokenized.split
            if tokenized.dataset_id != dataset_id or split != tokenized.split:
                raise InvalidInputError(
                    "This tokenization is of another dataset or split.",
                    code="other_dataset",
                    field="tokenization",
                )
            tokens = self._context.settings.folder.tokenization(tokenized.id)
        return page(
            self._context.settings.folder.dataset(dataset_id),
            split=choose_split(record, split),
            text_column=record.text_column,
            offset=offset,
            limit=limit,
            q=query,
            min_tokens=min_tokens,
            max_tokens=max_tokens,
            tokenization=tokens,
        )

    def statistics(self, dataset_id: str, tokenization: str | None = None) -> Json:
        """Return the statistics of a dataset by words, or of a tokenization by tokens."""
        from mistudio_ext.store import statistics

        record = self.ready(dataset_id)
        folder = self._context.settings.folder
        if tokenization is None:
            return statistics.dataset_statistics(folder.dataset(dataset_id), record.text_column)
        found = self._context.catalog.tokenizations.get(tokenization)
        if found.dataset_id != dataset_id or found.state != "ready":
            raise ConflictError(
                "This tokenization is of another dataset, or not ready.",
                code="tokenization_not_ready",
                field="tokenization",
            )
        return statistics.tokenization_statistics(folder.tokenization(found.id))

    def detect(self, path: Any) -> Json:
        """Return what a file is: format, encoding, delimiter, columns, text column, a preview."""
        from mistudio_ext.store.detect import detect

        file = self._context.local_path(path)
        if not file.is_file():
            raise InvalidInputError(
                f"'{path}' is a folder.",
                code="not_a_file",
                field="path",
                hint="Choose one file in it; a folder can be added as it is.",
            )
        return detect(file)

    # -- changing ----------------------------------------------------------------------------

    def create(self, body: Json) -> tuple[Json, Json | None]:
        """Register a dataset and start its import.

        Parameters
        ----------
        body
            ``{source: sample|path|upload|hub, path?, upload?, repo_id?, config?, revision?,
            split?, splits?, columns?, text_column?, name?, max_rows?, token?}``.

        Returns
        -------
        tuple
            The dataset, and the job that makes it, None if it is there already.
        """
        only_known(body, *_FIELDS)
        request, secrets = self._request(body)
        with self._context.creating:
            return self._find_or_add(request, secrets, text_of(body, "name"))

    def _find_or_add(
        self, request: Json, secrets: dict[str, str], name: str | None
    ) -> tuple[Json, Json | None]:
        identity = self._identity(request)
        existing = self._catalog.find(identity=identity)
        if existing is not None:
            return self._resume(existing, secrets)
        record = DatasetRecord(
            id=new_id("ds"),
            name=free_name(self._catalog.find, name or _default_name(request)),
            source=request["source"],
            repo_id=request.get("repo_id"),
            config=request.get("config"),
            revision=request.get("revision"),
            # An uploaded file is gone once it is imported.
            source_path=request.get("path") if request["source"] != "upload" else None,
            request=request,
            identity=identity,
            text_column=request.get("text_column"),
        )
        self._catalog.add(record)
        return self._submit(record, secrets)

    def _submit(self, record: DatasetRecord, secrets: dict[str, str]) -> tuple[Json, Json]:
        job = self._context.jobs.submit(
            KIND, ("dataset", record.id, record.name), {"dataset": record.id}, secrets=secrets
        )
        record = self._changed(record.id, job_id=job.id)
        return view(record), self._context.jobs.view(job)

    def check(self, body: Json) -> None:
        """Raise the error that :meth:`create` would raise for this body at once."""
        self._request(body)

    def rename(self, dataset_id: str, name: Any) -> Json:
        """Give a dataset another name."""
        self._catalog.get(dataset_id)
        return view(
            self._changed(
                dataset_id, name=new_name(self._catalog.find, dataset_id, "dataset", name)
            )
        )

    def delete(self, dataset_id: str) -> Json:
        """Delete a dataset with its tokenizations; refused while a job needs it."""
        record = self._catalog.get(dataset_id)
        tokenizations = self._context.catalog.tokenizations.list(dataset_id=dataset_id)
        extractions = self._context.catalog.extractions.list(dataset_id=dataset_id)
        busy = [t.job_id for t in tokenizations] + [e.job_id for e in extractions]
        if any(self._context.active(job_id) for job_id in [record.job_id, *busy]):
            raise ConflictError(
                f"'{record.name}' is in use by a running or queued job.",
                code="in_use",
                hint="Cancel the job or wait for it to end.",
            )
        self._indexes.stop(dataset_id)
        from mistudio_ext.store.arrow import forget

        folder = self._context.settings.folder
        freed, deleted = 0, []
        for tokenization in tokenizations:
            freed += remove_folder(folder.tokenization(tokenization.id))
            self._context.catalog.tokenizations.delete(tokenization.id)
            deleted.append(tokenization.id)
        # The server's own memory maps would keep the disk space.
        forget(folder.dataset(dataset_id))
        freed += remove_folder(folder.dataset(dataset_id))
        self._catalog.delete(dataset_id)
        audit.info("deleted dataset %s '%s', %d bytes", dataset_id, record.name, freed)
        for kind, row_id in [("tokenization", t) for t in deleted] + [("dataset", dataset_id)]:
            self._context.bus.publish(kind, f"{kind}s/{row_id}", {"id": row_id, "deleted": True})
        return {"deleted": [dataset_id, *deleted], "freed_bytes": freed}

    def delete_many(self, ids: Sequence[str]) -> Json:
        """Delete many; see :func:`delete_each`."""
        return delete_each(self.delete, ids)

    # -- the import job ------------------------------------------------------------------------

    def _prepare(self, job: JobRecord) -> Json:
        record = self._catalog.get(job.params["dataset"])
        request = record.request
        return self._context.worker_spec(
            dataset={
                "id": record.id,
                "name": record.name,
                "source": record.source,
                "path": str(self._context.settings.folder.dataset(record.id)),
                "source_path": request.get("path"),
                "repo_id": record.repo_id,
                "config": request.get("config"),
                "revision": request.get("revision"),
                "splits": request.get("splits"),
                "columns": request.get("columns"),
                "max_rows": request.get("max_rows"),
                "text_column": request.get("text_column"),
                "endpoint": self._context.settings.hub_endpoint,
                "options": request.get("options", {}),
            }
        )

    def _finish(self, job: JobRecord, result: Json) -> None:
        known = ("splits", "columns", "text_column", "n_rows", "n_bytes", "fingerprint")
        changes = {name: result[name] for name in known}
        changes |= {name: result.get(name) for name in ("config", "revision")}
        self._indexes.start(
            self._changed(job.params["dataset"], state="ready", error=None, **changes)
        )
        if upload := self._catalog.get(job.params["dataset"]).request.get("upload"):
            self._uploads.discard(upload)

    def _fail(self, job: JobRecord, _state: str, error: Json) -> None:
        self._context.sweep()
        if self._catalog.find(id=job.params["dataset"]) is not None:
            self._changed(job.params["dataset"], state="failed", error=error)

    def _restart(self, job: JobRecord) -> None:
        self._changed(job.params["dataset"], state="pending", error=None)

    def _resume(self, record: DatasetRecord, secrets: dict[str, str]) -> tuple[Json, Json | None]:
        """Return a dataset that was asked for before; a failed one is tried again."""
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

    def _changed(self, dataset_id: str, **changes: Any) -> DatasetRecord:
        record = self._catalog.update(dataset_id, **changes)
        self._context.bus.publish("dataset", f"datasets/{dataset_id}", view(record))
        return record

    # -- requests --------------------------------------------------------------------------------

    def _request(self, body: Json) -> tuple[Json, dict[str, str]]:
        """Check a request; return what is kept of it, and its secrets."""
        source = text_of(body, "source")
        request: Json = {"source": source}
        if source == "sample":
            request["path"] = str(sample.DATASET_DIR)
        elif source == "path":
            request["path"] = str(self._context.local_path(body.get("path")))
        elif source == "upload":
            request["path"] = str(self._uploads.path(body.get("upload")))
            request["upload"] = body["upload"]
        elif source == "hub":
            request["repo_id"] = repo_id(body.get("repo_id"))
        else:
            raise InvalidInputError(
                f"A dataset cannot come from {source!r}.",
                code="bad_source",
                field="source",
                hint="Choose one of sample, path, upload, hub.",
            )
        for name in ("config", "revision", "text_column"):
            if (text := text_of(body, name)) is not None:
                request[name] = text
        splits = body.get("splits") or ([body["split"]] if body.get("split") else None)
        for name, value in (("splits", splits), ("columns", body.get("columns"))):
            if value:
                request[name] = _names(value, name)
        if body.get("max_rows") is not None:
            request["max_rows"] = _positive(body["max_rows"], "max_rows")
        if body.get("options"):
            request["options"] = _options(body["options"])
        token = text_of(body, "token")
        return request, {"HF_TOKEN": token} if token else {}

    @staticmethod
    def _identity(request: Json) -> str:
        """Return what is the same for requests of the same data."""
        choices = {name: request.get(name) for name in _CHOICES}
        where = request.get("repo_id")
        if request["source"] != "hub":
            where = signature(Path(request["path"]))
        return fingerprint({"source": request["source"], "where": where, **choices})


def view(record: DatasetRecord) -> Json:
    """Return a dataset as REST and events give it."""
    data = dict(vars(record))
    for private in ("request", "identity"):
        del data[private]
    return data


def choose_split(record: DatasetRecord, wanted: str | None) -> str:
    """Return the wanted split, or by default ``train`` or the first one.

    Raises
    ------
    NotFoundError
        If the dataset has no such split.
    """
    names = [split["name"] for split in record.splits]
    if wanted is None:
        return "train" if "train" in names or not names else names[0]
    if names and wanted not in names:
        raise NotFoundError(
            f"'{record.name}' has no split '{wanted}'.",
            code="no_such_split",
            field="split",
            hint=f"Its splits are {', '.join(names)}.",
        )
    return wanted


def _default_name(request: Json) -> str:
    if request["source"] == "sample":
        return sample.DATASET_NAME
    if request["source"] == "hub":
        name: str = request["repo_id"]
        return f"{name}:{request['config']}" if request.get("config") else name
    path = Path(request["path"])
    return path.name if path.is_dir() else path.name.split(".")[0]


def _options(value: Any) -> Json:
    """Return how a file is to be read; the worker checks the values."""
    if not isinstance(value, dict):
        raise InvalidInputError("options must be an object.", code="bad_option", field="options")
    only_known(value, "format", "encoding", "delimiter", "header", "bad_rows")
    return value


def _names(value: Any, field: str) -> list[str]:
    if isinstance(value, list) and all(isinstance(v, str) and v for v in value):
        return value
    raise InvalidInputError(f"{field} must be a list of names.", code="bad_names", field=field)


def _positive(value: Any, field: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidInputError(
            f"{field} must be a whole number of at least 1.", code="bad_number", field=field
        )
    return value
