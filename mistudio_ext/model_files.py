"""A model's files: which they are, whether they are those that were registered.

A model is read where it lies, and training writes into such folders. So three things are kept
of a registered model: the names of the files that it is made of, a *stamp* of them (size,
times and inode: cheap, compared at every use) and a *fingerprint* (a hash of their content:
compared when a stamp differs, since a copy or a ``touch`` changes nothing of the model).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any

from mistudio_ext.errors import CancelledError, ConflictError
from mistudio_ext.store.files import TOKENIZER_FILES

#: Files at the top of a folder that can change what is loaded from it; a model's own code too.
_DECIDING = (
    "config.json",
    "*.safetensors",
    "*.safetensors.index.json",
    "pytorch_model*.bin",
    "pytorch_model*.bin.index.json",
    "*.py",
    *TOKENIZER_FILES,
)

#: The same for the tokenizer alone; transformers may choose its class by ``config.json``.
_DECIDING_TOKENIZER = (*TOKENIZER_FILES, "config.json", "*.py")

#: Name -> [size, time of the content in ns, time of the entry in ns, inode].
Stamp = dict[str, list[int]]


def stamp(folder: Path, names: Iterable[str] = (), deciding: Sequence[str] = _DECIDING) -> Stamp:
    """Return the stamp of a model's files; empty if the folder is gone.

    Parameters
    ----------
    folder
        The model's folder.
    names
        Files of it that count wherever they lie; those at its top count by their names.
    deciding
        Patterns of the names that count at its top.
    """
    try:
        top = [p.name for p in folder.iterdir() if any(map(p.match, deciding)) and p.is_file()]
    except OSError:
        top = []
    found: Stamp = {}
    for name in sorted({*top, *names}):
        try:
            facts = (folder / name).stat()
        except OSError:
            continue
        found[name] = [facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino]
    return found


def fingerprint(files: Iterable[Path]) -> str:
    """Return a hash over names, sizes and contents of files, the same on every machine."""
    import xxhash

    digest = xxhash.xxh3_128()
    for path in sorted(files, key=lambda item: item.name):
        content = xxhash.xxh3_128()
        with path.open("rb") as file:
            while block := file.read(1 << 22):
                content.update(block)
        size = path.stat().st_size
        digest.update(f"{path.name}\0{size}\0xxh3_128:{content.hexdigest()}\n".encode())
    return digest.hexdigest()


def same(folder: Path, known: Mapping[str, Any]) -> Stamp | None:
    """Return the present stamp of files that are what they were, None if they are not.

    Parameters
    ----------
    folder
        The model's folder.
    known
        ``{"names", "stamp", "fingerprint"}`` of the files when they were registered;
        ``deciding`` where only some count, as :func:`tokenizer_of` gives it.
    """
    now = _stamp_of(folder, known)
    if now == known["stamp"]:
        return now
    # Another name may decide what is loaded (an index, a file of weights): not the same.
    if known["stamp"] and now.keys() != known["stamp"].keys():
        return None
    try:
        content = fingerprint(folder / name for name in known["names"])
    except OSError:
        return None
    return now if content == known["fingerprint"] else None


def tokenizer_of(files: Mapping[str, Any], fingerprint: str | None) -> dict[str, Any] | None:
    """Return what is known of a model's tokenizer alone, as :func:`same` takes it.

    Parameters
    ----------
    files
        ``{"names", "stamp"}`` of the model.
    fingerprint
        That of the tokenizer's files; None for a model without a tokenizer.
    """
    if fingerprint is None or not files:
        return None
    counts = {
        name: facts
        for name, facts in files["stamp"].items()
        if any(map(PurePath(name).match, _DECIDING_TOKENIZER))
    }
    return {
        "names": [n for n in files["names"] if n in TOKENIZER_FILES or n.endswith(".py")],
        "stamp": counts,
        "fingerprint": fingerprint,
        "deciding": list(_DECIDING_TOKENIZER),
    }


def tokenizer_in(folder: Path) -> dict[str, Any]:
    """Return what is known of the tokenizer in a folder, as :func:`same` takes it.

    Its ``names`` are empty if there is none.
    """
    names = [name for name in TOKENIZER_FILES if (folder / name).is_file()]
    before = stamp(folder, names, _DECIDING_TOKENIZER)
    code = sorted(name for name in before if name.endswith(".py"))
    return {
        "names": [*names, *code],
        "stamp": before,
        "fingerprint": fingerprint(folder / name for name in (*names, *code)),
        "deciding": list(_DECIDING_TOKENIZER),
    }


def _stamp_of(folder: Path, known: Mapping[str, Any]) -> Stamp:
    return stamp(folder, known["names"], known.get("deciding", _DECIDING))


@contextmanager
def unchanged(model: Mapping[str, Any]) -> Iterator[None]:
    """Read a model's files: they are those that were registered, before and after.

    Parameters
    ----------
    model
        A worker's ``model``: ``name``, ``path``, and ``files`` as :func:`same` takes them;
        without ``files`` nothing is checked.

    Raises
    ------
    ConflictError
        ``model_changed``.
    """
    known = model.get("files")
    if not known:
        yield
        return
    before = same(Path(model["path"]), known)
    if before is None:
        raise changed(model)
    try:
        yield
    except CancelledError:
        raise
    except Exception as error:
        # What is half written cannot be read: that is the reason, not what a reader says of it.
        if _stamp_of(Path(model["path"]), known) != before:
            raise changed(model) from error
        raise
    if _stamp_of(Path(model["path"]), known) != before:
        raise changed(model)


def changed(model: Mapping[str, Any]) -> ConflictError:
    """Return the error for files that are not those that were registered."""
    return ConflictError(
        f"The files of '{model.get('name')}' have changed since they were looked at: "
        f"{model.get('path')}.",
        code="model_changed",
        field="model",
        hint="Ask again: they are then read anew, as they are. "
        "To keep weights, save each checkpoint to a folder of its own.",
    )
