"""Reading and writing rows of one table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Generic, TypeVar

import sqlalchemy as sa

from mistudio_ext.catalog.records import Record, now
from mistudio_ext.disk.full import is_full
from mistudio_ext.errors import BusyError, ConflictError, NoSpaceError, NotFoundError

R = TypeVar("R", bound=Record)


class Repository(Generic[R]):
    """Rows of one table as frozen records.

    Parameters
    ----------
    engine
        The catalog's engine.
    table
        The table.
    record
        The record's class.
    noun
        What a row is called in messages.
    keep_room
        Called before a row is added; raises NoSpaceError where the disk has no room for it.
    """

    def __init__(
        self,
        engine: sa.Engine,
        table: sa.Table,
        record: type[R],
        noun: str,
        keep_room: Callable[[], None] = lambda: None,
    ) -> None:
        self._engine = engine
        self._table = table
        self._record = record
        self._noun = noun
        self._keep_room = keep_room

    def add(self, record: R) -> R:
        """Insert a row; ConflictError if a unique value is taken, NoSpaceError on a full disk."""
        self._keep_room()
        with self._write() as connection:
            connection.execute(self._table.insert().values(**asdict(record)))
        return record

    def get(self, row_id: str) -> R:
        """Return a row; NotFoundError if there is none."""
        found = self.find(id=row_id)
        if found is None:
            raise NotFoundError(
                f"There is no {self._noun} '{row_id}'.",
                code=f"no_such_{self._noun}",
                hint=f"List what there is, and use the id or name of a {self._noun} in it.",
            )
        return found

    def find(self, **equal: Any) -> R | None:
        """Return the newest row with these values, or None."""
        found = self.list(limit=1, **equal)
        return found[0] if found else None

    def list(
        self, *, limit: int | None = None, oldest_first: bool = False, **equal: Any
    ) -> list[R]:
        """Return rows, newest first; a sequence as a value means any of them."""
        columns = self._table.c
        query = sa.select(self._table)
        for name, value in equal.items():
            many = isinstance(value, Sequence) and not isinstance(value, str)
            query = query.where(columns[name].in_(value) if many else columns[name] == value)
        by_time = columns.created_at if oldest_first else columns.created_at.desc()
        # SQLite's rowid breaks ties within the same millisecond.
        tie = sa.text("rowid" if oldest_first else "rowid DESC")
        query = query.order_by(by_time, tie).limit(limit)
        with self._engine.connect() as connection:
            return [self._record(**row) for row in connection.execute(query).mappings()]

    def update(self, row_id: str, **changes: Any) -> R:
        """Change fields of a row and return it."""
        self._change(self._table.c.id == row_id, changes)
        return self.get(row_id)

    def update_if(self, row_id: str, expected: dict[str, Any], **changes: Any) -> bool:
        """Change a row only if it still has the expected values; tell whether it had."""
        condition = self._table.c.id == row_id
        for name, value in expected.items():
            condition &= self._table.c[name] == value
        return self._change(condition, changes) == 1

    def delete(self, row_id: str) -> bool:
        """Delete a row; tell whether there was one."""
        with self._write() as connection:
            statement = self._table.delete().where(self._table.c.id == row_id)
            return bool(connection.execute(statement).rowcount)

    def _change(self, condition: sa.ColumnElement[bool], changes: dict[str, Any]) -> int:
        values = {"updated_at": now(), **changes}
        with self._write() as connection:
            statement = self._table.update().where(condition).values(**values)
            return int(connection.execute(statement).rowcount)

    @contextmanager
    def _write(self) -> Iterator[sa.Connection]:
        """Yield a connection in a transaction; raise what SQLite says as errors of ours."""
        try:
            with self._engine.execution_options(mistudio_write=True).begin() as connection:
                yield connection
        except sa.exc.IntegrityError as error:
            raise ConflictError(
                f"There is already such a {self._noun}.", code="already_there"
            ) from error
        except sa.exc.OperationalError as error:
            if is_full(error):
                raise NoSpaceError(
                    "The disk of the catalog is full.",
                    hint="Free some space there, then try again.",
                ) from error
            if "is locked" in str(error.orig):
                raise BusyError(
                    "Another program holds the catalog.",
                    code="catalog_busy",
                    hint="Try again; if that does not help, look for a program that has "
                    "catalog.sqlite3 open.",
                ) from error
            raise
