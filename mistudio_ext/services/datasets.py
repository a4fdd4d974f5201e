"""Datasets: registered from the Hub, from files, or the bundled sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mistudio_ext.catalog import DatasetRecord, JobRecord, new_id
from mistudio_ext.errors import InvalidInputError, NotFoundError
from mistudio_ext.jobs import JobKind
from mistudio_ext.services import remedies
from mistudio_ext.services.context import Context, Json, delete_each, free_name, new_name, text_of
from mistudio_ext.services.dataset_deletion import DatasetDeletion
from mistudio_ext.services.dataset_requests import (
    default_name,
    identity,
    read_request,
    same_place,
)
from mistudio_ext.services.indexes import IndexService
from mistudio_ext.services.names import kept_name, noticed, other_content
from mistudio_ext.services.uploads import UploadService

KIND = "dataset.import"

#: What a retry may change.
_CHANGES = ("config", "revision", "splits", "columns", "text_column", "max_rows", "options")

#: What a list can be sorted by.
SORTS = ("created_at", "name", "n_rows", "n_bytes", "source", "state")


class DatasetService:
    """Everything a user does with datasets."""

    def __init__(self, context: Context, indexes: IndexService, uploads: UploadService) -> None:
        self._context = context
        self._indexes = indexes
        self._uploads = uploads
        self._catalog = context.catalog.datasets
        self._deletion = DatasetDeletion(context, indexes)
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
                reuses=False,
            )
        )

    # -- reading ---------------------------------------------------------------------------

    def list(
        self,
        *,
        query: str | None = None,
        state: str | None = None,
        source: str | None = None,
        sort: str = "created_at",
        order: str | None = None,
    ) -> list[Json]:
        """Return datasets, by default all of them, newest first.

        Parameters
        ----------
        query
            Only those with this text in their name or repository, whatever its case.
        state, source
            Only those in this state, or from this source.
        sort, order
            One of :data:`SORTS`; ``asc`` or ``desc``. What has no value comes last.
        """
        if sort not in SORTS:
            raise _bad_choice("sort", sort, SORTS)
        if order not in (None, "asc", "desc"):
            raise _bad_choice("order", order, ("asc", "desc"))
        wanted: Json = {k: v for k, v in (("state", state), ("source", source)) if v is not None}
        records = [r for r in self._catalog.list(**wanted) if _mentions(r, query)]
        if sort != "created_at" or order == "asc":
            known = [r for r in records if getattr(r, sort) is not None]
            known.sort(key=lambda r: _sortable(getattr(r, sort)), reverse=order == "desc")
            records = known + [r for r in records if getattr(r, sort) is None]
        return [view(record) for record in records]

    def get(self, dataset_id: str) -> Json:
        """Return one dataset."""
        return view(self._catalog.get(dataset_id))

    def record(self, name: str) -> DatasetRecord:
        """Return the dataset with this id or name."""
        found = self._catalog.find(id=name) or self._catalog.find(name=name)
        return found or self._catalog.get(name)

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
        request, secrets = read_request(self._context, self._uploads, body)
        with self._context.creating:
            return self._find_or_add(request, secrets, text_of(body, "name"))

    def _find_or_add(
        self, request: Json, secrets: dict[str, str], name: str | None
    ) -> tuple[Json, Json | None]:
        known_by = identity(request)
        existing = self._catalog.find(identity=known_by)
        before = [
            r
            for r in self._catalog.list(source=request["source"])
            if existing is None and same_place(request, r.request)
        ]
        failed = next((r for r in before if r.state == "failed"), None)
        if failed is not None:
            # What it failed on is replaced: it is tried again, with what lies there now.
            existing = self._catalog.update(failed.id, identity=known_by)
        if existing is not None:
            if name:
                new_name(self._catalog.find, existing.id, "dataset", name)  # Another may have it.
            shown, job = self._resume(existing, secrets)
            return noticed(shown, kept_name("dataset", existing.name, name)), job
        record = DatasetRecord(
            id=new_id("ds"),
            name=new_name(self._catalog.find, "", "dataset", name)
            if name
            else free_name(self._catalog.find, default_name(request)),
            source=request["source"],
            repo_id=request.get("repo_id"),
            config=request.get("config"),
            revision=request.get("revision"),
            # An uploaded file is gone once it is imported.
            source_path=request.get("path") if request["source"] != "upload" else None,
            request=request,
            identity=known_by,
            text_column=request.get("text_column"),
        )
        self._catalog.add(record)
        shown, job = self._submit(record, secrets)
        return noticed(shown, other_content(record.name, before[0].name if before else None)), job

    def _submit(self, record: DatasetRecord, secrets: dict[str, str]) -> tuple[Json, Json]:
        job = self._context.jobs.submit(
            KIND, ("dataset", record.id, record.name), {"dataset": record.id}, secrets=secrets
        )
        record = self._changed(record.id, job_id=job.id)
        return view(record), self._context.jobs.view(job)

    def check(self, body: Json) -> None:
        """Raise the error that :meth:`create` would raise for this body at once."""
        read_request(self._context, self._uploads, body)

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
        return self._deletion.delete(dataset_id)

    def delete_many(self, ids: Sequence[str]) -> Json:
        """Delete many; see :func:`delete_each`."""
        return delete_each(self._deletion.delete, ids)

    def deletion_preview(self, ids: Sequence[str]) -> Json:
        """Return what deleting these would delete, free, leave and refuse."""
        return self._deletion.preview(ids)

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
        changes |= {name: result.get(name) for name in ("config", "revision", "options")}
        changes |= self._known_by(job.params["dataset"], result)
        self._indexes.start(
            self._changed(job.params["dataset"], state="ready", error=None, **changes)
        )
        if upload := self._catalog.get(job.params["dataset"]).request.get("upload"):
            self._uploads.discard(upload)

    def _known_by(self, dataset_id: str, result: Json) -> Json:
        """Return the key of what was read, which may have changed since it was asked for."""
        record = self._catalog.get(dataset_id)
        if not result.get("signature"):
            return {}
        known_by = identity(record.request, result["signature"])
        return {} if self._catalog.find(identity=known_by) else {"identity": known_by}

    def _fail(self, job: JobRecord, _state: str, error: Json) -> None:
        self._context.sweep()
        if self._catalog.find(id=job.params["dataset"]) is not None:
            self._changed(job.params["dataset"], state="failed", error=error)

    def _restart(self, job: JobRecord) -> None:
        self._changed(job.params["dataset"], state="pending", error=None)

    def _remedies(self, job: JobRecord, error: Json) -> Sequence[Json]:
        return remedies.common(error)

    def _change(self, job: JobRecord, fields: Json) -> None:
        """Change what a failed import was asked for."""
        remedies.only(fields, *_CHANGES)
        with self._context.creating:
            record = self._catalog.get(job.params["dataset"])
            options = {**record.request.get("options", {}), **(fields.get("options") or {})}
            body = {**record.request, **fields, **({"options": options} if options else {})}
            request, _ = read_request(self._context, self._uploads, body)
            known_by = identity(request)
            remedies.same_elsewhere(self._catalog.find, record, known_by)
            self._changed(
                record.id,
                request=request,
                identity=known_by,
                **{name: request.get(name) for name in ("text_column", "config", "revision")},
            )

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


def _mentions(record: DatasetRecord, query: str | None) -> bool:
    names = f"{record.name}\n{record.repo_id or ''}".casefold()
    return query is None or query.strip().casefold() in names


def _sortable(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value


def _bad_choice(field: str, value: Any, choices: Sequence[str]) -> InvalidInputError:
    return InvalidInputError(
        f"{field} cannot be '{value}'.",
        code=f"bad_{field}",
        field=field,
        hint=f"Choose one of {', '.join(choices)}.",
    )
