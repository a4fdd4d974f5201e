"""Deleting datasets: what goes with them, what stays, and when it is refused."""

from __future__ import annotations

from collections.abc import Sequence

from mistudio_ext.catalog import DatasetRecord, TokenizationRecord
from mistudio_ext.errors import ConflictError, MiStudioError
from mistudio_ext.services.context import Context, Json, audit, folder_bytes, remove_folder
from mistudio_ext.services.indexes import IndexService, stop_jobs
from mistudio_ext.services.near_duplicates import KIND as NEAR_DUPLICATES


class DatasetDeletion:
    """Deletes datasets with their tokenizations."""

    def __init__(self, context: Context, indexes: IndexService) -> None:
        self._context = context
        self._indexes = indexes

    def preview(self, ids: Sequence[str]) -> Json:
        """Return what deleting these would do; nothing is changed.

        Returns
        -------
        dict
            ``{"items": [{"kind", "id", "name", "bytes", "dataset_id"}], "extractions":
            [{"id", "name"}], "freed_bytes", "failed": [{"id", code, message, …}]}``.
            Extractions stay, but lose the text behind their tokens.
        """
        items: list[Json] = []
        extractions: list[Json] = []
        failed: list[Json] = []
        for dataset_id in dict.fromkeys(ids):
            try:
                record = self._free(dataset_id)
            except MiStudioError as error:
                failed.append({"id": dataset_id, **error.to_dict()})
                continue
            items += self._items(record)
            users = self._context.catalog.extractions.list(dataset_id=dataset_id)
            extractions += [{"id": user.id, "name": user.name} for user in users]
        return {
            "items": items,
            "extractions": extractions,
            "freed_bytes": sum(item["bytes"] for item in items),
            "failed": failed,
        }

    def delete(self, dataset_id: str) -> Json:
        """Delete a dataset with its tokenizations; refused while a job needs it.

        Returns
        -------
        dict
            ``{"deleted": [ids], "freed_bytes": int}``.
        """
        record = self._free(dataset_id)
        self._indexes.stop(dataset_id)
        stop_jobs(self._context, NEAR_DUPLICATES, dataset_id)
        from mistudio_ext.store.arrow import forget

        folder = self._context.settings.folder
        freed, deleted = 0, []
        for tokenization in self._tokenizations(dataset_id):
            size = remove_folder(folder.tokenization(tokenization.id))
            self._context.catalog.tokenizations.delete(tokenization.id)
            audit.info("deleted tokenization %s of %s, %d bytes", tokenization.id, dataset_id, size)
            freed += size
            deleted.append(tokenization.id)
        # The server's own memory maps would keep the disk space.
        forget(folder.dataset(dataset_id))
        freed += remove_folder(folder.dataset(dataset_id))
        self._context.catalog.datasets.delete(dataset_id)
        audit.info("deleted dataset %s '%s', %d bytes", dataset_id, record.name, freed)
        for kind, row_id in [("tokenization", t) for t in deleted] + [("dataset", dataset_id)]:
            self._context.bus.publish(kind, f"{kind}s/{row_id}", {"id": row_id, "deleted": True})
        return {"deleted": [dataset_id, *deleted], "freed_bytes": freed}

    def _tokenizations(self, dataset_id: str) -> list[TokenizationRecord]:
        return self._context.catalog.tokenizations.list(dataset_id=dataset_id)

    def _items(self, record: DatasetRecord) -> list[Json]:
        folder = self._context.settings.folder
        own = {
            "kind": "dataset",
            "id": record.id,
            "name": record.name,
            "bytes": folder_bytes(folder.dataset(record.id)),
            "dataset_id": record.id,
        }
        return [own] + [
            {
                "kind": "tokenization",
                "id": tokenization.id,
                "name": f"{record.name} / {tokenization.split}",
                "bytes": folder_bytes(folder.tokenization(tokenization.id)),
                "dataset_id": record.id,
            }
            for tokenization in self._tokenizations(record.id)
        ]

    def _free(self, dataset_id: str) -> DatasetRecord:
        """Return a dataset that no job needs; ConflictError ``in_use`` otherwise."""
        record = self._context.catalog.datasets.get(dataset_id)
        extractions = self._context.catalog.extractions.list(dataset_id=dataset_id)
        busy = [t.job_id for t in self._tokenizations(dataset_id)]
        busy += [e.job_id for e in extractions]
        if any(self._context.active(job_id) for job_id in [record.job_id, *busy]):
            raise ConflictError(
                f"'{record.name}' is in use by a running or queued job.",
                code="in_use",
                hint="Cancel the job or wait for it to end.",
            )
        return record
