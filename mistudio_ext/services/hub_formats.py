"""What a model takes in each format, from its parameter counts and config; an estimate."""

from __future__ import annotations

from typing import Any

from mistudio_ext.services.context import Json, human
from mistudio_ext.spec import MODEL_FORMATS

#: Bytes per parameter as loaded; quantised ones with their scales (nf4 with double
#: quantisation, int8 by rows, groups of 64 for two bits).
_WIDTH = {"fp32": 4.0, "bf16": 2.0, "fp16": 2.0, "q8": 1.002, "q4": 0.516, "q2": 0.3125}

#: Share of the free memory that weights may take; the rest is for activations.
_ROOM = 0.8

#: Formats that are recommended, best first, by kind of device.
_ORDER = {"cpu": ("fp32", "bf16", "q8", "q4"), "gpu": ("fp32", "bf16", "fp16", "q8", "q4")}


def formats(counts: dict[str, int], config: Json, download_bytes: int, devices: list[Json]) -> Json:
    """Return ``{formats, recommendation, warning, estimate: True}``.

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
    """
    n_params = sum(counts.values())
    if not n_params:
        return {
            "formats": [],
            "recommendation": None,
            "warning": "The Hub does not say how many parameters there are: "
            "the repository has no safetensors, or they cannot be read.",
            "estimate": True,
        }
    whole = min(_never_quantised(config), n_params)
    kinds = {device["id"]: device["kind"] for device in devices}
    free = {d["id"]: (d["memory_total"] or 0) - (d["memory_used"] or 0) for d in devices}
    rows: list[dict[str, Any]] = []
    for name in MODEL_FORMATS:
        memory = {kind: _memory(name, n_params, whole, kind) for kind in set(kinds.values())}
        fits = {i: memory[kinds[i]] <= free[i] * _ROOM for i in free}
        rows.append(
            {
                "format": name,
                "download_bytes": download_bytes,
                "memory_bytes": memory,
                "fits": fits,
                "recommended": False,
            }
        )
    best = max(free, key=lambda i: (kinds[i] == "gpu", free[i]))
    order = _ORDER[kinds[best]]
    if kinds[best] == "gpu" and "F32" not in counts:
        order = order[1:]  # Published in half precision: full precision adds nothing.
    chosen = next(
        (f for f in order for row in rows if row["format"] == f and row["fits"][best]), None
    )
    for row in rows:
        row["recommended"] = row["format"] == chosen
    warning = None
    if chosen is None:
        least = min(row["memory_bytes"][kinds[best]] for row in rows)
        warning = (
            f"It needs at least {human(least)}, but {best} has {human(free[best])} free: "
            "it will not fit with room for activations."
        )
    recommendation = {"format": chosen, "device": best} if chosen else None
    return {"formats": rows, "recommendation": recommendation, "warning": warning, "estimate": True}


def _memory(name: str, n_params: int, whole: int, kind: str) -> int:
    if name == "fp16" and kind == "cpu":
        return 4 * n_params  # The CPU computes it in float32.
    if not name.startswith("q"):
        return round(_WIDTH[name] * n_params)
    full = 2 if kind == "gpu" else 4
    return round(full * whole + _WIDTH[name] * (n_params - whole))


def _never_quantised(config: Json) -> int:
    """Return the parameters of embeddings and head, 0 where the config does not tell."""
    inner: Any = config.get("text_config") if isinstance(config.get("text_config"), dict) else {}

    def number(*names: str) -> int:
        found = [part.get(n) for n in names for part in (config, inner)]
        return next((v for v in found if isinstance(v, int) and not isinstance(v, bool)), 0)

    table = number("vocab_size") * number("hidden_size", "n_embd", "d_model")
    return table if config.get("tie_word_embeddings", True) else 2 * table
