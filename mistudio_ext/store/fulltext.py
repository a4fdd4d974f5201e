"""Full-text index of a split, in SQLite FTS5 beside its rows.

The index holds no text (``content=''``): its row ids are those of the split.
While it is being built it can be asked for the rows that it has; the rest is
searched without it.
"""

from __future__ import annotations

import math
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from mistudio_ext.store.query import Node, Term
from mistudio_ext.store.search.words import MARKS, spaced

Indices = npt.NDArray[np.int64]

#: Memory that FTS5 collects words in before it writes them.
_HASH_BYTES = 64 << 20

#: Steps of SQLite between two looks at the room, and bytes that it writes in them at most: one
#: page every few steps, and its cache of 2 MB at a commit.
_LOOK_STEPS, _LOOK_BYTES = 1000, 8 << 20

#: How texts are read as words; an index of another version is not asked, and made anew.
VERSION = 2

# Texts come as words with blanks between, so FTS5 has nothing left to decide: its ascii
# tokenizer takes all characters beyond ASCII for letters.
_SCHEMA = f"""
PRAGMA user_version = {VERSION};
CREATE VIRTUAL TABLE docs USING fts5(
    text, content='', columnsize=0, tokenize="ascii tokenchars '{"".join({*"".join(MARKS)})}'"
);
CREATE TABLE state (column_name TEXT NOT NULL, fingerprint TEXT NOT NULL, n_rows INTEGER NOT NULL);
"""


#: Words whose rows are counted when the index is made: those that take long to count.
_FREQUENT = 10_000

#: Rarest words that are kept for the statistics.
_RARE = 100

#: Rows that are looked through between two looks at the clock.
_PART_ROWS = 1 << 14

#: Parts and counts that are kept, because each further page needs them again.
_KEPT_PARTS, _KEPT_COUNTS = 512, 256

_COUNT_WORDS = f"""
CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab(main, docs, 'row');
CREATE TEMP TABLE counted AS SELECT term AS word, cnt AS n, doc AS n_rows FROM temp.vocabulary
WHERE term NOT IN ({", ".join(f"'{mark}'" for mark in MARKS)});
CREATE TABLE frequent (word TEXT PRIMARY KEY, n INTEGER, n_rows INTEGER) WITHOUT ROWID;
INSERT INTO frequent SELECT * FROM counted ORDER BY n_rows DESC LIMIT {_FREQUENT};
CREATE TABLE rare (word TEXT, n INTEGER, n_rows INTEGER);
INSERT INTO rare SELECT * FROM counted ORDER BY n, word LIMIT {_RARE};
CREATE TABLE vocabulary_size (n INTEGER);
INSERT INTO vocabulary_size SELECT count(*) FROM counted;
DROP TABLE temp.counted;
DROP TABLE temp.vocabulary;
"""


def index_path(split: Path) -> Path:
    """Return the file of a split's index."""
    return split / "index.sqlite3"


def building_path(split: Path) -> Path:
    """Return the file of an index that is being built."""
    return split / "index.building.sqlite3"


