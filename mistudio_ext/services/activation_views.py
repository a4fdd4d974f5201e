"""What the panels show of an extraction's arrays: tokens with values, top samples, a projection."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mistudio_ext.activations import naming
from mistudio_ext.activations.errors import NotWrittenError, OutOfRangeError
from mistudio_ext.activations.projection import project
from mistudio_ext.activations.ranking import ORDERS, Order, top_samples
from mistudio_ext.activations.readings import Floats, Readings, norms
from mistudio_ext.activations.stored import StoredArrays
from mistudio_ext.activations.text import TextSource
from mistudio_ext.errors import InvalidInputError
from mistudio_ext.services.context import Context, Json

#: Tokens around the strongest one that go with a top sample.
AROUND = 12

#: Samples in a ranking and points in a projection, at most.
MAX_TOP, MAX_POINTS = 200, 5_000

#: Dimensions in which a token stands out, named with it.
STANDING_OUT = 8

#: Tokenizers kept in memory.
_KEPT = 4


class ActivationViews:
    """Reads arrays with NumPy, in bounded pieces, also while they are being written."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._texts: OrderedDict[str, TextSource] = OrderedDict()
        self._lock = threading.Lock()

    def tokens(
        self,
        extraction_id: str,
        sample: int = 0,
        *,
        hook: str | None = None,
        dimension: int | None = None,
        position: int | None = None,
    ) -> Json:
        """Return one sample's tokens with a value for each.

        Parameters
        ----------
        extraction_id
            The extraction.
        sample
            Number of the sample; negative numbers count from the last written.
        hook
            As for ``acts[hook]``; None for the first one.
        dimension
            Which element of the vectors; None for their norm.
        position
            A token of the sample: the answer names the dimensions in which
            it stands out from the rest of the sample.
        """
        acts = self._open(extraction_id)
        name = _hook(acts, hook)
        readings = Readings(acts, name, dimension)
        _require_samples(acts, readings)
        index = sample + readings.n_samples if sample < 0 else sample
        if not 0 <= index < readings.n_samples:
            raise OutOfRangeError(
                f"There is no sample {sample}.",
                field="sample",
                hint=f"{readings.n_samples:,} are written: 0 to {readings.n_samples - 1:,}.",
            )
        start, end = int(readings.offsets[index]), int(readings.offsets[index + 1])
        ids = acts.tokens[start:end].tolist()
        return {
            "hook": name,
            "dimension": dimension,
            "width": readings.width,
            "positions": acts.positions,
            "sample": index,
            "n_samples": readings.n_samples,
            "row": int(acts.rows[index]),
            "start": start,
            "ids": ids,
            "texts": self._pieces(acts, ids),
            "values": _numbers(readings.of(index, index + 1).values),
            "stands_out": None
            if position is None
            else _standing_out(readings.vectors(index), position),
        }

    def top(
        self,
        extraction_id: str,
        *,
        hook: str | None = None,
        dimension: int | None = None,
        count: int = 20,
        order: str = "max",
        skip_first: bool = False,
    ) -> Iterator[Json]:
        """Find the samples with the strongest values; gives what is known after each piece.

        Every check is made before the first piece is read. Parameters as for
        :meth:`tokens`; ``order`` is ``max``, ``min`` or ``abs``, ``skip_first`` leaves out
        the first token of each sample.
        """
        if order not in ORDERS:
            raise InvalidInputError(
                f"'{order}' is no order.", field="order", hint="Use max, min or abs."
            )
        _require_count(count, MAX_TOP)
        acts = self._open(extraction_id)
        name = _hook(acts, hook)
        readings = Readings(acts, name, dimension, skip_first=skip_first)
        _require_samples(acts, readings)
        return self._rank(acts, readings, count, order)

    def _rank(
        self, acts: StoredArrays, readings: Readings, count: int, order: Order
    ) -> Iterator[Json]:
        for ranking in top_samples(readings, count, order):
            yield {
                "read": ranking.read,
                "total": ranking.total,
                "top": [
                    {
                        "sample": found.sample,
                        "position": found.position,
                        "value": found.value,
                        **self._surroundings(acts, readings, found.sample, found.position),
                    }
                    for found in ranking.found
                ],
            }

    def projection(
        self,
        extraction_id: str,
        *,
        hook: str | None = None,
        dimension: int | None = None,
        count: int = 2_000,
        seed: int = 0,
        skip_first: bool = False,
    ) -> Json:
        """Return a random choice of tokens on their first two principal components.

        Parameters as for :meth:`tokens`; each point has a value too, to colour
        it by. ``seed`` chooses the tokens, ``skip_first`` leaves out the first
        of each sample.
        """
        _require_count(count, MAX_POINTS)
        if seed < 0:
            raise InvalidInputError("seed must not be negative.", field="seed")
        acts = self._open(extraction_id)
        name = _hook(acts, hook)
        readings = Readings(acts, name, dimension, skip_first=skip_first)
        _require_samples(acts, readings)
        found = project(readings, count, seed)
        samples = found.indices
        positions = np.zeros_like(found.indices)
        if not readings.one_per_sample:
            samples = np.searchsorted(readings.offsets, found.indices, side="right") - 1
            positions = found.indices - readings.offsets[samples]
        vectors = readings.gather(found.indices)
        values = norms(vectors) if dimension is None else vectors[:, dimension]
        flat = readings.offsets[samples] + positions
        return {
            "hook": name,
            "dimension": dimension,
            "of": readings.n_rows,
            "explained": list(found.explained),
            "x": _numbers(found.points[:, 0]),
            "y": _numbers(found.points[:, 1]),
            "values": _numbers(values),
            "samples": samples.tolist(),
            "positions": positions.tolist(),
            "texts": None
            if readings.one_per_sample
            else self._pieces(acts, acts.tokens[flat].tolist()),
        }

    def _surroundings(
        self, acts: StoredArrays, readings: Readings, sample: int, position: int
    ) -> Json:
        """Return the tokens around a position, and where the first of them is."""
        start, end = int(readings.offsets[sample]), int(readings.offsets[sample + 1])
        if readings.one_per_sample and acts.positions == "last":
            position = end - start - 1
        first = max(0, position - AROUND)
        ids = acts.tokens[start + first : min(end, start + position + AROUND + 1)].tolist()
        return {"row": int(acts.rows[sample]), "first": first, "texts": self._pieces(acts, ids)}

    def _open(self, extraction_id: str) -> StoredArrays:
        record = self._context.catalog.extractions.get(extraction_id)
        return StoredArrays(self._context.settings.folder.extraction(record.id))

    def _pieces(self, acts: StoredArrays, ids: Sequence[int]) -> list[str] | None:
        """Return the text of each token; None without the model's tokenizer."""
        folder = f"{acts.spec.get('model_path')} {acts.spec.get('tokenizer_fingerprint')}"
        with self._lock:
            if folder not in self._texts:
                # The server never imports transformers: the import of the model kept the texts.
                prepared = self._prepared(str(acts.spec.get("model_id") or ""))
                self._texts[folder] = TextSource(acts.spec, prepared, load=False)
            source = self._texts[folder]
            self._texts.move_to_end(folder)
            while len(self._texts) > _KEPT:
                self._texts.popitem(last=False)
        texts = [source.token_text(int(token)) for token in ids]
        return None if texts.count(None) == len(texts) else [text or "" for text in texts]

    def _prepared(self, model_id: str) -> Path | None:
        """Return what the import of a model kept of its tokenizer; variants share it."""
        record = self._context.catalog.models.find(id=model_id)
        if record is None:
            return None
        return self._context.settings.folder.model(record.parent_id or record.id)


