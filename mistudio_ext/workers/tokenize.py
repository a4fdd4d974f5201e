"""Job ``tokenize``: turn a split into flat token ids."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mistudio_ext import model_files
from mistudio_ext._version import __version__
from mistudio_ext.errors import InvalidInputError
from mistudio_ext.keys import RULES
from mistudio_ext.paths import DataFolder
from mistudio_ext.room import DiskLimits
from mistudio_ext.spec import TokenizationSpec
from mistudio_ext.store import columns as cols
from mistudio_ext.store.arrow import open_split
from mistudio_ext.store.contexts import Block, Cutter
from mistudio_ext.store.flatcut import Cut, cut
from mistudio_ext.store.replacing import write_json
from mistudio_ext.store.statistics import tokenization_statistics
from mistudio_ext.workers.disk import DiskGuard, checksum
from mistudio_ext.workers.flatfiles import NpyAppender
from mistudio_ext.workers.text_encoder import TextEncoder
from mistudio_ext.workers.token_checkpoint import Checkpoint
from mistudio_ext.workers.token_rows import RowReader

if TYPE_CHECKING:
    from mistudio_ext.workers.reporter import Reporter


def run(spec: dict[str, Any], report: Reporter) -> dict[str, Any]:
    """Tokenise a split.

    Parameters
    ----------
    spec
        ``{"data_dir", "disk_reserve_bytes", "allow_remote_code", "threads",
        "tokenization": {"id", "path", "settings"}, "dataset": {"id", "name",
        "path", "split", "text_column", "fingerprint"}, "model": {"id", "name",
        "path", "tokenizer_fingerprint", "files"}}``; ``files`` is what is known of the
        tokenizer's files, see :func:`mistudio_ext.model_files.unchanged`.
    report
        Told about rows.

    Returns
    -------
    dict
        ``{"n_samples", "n_tokens", "n_rows", "skipped": {"empty", "short",
        "junk", "bad", "bad_rows"}, "bytes"}``.

    Raises
    ------
    ConflictError
        ``model_changed`` if the tokenizer's files are not those that were looked at.

    A tokenization that was interrupted goes on where it was, and ends with the
    same bytes as an uninterrupted one.
    """
    settings = TokenizationSpec.from_dict(spec["tokenization"]["settings"])
    dataset, model = spec["dataset"], spec["model"]
    if spec.get("threads"):
        os.environ.setdefault("RAYON_NUM_THREADS", str(spec["threads"]))
    split = open_split(Path(dataset["path"]), dataset["split"])
    column = split.require(settings.column or dataset.get("text_column") or cols.IDS_NAME)
    folder = Path(spec["tokenization"]["path"])
    guard = DiskGuard(DataFolder(Path(spec["data_dir"])).root, DiskLimits.of(spec))
    facts: dict[str, Any] = {
        "rules": RULES["tokenization"],
        "settings": {**settings.to_dict(), "column": column},
        "dataset": {k: dataset.get(k) for k in ("id", "name", "split", "fingerprint")},
        "model": {k: model.get(k) for k in ("id", "name", "tokenizer_fingerprint")},
    }
    try:
        with model_files.unchanged(model):
            reader = RowReader.open(
                split,
                column,
                settings,
                Path(model["path"]),
                report,
                bool(spec.get("allow_remote_code")),
            )
        guard.require(split.n_bytes // 2, "The tokenization")
        checkpoint = Checkpoint(folder, {**facts, "tokenizer": reader.facts()})
        counts = _write(reader, settings, folder, checkpoint, guard, report)
    except InvalidInputError:
        # It would fail again: nothing of it is of use.
        shutil.rmtree(folder, ignore_errors=True)
        raise
    manifest = {
        "schema_version": 1,
        "id": spec["tokenization"]["id"],
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        **facts,
        "tokenizer": reader.facts(),
        # Rows that brought their special tokens along got no others.
        "ready_rows": reader.ready,
        **counts,
        "files": _files(folder),
        "versions": {"mistudio_ext": __version__, "numpy": np.__version__},
    }
    # The manifest says that the tokenization is whole.
    write_json(folder / "manifest.json", manifest)
    checkpoint.remove()
    tokenization_statistics(folder, reader.decode)
    return counts


def tokenize_rows(encoder: TextEncoder, texts: Sequence[str], settings: TokenizationSpec) -> Block:
    """Tokenise a few texts exactly as the real run does.

    Parameters
    ----------
    encoder
        The tokenizer.
    texts
        One text per row.
    settings
        With ``context`` set.

    Returns
    -------
    Block
        All contexts of the texts; ``rows`` are indices into ``texts``.
    """
    frame = encoder.frame_for(settings)
    cutter = Cutter(settings, frame, own_specials=not settings.chat_template)
    cutter.add(enumerate(encoder.encode(texts)))
    return cutter.finish()


def _write(
    reader: RowReader,
    settings: TokenizationSpec,
    folder: Path,
    checkpoint: Checkpoint,
    guard: DiskGuard,
    report: Reporter,
) -> dict[str, Any]:
    """Write the flat files, from the row on that an interrupted process had come to."""
    cutter = Cutter(settings, reader.frame, own_specials=not reader.ready)
    kept = checkpoint.read()
    if kept is None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        kept = {"row": 0, "sink": None}
    else:
        cutter.restore(kept["cutter"])
        reader.left_out.restore(kept["left_out"])
    done = int(kept["row"])
    report.phase("tokenizing", f"goes on at row {done:,}" if done else "")
    with ExitStack() as stack:
        packed = settings.mode == "pack"
        sink = Sink(
            folder,
            reader.dtype,
            stack,
            packed=packed,
            most=settings.max_samples,
            state=kept["sink"],
        )

        def state() -> dict[str, Any]:
            return {
                "row": done,
                "sink": sink.state(),
                "cutter": cutter.state(),
                "left_out": reader.left_out.to_dict(),
            }

        for done, block in _blocks(reader, cutter, int(kept["row"]), packed=packed):
            size = 4 * len(block.tokens) + 24 * len(block.lengths)
            guard.before(size, "The tokenization")
            sink.write(block)
            if sink.full:
                break
            checkpoint.keep(state)
            report.progress(done, reader.n_rows, "rows", f"{sink.n_tokens:,} tokens")
        if not sink.full:
            sink.write(cutter.finish())
    left_out = reader.left_out.to_dict()
    if not sink.n_samples:
        raise InvalidInputError(
            "No tokens are left: every row is empty, too short or left out.",
            code="empty_tokenization",
            field="min_tokens" if sink.short else "column",
            hint="Choose another column or split, a smaller min_tokens, or weaker filters.",
        )
    if left_out["bad"]:
        report.warn(
            "bad_rows", f"{left_out['bad']:,} rows could not be tokenised, and are left out."
        )
    return {
        "n_samples": sink.n_samples,
        "n_tokens": sink.n_tokens,
        "n_rows": done,
        "skipped": {"empty": sink.empty, "short": sink.short, **left_out},
        "bytes": sum(path.stat().st_size for path in folder.glob("*.npy")),
    }


def _blocks(
    reader: RowReader, cutter: Cutter, start: int, *, packed: bool
) -> Iterator[tuple[int, Block | Cut]]:
    """Yield ``(row after the last, finished contexts)``."""
    if reader.flat and not packed:
        for end, flat, sizes, rows in reader.flat_batches(start):
            yield end, cut(cutter.plan, flat, sizes, rows)
        return
    for first, ids in reader.batches(start):
        cutter.add((row, found) for row, found in enumerate(ids, first) if found is not None)
        yield first + len(ids), cutter.take()


class Sink:
    """Appends finished contexts to the flat files, ``most`` of them if that is given."""

    def __init__(
        self,
        folder: Path,
        dtype: Any,
        stack: ExitStack,
        *,
        packed: bool,
        most: int | None = None,
        state: dict[str, Any] | None = None,
    ) -> None:
        self._most = most
        lengths = {} if state is None else state["lengths"]

        def new(name: str, kind: Any) -> NpyAppender:
            file = NpyAppender(folder / f"{name}.npy", kind, lengths.get(name, 0))
            self._files[name] = stack.enter_context(file)
            return file

        self._files: dict[str, NpyAppender] = {}
        self._tokens = new("tokens", dtype)
        self._offsets = new("offsets", np.int64)
        self._rows = new("rows", np.int64)
        self._starts = new("starts", np.int32)
        self._docs = (
            (new("docs", np.int64), new("doc_rows", np.int64), new("doc_starts", np.int32))
            if packed
            else None
        )
        counts = {"n_samples": 0, "n_tokens": 0, "empty": 0, "short": 0, **(state or {})}
        self.n_samples, self.n_tokens = counts["n_samples"], counts["n_tokens"]
        self.empty, self.short = counts["empty"], counts["short"]
        if state is None:
            self._offsets.append([0])
            if self._docs:
                self._docs[0].append([0])

    @property
    def full(self) -> bool:
        """Whether there are as many contexts as were asked for."""
        return self._most is not None and self.n_samples >= self._most

    def state(self) -> dict[str, Any]:
        """Flush the files, and return what another sink needs to go on."""
        for file in self._files.values():
            file.sync()
        return {
            "lengths": {name: file.length for name, file in self._files.items()},
            "n_samples": self.n_samples,
            "n_tokens": self.n_tokens,
            "empty": self.empty,
            "short": self.short,
        }

    def write(self, block: Block | Cut) -> int:
        """Append a block, as far as its contexts are wanted; return the bytes of its token ids."""
        if self._most is not None:
            block = block.head(self._most - self.n_samples)
        self._tokens.append(block.tokens)
        self._offsets.append(self.n_tokens + np.cumsum(block.lengths, dtype=np.int64))
        self._rows.append(block.rows)
        self._starts.append(block.starts)
        if self._docs and isinstance(block, Block):
            ends, rows, starts = self._docs
            ends.append(self.n_tokens + np.cumsum(block.doc_lengths, dtype=np.int64))
            rows.append(block.doc_rows)
            starts.append(block.doc_starts)
        self.n_samples += len(block.lengths)
        self.n_tokens += len(block.tokens)
        self.empty += block.empty
        self.short += block.short
        return len(block.tokens) * self._tokens.dtype.itemsize


def _files(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path in sorted(folder.glob("*.npy")):
        array = np.load(path, mmap_mode="r")
        found[path.name] = {
            "dtype": str(array.dtype),
            "shape": list(array.shape),
            "bytes": path.stat().st_size,
            "checksum": checksum(path),
        }
    return found