class Index:
    """A split's index, for searching.

    Attributes
    ----------
    column
        The column that it is of.
    n_rows
        Rows of the split that it has, from the first on.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with closing(_connect(self._path)) as db:
            if not _current(db):
                raise OutdatedIndexError(path)
            self.column, self.fingerprint, self.n_rows = db.execute(
                "SELECT column_name, fingerprint, n_rows FROM state"
            ).fetchone()

    @classmethod
    def open(cls, split: Path, column: str) -> Index | None:
        """Return the index of this column, finished or not; None if there is none."""
        for path in (index_path(split), building_path(split)):
            if path.is_file():
                try:
                    found = cls(path)
                except (sqlite3.Error, TypeError, OutdatedIndexError):
                    continue
                if found.column == column:
                    return found
        return None

    @staticmethod
    def outdated(split: Path) -> bool:
        """Return whether a split has an index that another version of this library made."""
        try:
            Index(index_path(split))
        except OutdatedIndexError:
            return True
        except (sqlite3.Error, TypeError):
            return False
        return False

    def count(self, query: Node, deadline: float = math.inf) -> tuple[int, bool]:
        """Return how many rows match, and whether that is all of them.

        Parameters
        ----------
        deadline
            When to be content with the rows that were counted by then, in seconds of
            :func:`time.monotonic`. A count that was finished once is kept.
        """
        known = self._known_count(query)
        if known is not None:
            return known, True
        key = (*self._identity(), query.to_fts())
        with _lock:
            kept = _counts.get(key)
        if kept is not None:
            return kept, True
        found, exact = self._count(query, deadline)
        if exact:
            with _lock:
                _counts[key] = found
                while len(_counts) > _KEPT_COUNTS:
                    del _counts[next(iter(_counts))]
        return found, exact

    def _count(self, query: Node, deadline: float) -> tuple[int, bool]:
        sql = "SELECT count(*) FROM docs WHERE docs MATCH ?"
        if deadline == math.inf:
            return int(self._ask(sql, query)[0][0]), True
        found = 0
        with closing(_connect(self._path)) as db:
            for first in range(0, self.n_rows, _PART_ROWS):
                if time.monotonic() > deadline:
                    return found, False
                bounds = (first, first + _PART_ROWS)
                part = db.execute(f"{sql} AND rowid >= ? AND rowid < ?", (query.to_fts(), *bounds))
                found += int(part.fetchone()[0])
        return found, True

    def _known_count(self, query: Node) -> int | None:
        """Return the rows of a frequent word, which were counted when the index was made."""
        if not isinstance(query, Term) or query.prefix or len(query.words) != 1:
            return None
        sql = "SELECT n_rows FROM frequent WHERE word = ?"
        with closing(_connect(self._path)) as db:
            try:
                row = db.execute(sql, (query.words[0],)).fetchone()
            except sqlite3.OperationalError:
                return None  # It is still being built.
        return None if row is None else int(row[0])

    def page(self, query: Node, offset: int, limit: int) -> list[int]:
        """Return some of the rows that match, in the order of the split."""
        rows = self._ask(
            "SELECT rowid FROM docs WHERE docs MATCH ? ORDER BY rowid LIMIT ? OFFSET ?",
            query,
            limit,
            offset,
        )
        return [row[0] for row in rows]

    def parts(self, query: Node) -> Iterator[Indices]:
        """Yield the rows that match, in the order of the split, a part of it at a time."""
        for first in range(0, self.n_rows, _PART_ROWS):
            yield _part(*self._identity(), query.to_fts(), first).astype(np.int64)

    def all(self, query: Node) -> Indices:
        """Return all rows that match, in the order of the split."""
        return np.concatenate([np.zeros(0, np.int64), *self.parts(query)])

    def words(self, limit: int) -> dict[str, Any] | None:
        """Return how many different words there are, the most frequent and the rarest.

        Returns
        -------
        dict
            ``{"unique_words", "top_words", "rare_words"}``; a word is ``{"word",
            "count", "rows"}``. None while the index is being built.
        """
        with closing(_connect(self._path)) as db:
            try:
                (total,) = db.execute("SELECT n FROM vocabulary_size").fetchone()
            except sqlite3.OperationalError:
                return None
            listed = [
                db.execute(f"SELECT word, n, n_rows FROM {table} LIMIT ?", (limit,)).fetchall()
                for table in ("(SELECT * FROM frequent ORDER BY n DESC)", "rare")
            ]
        top, rare = ([{"word": w, "count": n, "rows": r} for w, n, r in rows] for rows in listed)
        return {"unique_words": int(total), "top_words": top, "rare_words": rare}

    def _identity(self) -> tuple[Path, int, int]:
        """Return what is another for other rows; an index grows while it is being built."""
        if not self._path.is_file():
            self._path = index_path(self._path.parent)
        return self._path, self.n_rows, self._path.stat().st_mtime_ns

    def _ask(self, sql: str, query: Node, *values: int) -> list[Any]:
        with closing(_connect(self._path)) as db:
            return db.execute(sql, (query.to_fts(), *values)).fetchall()


class OutdatedIndexError(Exception):
    """An index was made by another version, which read texts in another way."""


def _current(db: sqlite3.Connection) -> bool:
    return bool(db.execute("PRAGMA user_version").fetchone()[0] == VERSION)


def _connect(path: Path) -> sqlite3.Connection:
    """Open an index to read it: by its last name, if it was finished since it was found."""
    try:
        return _open(path)
    except sqlite3.OperationalError:
        finished = index_path(path.parent)
        if path == finished:
            raise
        return _open(finished)


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=10)


_counts: dict[tuple[Path, int, int, str], int] = {}
_lock = threading.Lock()


@lru_cache(maxsize=_KEPT_PARTS)
def _part(path: Path, n_rows: int, mtime_ns: int, fts: str, first: int) -> npt.NDArray[np.int32]:
    """Return the rows of one part that match, as one text: three times faster than row by row."""
    sql = (
        "SELECT group_concat(rowid) FROM ("
        "SELECT rowid FROM docs WHERE docs MATCH ? AND rowid >= ? AND rowid < ? ORDER BY rowid)"
    )
    with closing(_connect(path)) as db:
        (rows,) = db.execute(sql, (fts, first, min(first + _PART_ROWS, n_rows))).fetchone()
    return np.fromstring(rows or "", np.int32, sep=",")


def forget_counts() -> None:
    """Forget what earlier pages have counted."""
    with _lock:
        _counts.clear()
    _part.cache_clear()


class IndexBuilder:
    """Fills an index; what an earlier process had committed is kept.

    Parameters
    ----------
    split
        Folder of the split.
    column
        Column that is indexed.
    fingerprint
        Of the dataset; an unfinished index of another one is thrown away.
    room
        Asked again and again, while SQLite writes, whether so many bytes fit; what it raises
        ends the work.
    """

    def __init__(
        self,
        split: Path,
        column: str,
        fingerprint: str,
        room: Callable[[int], None] = lambda _n_bytes: None,
    ) -> None:
        self._split = split
        self._path = building_path(split)
        self._log = self._path.with_name(f"{self._path.name}-wal")
        self._room = room
        self._refused: Exception | None = None
        self._db = self._resume(column, fingerprint) or self._begin(column, fingerprint)
        self._db.set_progress_handler(self._look, _LOOK_STEPS)
        self._db.execute("INSERT INTO docs(docs, rank) VALUES('hashsize', ?)", (_HASH_BYTES,))
        (self.n_rows,) = self._db.execute("SELECT n_rows FROM state").fetchone()

    def add(self, texts: Sequence[str]) -> None:
        """Index the next rows and commit them."""
        rows = enumerate(map(spaced, texts), self.n_rows)
        with self._watched(), self._db:
            self._db.executemany("INSERT INTO docs(rowid, text) VALUES (?, ?)", rows)
            self.n_rows += len(texts)
            self._db.execute("UPDATE state SET n_rows = ?", (self.n_rows,))

    def finish(self) -> int:
        """Merge what was written, put the index in its place, return its bytes."""
        with self._watched():
            with self._db:
                self._db.execute("INSERT INTO docs(docs) VALUES('optimize')")
            self._db.executescript(_COUNT_WORDS)
            self._db.execute("PRAGMA journal_mode = DELETE")
        self._db.close()
        self._path.replace(index_path(self._split))
        return index_path(self._split).stat().st_size

    def abandon(self) -> None:
        """Close and remove what was begun."""
        self._db.close()
        _remove(self._path)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Raise what the room's asking raised instead of SQLite's own word for it."""
        try:
            yield
        except sqlite3.OperationalError as error:
            if self._refused is None:
                raise
            raise self._refused from error

    def _look(self) -> bool:
        """Tell SQLite to stop where there is no room for what it may write until the next look."""
        logged = self._log.stat().st_size if self._log.is_file() else 0
        try:
            # What is in the log is written once more, into the file.
            self._room(logged + _LOOK_BYTES)
        except Exception as error:  # noqa: BLE001 - SQLite swallows it; it is raised afterwards
            self._refused = error
        return self._refused is not None

    def _resume(self, column: str, fingerprint: str) -> sqlite3.Connection | None:
        if not self._path.is_file():
            return None
        db = sqlite3.connect(self._path)
        try:
            state = db.execute("SELECT column_name, fingerprint FROM state").fetchone()
            if not _current(db):
                state = None
        except sqlite3.Error:
            state = None
        if state == (column, fingerprint):
            return db
        db.close()
        _remove(self._path)
        return None

    def _begin(self, column: str, fingerprint: str) -> sqlite3.Connection:
        db = sqlite3.connect(self._path)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            db.executescript(_SCHEMA)
            with db:
                db.execute("INSERT INTO state VALUES (?, ?, 0)", (column, fingerprint))
        except sqlite3.Error:
            db.close()
            _remove(self._path)
            raise
        return db


def _remove(path: Path) -> None:
    for name in _with_journals(path):
        name.unlink(missing_ok=True)


def _with_journals(path: Path) -> Iterable[Path]:
    return (path, *(path.with_name(path.name + tail) for tail in ("-wal", "-shm", "-journal")))
