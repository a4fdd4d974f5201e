"""Everything that the catalog and the panels show about a model, in one dictionary."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from mistudio_ext.engine import anatomy, families, points, verify
from mistudio_ext.engine.load import LoadedModel, is_causal, load_model, meta_model, read_config
from mistudio_ext.engine.sizes import sizes
from mistudio_ext.engine.structure import config_number, discover, parameter_count
from mistudio_ext.hookpoints import order


class Report(Protocol):
    """What this module needs of a worker's reporter."""

    def phase(self, name: str, message: str = "") -> None:
        """Say what is being done."""


def inspect_model(
    path: Path,
    format: str,
    allow_remote_code: bool,
    report: Report | None = None,
    *,
    allow_pickle: bool = False,
) -> dict[str, Any]:
    """Load a model once, find its hook points, verify them, and describe it.

    Parameters
    ----------
    path
        Folder with config and safetensors.
    format
        ``fp32``, ``bf16``, ``fp16``, ``q8``, ``q4`` or ``q2``.
    allow_remote_code
        Whether the model's own code may run.
    report
        Told about phases, if given.
    allow_pickle
        Whether pickled weights may be read; see :func:`load_model`.

    Returns
    -------
    dict
        The ``architecture`` of the REST interface: numbers, module tree, hook
        points with the error of their checks, and the config.
    """
    say: Callable[[str, str], None] = (lambda _, __: None) if report is None else report.phase
    config = read_config(Path(path), allow_remote_code, any_kind=True)
    if reason := families.unsupported(config):
        return _describe_only(config, meta_model(config, allow_remote_code), reason)
    say("loading model", f"Loading {Path(path).name}")
    device = "auto" if torch.cuda.is_available() else "cpu"
    loaded = load_model(path, format, device, allow_remote_code, allow_pickle=allow_pickle)
    say("verifying", "Finding and checking the hook points")
    return describe_loaded(Path(path), loaded, allow_remote_code)


def describe_loaded(
    path: Path, loaded: LoadedModel, allow_remote_code: bool = False
) -> dict[str, Any]:
    """Return what :func:`inspect_model` returns, of a model that is in memory already."""
    config = read_config(path, allow_remote_code)
    empty = meta_model(config, allow_remote_code)
    structure = discover(loaded.model)
    mapped, checks = verify.verify(loaded.model, structure, points.build(structure, config))
    rule = verify.padding_rule(loaded.model, structure, config) if structure.blocks else "equal"
    hooks = sorted(mapped.points.values(), key=lambda point: order(point.name))
    unavailable = dict(mapped.unavailable)
    if structure.reason:
        unavailable = {"resid_post": structure.reason}
    shorts = list(dict.fromkeys(point.short for point in hooks))
    return {
        **describe_config(config, empty),
        "extractable": anatomy.extractable(shorts, list(unavailable), structure.reason),
        "n_layers": len(structure.blocks) or _layers(config),
        "d_model": structure.d_model or _text(config).hidden_size,
        "parallel": any(block.form == "parallel" for block in mapped.blocks),
        "size_bytes": memory_of(loaded.model),
        "dtype": str(loaded.dtype).removeprefix("torch."),
        "padding": rule,
        "tree": tree(empty, parameter_count(empty)),
        "sizes": sizes(config, allow_remote_code),
        "hooks": [
            {
                "name": point.name,
                "short": point.short,
                "layer": point.layer,
                "d": point.d,
                "module": point.read.module,
                "verified": True,
                "max_error": point.max_error,
            }
            for point in hooks
        ],
        "unavailable": [{"short": k, "reason": v} for k, v in unavailable.items()],
        "checks": [{"name": c.name, "max_error": c.max_error, "passed": c.passed} for c in checks],
        "warnings": [{"code": code, "message": text} for code, text in loaded.warnings],
    }


def _describe_only(config: Any, empty: nn.Module, reason: str) -> dict[str, Any]:
    """Return what can be told of a model that is looked at but not extracted from."""
    return {
        **describe_config(config, empty),
        "extractable": anatomy.extractable([], [], reason),
        "parallel": False,
        "size_bytes": memory_of(empty),
        "dtype": "float32",
        "padding": None,
        "tree": tree(empty, parameter_count(empty)),
        "sizes": sizes(config),
        "hooks": [],
        "unavailable": [{"short": "resid_post", "reason": reason}],
        "checks": [],
        "warnings": [{"code": "not_extractable", "message": f"{reason}."}],
    }


