"""Data files by their names: formats, compressions, and their content as bytes."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from pathlib import Path
from typing import IO

#: Extension -> reader.
FORMATS: dict[str, str] = {
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
    ".parquet": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "text",
    ".arrow": "arrow",
}

READERS = frozenset(FORMATS.values())

#: Extensions of compressed files, and how much bigger their content is at a guess.
COMPRESSIONS: dict[str, int] = {".gz": 4, ".zst": 4, ".bz2": 5, ".xz": 5}

#: Files that a tokenizer is made of.
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tekken.json",
    "chat_template.jinja",
    "chat_template.json",
)


def split_extension(name: str) -> tuple[str, str]:
    """Return ``(format extension, compression extension)``: ``a.jsonl.gz`` -> ``.jsonl, .gz``."""
    path = Path(name.lower())
    if path.suffix in COMPRESSIONS:
        return Path(path.stem).suffix, path.suffix
    return path.suffix, ""


def open_bytes(path: Path, name: str | None = None) -> IO[bytes]:
    """Open a plain or compressed file for reading its content.

    Parameters
    ----------
    path
        The file.
    name
        The name that tells its compression, where ``path`` has another one.
    """
    compression = split_extension(name or path.name)[1]
    if compression == ".gz":
        return gzip.open(path, "rb")  # type: ignore[return-value]
    if compression == ".bz2":
        return bz2.open(path, "rb")
    if compression == ".xz":
        return lzma.open(path, "rb")
    if compression == ".zst":
        import pyarrow as pa

        stream = pa.input_stream(str(path), compression="zstd")
        return io.BufferedReader(stream, 1 << 20)
    return path.open("rb")
