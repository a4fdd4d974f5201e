"""Which files of a folder or repository belong to which split, by the card or by their names.

``datasets`` decides that, on a folder of empty files with the same names: only names and the card
count, and no name of a file or folder is taken for a pattern.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from mistudio_ext.errors import InvalidInputError, NotFoundError
from mistudio_ext.store.files import FORMATS, READERS, split_extension
from mistudio_ext.store.readers import Settings
from mistudio_ext.store.readers.settings import refuse_without_effect
from mistudio_ext.workers.card_options import card_settings
from mistudio_ext.workers.dataset_files import import_datasets, unknown_format

#: Files that say how the others belong together.
CARDS = ("README.md", ".huggingface.yaml", "dataset_infos.json")

#: Files beside the data that nobody takes for data.
_BESIDE = frozenset(
    ("readme.md", "dataset_infos.json", "dataset_info.json", "config.json", "license")
)

_MAGIC = re.compile(r"[*?\[\]{}:#]")


@dataclass
class Layout:
    """What a dataset card, or the names of the files, say about a folder."""

    config: str | None
    reader: str
    settings: Settings
    features: Any
    #: Split -> names of its files, relative to the folder.
    files: dict[str, list[str]]
    #: Files of the same format that no split has.
    unclaimed: list[str] = field(default_factory=list)
    #: Files that are not read -> why.
    left_out: dict[str, str] = field(default_factory=dict)

    def with_unclaimed(self) -> Layout:
        """Return the layout with the files that no split has in ``train``."""
        if not self.unclaimed:
            return self
        files = {"train": [*self.files.get("train", []), *self.unclaimed]}
        files |= {name: paths for name, paths in self.files.items() if name != "train"}
        left_out = {k: v for k, v in self.left_out.items() if k not in self.unclaimed}
        return dataclasses.replace(self, files=files, unclaimed=[], left_out=left_out)

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


def list_files(folder: Path) -> list[str]:
    """Return the names of all files in a folder, relative to it, those of hidden ones left out."""
    return sorted(PurePosixPath(name).as_posix() for name in _walk(folder, "", frozenset()))


def _walk(folder: Path, prefix: str, above: frozenset[str]) -> Iterator[str]:
    here = os.path.realpath(folder)
    if here in above:
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            hidden = entry.name.startswith((".", "__")) and entry.name not in CARDS
            if hidden:
                continue
            if entry.is_dir():
                yield from _walk(folder / entry.name, f"{prefix}{entry.name}/", above | {here})
            elif entry.is_file():
                yield prefix + entry.name


def read_layout(
    names: Sequence[str], cards: Path, title: str, config: str | None, scratch: Path
) -> Layout:
    """Let ``datasets`` find the configuration, splits and files among some names.

    Parameters
    ----------
    names
        Of all files, relative to the folder or repository.
    cards
        Folder in which those of :data:`CARDS` lie.
    title
        Name of the folder or repository, for messages.
    config
        Configuration that is wanted.
    scratch
        Folder in which the empty files are made.
    """
    root = (scratch / "layout").resolve()
    aliases = _lay_out(names, cards, root)
    layout = _found(root, title, config, scratch)
    for split, paths in layout.files.items():
        layout.files[split] = [aliases[_inside(path, root)] for path in paths]
    used = {name for paths in layout.files.values() for name in paths}
    if not _has_configs(root):
        layout.settings = Settings()  # Those of the most common extension are not said for all.
        _name_the_rest(layout, [name for name in names if name not in used])
    return layout


def _lay_out(names: Sequence[str], cards: Path, root: Path) -> dict[str, str]:
    """Make empty files; return their names -> the names that they stand for."""
    root.mkdir(parents=True)
    aliases: dict[str, str] = {}
    texts = {card: (cards / card).read_bytes() for card in CARDS if card in names}
    for name in names:
        alias = _alias(name, aliases)
        if not (root / alias).resolve().is_relative_to(root):
            continue
        aliases[alias] = name
        (root / alias).parent.mkdir(parents=True, exist_ok=True)
        (root / alias).touch()
        if alias != name:
            texts = {card: _renamed(text, name, alias) for card, text in texts.items()}
    for card, text in texts.items():
        (root / card).write_bytes(text)
    return aliases


def _alias(name: str, taken: Collection[str]) -> str:
    """Return a name without characters of patterns."""
    alias = _MAGIC.sub("_", name)
    while alias in taken:
        path = PurePosixPath(alias)
        stem, dot, extension = path.name.partition(".")
        alias = path.with_name(f"{stem}_{dot}{extension}").as_posix()
    return alias


def _renamed(card: bytes, name: str, alias: str) -> bytes:
    """Return a card in which a file that is named in full has its other name."""
    alone = rb"(?<![^\s\"'\[,])" + re.escape(name.encode()) + rb"(?![^\s\"'\],])"
    return re.sub(alone, alias.encode().replace(b"\\", rb"\\"), card)


def _inside(path: str, root: Path) -> str:
    if "://" in path or not Path(path).is_relative_to(root):
        raise InvalidInputError(
            f"The dataset card points to a file elsewhere: {path}",
            code="unknown_format",
            field="path",
            hint="Download that file and import it from a folder.",
        )
    return Path(path).relative_to(root).as_posix()


def _has_configs(root: Path) -> bool:
    """Return whether the card says which files there are."""
    try:
        text = (root / "README.md").read_text("utf-8", "replace")
    except OSError:
        return False
    front = re.match(r"\A---\s*\n(.*?)\n---\s*(\n|\Z)", text, re.DOTALL)
    return front is not None and re.search(r"^configs:", front.group(1), re.MULTILINE) is not None


def _name_the_rest(layout: Layout, names: Sequence[str]) -> None:
    """Say of each file that no split has why it is not read."""
    for name in names:
        if PurePosixPath(name).name.lower() in _BESIDE:
            continue
        reader = FORMATS.get(split_extension(name)[0])
        if reader == layout.reader:
            layout.unclaimed.append(name)
            layout.left_out[name] = "no split's name is in its name"
        elif reader:
            layout.left_out[name] = f"it is {reader}, and the others are {layout.reader}"
        else:
            layout.left_out[name] = "it is in no format that can be read"


def _found(root: Path, title: str, config: str | None, scratch: Path) -> Layout:
    datasets = import_datasets()
    try:
        builder = datasets.load_dataset_builder(
            str(root), name=config, cache_dir=str(scratch / "cache")
        )
    except (datasets.exceptions.DatasetNotFoundError, FileNotFoundError, RuntimeError) as error:
        raise _no_data_files(root, title) from error
    except Exception as error:
        # Cards are written by hand: broken YAML, addresses elsewhere, archives and more.
        raise _bad_config(error, title, config) from error
    modules = [kind.__module__ for kind in type(builder).__mro__]
    reader = next((m.rsplit(".", 1)[-1] for m in modules if ".packaged_modules." in m), "unknown")
    if reader not in READERS:
        raise unknown_format(f"{title} ({reader})")
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


def _no_data_files(root: Path, title: str) -> InvalidInputError:
    found = sorted({item.suffix for item in root.rglob("*") if item.is_file() and item.suffix})
    error = unknown_format(f"{title} (it holds {', '.join(found[:8]) or 'no'} files)")
    if (root / f"{title}.py").is_file():
        error.hint = "It is made by a Python script, which is not run. Import its data files."
    return error


def _bad_config(error: Exception, title: str, config: str | None) -> Exception:
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
        f"{title} cannot be read as a dataset: {' '.join(text.split())[:300]}",
        code="unknown_format",
        field="path",
        hint="Check the 'configs' part of its README.md, and unpack archives.",
    )
