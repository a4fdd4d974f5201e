"""Handlers of models: what the other nouns do not have."""

from __future__ import annotations

from mistudio_ext.api.handlers import Json, StudioHandler, allowed
from mistudio_ext.errors import InvalidInputError
from mistudio_ext.services.model_filters import FILTERS, NUMBERS


def _flag(handler: StudioHandler, name: str) -> bool:
    return handler.text(name) in ("1", "true")


class ModelsHandler(StudioHandler):
    """``models``."""

    @allowed("read")
    async def get(self) -> None:
        """Return all models, newest first, or those that pass the filters."""
        models = (await self.studio()).models
        filters = {n: self.integer(n) if n in NUMBERS else self.text(n) for n in FILTERS}
        await self.reply(self.host.call(lambda: {"models": models.list(**filters)}))

    @allowed("write")
    async def post(self) -> None:
        """Register a model."""
        await self.reply_started(self._create())

    async def _create(self) -> tuple[Json, int]:
        models = (await self.studio()).models
        record, job = await self.host.call(models.create, self.body())
        return {"model": record, "job": job}, 202 if job else 200


class ModelHandler(StudioHandler):
    """``models/{id}``."""

    @allowed("read")
    async def get(self, row_id: str) -> None:
        """Return one model."""
        models = (await self.studio()).models
        await self.reply(self.host.call(models.get, row_id))

    @allowed("write")
    async def patch(self, row_id: str) -> None:
        """Rename it."""
        models = (await self.studio()).models
        await self.reply(self.host.call(models.rename, row_id, self.body().get("name")))

    @allowed("write")
    async def delete(self, row_id: str) -> None:
        """Delete it, with ``variants`` all that share its files."""
        removal = (await self.studio()).model_removal
        variants = _flag(self, "variants")
        await self.reply(self.host.call(lambda: removal.delete(row_id, variants=variants)))


class ModelsDeleteHandler(StudioHandler):
    """``models/delete``."""

    @allowed("write")
    async def post(self) -> None:
        """Delete many; with ``dry_run`` say what would be deleted."""
        body = self.body()
        ids = body.get("ids")
        if not isinstance(ids, list) or not all(isinstance(i, str) for i in ids):
            raise InvalidInputError("ids must be a list of ids.", code="bad_ids", field="ids")
        removal = (await self.studio()).model_removal
        options = {name: body.get(name) is True for name in ("variants", "dry_run")}
        await self.reply(self.host.call(lambda: removal.delete_many(ids, **options)))


class DependentsHandler(StudioHandler):
    """``models/{id}/dependents``."""

    @allowed("read")
    async def get(self, model_id: str) -> None:
        """Return what depends on a model, and what its deletion frees."""
        removal = (await self.studio()).model_removal
        await self.reply(self.host.call(removal.dependents, model_id))


class VariantsHandler(StudioHandler):
    """``models/{id}/variants``."""

    @allowed("read")
    async def get(self, model_id: str) -> None:
        """Return all formats of a model's weights, the parent first."""
        variants = (await self.studio()).variants
        await self.reply(self.host.call(lambda: {"variants": variants.list(model_id)}))

    @allowed("write")
    async def post(self, model_id: str) -> None:
        """Make a variant."""
        await self.reply_started(self._create(model_id))

    async def _create(self, model_id: str) -> tuple[Json, int]:
        variants = (await self.studio()).variants
        record, job = await self.host.call(variants.create, model_id, self.body())
        return {"model": record, "job": job}, 202 if job else 200


class TokenizerHandler(StudioHandler):
    """``models/{id}/tokenizer``."""

    @allowed("read")
    async def get(self, model_id: str) -> None:
        """Return size, special tokens and chat template."""
        facts = (await self.studio()).model_facts
        await self.reply(self.host.call(facts.tokenizer, model_id))


class ModelEstimateHandler(StudioHandler):
    """``models/{id}/estimate``."""

    @allowed("read")
    async def get(self, model_id: str) -> None:
        """Return what each format takes at a batch."""
        facts = (await self.studio()).model_facts
        options = self.integer("batch_tokens"), self.integer("n_hooks")
        await self.reply(self.host.call(facts.estimate, model_id, *options))


class CompareHandler(StudioHandler):
    """``models/compare``."""

    @allowed("read")
    async def get(self) -> None:
        """Return two models side by side."""
        facts = (await self.studio()).model_facts
        ids = [part for part in (self.text("ids") or "").split(",") if part]
        await self.reply(self.host.call(facts.compare, ids))


class FoldersHandler(StudioHandler):
    """``models/folders``."""

    @allowed("read")
    async def get(self) -> None:
        """Return the models in shared folders."""
        facts = (await self.studio()).model_facts
        await self.reply(self.host.call(facts.folders))


class CacheHandler(StudioHandler):
    """``hub/cache``."""

    @allowed("read")
    async def get(self) -> None:
        """Return the models in the Hugging Face cache."""
        facts = (await self.studio()).model_facts
        await self.reply(self.host.call(facts.cached))
