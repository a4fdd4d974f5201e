"""What a block is made of, told by config and module names: for the drawing and the comparison."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from torch import nn

from mistudio_ext.engine import families
from mistudio_ext.engine.structure import config_number, parameter_count

_EXPERTS = re.compile(r"(^|\.)experts(\.|$)")
_AFTER = re.compile(r"post_(self_)?(attn|attention)_?\w*norm|post_(mlp|ffn|feed_?forward)\w*norm")
_SHORT = {"full_attention": "full", "sliding_attention": "sliding", "chunked_attention": "chunked"}


def block_of(config: Any, model: nn.Module, n_layers: int) -> dict[str, Any]:
    """Return ``{norms: {pre, post}, mixer, layer_kinds, experts}`` of a model's blocks."""
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    names = [name for name, _ in model.named_modules()]
    kinds = layer_kinds(text, n_layers)
    sandwich = any("pre_feedforward" in name for name in names)
    post = any(_AFTER.search(name) for name in names) and (sandwich or _only_after(names))
    encoder = any(name.endswith("attention.output.LayerNorm") for name in names)
    mixed = any(families.ATTENTION_WORDS.search(name) for name in names)
    return {
        "norms": {"pre": not encoder and not _only_after(names), "post": post or encoder},
        "mixer": "attention" if mixed else "ssm",
        "layer_kinds": kinds,
        "experts": experts_of(text),
    }


def layer_kinds(text: Any, n_layers: int) -> list[str]:
    """Return for each layer ``full``, ``sliding``, or what else the config calls it."""
    named = getattr(text, "layer_types", None)
    if isinstance(named, Sequence) and not isinstance(named, str) and len(named) == n_layers:
        return [_SHORT.get(str(kind), str(kind)) for kind in named]
    window = getattr(text, "sliding_window", None)
    sliding = isinstance(window, int) and getattr(text, "use_sliding_window", True)
    return ["sliding" if sliding else "full"] * n_layers


def experts_of(text: Any) -> dict[str, Any] | None:
    """Return ``{n, active, shared}`` of a mixture of experts, None for other models."""
    count = config_number(text, "num_local_experts", "num_experts", "n_routed_experts")
    if not count or count < 2:
        return None
    return {
        "n": count,
        "active": config_number(text, "num_experts_per_tok", "moe_topk"),
        "shared": config_number(text, "n_shared_experts", "num_shared_experts") or 0,
    }


def active_parameters(text: Any, model: nn.Module) -> int:
    """Return the parameters that one token runs through: all, or those of its experts."""
    total, experts = parameter_count(model), experts_of(text)
    if experts is None or not experts["active"]:
        return total
    routed = sum(p.numel() for name, p in model.named_parameters() if _EXPERTS.search(name))
    return total - routed + routed * int(experts["active"]) // int(experts["n"])


def extractable(hooks: Sequence[str], unavailable: Sequence[str], reason: str | None) -> str:
    """Return in a sentence what can be extracted from a model."""
    if not hooks:
        return f"Nothing can be extracted: {reason or 'no hook point passed its checks'}."
    text = f"{len(hooks)} hook points can be extracted: {', '.join(hooks)}."
    if unavailable:
        text += f" Not there: {', '.join(unavailable)}."
    return text


def _only_after(names: Sequence[str]) -> bool:
    """Tell whether norms stand behind attention and MLP alone (OLMo 2)."""
    before = any(name.endswith(("input_layernorm", "ln_1", "norm1", "norm_1")) for name in names)
    return not before and any("post_feedforward_layernorm" in name for name in names)
