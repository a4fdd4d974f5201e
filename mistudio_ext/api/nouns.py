"""Handlers of datasets, models, tokenizations, extractions and the system."""

from __future__ import annotations

from typing import Any

from mistudio_ext.api.handlers import Json, StudioHandler, allowed
from mistudio_ext.errors import InvalidInputError

#: Rows of a page where the request names no limit.
PAGE = 50


class SystemHandler(StudioHandler):
    """``system``."""

    @allowed("read")
    async def get(self) -> None:
        """Return versions, devices, disk, memory, limits and capabilities."""
        studio = await self.studio()
        await self.reply(self.host.call(studio.system.get))


class HistoryHandler(StudioHandler):
    """``system/history``."""

    @allowed("read")
    async def get(self) -> None:
        """Return what the machine did in the last minutes."""
        studio = await self.studio()
        await self.reply(self.host.call(studio.monitor.history))


class StorageHandler(StudioHandler):
    """``system/storage``."""

    @allowed("read")
    async def get(self) -> None:
        """Return what takes the space."""
        studio = await self.studio()
        await self.reply(self.host.call(studio.storage.usage))


class LeftoversHandler(StudioHandler):
    """``system/leftovers``."""

    @allowed("read")
    async def get(self) -> None:
        """Return what lies in the data folder and belongs to nothing."""
        studio = await self.studio()
        await self.reply(self.host.call(studio.storage.leftovers))


class CleanHandler(StudioHandler):
    """``system/leftovers/clean``."""

    @allowed("write")
    async def post(self) -> None:
        """Remove leftovers, all or those that are named."""
        studio = await self.studio()
        await self.reply(self.host.call(studio.storage.clean, self.body().get("paths")))


class CollectionHandler(StudioHandler):
    """``datasets``, ``models``, ``extractions``: the list, and a new one."""

    def initialize(self, noun: str) -> None:
        """Say which noun this route serves."""
        self.noun = noun

    @allowed("read")
    async def get(self) -> None:
        """Return all of them, newest first."""
        service = getattr(await self.studio(), self.noun)
        rows = await self.host.call(service.list)
        await self.reply(_ready({self.noun: rows}))

    @allowed("write")
    async def post(self) -> None:
        """Register or start one."""
        await self.reply_started(self._create())

    async def _create(self) -> tuple[Json, int]:
        service = getattr(await self.studio(), self.noun)
        created = await self.host.call(service.create, self.body())
        record, job = created[0], created[1]
        # A started job is 202; what was there already is 200, even while it is being made.
        started = created[2] if len(created) > 2 else job is not None
        return {self.noun.removesuffix("s"): record, "job": job}, 202 if started else 200


class ItemHandler(StudioHandler):
    """One dataset, model or extraction."""

    def initialize(self, noun: str) -> None:
        """Say which noun this route serves."""
        self.noun = noun

    @allowed("read")
    async def get(self, row_id: str) -> None:
        """Return it."""
        service = getattr(await self.studio(), self.noun)
        await self.reply(self.host.call(service.get, row_id))

    @allowed("write")
    async def patch(self, row_id: str) -> None:
        """Rename it."""
        service = getattr(await self.studio(), self.noun)
        await self.reply(self.host.call(service.rename, row_id, self.body().get("name")))

    @allowed("write")
    async def delete(self, row_id: str) -> None:
        """Delete it with its files."""
        service = getattr(await self.studio(), self.noun)
        await self.reply(self.host.call(service.delete, row_id))


class BulkDeleteHandler(StudioHandler):
    """``datasets/delete``, ``models/delete``: many at once."""

    def initialize(self, noun: str) -> None:
        """Say which noun this route serves."""
        self.noun = noun

    @allowed("write")
    async def post(self) -> None:
        """Delete many; what cannot be deleted is named and the rest is deleted."""
        ids = self.body().get("ids")
        if not isinstance(ids, list) or not all(isinstance(i, str) for i in ids):
            raise InvalidInputError("ids must be a list of ids.", code="bad_ids", field="ids")
        service = getattr(await self.studio(), self.noun)
        await self.reply(self.host.call(service.delete_many, ids))


