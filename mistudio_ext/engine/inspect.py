"""Everything that the catalog and the panels show about a model, in one dictionary."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from mistudio_ext.engine import anatomy, families, points, verify
from mistudio_ext.engine.describe.facts import Facts
from mistudio_ext.engine.forward import batch_rule
from mistudio_ext.engine.load import LoadedModel, is_causal, load_model, meta_model, read_config
from mistudio_ext.engine.model.limits import limits_of
from mistudio_ext.engine.sizes import sizes
from mistudio_ext.engine.structure import (
    claimed_positions,
    config_number,
    discover,
    parameter_count,
    text_config,
)
from mistudio_ext.engine.tracing import vocabulary_of
from mistudio_ext.errors import InvalidInputError
from mistudio_ext.hookpoints import order


class Report(Protocol):
    """What this module needs of a worker's reporter."""

    def phase(self, name: str, message: str = "") -> None:
        """Say what is being done."""


def inspect_model(
    path: Path,
    format: str | None,
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
        ``fp32``, ``bf16``, ``fp16``, ``q8``, ``q4`` or ``q2``; None for that of the files.
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
        facts = Facts()
        empty = _empty(config, allow_remote_code, facts) or nn.Module()
        return _describe_only(config, empty, reason, facts)
    say("loading model", f"Loading {Path(path).name}")
    device = "auto" if torch.cuda.is_available() else "cpu"
    loaded = load_model(path, format, device, allow_remote_code, allow_pickle=allow_pickle)
    say("verifying", "Finding and checking the hook points")
    return describe_loaded(Path(path), loaded, allow_remote_code)


def describe_loaded(
    path: Path, loaded: LoadedModel, allow_remote_code: bool = False
) -> dict[str, Any]:
    """Return what :func:`inspect_model` returns, of a model that is in memory already."""
    config, facts = read_config(path, allow_remote_code), Facts()
    empty = _empty(config, allow_remote_code, facts) or loaded.model
    try:
        structure = discover(loaded.model)
    except InvalidInputError as error:
        return _describe_only(config, empty, error.message.rstrip("."), facts)
    limits = limits_of(loaded.model, structure)
    mapped, checks = verify.verify(loaded.model, structure, points.build(structure, config))
    rule = batch_rule.decide(loaded.model, structure, limits) if structure.blocks else None
    hooks = sorted(mapped.points.values(), key=lambda point: order(point.name))
    unavailable = dict(mapped.unavailable)
    if structure.reason:
        unavailable = {"resid_post": structure.reason}
    shorts = list(dict.fromkeys(point.short for point in hooks))
    described = {
        **describe_config(config, empty, facts),
        "extractable": anatomy.extractable(shorts, list(unavailable), structure.reason),
        "n_layers": len(structure.blocks) or facts.find("n_layers", lambda: _layers(config)) or 0,
        "parallel": any(block.form == "parallel" for block in mapped.blocks),
        "size_bytes": memory_of(loaded.model),
        "format": loaded.format,
        "dtype": str(loaded.dtype).removeprefix("torch."),
        "vocab_size": limits.vocabulary,
        "context": limits.context,
        "positions": limits.positions,
        "padding": rule.padding if rule else None,
        "padding_reason": rule.reason if rule else structure.reason,
        "tree": facts.find("tree", lambda: tree(empty, parameter_count(empty))) or [],
        "sizes": facts.find("sizes", lambda: sizes(config, allow_remote_code)),
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
    if structure.d_model:
        described["d_model"] = structure.d_model
    return {**described, "unknown": facts.listed()}


def _empty(config: Any, allow_remote_code: bool, facts: Facts) -> nn.Module | None:
    """Return the model without weights; None where it cannot be built so."""
    return facts.find("model without weights", lambda: meta_model(config, allow_remote_code))


def _describe_only(config: Any, empty: nn.Module, reason: str, facts: Facts) -> dict[str, Any]:
    """Return what can be told of a model that is looked at but not extracted from."""
    return {
        **describe_config(config, empty, facts),
        "extractable": anatomy.extractable([], [], reason),
        "parallel": False,
        "size_bytes": memory_of(empty),
        "dtype": "float32",
        "padding": None,
        "tree": facts.find("tree", lambda: tree(empty, parameter_count(empty))) or [],
        "sizes": facts.find("sizes", lambda: sizes(config)),
        "hooks": [],
        "unavailable": [{"short": "resid_post", "reason": reason}],
        "checks": [],
        "warnings": [{"code": "not_extractable", "message": f"{reason}."}],
        "unknown": facts.listed(),
    }


def describe_config(config: Any, model: nn.Module, facts: Facts | None = None) -> dict[str, Any]:
    """Return what config and empty model tell without any weights, each fact by itself."""
    facts = Facts() if facts is None else facts
    text = text_config(config)
    heads = config_number(text, "num_attention_heads", "n_head", "n_heads", "num_heads")
    width = config_number(text, "hidden_size", "n_embd", "d_model") or 0
    names = [type(module).__name__ for module in model.modules()]
    found = facts.find_all(
        {
            "model_type": lambda: text.model_type,
            "kind": lambda: _kind(config),
            "active_params": lambda: anatomy.active_parameters(text, model),
            "sliding_window": lambda: getattr(text, "sliding_window", None),
            "block": lambda: anatomy.block_of(config, model, _layers(config)),
            "n_layers": lambda: _layers(config),
            "d_mlp": lambda: (
                config_number(text, "intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size")
                or _widest(model, width)
            ),
            "head_dim": lambda: _head_dim(text, width, heads),
            "n_kv_heads": lambda: _kv_heads(text, heads),
            "attention": lambda: _attention(heads, _kv_heads(text, heads)),
            "vocab_size": lambda: vocabulary_of(config, model),
            "context": lambda: claimed_positions(config),
            "positional": lambda: _positional(text, model),
            "activation": lambda: _activation(text),
            "tied": lambda: _tied(model),
            "experts": lambda: _experts(text),
            "config": lambda: config.to_dict(),
        }
    )
    return {
        **found,
        "model_type": found["model_type"] or config.model_type,
        "config": found["config"] or {},
        "class_name": type(model).__name__,
        "d_model": width,
        "n_heads": heads,
        "norm": "RMSNorm" if any("RMSNorm" in n for n in names) else "LayerNorm",
        "n_params": parameter_count(model),
    }


def _kv_heads(text: Any, heads: int | None) -> int | None:
    if getattr(text, "multi_query", False) and not getattr(text, "new_decoder_architecture", False):
        return 1
    names = ("num_key_value_heads", "num_kv_heads", "n_head_kv")
    named = (getattr(text, name, None) for name in names)
    return next((n for n in named if isinstance(n, int)), heads)


def _head_dim(text: Any, width: int, heads: int | None) -> int | None:
    """Return the width of a head; a config whose layers differ in it raises."""
    named = getattr(text, "head_dim", None)
    if isinstance(named, int):
        return named
    return width // heads if heads else None


def _activation(text: Any) -> str | None:
    keys = (
        "hidden_activation",
        "hidden_act",
        "activation_function",
        "activation",
        "mlp_hidden_act",
    )
    return next((str(getattr(text, key)) for key in keys if getattr(text, key, None)), None)


def _experts(text: Any) -> dict[str, int | None] | None:
    count = config_number(text, "num_local_experts", "num_experts", "n_routed_experts")
    if not count or count < 2:
        return None
    return {"count": count, "active": config_number(text, "num_experts_per_tok", "moe_topk")}


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


def _layers(config: Any) -> int:
    names = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
    return config_number(text_config(config), *names) or 0


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
