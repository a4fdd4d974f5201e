"""The few facts about model families that structure and numbers cannot tell.

Everything here is a rule with its reason. A family that needs no rule is not named.
"""

from __future__ import annotations

import re
from typing import Any

from torch import nn

from mistudio_ext.engine.two_bit import TwoBitLinear

#: Words in a module's path or class that say "this mixes positions".
MIXER_WORDS = re.compile(
    r"attn|attention|mixer|mamba|ssm|conv|recurrent|temporal|linear_attn|delta|rwkv|time_mix|lru",
    re.IGNORECASE,
)
#: Words that say "this mixer is attention": it has heads, and so a ``hook_z``.
ATTENTION_WORDS = re.compile(r"attn|attention", re.IGNORECASE)
#: Words that say "this works on each position by itself".
MLP_WORDS = re.compile(
    r"mlp|ffn|ff\b|feed_?forward|moe|expert|fc\d|dense_4h_to_h|channel_mix", re.IGNORECASE
)
#: Words in paths of norms that follow one of the two (sandwich norms).
_AFTER_ATTENTION = re.compile(r"post_(self_)?(attn|attention)", re.IGNORECASE)
_AFTER_MLP = re.compile(r"post_(mlp|ffn|feed_?forward)", re.IGNORECASE)


def role_by_name(path: str, class_name: str) -> str | None:
    """Return ``"attn"`` or ``"mlp"`` if a contribution's name says which it is.

    Parameters
    ----------
    path
        Path of the module below its block, e.g. ``self_attn.o_proj``.
    class_name
        Name of the module's class.
    """
    if _AFTER_MLP.search(path):
        return "mlp"
    if _AFTER_ATTENTION.search(path):
        return "attn"
    for text in (path, class_name):
        mixes, is_mlp = MIXER_WORDS.search(text), MLP_WORDS.search(text)
        if mixes and not is_mlp:
            return "attn"
        if is_mlp and not mixes:
            return "mlp"
    return None


def is_projection(module: nn.Module) -> bool:
    """Return whether a module is one matrix multiplication (Linear, Conv1D, quantised or not)."""
    if any(True for _ in module.children()) or isinstance(module, nn.Embedding):
        return False
    if isinstance(module, TwoBitLinear):
        return True
    weight = getattr(module, "weight", None)
    name = type(module).__name__
    return weight is not None and (weight.dim() == 2 or "Linear" in name)


def multipliers(config: Any) -> list[float]:
    """Return the numbers by which a config says that something is multiplied.

    Granite multiplies each contribution by ``residual_multiplier``; a factor that is
    measured is replaced by the config's own value, which is exact.
    """
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    found: list[float] = []
    for key, value in text.to_dict().items():
        named = "multiplier" in key or "scale" in key or "scaling" in key
        if named and isinstance(value, int | float) and not isinstance(value, bool):
            found.append(float(value))
    width = getattr(text, "hidden_size", None)
    if isinstance(width, int):
        found.append(float(width) ** 0.5)  # Gemma scales its embeddings by sqrt(d_model).
    return found


def unsupported(config: Any) -> str | None:
    """Return why a model cannot be extracted from at all, or None.

    An encoder-decoder reads two sequences; which of them the rows of an array
    would stand for is not defined.
    """
    if getattr(config, "is_encoder_decoder", False):
        return (
            f"'{config.model_type}' is an encoder-decoder model; "
            "activations can be extracted from decoder-only language models"
        )
    return None
