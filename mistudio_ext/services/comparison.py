"""Two architectures side by side, differences marked."""

from __future__ import annotations

from typing import Any

from mistudio_ext.services.context import Json

#: Facts that are compared, with their labels, in the order of the table.
FACTS: tuple[tuple[str, str], ...] = (
    ("model_type", "Family"),
    ("class_name", "Class"),
    ("kind", "Kind"),
    ("format", "Format"),
    ("n_params", "Parameters"),
    ("active_params", "Active parameters"),
    ("size_bytes", "Bytes in memory"),
    ("n_layers", "Layers"),
    ("d_model", "Width of the residual stream"),
    ("d_mlp", "Width of the MLP"),
    ("n_heads", "Heads"),
    ("n_kv_heads", "Key and value heads"),
    ("head_dim", "Width of a head"),
    ("attention", "Attention"),
    ("sliding_window", "Sliding window"),
    ("parallel", "Parallel blocks"),
    ("experts", "Experts"),
    ("positional", "Positions"),
    ("norm", "Norm"),
    ("activation", "Activation"),
    ("tied", "Tied embeddings"),
    ("vocab_size", "Vocabulary"),
    ("context", "Context"),
)


def compare(a: Json, b: Json) -> Json:
    """Return the facts, the configs and the hook points of two architectures.

    Returns
    -------
    dict
        ``{models: [{id, name}], rows: [{key, label, a, b, same}], config:
        [{key, a, b, same}], hooks: {both, only_a, only_b}}``. Keys of nested
        configs are joined by dots; hook points are named by their short names.
    """
    configs = flat(a.get("config") or {}), flat(b.get("config") or {})
    keys = dict.fromkeys((*configs[0], *configs[1]))
    hooks_a, hooks_b = _hooks(a), _hooks(b)
    return {
        "models": [{"id": one["id"], "name": one["name"]} for one in (a, b)],
        "rows": [{"label": label, **_row(key, a, b)} for key, label in FACTS],
        "config": [_row(key, *configs) for key in sorted(keys)],
        "hooks": {
            "both": [hook for hook in hooks_a if hook in hooks_b],
            "only_a": [hook for hook in hooks_a if hook not in hooks_b],
            "only_b": [hook for hook in hooks_b if hook not in hooks_a],
        },
    }


def flat(config: Json, prefix: str = "") -> Json:
    """Return a nested config as one level with dotted keys."""
    found: Json = {}
    for key, value in config.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and value:
            found |= flat(value, f"{name}.")
        else:
            found[name] = value
    return found


def _row(key: str, a: Json, b: Json) -> Json:
    left: Any = a.get(key)
    right: Any = b.get(key)
    return {"key": key, "a": left, "b": right, "same": left == right}


def _hooks(architecture: Json) -> list[str]:
    return list(dict.fromkeys(str(hook["short"]) for hook in architecture.get("hooks", [])))
