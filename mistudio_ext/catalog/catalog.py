"""Opening the catalog: location, journal mode, schema version."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from mistudio_ext.catalog import records, tables
from mistudio_ext.catalog.filesystem import refuse_network
from mistudio_ext.catalog.repository import R, Repository
from mistudio_ext.disk.full import full_disk_named, is_full, no_space
from mistudio_ext.disk.spare import reserve
from mistudio_ext.errors import ConflictError

#: Newest schema version; equals the newest file in ``migrations/versions``.
HEAD = "0006"

#: Bytes kept on the disk for changes to rows that are there: some hundred ends of jobs.
ROOM_BYTES = 1 << 20


class Catalog:
    """Everything the user has, in one SQLite file.

    Parameters
    ----------
    url
        SQLAlchemy URL, ``sqlite:///…/catalog.sqlite3``.

    Raises
    ------
    ConflictError
        If the file lies on a network file system, or was written by a newer version.
    NoSpaceError
        If the disk has no room to open it.
    """

    def __init__(self, url: str) -> None:
        with full_disk_named():
            self.file = _prepare_file(url)
        self._engine = sa.create_engine(url, connect_args={"timeout": 15})
        sa.event.listen(self._engine, "connect", _on_connect)
        sa.event.listen(self._engine, "begin", _on_begin)
        try:
            with full_disk_named(*([self.file.parent] if self.file else [])):
                self._migrate()
        except BaseException:
            self._engine.dispose()
            raise
        self.datasets = self._of(tables.datasets, records.DatasetRecord, "dataset")
        self.models = self._of(tables.models, records.ModelRecord, "model")
        self.architectures = self._of(
            tables.architectures, records.ArchitectureRecord, "architecture"
        )
        self.tokenizations = self._of(
            tables.tokenizations, records.TokenizationRecord, "tokenization"
        )
        self.extractions = self._of(tables.extractions, records.ExtractionRecord, "extraction")
        self.jobs = self._of(tables.jobs, records.JobRecord, "job")
        self.templates = self._of(tables.templates, records.TemplateRecord, "template")
        self.tokenization_presets = self._of(
            tables.tokenization_presets, records.PresetRecord, "tokenization_preset"
        )
        self.replies = self._of(tables.replies, records.ReplyRecord, "reply")

    def keep_room(self) -> None:
        """Keep room on the disk for changes to come, so that ends can be noted on a full disk.

        The room lies behind the end of SQLite's write-ahead log. New rows are refused while it
        cannot be kept; changes of rows that are there use it.

        Raises
        ------
        NoSpaceError
            If the disk has no such room.
        """
        if self.file is None:
            return
        try:
            fd = os.open(f"{self.file}-wal", os.O_WRONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return  # Nothing was written yet since it was opened.
        try:
            reserve(fd, ROOM_BYTES)
        except OSError as error:
            if not is_full(error):
                raise
            raise no_space(error, [self.file.parent]) from error
        finally:
            os.close(fd)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def _of(self, table: sa.Table, record: type[R], noun: str) -> Repository[R]:
        return Repository(self._engine, table, record, noun, self.keep_room)

    def _version(self) -> str | None:
        with self._engine.connect() as connection:
            if not sa.inspect(connection).has_table("alembic_version"):
                return None
            return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()

    def _migrate(self) -> None:
        """Bring the schema to HEAD; an older file is copied first."""
        version = self._version()
        if version == HEAD:
            return
        if version is not None and version > HEAD:
            raise ConflictError(
                f"The catalog {self.file} was written by a newer miStudio (schema {version}; "
                f"this one knows {HEAD}).",
                code="catalog_newer",
                hint="Upgrade mistudio-ext, or choose another data folder.",
            )
        if version is not None and self.file is not None:
            shutil.copy2(self.file, self.file.with_suffix(f".{version}.backup"))
        # Alembic takes a while to import and is needed only here.
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        with self._engine.execution_options(mistudio_write=True).begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, HEAD)


def _prepare_file(url: str) -> Path | None:
    """Return the SQLite file of the URL with its folder made, None for another database."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return None
    file = Path(parsed.database)
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    refuse_network(file)
    return file


def _on_connect(connection: Any, _record: Any) -> None:
    """Let SQLAlchemy, not sqlite3, begin transactions; readers never wait for a writer."""
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


def _on_begin(connection: sa.Connection) -> None:
    write = connection.get_execution_options().get("mistudio_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