def _hook(acts: StoredArrays, hook: str | None) -> str:
    if hook is None and acts.hooks:
        return acts.hooks[0]
    if not acts.hooks:
        raise NotWrittenError(
            "The hooks are not known before the model is loaded.",
            hint="Look again when the extraction runs.",
        )
    return naming.resolve(acts.hooks, hook or "")


def _require_samples(acts: StoredArrays, readings: Readings) -> None:
    if not readings.n_samples:
        raise NotWrittenError(
            f"Nothing is written yet: the extraction '{acts.name}' is {acts.state}.",
            hint="Look again in a moment."
            if acts.state in ("queued", "running")
            else "Run the extraction again.",
        )


def _require_count(count: int, most: int) -> None:
    if not 1 <= count <= most:
        raise InvalidInputError(f"count must be 1 to {most:,}.", field="count")


def _standing_out(vectors: Floats, position: int) -> list[list[float]]:
    """Return ``[dimension, value, z]`` where a token differs most from the rest of its sample."""
    if not 0 <= position < len(vectors):
        raise OutOfRangeError(
            f"The sample has no token {position} that was stored.", field="position"
        )
    if len(vectors) < 3:
        return []
    with np.errstate(invalid="ignore", over="ignore"):
        deviation = (vectors[position] - vectors.mean(axis=0)) / np.maximum(
            vectors.std(axis=0), 1e-6
        )
    size = np.where(np.isfinite(deviation), np.abs(deviation), -1)
    strongest = np.argsort(size)[::-1][:STANDING_OUT]
    return [
        [int(i), float(vectors[position, i]), float(deviation[i])]
        for i in strongest
        if size[i] >= 0
    ]


def _numbers(values: Floats) -> list[float | None]:
    """Return numbers for JSON, which knows no infinity: six digits, None where not finite."""
    listed: list[Any] = values.astype(np.float64).tolist()
    return [float(f"{v:.6g}") if math.isfinite(v) else None for v in listed]
