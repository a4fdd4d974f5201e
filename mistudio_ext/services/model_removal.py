"""Deleting models: what depends on them, what is freed, and whose copy it is to free."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mistudio_ext.catalog import ModelRecord
from mistudio_ext.errors import ConflictError, MiStudioError
from mistudio_ext.services import hub_cache
from mistudio_ext.services.context import (
    Context,
    Json,
    audit,
    delete_each,
    folder_bytes,
    remove_folder,
)


class ModelRemoval:
    """Says what a model's deletion means, and does it."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._catalog = context.catalog.models

    def dependents(self, model_id: str) -> Json:
        """Return what depends on a model, what its deletion frees, and what uses it now.

        Returns
        -------
        dict
            ``{extractions: [{id, name, bytes}], tokenizations: int, variants:
            [{id, name}], frees_bytes, in_use: str | None}``. Extractions and
            tokenizations stay when the model goes; its variants go with it.
        """
        record = self._catalog.get(model_id)
        variants = self._catalog.list(parent_id=model_id)
        doomed = [record, *variants]
        ids = [model.id for model in doomed]
        extractions = self._context.catalog.extractions.list(model_id=ids)
        return {
            "extractions": [{"id": e.id, "name": e.name, "bytes": e.bytes} for e in extractions],
            "tokenizations": len(self._context.catalog.tokenizations.list(model_id=ids)),
            "variants": [{"id": v.id, "name": v.name} for v in variants],
            "frees_bytes": self._frees(doomed),
            "in_use": next((use for model in doomed if (use := self._use(model))), None),
        }

    def delete(self, model_id: str, *, variants: bool = False) -> Json:
        """Delete a model from the catalog with the files that we put there for it.

        Parameters
        ----------
        model_id
            The model.
        variants
            Whether its variants go along; without it a model that has some is kept.

        Raises
        ------
        ConflictError
            ``in_use`` by a job, or ``has_variants``.
        """
        with self._context.creating:
            record = self._catalog.get(model_id)
            doomed = self._catalog.list(parent_id=model_id)
            if doomed and not variants:
                names = ", ".join(f"'{v.name}'" for v in doomed[:3])
                raise ConflictError(
                    f"{len(doomed)} variant(s) use the files of '{record.name}': {names}.",
                    code="has_variants",
                    hint="Delete them first, or all together: variants=true, --variants.",
                )
            for model in (*doomed, record):
                if use := self._use(model):
                    raise ConflictError(
                        f"'{model.name}' is in use by {use}.",
                        code="in_use",
                        hint="Cancel the job or wait for it to end.",
                    )
            freed = sum(self._delete_one(model) for model in (*doomed, record))
        return {"deleted": [model.id for model in (*doomed, record)], "freed_bytes": freed}

    def delete_many(
        self, ids: Sequence[str], *, variants: bool = False, dry_run: bool = False
    ) -> Json:
        """Delete many, variants before the models that they are of; see :func:`delete_each`.

        Parameters
        ----------
        ids
            The models.
        variants
            As for :meth:`delete`.
        dry_run
            Delete nothing and return what would be: ``would_delete``,
            ``freed_bytes``, ``extractions`` that would be left without their
            model, and ``failed`` with the reasons.
        """
        found = [model for row_id in ids if (model := self._catalog.find(id=row_id))]
        order = {model.id: 0 if model.parent_id else 1 for model in found}
        ordered = sorted(dict.fromkeys(ids), key=lambda row_id: order.get(row_id, 1))
        if dry_run:
            return self._rehearse(found, ordered, variants)
        return delete_each(lambda row_id: self.delete(row_id, variants=variants), ordered)

    def _rehearse(self, found: list[ModelRecord], ids: Sequence[str], variants: bool) -> Json:
        failed: list[Json] = []
        doomed: dict[str, ModelRecord] = {}
        chosen = {model.id for model in found}
        for row_id in ids:
            try:
                record = self._catalog.get(row_id)
                family = self._catalog.list(parent_id=row_id)
                rest = [v for v in family if v.id not in chosen]
                if rest and not variants:
                    raise ConflictError(
                        f"{len(rest)} variant(s) use the files of '{record.name}'.",
                        code="has_variants",
                    )
                for model in (*family, record):
                    if use := self._use(model):
                        raise ConflictError(f"'{model.name}' is in use by {use}.", code="in_use")
            except MiStudioError as error:
                failed.append({"id": row_id, **error.to_dict()})
            else:
                doomed |= {model.id: model for model in (*family, record)}
        left = self._context.catalog.extractions.list(model_id=list(doomed))
        return {
            "would_delete": list(doomed),
            "freed_bytes": self._frees(list(doomed.values())),
            "extractions": [{"id": e.id, "name": e.name, "bytes": e.bytes} for e in left],
            "failed": failed,
        }

    # -- parts ---------------------------------------------------------------------------------

    def _use(self, record: ModelRecord) -> str | None:
        """Return the job that needs a model now, in words."""
        catalog = self._context.catalog
        if self._context.active(record.job_id):
            return "its own job"
        for extraction in catalog.extractions.list(model_id=record.id):
            if self._context.active(extraction.job_id):
                return f"the extraction '{extraction.name}'"
        for tokenization in catalog.tokenizations.list(model_id=record.id):
            if self._context.active(tokenization.job_id):
                return "a tokenization that is being made"
        return None

    def _frees(self, doomed: list[ModelRecord]) -> int:
        ids = {model.id for model in doomed}
        folders = sum(folder_bytes(self._context.settings.folder.model(i)) for i in ids)
        copies = {
            model.path: model.revision
            for model in doomed
            if model.downloaded and not self._shared(model, ids)
        }
        return folders + sum(hub_cache.frees(str(r)) for r in copies.values() if r)

    def _shared(self, record: ModelRecord, doomed: set[str]) -> bool:
        others = self._catalog.list(path=record.path) if record.path else []
        return any(other.id not in doomed for other in others)

    def _delete_one(self, record: ModelRecord) -> int:
        freed = remove_folder(self._context.settings.folder.model(record.id))
        if record.downloaded and record.path:
            heirs = [m for m in self._catalog.list(path=record.path) if m.id != record.id]
            if heirs:
                # Whoever still reads the copy frees it in the end.
                self._catalog.update(heirs[0].id, downloaded=True)
            else:
                freed += hub_cache.free(Path(record.path).name)
        self._context.catalog.architectures.delete(record.id)
        self._catalog.delete(record.id)
        audit.info("deleted model %s '%s', %d bytes", record.id, record.name, freed)
        self._context.bus.publish(
            "model", f"models/{record.id}", {"id": record.id, "deleted": True}
        )
        return freed
