"""Names made from what is chosen, and what is said of a name that was not taken."""

from __future__ import annotations

from collections.abc import Sequence

from mistudio_ext import hookpoints
from mistudio_ext.services.context import Json

_WORDS = {"resid_post": "residual", "mlp_out": "mlp", "attn_out": "attention"}


def automatic_name(spec: Json) -> str:
    """Return a name for hooks, layers and samples: ``residual_layers0-11_1000samples``.

    Parameters
    ----------
    spec
        ``hooks`` (short or full names), and where given ``layers``, ``positions`` and
        ``max_samples``.
    """
    shorts: list[str] = []
    named: list[int] = []
    for hook in spec["hooks"]:
        short = hookpoints.ALIASES.get(hook, hook)
        if short not in {*hookpoints.BLOCK_POINTS, *hookpoints.GLOBAL_POINTS}:
            layer, short = hookpoints.split_name(hook)
            named += [] if layer is None else [layer]
        word = short.removeprefix(hookpoints.MODULE_PREFIX).rpartition(".")[2]
        shorts.append(_WORDS.get(word, word))
    kinds = list(dict.fromkeys(shorts))
    hooks = "-".join(kinds[:3]) + ("-etc" if len(kinds) > 3 else "")
    chosen = hookpoints.parse_layers(spec.get("layers"))
    everywhere = len(named) < len(spec["hooks"])
    layers = sorted({*named, *(chosen or ())}) if chosen or not everywhere else None
    samples = f"_{spec['max_samples']}samples" if spec.get("max_samples") else ""
    positions = spec.get("positions") or "all"
    which = "" if positions == "all" else f"_{positions}"
    return f"{hooks}{which}_layers{ranges(layers)}{samples}"


def ranges(layers: Sequence[int] | None) -> str:
    """Return layers as short text: ``all``, ``0-5``, ``0,3,7-9``; long choices are counted."""
    if not layers:
        return "all"
    parts: list[list[int]] = []
    for layer in layers:
        if parts and layer == parts[-1][-1] + 1:
            parts[-1].append(layer)
        else:
            parts.append([layer])
    if len(parts) > 4:
        return f"{layers[0]}-{layers[-1]}({len(layers)})"
    return ",".join(f"{p[0]}-{p[-1]}" if len(p) > 1 else str(p[0]) for p in parts)


def kept_name(noun: str, name: str, wanted: str | None) -> list[Json]:
    """Return the notice for a request that names anew what is there under another name."""
    if wanted in (None, name):
        return []
    return [
        {
            "code": "exists_under_another_name",
            "field": "name",
            "message": f"This {noun} is there already as '{name}': the name '{wanted}' was not "
            "given.",
            "hint": f"Use '{name}', or rename it to '{wanted}'.",
        }
    ]


def other_content(name: str, before: str | None) -> list[Json]:
    """Return the notice for a path that another dataset was made of, when it had other files."""
    if before is None:
        return []
    return [
        {
            "code": "content_changed",
            "field": "path",
            "message": f"'{before}' was made of what lay at this path before, or by the rules of "
            f"an earlier release. '{name}' is a new dataset of what lies there now.",
            "hint": f"Delete '{before}' if you no longer need it.",
        }
    ]


def noticed(view: Json, notices: Sequence[Json]) -> Json:
    """Return a record as it is answered, with what of its request has no effect."""
    return {**view, "notices": list(notices)} if notices else view
