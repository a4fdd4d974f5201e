"""Uploads: files that a browser sends piece by piece, straight to the disk.

An upload is a folder ``<data>/uploads/<id>`` with ``upload.json`` and the file
under its own name. The file's size is the offset, so a restarted server goes
on where the last byte was written.
"""

from __future__ import annotations

import json
import re
import shutil
import threading
import time
from pathlib import Path
from typing import Any

from mistudio_ext.catalog import new_id
from mistudio_ext.catalog.records import now
from mistudio_ext.errors import (
    ConflictError,
    InvalidInputError,
    MiStudioError,
    NotFoundError,
)
from mistudio_ext.services.context import Context, Json, audit, human
from mistudio_ext.services.fields import only_known
from mistudio_ext.services.file_options import file_options
from mistudio_ext.services.upload_pieces import (
    Piece,
    TooLargeError,
    WrongOffsetError,
    content_range,
    safe_name,
)

FACTS = "upload.json"

#: Seconds after which an upload that nobody touched is removed at the next start.
STALE_S = 7 * 24 * 3600.0

_ID = re.compile(r"^up_[0-9a-f]{10}$")


class UploadService:
    """Files on their way into the data folder."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._root = context.settings.data_dir / "uploads"
        self._pieces: dict[str, Piece] = {}
        self._lock = threading.Lock()
        self._sweep()

    def create(self, body: Json) -> Json:
        """Begin an upload.

        Parameters
        ----------
        body
            ``{name, size}``; size in bytes.

        Raises
        ------
        TooLargeError
            Over ``max_upload_bytes``.
        NoSpaceError
            If it does not fit beside the disk's reserve.
        InvalidInputError
            ``unknown_format``, ``bad_name`` or ``bad_number``.
        """
        only_known(body, "name", "size")
        name = safe_name(body.get("name"))
        size = body.get("size")
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise InvalidInputError(
                "size must be the file's size in bytes, at least 1.",
                code="bad_number",
                field="size",
            )
        limit = self._context.settings.max_upload_bytes
        if size > limit:
            raise TooLargeError(
                f"'{name}' has {human(size)}; uploads of up to {human(limit)} are allowed.",
                field="size",
                hint="Compress it, or put it where the server can read it and add it by its path.",
            )
        self._require(size, name)
        uid = new_id("up")
        folder = self._root / uid
        facts = {"id": uid, "name": name, "size": size, "created_at": now()}
        try:
            folder.mkdir(parents=True, mode=0o700)
            (folder / name).touch(mode=0o600)
            part = folder / f"{FACTS}.tmp"
            part.write_text(json.dumps(facts))
            part.replace(folder / FACTS)
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return self.get(uid)

    def get(self, uid: str) -> Json:
        """Return an upload; with ``detection`` (or ``problem``) once it is complete."""
        from mistudio_ext.store.detect import detect

        view = self._view(uid)
        if view["state"] == "complete":
            try:
                view["detection"] = detect(self._file(view), view["name"])
            except MiStudioError as error:
                view["problem"] = error.to_dict()
        return view

    def detect(self, uid: Any, options: Any) -> Json:
        """Return what a complete upload is, with these options taken for granted."""
        from mistudio_ext.store.detect import detect

        file = self.path(uid)
        return detect(file, self._view(uid)["name"], file_options(options))

    def delete(self, uid: str) -> Json:
        """Remove an upload; refused while a job reads it."""
        view = self._view(uid)
        if uid in self._in_use():
            raise ConflictError(
                f"'{view['name']}' is being imported.",
                code="in_use",
                hint="Cancel the import or wait for it to end.",
            )
        self.discard(uid)
        audit.info("deleted upload %s '%s', %d bytes", uid, view["name"], view["offset"])
        return {"deleted": [uid], "freed_bytes": view["offset"]}

    def discard(self, uid: str) -> None:
        """Remove an upload's files, if they are there."""
        with self._lock:
            piece = self._pieces.pop(uid, None)
        if piece is not None:
            piece.close()
        if _ID.match(uid):
            shutil.rmtree(self._root / uid, ignore_errors=True)

    def path(self, uid: Any) -> Path:
        """Return the file of a complete upload.

        Raises
        ------
        NotFoundError
            ``no_such_upload``.
        ConflictError
            ``upload_incomplete``.
        """
        if not isinstance(uid, str) or not uid:
            raise InvalidInputError(
                "upload must be the id of an upload.", code="upload_missing", field="upload"
            )
        view = self._view(uid)
        if view["state"] != "complete":
            raise ConflictError(
                f"'{view['name']}' is not complete: "
                f"{human(view['offset'])} of {human(view['size'])} are here.",
                code="upload_incomplete",
                field="upload",
                hint="Send the rest first.",
            )
        return self._file(view)

    # -- pieces ------------------------------------------------------------------------------

    def begin(self, uid: str, range_header: str | None, length: str | None) -> tuple[Piece, int]:
        """Open an upload for a piece.

        Parameters
        ----------
        uid
            The upload.
        range_header
            Content-Range, ``bytes FIRST-LAST/TOTAL``.
        length
            The request's Content-Length, where it has one.

        Returns
        -------
        tuple
            The piece, to be ended by :meth:`end`, and its bytes.

        Raises
        ------
        WrongOffsetError
            ``wrong_offset``, or ``upload_busy`` while another piece arrives.
        """
        view = self._view(uid)
        start, last, total = content_range(range_header)
        size = last + 1 - start
        if size < 1 or total != view["size"] or last >= total:
            raise InvalidInputError(
                f"The piece {range_header!r} is not part of a file of {view['size']} bytes.",
                code="bad_range",
            )
        if length is not None and length != str(size):
            raise InvalidInputError(
                f"Content-Length is {length}, but Content-Range has {size} bytes.",
                code="bad_range",
            )
        self._require(size, view["name"])
        path = self._file(view)
        with self._lock:
            offset = path.stat().st_size
            if uid in self._pieces:
                raise WrongOffsetError(
                    "Another piece of this file is arriving.", offset, code="upload_busy"
                )
            if start != offset:
                raise WrongOffsetError(
                    f"The piece starts at byte {start}, but {offset} bytes are here.", offset
                )
            piece = self._pieces[uid] = Piece(path, start, last + 1)
        return piece, size

    def end(self, uid: str, piece: Piece) -> None:
        """Close a piece, complete or not; what came stays."""
        piece.close()
        with self._lock:
            if self._pieces.get(uid) is piece:
                del self._pieces[uid]

    # -- inside ------------------------------------------------------------------------------

    def _view(self, uid: str) -> Json:
        facts: Json | None = None
        if _ID.match(uid):
            try:
                facts = json.loads((self._root / uid / FACTS).read_text())
            except (OSError, ValueError):
                facts = None
        if facts is None or not self._file(facts).is_file():
            raise NotFoundError(
                f"There is no upload '{uid}'.",
                code="no_such_upload",
                field="upload",
                hint="It was imported, deleted, or is older than a week: upload the file again.",
            )
        offset = self._file(facts).stat().st_size
        state = "complete" if offset >= facts["size"] else "receiving"
        return {**facts, "offset": offset, "state": state, "detection": None, "problem": None}

    def _file(self, facts: Json) -> Path:
        return self._root / str(facts["id"]) / str(facts["name"])

    def _require(self, size: int, name: str) -> None:
        self._context.require_room(f"Uploading '{name}'", size)

    def _in_use(self) -> set[str]:
        return {
            record.request.get("upload", "")
            for record in self._context.catalog.datasets.list(source="upload")
            if self._context.active(record.job_id)
        }

    def _sweep(self) -> None:
        """Remove uploads that nobody has touched for a week."""
        if not self._root.is_dir():
            return
        used = self._in_use()
        for folder in self._root.iterdir():
            if not _ID.match(folder.name) or folder.name in used:
                continue
            touched = max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
            if time.time() - touched > STALE_S:
                shutil.rmtree(folder, ignore_errors=True)
                audit.info("removed upload %s, which was older than a week", folder.name)
