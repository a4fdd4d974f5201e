"""The vocabulary of hook points: names, short names, layers.

Names are TransformerLens's. A hook point is where a tensor of shape
``[batch, position, d]`` can be read in the forward pass.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable, Sequence

from mistudio_ext.errors import InvalidInputError

#: Hook points of one block: short name -> (path below ``blocks.{i}.``, meaning).
BLOCK_POINTS: dict[str, tuple[str, str]] = {
    "resid_pre": ("hook_resid_pre", "residual stream entering the block"),
    "z": ("attn.hook_z", "attention heads' outputs, concatenated, before the output projection"),
    "attn_out": ("hook_attn_out", "what attention (or the mixer) adds to the residual stream"),
    "resid_mid": ("hook_resid_mid", "residual stream between attention and MLP"),
    "mlp_post": ("mlp.hook_post", "MLP's hidden activations, before the output projection"),
    "mlp_out": ("hook_mlp_out", "what the MLP (or experts) adds to the residual stream"),
    "resid_post": ("hook_resid_post", "residual stream leaving the block"),
}

#: Hook points of the whole model: short name -> (full name, meaning).
GLOBAL_POINTS: dict[str, tuple[str, str]] = {
    "embed": ("hook_embed", "token embeddings"),
    "ln_final": ("ln_final.hook_normalized", "residual stream after the final norm"),
}

#: miStudio's own words for the three common points.
ALIASES: dict[str, str] = {
    "residual": "resid_post",
    "mlp": "mlp_out",
    "attention": "attn_out",
    "post": "mlp_post",
}

#: Prefix of a hook point that names any module by its path in the model.
MODULE_PREFIX = "module:"

#: No layer has a higher number; a range beyond it is a slip of the finger.
MAX_LAYER = 9999

_BLOCK_NAME = re.compile(r"^blocks\.(\d+)\.(.+)$")
_SHORT_BY_PATH = {path: short for short, (path, _) in BLOCK_POINTS.items()}
_SHORT_BY_GLOBAL = {name: short for short, (name, _) in GLOBAL_POINTS.items()}


def block_point(layer: int, short: str) -> str:
    """Return the full name of a block's hook point, e.g. ``blocks.2.hook_resid_post``."""
    return f"blocks.{layer}.{BLOCK_POINTS[short][0]}"


def split_name(name: str) -> tuple[int | None, str]:
    """Split a full hook name into ``(layer, short name)``.

    Parameters
    ----------
    name
        A full name such as ``blocks.2.hook_resid_post``, ``hook_embed`` or
        ``module:model.norm``.

    Returns
    -------
    tuple
        ``(2, "resid_post")``, ``(None, "embed")``, ``(None, "module:model.norm")``.

    Raises
    ------
    InvalidInputError
        If the name is not one of the vocabulary.
    """
    if name.startswith(MODULE_PREFIX):
        return None, name
    if name in _SHORT_BY_GLOBAL:
        return None, _SHORT_BY_GLOBAL[name]
    match = _BLOCK_NAME.match(name)
    if match and match.group(2) in _SHORT_BY_PATH:
        return int(match.group(1)), _SHORT_BY_PATH[match.group(2)]
    raise unknown_hook(name)


def unknown_hook(name: str) -> InvalidInputError:
    """Return the error for a name that is not in the vocabulary."""
    known = ", ".join([*BLOCK_POINTS, *GLOBAL_POINTS])
    return InvalidInputError(
        f"'{name}' is not a hook point.",
        code="unknown_hook",
        field="hooks",
        hint=f"Use one of {known}, a full name such as blocks.2.hook_resid_post, "
        "or module:<path of a module>.",
    )


