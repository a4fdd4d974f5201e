"""What a publisher has quantised, as its ``config.json`` says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mistudio_ext.errors import InvalidInputError


def published_format(config: Mapping[str, Any]) -> str | None:
    """Return the name of the format in which a checkpoint was published quantised.

    Parameters
    ----------
    config
        Content of ``config.json``.

    Returns
    -------
    str or None
        ``nf4``, ``fp4``, ``int8`` (bitsandbytes), ``gptq-4bit``, ``awq-4bit``, ``fp8``, ``mxfp4``,
        ``compressed-tensors-int4`` and the like, else the method's own name; None for a
        checkpoint that is not quantised.
    """
    found = config.get("quantization_config") or config.get("compression_config")
    if found is None and isinstance(config.get("text_config"), Mapping):
        return published_format(config["text_config"])
    if not isinstance(found, Mapping) or not found:
        return None
    method = str(found.get("quant_method") or "").lower()
    if "bitsandbytes" in method or found.get("load_in_4bit") or found.get("load_in_8bit"):
        four = found.get("load_in_4bit") or found.get("_load_in_4bit")
        return str(found.get("bnb_4bit_quant_type") or "fp4") if four else "int8"
    if method in ("fp8", "fbgemm_fp8"):
        return "fp8"
    if method == "compressed-tensors":
        return f"{method}{_weights_of_groups(found)}"
    bits = found.get("bits") or found.get("nbits") or found.get("w_bit")
    if bits is None:
        kind = found.get("weights") or found.get("quant_type")
        return f"{method}-{kind}" if isinstance(kind, str) else method or "quantised"
    return f"{method}-{bits}bit"


def may_become(published: str, wanted: str) -> bool:
    """Tell whether a loader may give weights that were published quantised in another format.

    Some methods are undone where the hardware has no kernels for them; then they are plain.
    """
    undone = published.startswith(("fp8", "mxfp4", "compressed-tensors"))
    return wanted == published or (undone and wanted in ("fp32", "bf16", "fp16"))


def _weights_of_groups(found: Mapping[str, Any]) -> str:
    """Return ``-int4`` for the groups of compressed-tensors, empty where they differ."""
    groups = found.get("config_groups")
    kinds = set()
    for group in groups.values() if isinstance(groups, Mapping) else ():
        weights = group.get("weights") if isinstance(group, Mapping) else None
        if isinstance(weights, Mapping):
            kinds.add(f"-{weights.get('type') or 'int'}{weights.get('num_bits')}")
    return kinds.pop() if len(kinds) == 1 else ""


def already_quantised(name: str, published: str, wanted: str) -> InvalidInputError:
    """Return the error for a format that quantised weights cannot be given."""
    return InvalidInputError(
        f"'{name}' was quantised by its publisher ({published}): its weights cannot become "
        f"{wanted}.",
        code="already_quantised",
        field="format",
        hint="Leave the format out to use it as it is, or choose the checkpoint that was not "
        "quantised.",
    )
