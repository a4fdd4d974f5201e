"""Full-text index of a split, in SQLite FTS5 beside its rows.

The index holds no text (``content=''``): its row ids are those of the split.
While it is being built it can be asked for the rows that it has; the rest is
searched without it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from mistudio_ext.store.query import WORD_CATEGORIES, Node, Term

Indices = npt.NDArray[np.int64]

#: Memory that FTS5 collects words in before it writes them.
_HASH_BYTES = 64 << 20

_SCHEMA = f"""
CREATE VIRTUAL TABLE docs USING fts5(
    text, content='', columnsize=0,
    tokenize="unicode61 remove_diacritics 0 categories '{WORD_CATEGORIES}'"
);
CREATE TABLE state (column_name TEXT NOT NULL, fingerprint TEXT NOT NULL, n_rows INTEGER NOT NULL);
"""


#: Words whose rows are counted when the index is made: those that take long to count.
_FREQUENT = 10_000

#: Rarest words that are kept for the statistics.
_RARE = 100

_COUNT_WORDS = f"""
CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab(main, docs, 'row');
CREATE TEMP TABLE counted AS SELECT term AS word, cnt AS n, doc AS n_rows FROM temp.vocabulary;
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
                except (sqlite3.Error, TypeError):
                    continue
                if found.column == column:
                    return found
        return None

    def count(self, query: Node) -> int:
        """Return how many rows match."""
        known = self._known_count(query)
        if known is not None:
            return known
        return _count(self._path, self.n_rows, self._path.stat().st_mtime_ns, query.to_fts())

    def _known_count(self, query: Node) -> int | None:
        """Return the rows of a frequent word, which were counted when the index was made."""
        if not isinstance(query, Term) or query.prefix or len(query.words) != 1:
            return None
        sql = "SELECT n_rows FROM frequent WHERE word = ?"
        with closing(_connect(self._path)) as db:
            try:
                row = db.execute(sql, (query.words[0].lower(),)).fetchone()
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

    def all(self, query: Node) -> Indices:
        """Return all rows that match, in the order of the split."""
        rows = self._ask("SELECT rowid FROM docs WHERE docs MATCH ? ORDER BY rowid", query)
        return np.fromiter((row[0] for row in rows), np.int64, len(rows))

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

    def _ask(self, sql: str, query: Node, *values: int) -> list[Any]:
        with closing(_connect(self._path)) as db:
            return db.execute(sql, (query.to_fts(), *values)).fetchall()


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=10)


@lru_cache(maxsize=256)
def _count(path: Path, n_rows: int, mtime_ns: int, fts: str) -> int:
    """Count the rows that match; kept, because each further page needs it again."""
    with closing(_connect(path)) as db:
        sql = "SELECT count(*) FROM docs WHERE docs MATCH ?"
        return int(db.execute(sql, (fts,)).fetchone()[0])


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
    """

    def __init__(self, split: Path, column: str, fingerprint: str) -> None:
        self._split = split
        self._path = building_path(split)
        self._db = self._resume(column, fingerprint) or self._begin(column, fingerprint)
        self._db.execute("INSERT INTO docs(docs, rank) VALUES('hashsize', ?)", (_HASH_BYTES,))
        (self.n_rows,) = self._db.execute("SELECT n_rows FROM state").fetchone()

    def add(self, texts: Sequence[str]) -> None:
        """Index the next rows and commit them."""
        rows = enumerate(texts, self.n_rows)
        with self._db:
            self._db.executemany("INSERT INTO docs(rowid, text) VALUES (?, ?)", rows)
            self.n_rows += len(texts)
            self._db.execute("UPDATE state SET n_rows = ?", (self.n_rows,))

    def finish(self) -> int:
        """Merge what was written, put the index in its place, return its bytes."""
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

    def _resume(self, column: str, fingerprint: str) -> sqlite3.Connection | None:
        if not self._path.is_file():
            return None
        db = sqlite3.connect(self._path)
        try:
            state = db.execute("SELECT column_name, fingerprint FROM state").fetchone()
        except sqlite3.Error:
            state = None
        if state == (column, fingerprint):
            return db
        db.close()
        _remove(self._path)
        return None

    def _begin(self, column: str, fingerprint: str) -> sqlite3.Connection:
        db = sqlite3.connect(self._path)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.executescript(_SCHEMA)
        with db:
            db.execute("INSERT INTO state VALUES (?, ?, 0)", (column, fingerprint))
        return db


def _remove(path: Path) -> None:
    for name in _with_journals(path):
        name.unlink(missing_ok=True)


def _with_journals(path: Path) -> Iterable[Path]:
    return (path, *(path.with_name(path.name + tail) for tail in ("-wal", "-shm", "-journal")))
