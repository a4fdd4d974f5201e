"""What a model takes in memory, in each format and on each kind of device; an estimate.

``sizes`` is what :func:`mistudio_ext.engine.sizes.sizes` counted on the model built from its
config; where there is none, parameters are multiplied. ``kind`` is ``cpu`` or ``gpu``.
"""

from __future__ import annotations

import math
from importlib.util import find_spec
from typing import Any

from mistudio_ext import batching
from mistudio_ext.errors import InvalidInputError
from mistudio_ext.services.context import Json

#: Bytes per parameter as loaded; quantised ones with their scales (nf4 with double
#: quantisation, int8 by rows, groups of 64 for two bits).
PARAMETER_BYTES = {"fp32": 4.0, "bf16": 2.0, "fp16": 2.0, "q8": 1.002, "q4": 0.516, "q2": 0.3125}

#: Bytes for each weight of a layer that is dequantised, by format and kind of device: at the most
#: while that is done, and held while the layer is computed.
_DEQUANTIZED = {
    "q8": {"cpu": (4, 4), "gpu": (6, 2)},
    "q4": {"cpu": (6, 4), "gpu": (6, 2)},
    "q2": {"cpu": (9, 4), "gpu": (5, 2)},
}


def weight_bytes(name: str, kind: str, sizes: Json | None, n_params: int, whole: int) -> int:
    """Return the bytes of a loaded model.

    Parameters
    ----------
    n_params, whole
        Parameters, and those of them that are never quantised.
    """
    if sizes and name in sizes["memory"]:
        counted: int = sizes["memory"][name][kind]
        return counted
    if name == "fp16" and kind == "cpu":
        return 4 * n_params  # The CPU computes it in float32.
    if not name.startswith("q"):
        # A publisher's own format takes four bytes at most.
        return round(PARAMETER_BYTES.get(name, 4.0) * n_params)
    full = 2 if kind == "gpu" else 4
    return round(full * whole + PARAMETER_BYTES.get(name, 4.0) * (n_params - whole))


def pass_bytes(name: str, kind: str, sizes: Json | None, tokens: int, width: int) -> int:
    """Return the bytes of a forward pass over so many tokens.

    Parameters
    ----------
    width
        Numbers of a token in the residual stream.
    """
    half = computes_in(name, kind) != "float32"
    live = (sizes or {}).get("activations")
    if not live:
        return tokens * batching.PASS_WIDTHS * width * (2 if half else 4)
    samples = math.ceil(tokens / live["length"])
    if half and "half" in live:
        live, half = live["half"], False
    share = 0.5 if half else 1.0  # Counted by an earlier version: float32 alone.
    found = share * (live["base"] + samples * live["per_sample"])
    if name in _DEQUANTIZED:
        most, held = _DEQUANTIZED[name][kind]
        for weights, base, each, base_after, each_after in live.get("layers", ()):
            before, after = base + samples * each, base_after + samples * each_after
            found = max(found, share * before + most * weights, share * after + held * weights)
    return int(found)


def unavailable(name: str, sizes: Json | None) -> str | None:
    """Return why a model cannot be loaded in a format here, None if nothing is known against it.

    Parameters
    ----------
    sizes
        As in :func:`weight_bytes`; None if the model is not known yet.
    """
    if name in ("q8", "q4") and find_spec("bitsandbytes") is None:
        return f"bitsandbytes is not installed, which {name} is made with"
    quantizable = (sizes or {}).get("quantizable")
    if name.startswith("q") and quantizable and not quantizable["weights"]:
        return f"the model has no linear layers that {name} could shrink"
    return None


def require(name: str, sizes: Json | None, field: str = "format") -> None:
    """Refuse a format that :func:`unavailable` tells of.

    Raises
    ------
    InvalidInputError
        ``format_unavailable``.
    """
    if reason := unavailable(name, sizes):
        raise InvalidInputError(
            f"{name} cannot be used: {reason}.",
            code="format_unavailable",
            field=field,
            hint="Choose bf16, or run jupyter mistudio doctor to see what is missing.",
        )


def computes_in(name: str, kind: str) -> str:
    """Return the dtype in which a model of this format computes."""
    if name in ("bf16", "fp32"):
        return {"bf16": "bfloat16", "fp32": "float32"}[name]
    if kind == "cpu":
        return "float32"
    return "float16" if name == "fp16" else "bfloat16"


def never_quantised(config: Json) -> int:
    """Return the parameters of embeddings and head, 0 where the config does not tell."""
    table = number(config, "vocab_size") * number(config, "hidden_size", "n_embd", "d_model")
    return table if config.get("tie_word_embeddings", True) else 2 * table


def number(config: Json, *names: str) -> int:
    """Return the first of these numbers that a ``config.json`` has, 0 if it has none."""
    inner: Any = config.get("text_config") if isinstance(config.get("text_config"), dict) else {}
    found = [part.get(n) for n in names for part in (config, inner)]
    return next((v for v in found if isinstance(v, int) and not isinstance(v, bool)), 0)
