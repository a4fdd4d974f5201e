"""Handlers of tokenizations, their preview, their export and their presets."""

from __future__ import annotations

import json

from mistudio_ext.api.handlers import Json, StudioHandler, allowed


class PreviewHandler(StudioHandler):
    """``tokenize-preview``."""

    @allowed("read")
    async def post(self) -> None:
        """Tokenise a few texts at once."""
        studio = await self.studio()
        await self.reply(self.host.call(studio.previews.preview, self.body()))


class TokenizationsHandler(StudioHandler):
    """``datasets/{id}/tokenizations``."""

    @allowed("read")
    async def get(self, dataset_id: str) -> None:
        """Return the tokenizations of a dataset."""
        studio = await self.studio()
        rows = await self.host.call(studio.tokenizations.list, dataset_id)
        await self.finish(json.dumps({"tokenizations": rows}))

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


class TokenizationExportHandler(StudioHandler):
    """``datasets/{id}/tokenizations/{tid}/export``."""

    @allowed("write")
    async def post(self, dataset_id: str, tokenization_id: str) -> None:
        """Write it as a folder that ``datasets`` opens."""
        studio = await self.studio()
        await self.reply(
            self.host.call(studio.exports.start, dataset_id, tokenization_id, self.body()), 202
        )


class PresetsHandler(StudioHandler):
    """``tokenization-presets``."""

    @allowed("read")
    async def get(self) -> None:
        """Return all presets by name."""
        presets = (await self.studio()).tokenization_presets
        await self.reply(self.host.call(lambda: {"presets": presets.list()}))

    @allowed("write")
    async def post(self) -> None:
        """Save a preset."""
        presets = (await self.studio()).tokenization_presets
        await self.reply(self.host.call(presets.create, self.body()), 201)


class PresetHandler(StudioHandler):
    """``tokenization-presets/{id}``."""

    @allowed("read")
    async def get(self, preset_id: str) -> None:
        """Return one preset."""
        presets = (await self.studio()).tokenization_presets
        await self.reply(self.host.call(presets.get, preset_id))

    @allowed("write")
    async def patch(self, preset_id: str) -> None:
        """Change name or settings."""
        presets = (await self.studio()).tokenization_presets
        await self.reply(self.host.call(presets.change, preset_id, self.body()))

    @allowed("write")
    async def delete(self, preset_id: str) -> None:
        """Delete a preset."""
        presets = (await self.studio()).tokenization_presets
        await self.reply(self.host.call(presets.delete, preset_id))
