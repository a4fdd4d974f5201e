"""Handlers that datasets, models and extractions share, and those of the system."""

from __future__ import annotations

from typing import Any

from mistudio_ext.api.handlers import Json, StudioHandler, allowed
from mistudio_ext.errors import InvalidInputError


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


def ids_of(body: Json) -> list[str]:
    """Return the ids that a request names."""
    ids = body.get("ids")
    if not isinstance(ids, list) or not all(isinstance(i, str) for i in ids):
        raise InvalidInputError("ids must be a list of ids.", code="bad_ids", field="ids")
    return ids


class BulkDeleteHandler(StudioHandler):
    """``models/delete``, ``extractions/delete``: many at once."""

    def initialize(self, noun: str) -> None:
        """Say which noun this route serves."""
        self.noun = noun

    @allowed("write")
    async def post(self) -> None:
        """Delete many; what cannot be deleted is named and the rest is deleted."""
        ids = ids_of(self.body())
        service = getattr(await self.studio(), self.noun)
        await self.reply(self.host.call(service.delete_many, ids))


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
