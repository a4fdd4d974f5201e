"""The formats of a model: what each takes, whether it fits here, and which one to take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mistudio_ext.batching import STAGING_BUFFERS
from mistudio_ext.errors import InvalidInputError
from mistudio_ext.services import footprint
from mistudio_ext.services.context import Json, human
from mistudio_ext.spec import MODEL_FORMATS

#: Largest batch that is estimated, in tokens.
MAX_BATCH = 1 << 24

#: Share of the free memory that weights may take; the rest is for activations.
_ROOM = 0.8

#: Formats that are recommended, best first, by kind of device.
_ORDER = {"cpu": ("fp32", "bf16", "q8", "q4"), "gpu": ("fp32", "bf16", "fp16", "q8", "q4")}


@dataclass(frozen=True)
class Batch:
    """An extraction's batch: tokens at once, and hook points that are stored."""

    tokens: int = 4096
    n_hooks: int = 1


def read_batch(tokens: int | None, n_hooks: int | None = None) -> Batch:
    """Return the batch of a request; what is not named is as usual."""
    for name, value in (("batch_tokens", tokens), ("n_hooks", n_hooks)):
        if value is not None and not 1 <= value <= MAX_BATCH:
            raise InvalidInputError(
                f"{name} must be between 1 and {MAX_BATCH:,}.", code="bad_number", field=name
            )
    usual = Batch()
    return Batch(tokens or usual.tokens, n_hooks or usual.n_hooks)


def formats(
    counts: dict[str, int],
    config: Json,
    download_bytes: int,
    devices: list[Json],
    sizes: Json | None = None,
    batch: Batch | None = None,
) -> Json:
    """Return ``{formats, recommendation, warning, devices, batch_tokens, method}``.

    Parameters
    ----------
    counts
        Parameters by storage format, as the Hub read them from the safetensors.
    config
        ``config.json``, or what of it is known; tells what is never quantised.
    download_bytes
        Bytes to fetch, whatever the format.
    devices
        This machine's devices with ``memory_total`` and ``memory_used``.
    sizes
        What the model built from its config takes (``method`` is then ``config``);
        without it parameters are multiplied (``counts``).
    batch
        The batch of the extraction whose memory is told.
    """
    batch = batch or Batch()
    n_params = sum(counts.values())
    if not n_params and sizes is None:
        return {
            "formats": [],
            "recommendation": None,
            "warning": "The Hub does not say how many parameters there are: "
            "the repository has no safetensors, or they cannot be read.",
            "method": "counts",
            "devices": [_device(device) for device in devices],
            "batch_tokens": batch.tokens,
        }
    whole = min(footprint.never_quantised(config), n_params)
    kinds = {device["id"]: device["kind"] for device in devices}
    free = {d["id"]: (d["memory_total"] or 0) - (d["memory_used"] or 0) for d in devices}
    rows: list[dict[str, Any]] = []
    for name in MODEL_FORMATS:
        memory = {
            kind: footprint.weight_bytes(name, kind, sizes, n_params, whole)
            for kind in set(kinds.values())
        }
        running = {
            kind: n_bytes + _activations(name, kind, config, sizes, batch)
            for kind, n_bytes in memory.items()
        }
        fits = {i: running[kinds[i]] <= free[i] * _ROOM for i in free}
        reason = footprint.unavailable(name, sizes)
        if reason:
            fits = dict.fromkeys(fits, False)
        rows.append(
            {
                "format": name,
                "computes_in": {k: footprint.computes_in(name, k) for k in memory},
                "unavailable": reason,
                "download_bytes": download_bytes,
                "disk_bytes": download_bytes,
                "memory_bytes": memory,
                "extraction_bytes": running,
                "fits": fits,
                "recommended": False,
            }
        )
    best = max(free, key=lambda i: (kinds[i] == "gpu", free[i]))
    order = _ORDER[kinds[best]]
    if kinds[best] == "gpu" and counts and "F32" not in counts:
        order = order[1:]  # Published in half precision: full precision adds nothing.
    chosen = next(
        (f for f in order for row in rows if row["format"] == f and row["fits"][best]), None
    )
    for row in rows:
        row["recommended"] = row["format"] == chosen
    warning = None
    if chosen is None:
        least = min(row["extraction_bytes"][kinds[best]] for row in rows)
        warning = (
            f"An extraction needs at least {human(least)}, but {best} has "
            f"{human(free[best])} free: it will not fit."
        )
    recommendation = {"format": chosen, "device": best} if chosen else None
    return {
        "formats": rows,
        "recommendation": recommendation,
        "warning": warning,
        "devices": [_device(device) for device in devices],
        "batch_tokens": batch.tokens,
        "method": "config" if sizes else "counts",
    }


def _device(device: Json) -> Json:
    free = (device["memory_total"] or 0) - (device["memory_used"] or 0)
    named = {name: device.get(name) for name in ("id", "name", "kind")}
    return {**named, "free_bytes": free}


def _activations(name: str, kind: str, config: Json, sizes: Json | None, batch: Batch) -> int:
    """Return the bytes of a forward pass and of the buffers for what is stored."""
    width = footprint.number(config, "hidden_size", "n_embd", "d_model")
    stored = STAGING_BUFFERS * batch.tokens * batch.n_hooks * width * 2
    return stored + footprint.pass_bytes(name, kind, sizes, batch.tokens, width)
