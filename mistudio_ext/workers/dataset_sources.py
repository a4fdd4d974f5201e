"""Where a dataset comes from: a folder of ``save_to_disk``, data files, a Hub layout."""

from __future__ import annotations

import dataclasses
import json
import re
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
from mistudio_ext.workers.card_options import card_settings
from mistudio_ext.workers.dataset_files import (
    BATCH_ROWS,
    DataFile,
    import_datasets,
    unknown_format,
)

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
    scratch: Path | None = None,
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
            found = _from_file(path, scratch, options or {}, text_column)
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


def _from_file(
    path: Path, scratch: Path | None, options: Mapping[str, Any], text_column: str | None
) -> Source:
    extension, _ = split_extension(path.name)
    chosen = options.get("format")
    if (chosen not in READERS) if chosen else (extension not in FORMATS):
        raise unknown_format(path.name)
    if path.stat().st_size == 0:
        raise empty_dataset(path.name)
    reader, named = FORMATS.get(extension, ("", {}))
    if chosen and chosen != reader:
        reader, named = chosen, {}
    refuse_without_effect(options, [reader], path.name)
    settings = Settings.from_options({**named, **options}, text_column)
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
    scratch: Path | None,
    options: Mapping[str, Any],
    text_column: str | None,
) -> Source:
    if not any(item.is_file() for item in path.rglob("*")):
        raise InvalidInputError(
            f"The folder {path} is empty.",
            code="empty_dataset",
            field="path",
            hint="Put data files into it, or choose another folder.",
        )
    layout = read_layout(path, config, scratch).with_options(options, text_column, path.name)
    source = Source([], config=layout.config)
    for name, paths in layout.files.items():
        files = [
            DataFile(Path(item), layout.reader, layout.settings, layout.features) for item in paths
        ]
        source.splits.append(SplitSource(name, files))
    return source


@dataclass
class Layout:
    """What a dataset card, or the names of the files, say about a folder."""

    config: str | None
    reader: str
    settings: Settings
    features: Any
    #: Split -> paths of its files.
    files: dict[str, list[str]]

    def with_options(
        self, options: Mapping[str, Any], text_column: str | None, name: str
    ) -> Layout:
        """Return the layout with what a request says about each of the files."""
        refuse_without_effect(options, [self.reader], f"the files of {name}")
        if (form := options.get("format")) not in (None, self.reader):
            raise InvalidInputError(
                f"The files of {name} are read as {self.reader}, not as {form}.",
                code="bad_option",
                field="format",
                hint="Leave the format out, or import the files one by one.",
            )
        said = Settings.from_options(options, text_column)
        return dataclasses.replace(self, settings=said.over(self.settings))


def read_layout(path: Path, config: str | None, scratch: Path | None) -> Layout:
    """Let ``datasets`` find the configuration, splits and files of a folder.

    Only names and the card are looked at, so the files may be empty.
    """
    datasets = import_datasets()
    try:
        builder = datasets.load_dataset_builder(
            str(path),
            name=config,
            cache_dir=None if scratch is None else str(scratch / "cache"),
        )
    except (datasets.exceptions.DatasetNotFoundError, FileNotFoundError, RuntimeError) as error:
        raise _no_data_files(path) from error
    except Exception as error:
        # Cards are written by hand: broken YAML, addresses elsewhere, archives and more.
        raise _bad_config(error, path, config) from error
    modules = [kind.__module__ for kind in type(builder).__mro__]
    reader = next((m.rsplit(".", 1)[-1] for m in modules if ".packaged_modules." in m), "unknown")
    if reader not in READERS:
        raise unknown_format(f"{path.name} ({reader})")
    settings = {
        item.name: getattr(builder.config, item.name)
        for item in dataclasses.fields(builder.config)
        if item.name not in {f.name for f in dataclasses.fields(datasets.BuilderConfig)}
        and item.name != "features"
        and getattr(builder.config, item.name) != getattr(type(builder.config)(), item.name)
    }
    named = None if builder.config.name == "default" and config is None else builder.config.name
    return Layout(
        config=named,
        reader=reader,
        settings=card_settings(reader, settings),
        features=builder.info.features,
        files={
            str(name): [str(f) for f in paths] for name, paths in builder.config.data_files.items()
        },
    )


def _no_data_files(path: Path) -> InvalidInputError:
    found = sorted({item.suffix for item in path.rglob("*") if item.is_file() and item.suffix})
    error = unknown_format(f"{path.name} (it holds {', '.join(found[:8]) or 'no'} files)")
    if (path / f"{path.name}.py").is_file():
        error.hint = "It is made by a Python script, which is not run. Import its data files."
    return error


def _bad_config(error: Exception, path: Path, config: str | None) -> Exception:
    """Turn what ``datasets`` says about configurations into our own words."""
    text = str(error)
    listed = re.search(r"(?:Available: |available configs: )(\[.*?\])", text)
    names = re.findall(r"'([^']+)'", listed.group(1)) if listed else []
    if listed and config is not None:
        return NotFoundError(
            f"The dataset has no configuration '{config}'.",
            code="no_such_config",
            field="config",
            hint=f"Its configurations are {', '.join(names)}.",
        )
    if listed:
        return InvalidInputError(
            "The dataset has several configurations.",
            code="config_needed",
            field="config",
            hint=f"Choose one of {', '.join(names)}.",
        )
    return InvalidInputError(
        f"{path.name} cannot be read as a dataset: {' '.join(text.split())[:300]}",
        code="unknown_format",
        field="path",
        hint="Check the 'configs' part of its README.md, and unpack archives.",
    )
