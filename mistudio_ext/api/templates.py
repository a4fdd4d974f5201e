"""Handlers of extraction templates."""

from __future__ import annotations

from mistudio_ext.api.handlers import StudioHandler, allowed


class TemplatesHandler(StudioHandler):
    """``templates``."""

    @allowed("read")
    async def get(self) -> None:
        """Return all templates, favourites first."""
        templates = (await self.studio()).templates
        await self.reply(self.host.call(lambda: {"templates": templates.list()}))

    @allowed("write")
    async def post(self) -> None:
        """Save a template."""
        templates = (await self.studio()).templates
        await self.reply(self.host.call(templates.create, self.body()), 201)


class TemplateHandler(StudioHandler):
    """``templates/{id}``; with ``?model=`` its spec for that model."""

    @allowed("read")
    async def get(self, template_id: str) -> None:
        """Return one template."""
        studio = await self.studio()
        model = self.text("model")
        if model is None:
            await self.reply(self.host.call(studio.templates.get, template_id))
            return
        by_depth = self.text("by_depth") in ("1", "true")
        await self.reply(
            self.host.call(
                lambda: {
                    **studio.templates.get(template_id),
                    "spec": studio.templates.for_model(
                        template_id, studio.models.record(model), by_depth=by_depth
                    ),
                }
            )
        )

    @allowed("write")
    async def patch(self, template_id: str) -> None:
        """Change a template."""
        templates = (await self.studio()).templates
        await self.reply(self.host.call(templates.change, template_id, self.body()))

    @allowed("write")
    async def delete(self, template_id: str) -> None:
        """Delete a template."""
        templates = (await self.studio()).templates
        await self.reply(self.host.call(templates.delete, template_id))


class ExportHandler(StudioHandler):
    """``templates/export?id=…&id=…``."""

    @allowed("read")
    async def get(self) -> None:
        """Return templates as one document."""
        templates = (await self.studio()).templates
        await self.reply(self.host.call(templates.export, self.get_query_arguments("id")))


class ImportHandler(StudioHandler):
    """``templates/import``."""

    @allowed("write")
    async def post(self) -> None:
        """Import an exported document."""
        templates = (await self.studio()).templates
        await self.reply(self.host.call(templates.take, self.body()), 201)