class SamplesHandler(StudioHandler):
    """``datasets/{id}/samples``."""

    @allowed("read")
    async def get(self, dataset_id: str) -> None:
        """Return a page of rows."""
        studio = await self.studio()
        await self.reply(
            self.host.call(
                studio.datasets.samples,
                dataset_id,
                split=self.text("split"),
                offset=self.integer("offset", 0) or 0,
                limit=PAGE if (limit := self.integer("limit")) is None else limit,
                query=self.text("q"),
                min_tokens=self.integer("min_tokens"),
                max_tokens=self.integer("max_tokens"),
                tokenization=self.text("tokenization"),
            )
        )


class StatisticsHandler(StudioHandler):
    """``datasets/{id}/statistics``."""

    @allowed("read")
    async def get(self, dataset_id: str) -> None:
        """Return statistics by words, or with ``tokenization`` by tokens."""
        studio = await self.studio()
        await self.reply(
            self.host.call(studio.datasets.statistics, dataset_id, self.text("tokenization"))
        )


class DetectHandler(StudioHandler):
    """``datasets/detect``: looks at any file that a dataset could be made of."""

    @allowed("write")
    async def post(self) -> None:
        """Return what a file on the server's machine is; registers nothing."""
        studio = await self.studio()
        await self.reply(self.host.call(studio.datasets.detect, self.body().get("path")))


class PreviewHandler(StudioHandler):
    """``tokenize-preview``."""

    @allowed("read")
    async def post(self) -> None:
        """Tokenise a few texts at once."""
        studio = await self.studio()
        await self.reply(self.host.call(studio.tokenizations.preview, self.body()))


class TokenizationsHandler(StudioHandler):
    """``datasets/{id}/tokenizations``."""

    @allowed("read")
    async def get(self, dataset_id: str) -> None:
        """Return the tokenizations of a dataset."""
        studio = await self.studio()
        rows = await self.host.call(studio.tokenizations.list, dataset_id)
        await self.reply(_ready({"tokenizations": rows}))

    @allowed("write")
    async def post(self, dataset_id: str) -> None:
        """Tokenise a split."""
        await self.reply_started(self._create(dataset_id))

    async def _create(self, dataset_id: str) -> tuple[Json, int]:
        studio = await self.studio()
        record, job = await self.host.call(studio.tokenizations.create, dataset_id, self.body())
        return {"tokenization": record, "job": job}, 202 if job else 200


class TokenizationHandler(StudioHandler):
    """``datasets/{id}/tokenizations/{tid}``."""

    @allowed("read")
    async def get(self, dataset_id: str, tokenization_id: str) -> None:
        """Return one tokenization."""
        studio = await self.studio()
        await self.reply(self.host.call(studio.tokenizations.get, dataset_id, tokenization_id))

    @allowed("write")
    async def delete(self, dataset_id: str, tokenization_id: str) -> None:
        """Delete one tokenization."""
        studio = await self.studio()
        await self.reply(self.host.call(studio.tokenizations.delete, dataset_id, tokenization_id))


class ArchitectureHandler(StudioHandler):
    """``models/{id}/architecture``."""

    @allowed("read")
    async def get(self, model_id: str) -> None:
        """Return facts, layer tree, hook points and checks."""
        studio = await self.studio()
        await self.reply(self.host.call(studio.models.architecture, model_id))


class EstimateHandler(StudioHandler):
    """``extractions/estimate``."""

    @allowed("read")
    async def post(self) -> None:
        """Return what an extraction would take; registers nothing."""
        studio = await self.studio()
        await self.reply(self.host.call(studio.extractions.estimate, self.body()))


class ManifestHandler(StudioHandler):
    """``extractions/{id}/manifest``."""

    @allowed("read")
    async def get(self, extraction_id: str) -> None:
        """Return the manifest as it stands."""
        studio = await self.studio()
        await self.reply(self.host.call(studio.extractions.manifest, extraction_id))


async def _ready(answer: dict[str, Any]) -> dict[str, Any]:
    return answer
