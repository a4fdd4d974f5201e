"""Checks that a folder is a model and is whole, and says which model it is."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mistudio_ext.activations.tokenizer import has_tokenizer as holds_tokenizer
from mistudio_ext.errors import AccessDeniedError, InvalidInputError, NotFoundError
from mistudio_ext.store.files import TOKENIZER_FILES

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
PICKLE_INDEX = "pytorch_model.bin.index.json"
PICKLE = "pytorch_model.bin"

#: Weights that can hide code; of these only ``pytorch_model*.bin`` is ever read, where allowed.
UNSAFE_SUFFIXES = (".bin", ".pt", ".pth", ".pkl", ".ckpt")


@dataclass(frozen=True)
class ModelFolder:
    """A folder with a model in the form of ``save_pretrained``.

    Attributes
    ----------
    path
        The folder.
    config
        Content of ``config.json``.
    weights
        Its safetensors files, or its pickles if they are allowed and there is nothing else.
    tokenizer
        Its tokenizer's files; empty if it has none.
    """

    path: Path
    config: dict[str, Any]
    weights: tuple[Path, ...]
    tokenizer: tuple[Path, ...]

    @property
    def size_bytes(self) -> int:
        """Bytes of weights on disk."""
        return sum(path.stat().st_size for path in self.weights)

    @property
    def pickled(self) -> bool:
        """Whether the weights are pickles."""
        return not self.weights[0].name.endswith(".safetensors")

    @property
    def identity_files(self) -> tuple[Path, ...]:
        """Files that make the model what it is."""
        index = PICKLE_INDEX if self.pickled else INDEX
        extra = [self.path / name for name in ("config.json", index)]
        code = sorted(self.path.glob("*.py"))
        return (*(p for p in extra if p.is_file()), *self.weights, *self.tokenizer, *code)

    @property
    def tokenizer_files(self) -> tuple[Path, ...]:
        """Files that make its tokenizer what it is; empty if it has none."""
        code = sorted(self.path.glob("*.py")) if self.tokenizer else ()
        return (*self.tokenizer, *code)

    @property
    def names(self) -> list[str]:
        """Names of :attr:`identity_files`, as seen from the folder."""
        return sorted(str(path.relative_to(self.path)) for path in self.identity_files)


def open_model(path: Path, *, allow_pickle: bool = False) -> ModelFolder:
    """Check a folder without loading anything heavy.

    Parameters
    ----------
    path
        The folder.
    allow_pickle
        Whether pickled weights will do where there are no safetensors.

    Raises
    ------
    NotFoundError
        ``no_such_path``.
    InvalidInputError
        ``not_a_model`` (saying what is missing), ``unsafe_weights`` or
        ``broken_weights`` (naming the file).
    """
    try:
        if not path.exists():
            raise NotFoundError(
                f"There is nothing at {path}.",
                code="no_such_path",
                field="path",
                hint="Give the full path of a folder made by save_pretrained.",
            )
        if not path.is_dir():
            raise not_a_model(path, "it is a file; a folder made by save_pretrained is needed")
        config = _read_config(path)
        present = {str(file.relative_to(path)) for file in path.rglob("*") if file.is_file()}
        weights = [
            path / name
            for name in weights_among(
                present,
                lambda name: (path / name).read_text("utf-8"),
                lambda why: not_a_model(path, why),
                lambda: unsafe_weights(str(path), "path"),
                allow_pickle=allow_pickle,
            )
        ]
        for file in weights:
            if file.suffix == ".safetensors":
                _check_safetensors(file)
    except PermissionError as error:
        raise AccessDeniedError(
            f"{path} cannot be read: permission denied.",
            field="path",
            hint="Ask its owner for access, or choose another folder.",
        ) from error
    has_tokenizer = holds_tokenizer(path)
    names = [name for name in TOKENIZER_FILES if has_tokenizer and (path / name).is_file()]
    return ModelFolder(path, config, tuple(weights), tuple(path / name for name in names))


def not_a_model(path: Path, why: str) -> InvalidInputError:
    """Return the error for a folder without a model."""
    return InvalidInputError(
        f"{path} is no model: {why}.",
        code="not_a_model",
        field="path",
        hint="Choose a folder with config.json, safetensors weights and a tokenizer, "
        "as save_pretrained makes it.",
    )


def _read_config(path: Path) -> dict[str, Any]:
    file = path / "config.json"
    if not file.is_file():
        if (path / "adapter_config.json").is_file():
            raise not_a_model(path, "it is an adapter; merge it into its model first")
        raise not_a_model(path, "config.json is missing")
    try:
        config = json.loads(file.read_text("utf-8"))
    except ValueError as error:
        raise not_a_model(path, f"config.json is not JSON ({error})") from error
    if not isinstance(config, dict) or not (config.get("model_type") or config.get("auto_map")):
        raise not_a_model(path, "config.json does not name a model_type")
    return config


def weights_among(
    names: Collection[str],
    read: Callable[[str], str],
    refuse: Callable[[str], InvalidInputError],
    unsafe: Callable[[], InvalidInputError],
    *,
    allow_pickle: bool,
) -> list[str]:
    """Return which of a model's files are its weights: all shards, or the only file.

    Parameters
    ----------
    names
        Files of the folder or the repository.
    read
        Returns the text of one of them.
    refuse, unsafe
        Make the errors: for a reason, and for weights that are pickles.
    allow_pickle
        Whether pickles will do where there are no safetensors.
    """
    forms = [(INDEX, SINGLE), (PICKLE_INDEX, PICKLE)]
    for index, single in forms if allow_pickle else forms[:1]:
        # transformers, too, reads the one file where there are both.
        if single in names:
            return [single]
        if index in names:
            try:
                shards = sorted(set(json.loads(read(index))["weight_map"].values()))
            except (ValueError, KeyError, AttributeError, TypeError) as error:
                raise refuse(f"{index} cannot be read ({error})") from error
            if missing := [shard for shard in shards if shard not in names]:
                more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
                raise refuse(f"{missing[0]}{more} of its weights is missing")
            return shards
    if "adapter_config.json" in names:
        raise refuse("it is an adapter; merge it into its model first")
    if any(name.endswith(UNSAFE_SUFFIXES) for name in names if "/" not in name):
        raise unsafe()
    raise refuse(f"{SINGLE} is missing")


def unsafe_weights(what: str, field: str) -> InvalidInputError:
    """Return the error for weights that are stored as a pickle."""
    return InvalidInputError(
        f"{what} has its weights only as a pickle, which can run any code.",
        code="unsafe_weights",
        field=field,
        hint="Use a version with safetensors, save it again with save_pretrained, or ask the "
        "administrator to set allow_pickle.",
    )


def _check_safetensors(path: Path) -> None:
    """Compare a file's length with what its header promises."""
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > size:
                raise ValueError("its header is longer than the file")
            header = json.loads(file.read(length))
        ends = (item["data_offsets"][1] for name, item in header.items() if name != "__metadata__")
        expected = 8 + length + max(ends, default=0)
        if size != expected:
            raise ValueError(f"it has {size:,} bytes instead of {expected:,}")
    except (struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidInputError(
            f"{path.name} is damaged: {error}.",
            code="broken_weights",
            field="path",
            hint="Copy or download it again.",
        ) from error
