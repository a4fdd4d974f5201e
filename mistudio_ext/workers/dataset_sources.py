"""Where a dataset comes from: a folder of ``save_to_disk``, data files, a Hub layout."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mistudio_ext.errors import AccessDeniedError, InvalidInputError, NotFoundError
from mistudio_ext.store.files import FORMATS, READERS, split_extension
from mistudio_ext.store.readers import BadRows, Settings
from mistudio_ext.store.readers.arrow_types import plain
from mistudio_ext.store.readers.columnar import checked
from mistudio_ext.store.readers.settings import refuse_without_effect
from mistudio_ext.workers.dataset_files import (
    BATCH_ROWS,
    DataFile,
    import_datasets,
    unknown_format,
)
from mistudio_ext.workers.folder_layout import list_files, read_layout

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass
class SplitSource:
    """One split before it is imported.

    Either ``files`` are read one after the other, or ``saved`` is a
    ``datasets.Dataset`` that was opened from disk.
    """

    name: str
    files: Sequence[DataFile] = ()
    saved: Any = None
    #: Told about broken rows of ``saved``; None stops at the first.
    bad_rows: BadRows | None = None

    @property
    def features(self) -> Any:
        """Column types of ``datasets``, where the source gives them."""
        if self.saved is not None:
            return self.saved.features
        return self.files[0].features if self.files else None

    @property
    def written_as_text(self) -> bool:
        """Whether all numbers of the split are texts in its files, as in CSV."""
        return bool(self.files) and all(file.reader == "csv" for file in self.files)

    def estimated_bytes(self) -> int:
        """Return about how many bytes of Arrow the split becomes."""
        if self.saved is not None:
            return int(self.saved.data.nbytes)
        return sum(file.estimated_bytes() for file in self.files)

    def known_rows(self) -> int | None:
        """Return the number of rows, where it can be told beforehand."""
        if self.saved is not None:
            return int(self.saved.num_rows)
        total = 0
        for file in self.files:
            rows = file.known_rows()
            if rows is None:
                return None
            total += rows
        return total

    def tables(self) -> Iterator[pa.Table]:
        """Yield the rows as Arrow tables."""
        if self.saved is not None and self.saved.num_rows:
            row = 0
            for table in self.saved.with_format("arrow").iter(BATCH_ROWS):
                yield checked(
                    plain(table), row, self.bad_rows or BadRows("stop", self.name, unit="row")
                )
                row += table.num_rows
        for file in self.files:
            yield from file.tables()


@dataclass
class Source:
    """All splits of a dataset before it is imported."""

    splits: list[SplitSource]
    config: str | None = None
    revision: str | None = None
    #: Names of all splits, chosen or not.
    names: list[str] = field(default_factory=list)
    #: Files that are not read -> why.
    left_out: Mapping[str, str] = field(default_factory=dict)

    def files(self) -> Iterator[DataFile]:
        """Yield the data files of all splits."""
        for split in self.splits:
            yield from split.files

    def watch(self, choice: str) -> list[BadRows]:
        """Choose what becomes of broken rows; return what counts them as they are read."""
        watching = []
        for split in self.splits:
            if split.saved is not None:
                split.bad_rows = BadRows(choice, f"The split '{split.name}'", unit="row")
                watching.append(split.bad_rows)
            for file in split.files:
                file.bad_rows = BadRows(choice, file.path.name)
                watching.append(file.bad_rows)
        return watching


def open_path(
    path: Path,
    *,
    config: str | None = None,
    splits: Sequence[str] | None = None,
    scratch: Path,
    options: Mapping[str, Any] | None = None,
    text_column: str | None = None,
) -> Source:
    """Find the splits in a file or folder.

    Parameters
    ----------
    path
        A data file, a folder of them (with or without a dataset card), or a
        folder written by ``save_to_disk``.
    config
        Configuration of the dataset card.
    splits
        Which splits; None for all.
    scratch
        Folder for what readers leave behind.
    options
        How a file, or each file of a folder, is to be read: ``format``, ``encoding``,
        ``delimiter``, ``header``, ``quoting`` and ``types``.
    text_column
        The column that the request names as the text.

    Raises
    ------
    NotFoundError
        ``no_such_path``, ``no_such_split`` or ``no_such_config``.
    InvalidInputError
        ``unknown_format`` or ``empty_dataset``.
    """
    try:
        if not path.exists():
            raise NotFoundError(
                f"There is nothing at {path}.",
                code="no_such_path",
                field="path",
                hint="Give the full path of a file or folder that the server can read.",
            )
        if path.is_file():
            found = _from_file(path, options or {}, text_column)
        elif (path / "dataset_dict.json").is_file() or (path / "state.json").is_file():
            refuse_without_effect(options or {}, [], f"the saved dataset {path.name}")
            found = _from_saved(path)
        else:
            found = _from_folder(path, config, scratch, options or {}, text_column)
    except PermissionError as error:
        raise AccessDeniedError(
            f"{path} cannot be read: permission denied.",
            field="path",
            hint="Ask its owner for access, or choose another folder.",
        ) from error
    found.names = [split.name for split in found.splits]
    found.splits = [
        split for split in found.splits if split.name in check_splits(found.names, splits)
    ]
    return found


def check_splits(names: Sequence[str], wanted: Sequence[str] | None) -> Sequence[str]:
    """Return the wanted splits, all if None; raise ``no_such_split`` for one that is not there."""
    for name in wanted or ():
        if name not in names:
            raise NotFoundError(
                f"The dataset has no split '{name}'.",
                code="no_such_split",
                field="split",
                hint=f"Its splits are {', '.join(names)}.",
            )
    return wanted or names


def empty_dataset(what: str) -> InvalidInputError:
    """Return the error for a dataset without rows."""
    return InvalidInputError(
        f"{what} has no rows.",
        code="empty_dataset",
        field="path",
        hint="Check that the right file, configuration and split were chosen.",
    )


def _from_file(path: Path, options: Mapping[str, Any], text_column: str | None) -> Source:
    extension, _ = split_extension(path.name)
    chosen = options.get("format")
    if (chosen not in READERS) if chosen else (extension not in FORMATS):
        raise unknown_format(path.name)
    if path.stat().st_size == 0:
        raise empty_dataset(path.name)
    reader = str(chosen or FORMATS[extension])
    refuse_without_effect(options, [reader], path.name)
    settings = Settings.from_options(options, text_column)
    return Source([SplitSource("train", [DataFile(path, reader, settings)])])


def _from_saved(path: Path) -> Source:
    """Open the splits one by one, since one without rows keeps ``datasets`` from opening any."""
    try:
        if not (path / "dataset_dict.json").is_file():
            return Source([_saved_split(path, None)])
        listing = json.loads((path / "dataset_dict.json").read_text())
        return Source([_saved_split(path / str(name), str(name)) for name in listing["splits"]])
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, PermissionError):
            raise
        raise InvalidInputError(
            f"{path.name} was made by save_to_disk but cannot be opened: {error}",
            code="broken_file",
            field="path",
            hint="Check that the whole folder was copied.",
        ) from error


def _saved_split(folder: Path, name: str | None) -> SplitSource:
    state = json.loads((folder / "state.json").read_text())
    name = name or str(state["_split"] or "train")
    if not state["_data_files"]:
        return SplitSource(name)
    return SplitSource(name, saved=import_datasets().load_from_disk(str(folder)))


def _from_folder(
    path: Path,
    config: str | None,
    scratch: Path,
    options: Mapping[str, Any],
    text_column: str | None,
) -> Source:
    names = list_files(path)
    if not names:
        raise InvalidInputError(
            f"The folder {path} is empty.",
            code="empty_dataset",
            field="path",
            hint="Put data files into it, or choose another folder.",
        )
    layout = read_layout(names, path, path.name, config, scratch)
    layout = layout.with_unclaimed().with_options(options, text_column, path.name)
    source = Source([], config=layout.config, left_out=layout.left_out)
    for name, paths in layout.files.items():
        files = [
            DataFile(path / item, layout.reader, layout.settings, layout.features) for item in paths
        ]
        source.splits.append(SplitSource(name, files))
    return source
