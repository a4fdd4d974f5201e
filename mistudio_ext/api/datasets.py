"""Handlers of datasets: the list, samples, statistics, duplicates, deletion."""

from __future__ import annotations

import json

from mistudio_ext.api.handlers import StudioHandler, allowed
from mistudio_ext.api.nouns import CollectionHandler, ids_of
from mistudio_ext.errors import InvalidInputError

#: Rows of a page where the request names no limit.
PAGE = 50


class DatasetsHandler(CollectionHandler):
    """``datasets``: the list, filtered and sorted, and a new one."""

    @allowed("read")
    async def get(self) -> None:
        """Return datasets, by default all of them, newest first."""
        studio = await self.studio()
        rows = await self.host.call(
            studio.datasets.list,
            query=self.text("q"),
            state=self.text("state"),
            source=self.text("source"),
            sort=self.text("sort") or "created_at",
            order=self.text("order"),
        )
        await self.finish(json.dumps({"datasets": rows}))

    # The routes are compared with the verbs of each class.
    post = CollectionHandler.post


class DatasetsDeleteHandler(StudioHandler):
    """``datasets/delete``."""

    @allowed("write")
    async def post(self) -> None:
        """Delete many; with ``dry_run`` only say what that would do."""
        body = self.body()
        ids = ids_of(body)
        dry = body.get("dry_run", False)
        if not isinstance(dry, bool):
            raise InvalidInputError(
                "dry_run must be true or false.", code="bad_flag", field="dry_run"
            )
        datasets = (await self.studio()).datasets
        work = datasets.deletion_preview if dry else datasets.delete_many
        await self.reply(self.host.call(work, ids))


class SamplesHandler(StudioHandler):
    """``datasets/{id}/samples``."""

    @allowed("read")
    async def get(self, dataset_id: str) -> None:
        """Return a page of rows."""
        studio = await self.studio()
        names = [n for text in self.get_query_arguments("columns") for n in text.split(",") if n]
        await self.reply(
            self.host.call(
                studio.dataset_views.samples,
                dataset_id,
                split=self.text("split"),
                offset=self.integer("offset", 0) or 0,
                limit=PAGE if (limit := self.integer("limit")) is None else limit,
                query=self.text("q"),
                tokens=self.get_query_argument("tokens", "", strip=False) or None,
                token_ids=self._token_ids(),
                min_tokens=self.integer("min_tokens"),
                max_tokens=self.integer("max_tokens"),
                tokenization=self.text("tokenization"),
                columns=names,
                column=self.text("column"),
                where=self.get_query_arguments("where"),
                count=self.text("count") or "exact",
            )
        )

    def _token_ids(self) -> list[int] | None:
        text = self.text("token_ids")
        if text is None:
            return None
        try:
            return [int(part) for part in text.split(",") if part.strip()]
        except ValueError:
            raise InvalidInputError(
                f"token_ids must be whole numbers with commas between, not '{text}'.",
                code="bad_number",
                field="token_ids",
            ) from None


class StatisticsHandler(StudioHandler):
    """``datasets/{id}/statistics``."""

    @allowed("read")
    async def get(self, dataset_id: str) -> None:
        """Return statistics by words, or with ``tokenization`` by tokens."""
        studio = await self.studio()
        await self.reply(
            self.host.call(studio.dataset_views.statistics, dataset_id, self.text("tokenization"))
        )


class StatisticsExportHandler(StudioHandler):
    """``datasets/{id}/statistics/export``."""

    @allowed("read")
    async def get(self, dataset_id: str) -> None:
        """Send statistics as a file: JSON, or CSV with one value a line."""
        studio = await self.studio()
        name, kind, content = await self.host.call(
            studio.dataset_views.export_statistics,
            dataset_id,
            self.text("tokenization"),
            self.text("format") or "json",
        )
        self.set_header("Content-Type", kind)
        self.set_header("Content-Disposition", f'attachment; filename="{name}"')
        await self.finish(content)


class NearDuplicatesHandler(StudioHandler):
    """``datasets/{id}/near-duplicates``."""

    @allowed("read")
    async def get(self, dataset_id: str) -> None:
        """Return what was found, or how far the search is."""
        studio = await self.studio()
        await self.reply(self.host.call(studio.near_duplicates.get, dataset_id))

    @allowed("write")
    async def post(self, dataset_id: str) -> None:
        """Start to look for near duplicates."""
        studio = await self.studio()
        await self.reply(self.host.call(studio.near_duplicates.start, dataset_id, self.body()), 202)


class DetectHandler(StudioHandler):
    """``datasets/detect``: looks at any file that a dataset could be made of."""

    @allowed("write")
    async def post(self) -> None:
        """Return what an upload, or a file on the server's machine, is; registers nothing."""
        studio, body = await self.studio(), self.body()
        options = body.get("options")
        if "upload" in body:
            await self.reply(self.host.call(studio.uploads.detect, body["upload"], options))
        else:
            await self.reply(self.host.call(studio.dataset_views.detect, body.get("path"), options))
