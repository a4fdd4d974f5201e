"""Write a split as Arrow, the way ``datasets``' ``save_to_disk`` does."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mistudio_ext.store.readers.arrow_types import plain
from mistudio_ext.store.readers.numbers import without_null_types
from mistudio_ext.workers import dataset_schema as schemas
from mistudio_ext.workers.dataset_files import import_datasets
from mistudio_ext.workers.disk import DiskGuard, checksum, sync

if TYPE_CHECKING:
    import pyarrow as pa

_NAME = "data-00000-of-00001.arrow"


class SplitWriter:
    """Writes tables whose columns may differ a little from one to the next.

    A column that is empty at first, or holds whole numbers and later
    fractions, takes the wider type; numbers mixed with text become text. Where
    types have changed on the way, what was written before is written again.

    Parameters
    ----------
    folder
        ``<dataset>/<split>``; made here.
    guard
        Watches the disk.
    """

    def __init__(self, folder: Path, guard: DiskGuard) -> None:
        folder.mkdir(parents=True)
        self.n_rows = 0
        self.n_bytes = 0
        #: Column types of ``datasets`` (images, class labels), where the source has them.
        self.features: Any = None
        #: Whether the source wrote its numbers as text, so that they can become texts again.
        self.written_as_text = False
        self._folder = folder
        self._guard = guard
        self._parts: list[Path] = []
        self._schema: pa.Schema | None = None
        #: Columns whose numbers fit no type of numbers unchanged.
        self._unfit: set[str] = set()

    def write_all(self, tables: Iterable[pa.Table]) -> Iterator[int]:
        """Write tables; yields the number of rows so far after each batch."""
        waiting = iter(tables)
        table = next(waiting, None)
        while table is not None:
            here = plain(table).schema
            self._schema = schemas.widen(self._schema or here, here, self._unfit)
            alike = _WhileAlike(table, waiting, self._schema, self.written_as_text)
            yield from self._write_part(alike)
            table = alike.rest
            self._unfit |= alike.unfit

    def close(self) -> dict[str, Any]:
        """Finish the split; return ``{"name", "n_rows", "n_bytes", "checksum"}``."""
        path = self._folder / _NAME
        written = self._schema
        if self.written_as_text and written is not None:
            self._schema = without_null_types(written)
        if len(self._parts) == 1 and self._schema == written:
            self._parts[0].rename(path)
        else:
            self._merge(path)
        digest = checksum(path)
        self._describe(digest)
        sync(path)
        size = path.stat().st_size
        return {
            "name": self._folder.name,
            "n_rows": self.n_rows,
            "n_bytes": size,
            "checksum": digest,
        }

    def discard(self) -> None:
        """Remove what was begun."""
        shutil.rmtree(self._folder)

    def _write_part(self, tables: Iterable[pa.Table]) -> Iterator[int]:
        import pyarrow as pa

        path = self._folder / f"part-{len(self._parts)}.arrow"
        self._parts.append(path)
        with pa.ipc.new_stream(str(path), self.schema) as stream:
            for batch in schemas.rebatched(tables):
                self._guard.before(batch.nbytes, "The dataset")
                stream.write_batch(batch)
                self.n_rows += batch.num_rows
                self.n_bytes += batch.nbytes
                yield self.n_rows

    def _merge(self, path: Path) -> None:
        """Bring all parts to the final schema in one file."""
        while True:
            try:
                self._write_merged(path)
            except schemas.LossyCastError as error:
                assert self._schema is not None
                self._schema = schemas.widen(self._schema, self._schema, {error.column})
            else:
                break
        for part in self._parts:
            part.unlink()

    def _write_merged(self, path: Path) -> None:
        import pyarrow as pa

        with pa.ipc.new_stream(str(path), self.schema) as stream:
            tables = schemas.read_parts(
                self._parts, self._schema, written_as_text=self.written_as_text
            )
            for batch in schemas.rebatched(tables):
                self._guard.before(batch.nbytes, "The dataset")
                stream.write_batch(batch)

    @property
    def schema(self) -> pa.Schema:
        """Arrow schema with the column types of ``datasets`` in its metadata."""
        import pyarrow as pa

        schema = self._schema or pa.schema([])
        return schema.with_metadata(self._features(schema).arrow_schema.metadata)

    def _features(self, schema: pa.Schema) -> Any:
        """Return the source's column types where they still hold, else those of Arrow."""
        datasets = import_datasets()
        found = datasets.Features.from_arrow_schema(schema.remove_metadata())
        for name, feature in (self.features or {}).items():
            if name in found:
                given = datasets.Features({name: feature}).arrow_schema.field(name).type
                if given == schema.field(name).type:
                    found[name] = feature
        return found

    def _describe(self, digest: str) -> None:
        """Write the two JSON files that ``load_from_disk`` reads."""
        datasets = import_datasets()
        features = datasets.Features.from_arrow_schema(self.schema)
        datasets.DatasetInfo(features=features).write_to_directory(str(self._folder))
        state: dict[str, Any] = {
            "_data_files": [{"filename": _NAME}],
            "_fingerprint": digest.removeprefix("xxh3_128:")[:16],
            "_format_columns": None,
            "_format_kwargs": {},
            "_format_type": None,
            "_output_all_columns": False,
            "_split": self._folder.name,
        }
        (self._folder / "state.json").write_text(json.dumps(state, indent=2))


class _WhileAlike:
    """Tables as long as they fit a schema.

    Attributes
    ----------
    rest : pyarrow.Table or None
        The first that does not.
    unfit : set of str
        Its columns of which a value would change in the schema's type.
    """

    def __init__(
        self,
        first: pa.Table,
        waiting: Iterator[pa.Table],
        schema: pa.Schema,
        written_as_text: bool,
    ) -> None:
        self._written_as_text = written_as_text
        self._first = first
        self._waiting = waiting
        self._schema = schema
        self.rest: pa.Table | None = None
        self.unfit: set[str] = set()

    def __iter__(self) -> Iterator[pa.Table]:
        table: pa.Table | None = self._first
        while table is not None:
            ready = plain(table)
            if not ready.schema.equals(self._schema):
                if not schemas.widen(self._schema, ready.schema).equals(self._schema):
                    self.rest = table
                    return
                try:
                    ready = schemas.cast(ready, self._schema, written_as_text=self._written_as_text)
                except schemas.LossyCastError as error:
                    self.rest = table
                    self.unfit.add(error.column)
                    return
            yield ready
            table = next(self._waiting, None)