def describe_config(config: Any, model: nn.Module) -> dict[str, Any]:
    """Return what config and empty model tell without any weights."""
    text = _text(config)
    heads = config_number(text, "num_attention_heads", "n_head", "n_heads", "num_heads")
    kv_heads = config_number(text, "num_key_value_heads", "num_kv_heads", "n_head_kv") or heads
    if getattr(text, "multi_query", False) and not getattr(text, "new_decoder_architecture", False):
        kv_heads = 1
    width = config_number(text, "hidden_size", "n_embd", "d_model") or 0
    experts = config_number(text, "num_local_experts", "num_experts", "n_routed_experts")
    names = [type(module).__name__ for module in model.modules()]
    return {
        "model_type": text.model_type,
        "class_name": type(model).__name__,
        "kind": _kind(config),
        "active_params": anatomy.active_parameters(text, model),
        "sliding_window": getattr(text, "sliding_window", None),
        "block": anatomy.block_of(config, model, _layers(config)),
        "n_layers": _layers(config),
        "d_model": width,
        "d_mlp": config_number(text, "intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size")
        or _widest(model, width),
        "n_heads": heads,
        "n_kv_heads": kv_heads,
        "head_dim": config_number(text, "head_dim") or (width // heads if heads else None),
        "attention": _attention(heads, kv_heads),
        "vocab_size": text.vocab_size,
        "context": config_number(
            text, "max_position_embeddings", "n_positions", "max_seq_len", "n_ctx", "seq_length"
        ),
        "positional": _positional(text, model),
        "norm": "RMSNorm" if any("RMSNorm" in n for n in names) else "LayerNorm",
        "activation": next(
            (
                str(getattr(text, key))
                for key in (
                    "hidden_activation",
                    "hidden_act",
                    "activation_function",
                    "hidden_act",
                    "activation",
                    "mlp_hidden_act",
                )
                if getattr(text, key, None)
            ),
            None,
        ),
        "tied": _tied(model),
        "n_params": parameter_count(model),
        "experts": None
        if not experts or experts < 2
        else {"count": experts, "active": config_number(text, "num_experts_per_tok", "moe_topk")},
        "config": config.to_dict(),
    }


def tree(model: nn.Module, total: int, path: str = "", module: nn.Module | None = None) -> Any:
    """Return the modules as nested dictionaries with their number and share of parameters."""
    here = model if module is None else module
    nodes = []
    for name, child in here.named_children():
        full = f"{path}.{name}" if path else name
        count = parameter_count(child)
        weight = getattr(child, "weight", None)
        nodes.append(
            {
                "name": full,
                "class": type(child).__name__,
                "params": count,
                "share": count / total if total else 0.0,
                "shape": list(weight.shape) if isinstance(weight, torch.Tensor) else None,
                "children": tree(model, total, full, child),
            }
        )
    return nodes


def memory_of(model: nn.Module) -> int:
    """Return the bytes that a model's tensors take, shared ones once, scales of weights too."""
    tensors = {id(t): t for t in (*model.parameters(), *model.buffers())}
    for parameter in list(tensors.values()):
        for scale in _scales(parameter):
            tensors[id(scale)] = scale
    return sum(t.numel() * t.element_size() for t in tensors.values())


def _scales(weight: torch.Tensor) -> list[torch.Tensor]:
    """Return what bitsandbytes keeps beside a quantised weight."""
    state = getattr(weight, "quant_state", None)
    parts = [getattr(weight, "SCB", None)]
    for level in (state, getattr(state, "state2", None)):
        parts += [getattr(level, name, None) for name in ("absmax", "code", "offset")]
    return [part for part in parts if isinstance(part, torch.Tensor)]


def _text(config: Any) -> Any:
    return config.get_text_config() if hasattr(config, "get_text_config") else config


def _layers(config: Any) -> int:
    names = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
    return config_number(_text(config), *names) or 0


def _widest(model: nn.Module, width: int) -> int | None:
    """Return the width of the MLP where the config does not say: 4 times in the GPT-2 way."""
    sizes = [
        max(m.weight.shape)
        for name, m in model.named_modules()
        if isinstance(getattr(m, "weight", None), torch.Tensor)
        and m.weight.dim() == 2
        and any(word in name for word in ("mlp", "ffn", "fc"))
    ]
    return max(sizes) if sizes else None


def _attention(heads: int | None, kv_heads: int | None) -> str | None:
    if not heads:
        return None
    if kv_heads == 1 and heads > 1:
        return "MQA"
    return "GQA" if kv_heads and kv_heads < heads else "MHA"


def _positional(text: Any, model: nn.Module) -> str:
    names = " ".join(name for name, _ in model.named_modules())
    if getattr(text, "alibi", False) or text.model_type in ("bloom", "mpt"):
        return "alibi"
    if "rotary" in names or hasattr(text, "rotary_dim") or hasattr(text, "rope_parameters"):
        return "rotary"
    if any(word in names for word in ("wpe", "embed_positions", "position_embeddings")):
        return "learned"
    return "none"


def _kind(config: Any) -> str:
    if getattr(config, "is_encoder_decoder", False):
        return "encoder-decoder"
    return "decoder" if is_causal(config) else "encoder"


def _tied(model: nn.Module) -> bool:
    try:
        head, embedding = model.get_output_embeddings(), model.get_input_embeddings()  # type: ignore[operator]
    except (AttributeError, NotImplementedError):
        return False
    return head is not None and head.weight is embedding.weight
