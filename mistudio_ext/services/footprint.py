"""What a model takes in memory, in each format and on each kind of device; an estimate.

``sizes`` is what :func:`mistudio_ext.engine.sizes.sizes` counted on the model built from its
config; where there is none, parameters are multiplied. ``kind`` is ``cpu`` or ``gpu``.
"""

from __future__ import annotations

import math
from typing import Any

from mistudio_ext import batching
from mistudio_ext.services.context import Json

#: Bytes per parameter as loaded; quantised ones with their scales (nf4 with double
#: quantisation, int8 by rows, groups of 64 for two bits).
PARAMETER_BYTES = {"fp32": 4.0, "bf16": 2.0, "fp16": 2.0, "q8": 1.002, "q4": 0.516, "q2": 0.3125}


def weight_bytes(name: str, kind: str, sizes: Json | None, n_params: int, whole: int) -> int:
    """Return the bytes of a loaded model.

    Parameters
    ----------
    n_params, whole
        Parameters, and those of them that are never quantised.
    """
    if sizes:
        counted: int = sizes["memory"][name][kind]
        return counted
    if name == "fp16" and kind == "cpu":
        return 4 * n_params  # The CPU computes it in float32.
    if not name.startswith("q"):
        return round(PARAMETER_BYTES[name] * n_params)
    full = 2 if kind == "gpu" else 4
    return round(full * whole + PARAMETER_BYTES[name] * (n_params - whole))


def pass_bytes(name: str, kind: str, sizes: Json | None, tokens: int, width: int) -> int:
    """Return the bytes of a forward pass over so many tokens.

    Parameters
    ----------
    width
        Numbers of a token in the residual stream.
    """
    half = _computes_in_half(name, kind)
    live = (sizes or {}).get("activations")
    if not live:
        return tokens * batching.PASS_WIDTHS * width * (2 if half else 4)
    samples = math.ceil(tokens / live["length"])
    whole = int(live["base"] + samples * live["per_sample"])
    return whole // 2 if half else whole


def never_quantised(config: Json) -> int:
    """Return the parameters of embeddings and head, 0 where the config does not tell."""
    table = number(config, "vocab_size") * number(config, "hidden_size", "n_embd", "d_model")
    return table if config.get("tie_word_embeddings", True) else 2 * table


def number(config: Json, *names: str) -> int:
    """Return the first of these numbers that a ``config.json`` has, 0 if it has none."""
    inner: Any = config.get("text_config") if isinstance(config.get("text_config"), dict) else {}
    found = [part.get(n) for n in names for part in (config, inner)]
    return next((v for v in found if isinstance(v, int) and not isinstance(v, bool)), 0)


def _computes_in_half(name: str, kind: str) -> bool:
    """Tell whether a format computes in 16 bits; a CPU does so in bfloat16 alone."""
    return name == "bf16" or (kind == "gpu" and name != "fp32")
