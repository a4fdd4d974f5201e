"""Near duplicates of a dataset: found by a job, kept beside the rows."""

from __future__ import annotations

from typing import Any

from mistudio_ext.catalog import DatasetRecord, JobRecord
from mistudio_ext.errors import InvalidInputError
from mistudio_ext.jobs import JobKind
from mistudio_ext.services.context import Context, Json
from mistudio_ext.services.fields import only_known

KIND = "near-duplicates"

#: Share of common words above which two rows are near duplicates, where none is named.
THRESHOLD = 0.8


class NearDuplicateService:
    """Starts the search for near duplicates, and returns what it found."""

    def __init__(self, context: Context) -> None:
        self._context = context
        context.jobs.register(
            JobKind(
                KIND,
                prepare=self._prepare,
                environment=context.worker_environment,
            )
        )

    def get(self, dataset_id: str) -> Json:
        """Return what was found, or how far the search is.

        Returns
        -------
        dict
            ``{"state": none|running|ready|failed, "job", "threshold", "splits":
            [{"name", "n_rows", "groups", "duplicates", "share", "examples"}]}``.
        """
        from mistudio_ext.store.duplicates import read_found

        record = self._context.catalog.datasets.get(dataset_id)
        job = next(iter(self._context.jobs.all(kind=KIND, target_id=dataset_id)), None)
        found = None
        if record.text_column is not None:
            found = read_found(
                self._context.settings.folder.dataset(dataset_id), record.text_column
            )
        state = "none" if found is None else "ready"
        if job is not None and job.state in ("queued", "running"):
            state = "running"
        elif job is not None and job.state == "failed" and found is None:
            state = "failed"
        view = None if job is None else self._context.jobs.view(job)
        return {"state": state, "job": view, "threshold": None, "splits": [], **(found or {})}

    def start(self, dataset_id: str, body: Json) -> Json:
        """Look for near duplicates: ``{threshold?}``; one that is under way is returned."""
        only_known(body, "threshold")
        threshold = _threshold(body.get("threshold", THRESHOLD))
        record = self._require(dataset_id)
        job = self._context.submit_once(
            KIND,
            ("dataset", record.id, record.name),
            {"dataset": record.id, "threshold": threshold},
        )
        return {"job": self._context.jobs.view(job)}

    def _require(self, dataset_id: str) -> DatasetRecord:
        record = self._context.ready_dataset(dataset_id)
        if record.text_column is None:
            raise InvalidInputError(
                f"'{record.name}' has no text to compare.", code="no_text_column", field="dataset"
            )
        return record

    def _prepare(self, job: JobRecord) -> Json:
        record = self._require(job.params["dataset"])
        return self._context.worker_spec(
            threshold=job.params["threshold"],
            dataset={
                "id": record.id,
                "path": str(self._context.settings.folder.dataset(record.id)),
                "text_column": record.text_column,
            },
        )


def _threshold(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.5 <= value < 1:
        raise InvalidInputError(
            f"threshold must be a number from 0.5 to below 1, not {value!r}.",
            code="bad_number",
            field="threshold",
            hint="0.8 finds rows that share four fifths of their word triples; "
            "exact duplicates are in the statistics.",
        )
    return float(value)
