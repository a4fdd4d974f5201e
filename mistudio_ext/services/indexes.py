"""The full-text index of a dataset, made in the background when the dataset is ready."""

from __future__ import annotations

from mistudio_ext.catalog import DatasetRecord, JobRecord
from mistudio_ext.jobs import JobKind
from mistudio_ext.services.context import Context, Json

KIND = "index"

#: Behind everything that a user waits for: a search works without the index, only slower.
PRIORITY = -1


class IndexService:
    """Starts the jobs that index datasets; search itself is the datasets' business."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._checked: set[str] = set()
        context.jobs.register(
            JobKind(
                KIND,
                prepare=self._prepare,
                environment=context.worker_environment,
                reuses=False,
            )
        )

    def start(self, dataset: DatasetRecord) -> None:
        """Index a dataset that has text."""
        if dataset.text_column is not None:
            self._context.jobs.submit(
                KIND,
                ("dataset", dataset.id, dataset.name),
                {"dataset": dataset.id},
                priority=PRIORITY,
            )

    def renew(self, dataset: DatasetRecord) -> None:
        """Index a dataset anew whose index was made by another version, once in a process."""
        from mistudio_ext.store.arrow import split_names
        from mistudio_ext.store.fulltext import Index

        if dataset.text_column is None or dataset.id in self._checked:
            return
        self._checked.add(dataset.id)
        folder = self._context.settings.folder.dataset(dataset.id)
        active = self._context.jobs.all(
            kind=KIND, target_id=dataset.id, state=("queued", "running")
        )
        if not active and any(Index.outdated(folder / name) for name in split_names(folder)):
            self.start(dataset)

    def stop(self, dataset_id: str) -> None:
        """End the indexing of a dataset that is about to be deleted."""
        stop_jobs(self._context, KIND, dataset_id)

    def _prepare(self, job: JobRecord) -> Json:
        dataset = self._context.catalog.datasets.get(job.params["dataset"])
        return self._context.worker_spec(
            dataset={
                "id": dataset.id,
                "path": str(self._context.settings.folder.dataset(dataset.id)),
                "text_column": dataset.text_column,
                "fingerprint": dataset.fingerprint,
                "splits": None,
            }
        )


def stop_jobs(context: Context, kind: str, target_id: str) -> None:
    """Cancel the jobs of a kind that work on something, and wait until they have ended."""
    jobs = context.jobs
    for job in jobs.all(kind=kind, target_id=target_id, state=("queued", "running")):
        jobs.cancel(job.id)
        while jobs.wait(job.id).state in ("queued", "running"):
            pass
