"""Handlers that look into an extraction's arrays."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator

from tornado.iostream import StreamClosedError

from mistudio_ext.api.handlers import Json, StudioHandler, allowed


class TokensHandler(StudioHandler):
    """``extractions/{id}/tokens``."""

    @allowed("read")
    async def get(self, extraction_id: str) -> None:
        """Return one sample's tokens with a value for each."""
        studio = await self.studio()
        await self.reply(
            self.host.call(
                studio.activation_views.tokens,
                extraction_id,
                self.integer("sample", 0) or 0,
                hook=self.text("hook"),
                dimension=self.integer("dimension"),
                position=self.integer("position"),
            )
        )


class TopHandler(StudioHandler):
    """``extractions/{id}/top``: lines of JSON while the array is read."""

    gone = False

    def on_connection_close(self) -> None:
        """End the search when nobody waits for it."""
        super().on_connection_close()
        self.gone = True

    @allowed("read")
    async def get(self, extraction_id: str) -> None:
        """Send the best samples so far after each piece; the last line is final."""
        studio = await self.studio()
        rankings = await self.host.call(
            studio.activation_views.top,
            extraction_id,
            hook=self.text("hook"),
            dimension=self.integer("dimension"),
            count=20 if (count := self.integer("count")) is None else count,
            order=self.text("order") or "max",
            skip_first=bool(self.integer("skip_first", 0)),
        )
        self.set_header("Content-Type", "application/x-ndjson")
        # Proxies (nginx) would keep the lines back until there are many.
        self.set_header("X-Accel-Buffering", "no")
        async with self.host.searches:
            async for ranking in self._each(rankings):
                self.write(json.dumps(ranking) + "\n")
                try:
                    await self.flush()
                except StreamClosedError:
                    return
        await self.finish()

    async def _each(self, rankings: Iterator[Json]) -> AsyncIterator[Json]:
        """Take one ranking after the other in a thread, as long as somebody listens."""
        while not self.gone:
            ranking = await self.host.call(next, rankings, None)
            if ranking is None:
                return
            yield ranking


class ProjectionHandler(StudioHandler):
    """``extractions/{id}/projection``."""

    @allowed("read")
    async def get(self, extraction_id: str) -> None:
        """Return a sample of tokens on their first two principal components."""
        studio = await self.studio()
        async with self.host.searches:
            await self.reply(
                self.host.call(
                    studio.activation_views.projection,
                    extraction_id,
                    hook=self.text("hook"),
                    dimension=self.integer("dimension"),
                    count=2_000 if (count := self.integer("count")) is None else count,
                    seed=self.integer("seed", 0) or 0,
                    skip_first=bool(self.integer("skip_first", 0)),
                )
            )
