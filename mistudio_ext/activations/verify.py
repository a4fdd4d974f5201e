"""Check an extraction folder against its own checksums."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from mistudio_ext.activations import arrays, manifest, naming
from mistudio_ext.errors import MiStudioError

#: The only kind of checksum that version 1 of the manifest knows.
CHECKSUM_PREFIX = "xxh3_128:"

_CHUNK_BYTES = 8 << 20


class FileCheck(TypedDict):
    """Result of checking one file."""

    file: str
    ok: bool
    #: What is wrong, or what could not be checked; None if all is well.
    reason: str | None


def verify(
    folder: str | os.PathLike[str], on_bytes: Callable[[int], None] | None = None
) -> list[FileCheck]:
    """Read all files of an extraction and compare them with its manifest.

    Size, shape, dtype and checksum (XXH3, 128 bits, over the whole file as
    ``xxhsum -H2`` prints it) of each file, and that offsets, tokens and rows
    fit together.

    Parameters
    ----------
    folder
        The extraction folder.
    on_bytes
        Called with the bytes read since the last call, for a progress bar.

    Returns
    -------
    list of FileCheck
        ``{file, ok, reason}``, one for each file of the manifest.

    Raises
    ------
    NotFoundError, ConflictError
        If there is no manifest, or it cannot be read.
    """
    folder = Path(folder)
    content = manifest.read(folder)
    entries: dict[str, dict[str, Any]] = dict(content.get("files") or {})
    hooks = (content.get("spec") or {}).get("hooks") or ()
    expected = [naming.file_name(content, hook) for hook in hooks]
    for name in (*expected, "tokens.npy", "offsets.npy", "rows.npy"):
        entries.setdefault(name, {})
    finished = content.get("state") == "done"
    checks = []
    for name, entry in entries.items():
        try:
            reason = _check(folder / name, entry, finished, on_bytes)
        except FileNotFoundError:
            ok, reason = not finished, "is missing" if finished else "is not written yet"
        except (MiStudioError, OSError) as error:
            ok, reason = False, str(error)
        else:
            ok = reason is None or reason.startswith("unchecked")
        checks.append(FileCheck(file=name, ok=ok, reason=reason))
    if finished and all(check["ok"] for check in checks):
        _check_index(folder, content, checks)
    return checks


def checksum(path: Path, on_bytes: Callable[[int], None] | None = None) -> str:
    """Return ``xxh3_128:<32 hex digits>`` of a whole file."""
    import xxhash

    digest = xxhash.xxh3_128()
    room = memoryview(bytearray(_CHUNK_BYTES))
    with open(path, "rb", buffering=0) as file:
        while got := file.readinto(room):
            digest.update(room[:got])
            if on_bytes is not None:
                on_bytes(got)
    return CHECKSUM_PREFIX + digest.hexdigest()


def _check(
    path: Path, entry: dict[str, Any], finished: bool, on_bytes: Callable[[int], None] | None
) -> str | None:
    """Return what is wrong with one file, or None."""
    header = arrays.read_header(path)
    size = path.stat().st_size
    shape, dtype = entry.get("shape"), entry.get("dtype")
    if shape is not None and tuple(shape) != header.shape:
        return f"has shape {list(header.shape)} instead of {list(shape)}"
    if dtype is not None and dtype != header.dtype:
        return f"has dtype {header.dtype} instead of {dtype}"
    exact = header.offset + header.row_bytes * header.shape[0]
    if size != exact:
        return f"has {size:,} bytes instead of {exact:,}"
    if entry.get("bytes") not in (None, size, size - header.offset):
        return f"has {size:,} bytes instead of {entry['bytes']:,}"
    wanted = entry.get("checksum")
    if not wanted:
        return "unchecked: it has no checksum" + ("" if finished else " yet")
    if not str(wanted).startswith(CHECKSUM_PREFIX):
        return f"has a checksum of an unknown kind: {wanted}"
    found = checksum(path, on_bytes)
    return None if found == wanted else f"has checksum {found} instead of {wanted}"


def _check_index(folder: Path, content: dict[str, Any], checks: list[FileCheck]) -> None:
    """Note where offsets, tokens and rows do not fit together."""
    offsets, tokens, rows = (
        np.load(folder / f"{stem}.npy", mmap_mode="r") for stem in ("offsets", "tokens", "rows")
    )
    problems = {
        "offsets.npy": len(offsets) != int(content.get("n_samples") or 0) + 1
        or bool((np.diff(offsets) < 0).any()),
        "tokens.npy": len(tokens) != content.get("n_tokens")
        or (len(offsets) > 0 and int(offsets[-1]) != len(tokens)),
        "rows.npy": len(rows) != content.get("n_samples"),
    }
    for check in checks:
        if problems.get(check["file"]):
            check["ok"], check["reason"] = False, "does not fit the other files of the index"