def parse_layers(text: str | int | Iterable[int] | None) -> tuple[int, ...] | None:
    """Read a choice of layers.

    Parameters
    ----------
    text
        ``"0,2-5"``, ``"all"``, a number, a sequence of numbers, or None.
        Negative numbers count from the last layer.

    Returns
    -------
    tuple of int or None
        The layers in the order given, without repeats; None means all.

    Raises
    ------
    InvalidInputError
        If the text cannot be read.
    """
    if text is None:
        return None
    if not isinstance(text, str):
        numbers = text if isinstance(text, Iterable) else [text]
        return tuple(dict.fromkeys(_whole(number, text) for number in numbers))
    if text.strip().lower() in ("", "all"):
        return None
    layers: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(-?\d+)\s*(?:-\s*(\d+)\s*(?::\s*(\d+)\s*)?)?", part)
        if not match:
            raise _bad_layers(text)
        first, last, step = match.groups()
        if last is not None and not 0 <= int(first) <= int(last):
            raise _bad_layers(text, f"{part.strip()} is not a range from a layer to a later one")
        if step is not None and int(step) == 0:
            raise _bad_layers(text, f"{part.strip()} has a step of 0")
        if max(abs(int(first)), int(last or 0)) > MAX_LAYER:
            raise InvalidInputError(
                f"No model has a layer {max(abs(int(first)), int(last or 0))}.",
                code="layer_out_of_range",
                field="layers",
            )
        layers.extend(range(int(first), int(last or first) + 1, int(step or 1)))
    return tuple(dict.fromkeys(layers))


def _whole(number: object, of: object) -> int:
    """Return a layer number; numbers that are not whole are never rounded to a layer."""
    if isinstance(number, bool):
        raise _bad_layers(of)
    try:
        return operator.index(number)  # type: ignore[arg-type]
    except TypeError as error:
        raise _bad_layers(of) from error


def _bad_layers(of: object, why: str = "") -> InvalidInputError:
    return InvalidInputError(
        f"{of!r} is not a choice of layers{': ' + why if why else ''}.",
        code="bad_layers",
        field="layers",
        hint="Write it like 0,2-5 or 0-11:2 or all, or give a list of whole numbers.",
    )


def expand(hooks: Iterable[str], layers: Sequence[int] | None, n_layers: int) -> tuple[str, ...]:
    """Expand short names over layers into full hook names, in the model's order.

    Parameters
    ----------
    hooks
        Short names (``resid_post``), aliases (``residual``), full names
        (``blocks.2.hook_resid_post``) or ``module:<path>``.
    layers
        Layers for the short names; None for all. Negative numbers count from
        the end.
    n_layers
        Number of blocks in the model.

    Returns
    -------
    tuple of str
        Full names, each once.

    Raises
    ------
    InvalidInputError
        If a name is unknown or a layer is out of range.
    """
    chosen = range(n_layers) if layers is None else [_layer(n, n_layers) for n in layers]
    names: list[str] = []
    for hook in hooks:
        short = ALIASES.get(hook, hook)
        if short in BLOCK_POINTS:
            names.extend(block_point(layer, short) for layer in chosen)
        elif short in GLOBAL_POINTS:
            names.append(GLOBAL_POINTS[short][0])
        else:
            layer, _ = split_name(hook)
            if layer is not None:
                _layer(layer, n_layers)
            names.append(hook)
    return tuple(sorted(dict.fromkeys(names), key=order))


def order(name: str) -> tuple[int, int, str]:
    """Return a sort key that puts hook names in the order of the forward pass."""
    layer, short = split_name(name)
    if short == "embed":
        return (-1, 0, name)
    if layer is not None:
        return (layer, list(BLOCK_POINTS).index(short), name)
    return (10**9, short != "ln_final", name)


def _layer(layer: int, n_layers: int) -> int:
    """Resolve a layer number, which may count from the end."""
    resolved = layer + n_layers if layer < 0 else layer
    if not 0 <= resolved < n_layers:
        raise InvalidInputError(
            f"Layer {layer} does not exist: the model has {n_layers} layers.",
            code="layer_out_of_range",
            field="layers",
            hint=f"Choose layers from 0 to {n_layers - 1}.",
        )
    return resolved
