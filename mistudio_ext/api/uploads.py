"""Handlers of uploads: bytes go from the socket to the disk, never into memory as a whole."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, cast

from tornado import web
from tornado.http1connection import HTTP1Connection

from mistudio_ext.api.handlers import RESOURCE, StudioHandler, allowed
from mistudio_ext.errors import InvalidInputError

if TYPE_CHECKING:
    # Services bring SQLAlchemy, which must not delay the server's start.
    from mistudio_ext.services.upload_pieces import Piece
    from mistudio_ext.services.uploads import UploadService

#: Bytes that are gathered before they are written.
GATHER = 1 << 20


class UploadsHandler(StudioHandler):
    """``uploads``."""

    @allowed("write")
    async def post(self) -> None:
        """Begin an upload."""
        studio = await self.studio()
        await self.reply(self.host.call(studio.uploads.create, self.body()), 201)


@web.stream_request_body
class UploadHandler(StudioHandler):
    """``uploads/{uid}``."""

    _piece: Piece | None = None
    _failure: Exception | None = None

    async def prepare(self) -> None:  # type: ignore[override]
        """Let in only who may write, and only a piece that fits, before any byte is taken."""
        await super().prepare()
        self._gathered = bytearray()
        if self._finished or self.request.method != "PUT":
            return
        if not self.current_user:
            raise web.HTTPError(403)
        permitted = self.authorizer.is_authorized(self, self.current_user, "write", RESOURCE)
        if inspect.isawaitable(permitted):
            permitted = await permitted
        if not permitted:
            raise web.HTTPError(403, "This user may not upload files.")
        headers = self.request.headers
        self._uid = self.path_args[0]
        self._uploads: UploadService = (await self.studio()).uploads
        self._piece, size = await self.host.call(
            self._uploads.begin,
            self._uid,
            headers.get("Content-Range"),
            headers.get("Content-Length"),
        )
        cast(HTTP1Connection, self.request.connection).set_max_body_size(size)

    async def data_received(self, chunk: bytes) -> None:
        """Write what arrives; the connection waits meanwhile."""
        if self._piece is None or self._failure is not None:
            return
        self._gathered += chunk
        if len(self._gathered) >= GATHER:
            await self._write()

    @allowed("read")
    async def get(self, uid: str) -> None:
        """Return how far it is."""
        studio = await self.studio()
        await self.reply(self.host.call(studio.uploads.get, uid))

    @allowed("write")
    async def put(self, uid: str) -> None:
        """End a piece."""
        assert self._piece is not None
        await self._write()
        self._release()
        if self._failure is not None:
            raise self._failure
        await self.reply(self.host.call(self._uploads.get, uid))

    @allowed("write")
    async def delete(self, uid: str) -> None:
        """Remove it."""
        studio = await self.studio()
        await self.reply(self.host.call(studio.uploads.delete, uid))

    async def _write(self) -> None:
        data, self._gathered = bytes(self._gathered), bytearray()
        if not data or self._piece is None or self._failure is not None:
            return
        try:
            await self.host.call(self._piece.write, data)
        except (InvalidInputError, OSError) as error:
            # Told in the answer: raised here it would only cut the connection.
            self._failure = error

    def _release(self) -> None:
        if self._piece is not None:
            self._uploads.end(self._uid, self._piece)

    def on_connection_close(self) -> None:
        """Keep what came when the connection breaks, so that the next piece can go on."""
        super().on_connection_close()
        if self._piece is not None and self._gathered:
            try:
                self._piece.write(bytes(self._gathered))
            except (InvalidInputError, OSError) as error:
                self.log.info("upload %s: %s", self._uid, error)
        self._release()

    def on_finish(self) -> None:
        """Let the next piece in."""
        super().on_finish()
        self._release()
