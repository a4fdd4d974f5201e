"""Whether the weights that were read are those of the model that its config describes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from mistudio_ext.engine.model.quantized_linear import QuantizedLinear
from mistudio_ext.errors import InvalidInputError

#: Weights that are named in a refusal.
_NAMED = 3


def check_complete(model: Any, info: dict[str, Any]) -> None:
    """Refuse a model whose weights are partly missing: it would run on random numbers.

    Parameters
    ----------
    model
        As ``from_pretrained`` made it, with ``ignore_mismatched_sizes=True``.
    info
        Its ``output_loading_info``.

    Raises
    ------
    InvalidInputError
        ``incomplete_weights``, with the names, and with both shapes where they differ. The LM head
        and a pooler may be missing: no hook point needs them.
    """
    head = model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
    heads = {name for name, module in model.named_modules() if head is not None and module is head}

    def needed(key: str) -> bool:
        return key.rpartition(".")[0] not in heads and "pooler" not in key

    other = sorted(
        (str(entry[0]), entry[1], entry[2])
        for entry in info.get("mismatched_keys", ())
        if needed(str(entry[0]))
    )
    missing = sorted(key for key in info.get("missing_keys", ()) if needed(key))
    if other:
        shown = "; ".join(
            f"{name} has the shape {_shape(found)} in the file and {_shape(wanted)} by the config"
            for name, found, wanted in other[:_NAMED]
        )
        raise _incomplete(
            f"{len(other)} of the model's weights have another shape than config.json says: "
            f"{shown}{_more(other)}."
        )
    if missing:
        kind = type(model).__name__
        raise _incomplete(
            f"{len(missing)} of the weights that {kind} needs are missing: "
            f"{', '.join(missing[:_NAMED])}{_more(missing)}."
        )
    if errors := info.get("error_msgs"):
        raise _incomplete(f"Some weights could not be read: {' '.join(str(errors[0]).split())}.")


def unused_weights(model: nn.Module, info: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return a warning if the files hold weights for the blocks that the model does not read.

    A config with fewer layers, without a bias that was trained, or weights of an adapter in the
    same file: the model runs without them. Other parts of a checkpoint (heads, another tower) are
    left out as a matter of course.

    Parameters
    ----------
    model
        As ``from_pretrained`` made it.
    info
        Its ``output_loading_info``.

    Returns
    -------
    tuple
        One ``(code, message)``, ``unused_weights``; empty where every weight is read.
    """
    blocks = tuple(
        f"{name}." for name, module in model.named_modules() if isinstance(module, nn.ModuleList)
    )
    unused = sorted(key for key in info.get("unexpected_keys", ()) if key.startswith(blocks))
    if not unused:
        return ()
    text = (
        f"{len(unused)} weights in the files are not used, since the model that config.json "
        f"describes has no place for them: {', '.join(unused[:_NAMED])}{_more(unused)}."
    )
    return (("unused_weights", text),)


def check_quantised(model: nn.Module, format: str) -> None:
    """Refuse a model without a layer that the format changes: it would be what it was."""
    if not any(isinstance(module, QuantizedLinear) for module in model.modules()):
        raise InvalidInputError(
            f"The model has no linear layers that can be {format}: its values would be those of "
            "full precision.",
            code="nothing_to_quantize",
            field="format",
            hint="Choose bf16, which shrinks all of its weights.",
        )


def check_float16_range(model: nn.Module) -> None:
    """Refuse float16 for weights that it cannot hold: they would be infinite."""
    beyond = [name for name, p in model.named_parameters() if not bool(p.isfinite().all())]
    if beyond:
        raise InvalidInputError(
            f"The model cannot be loaded as fp16: weights of {', '.join(beyond[:3])} are beyond "
            "65504, or not finite to begin with.",
            code="weights_out_of_range",
            field="format",
            hint="Choose bf16 or fp32.",
        )


def not_finite(model: nn.Module) -> str | None:
    """Return in words which weights are NaN or infinite; None if all are finite."""
    names = [
        name
        for name, weight in model.named_parameters()
        if weight.is_floating_point() and not bool(torch.isfinite(weight).all())
    ]
    if not names:
        return None
    return (
        f"{len(names)} of the model's weights are NaN or infinite: "
        f"{', '.join(names[:_NAMED])}{_more(names)}"
    )


def _incomplete(message: str) -> InvalidInputError:
    return InvalidInputError(
        message,
        code="incomplete_weights",
        field="path",
        hint="Check that config.json and the weights belong together (a resized vocabulary, "
        "another model's config), or download the model again.",
    )


def _more(names: Sequence[object]) -> str:
    return f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""


def _shape(shape: Sequence[int]) -> str:
    return " × ".join(map(str, shape))
