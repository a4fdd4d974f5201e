"""Arrays of an extraction, each token compared with plain transformers within the tolerances."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from tests.oracle import reference
from tests.oracle.report import Case, Problem

#: Half a unit in the last place, relative, of each storage dtype.
_ROUNDING = {"float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}
#: What float16 cannot tell from zero, and its largest number.
_TINY, _LARGEST = 2.0**-25, 65504.0
#: How far float32 may be off for the company that a sample has in its batch: units of 2⁻²³ of a
#: token's norm. Sums of products in another order differ by a few; blocks carry it on.
COMPUTED = 256 * 2.0**-23
#: How often the distance between bfloat16 and float32 on the same model bfloat16 may be off.
NOISES = 3.0


#: Ends of full names, where they are not ``hook_`` and the short name.
ENDS = {
    "z": "attn.hook_z",
    "mlp_post": "mlp.hook_post",
    "embed": "hook_embed",
    "ln_final": "ln_final.hook_normalized",
}


@dataclass
class Model:
    """A model that was written and registered, and references of it by format."""

    folder: Path
    names: dict[str, str]
    references: dict[str, reference.Reference]
    modules: list[str]
    hooks: list[str]
    context: int
    reads_words: bool


def reference_of(case: Case, model: Model, format: str) -> reference.Reference:
    if format not in model.references:
        loaded = reference.load(str(model.folder), case["family"], format)
        model.references[format] = reference.Reference(loaded)
    return model.references[format]


def arrays_differ(
    case: Case, model: Model, acts: Any, hooks: list[str]
) -> tuple[list[Problem], dict[str, int]]:
    tokens, offsets = np.asarray(acts.tokens), np.asarray(acts.offsets)
    exact = case["format"] != "bf16"
    own = reference_of(case, model, case["format"])
    plain = None if exact else reference_of(case, model, "fp32")
    samples = [own.run(tokens[a:b].tolist()) for a, b in pairwise(offsets)]
    others = [plain.run(tokens[a:b].tolist()) for a, b in pairwise(offsets)] if plain else []
    problems, compared, unknown = _named(case, model, acts, hooks), 0, 0
    for hook in acts.hooks:
        try:
            right = [_reduced(s.value(hook), case) for s in samples]
            noise = [_reduced(s.value(hook), case) for s in others]
        except reference.Unknown:
            unknown += 1
            continue
        compared += 1
        problems += _array_as_expected(case, acts, hook, right, noise, offsets)
    return problems, {"arrays": compared, "arrays without a reference": unknown}


def _named(case: Case, model: Model, acts: Any, hooks: list[str]) -> list[Problem]:
    """Nothing but what was asked for is there, and all of it."""
    chosen = parsed_layers(case["layers"], model)
    wanted = {h for h in hooks if h.startswith("module:")}
    for hook in set(hooks) - wanted:
        end = ENDS.get(hook, f"hook_{hook}")
        blocks = {f"blocks.{i}.{end}" for i in chosen} & set(model.hooks)
        wanted |= blocks or ({end} & set(model.hooks))
    if wanted != set(acts.hooks):
        detail = f"asked {hooks} of layers {case['layers']}, got {acts.hooks}"
        return [Problem("other hooks", detail[:400])]
    return []


def parsed_layers(layers: Any, model: Model) -> list[int]:
    """Return the numbers that a choice of layers stands for."""
    count = len({h.split(".")[1] for h in model.hooks if h.startswith("blocks.")})
    if layers is None:
        return list(range(count))
    if isinstance(layers, str):
        first, _, last = layers.partition("-")
        return list(range(int(first), int(last) + 1))
    return [i % count for i in layers]


def _reduced(value: torch.Tensor, case: Case) -> npt.NDArray[np.float64]:
    rows = value.float().double().numpy()
    if case["positions"] == "last":
        return rows[-1:]
    if case["positions"] == "mean":
        return rows.mean(0, keepdims=True)
    return rows


def _array_as_expected(
    case: Case,
    acts: Any,
    hook: str,
    right: list[npt.NDArray[np.float64]],
    noise: list[npt.NDArray[np.float64]],
    offsets: npt.NDArray[Any],
) -> list[Problem]:
    array = np.asarray(acts[hook]).astype(np.float64)
    d = right[0].shape[-1]
    lengths = [len(r) for r in right]
    if case["positions"] != "all":
        shape: tuple[int, ...] = (len(right), d)
        rows = [array[i : i + 1] for i in range(len(array))]
    elif case["layout"] == "padded":
        context = case["context"]
        shape = (len(right), context, d)
        rows = [array[i, :n] for i, n in enumerate(lengths)] if array.shape == shape else []
        if array.shape == shape and any(array[i, n:].any() for i, n in enumerate(lengths)):
            return [Problem(f"padding is not zero: {_short(hook)}", hook)]
    else:
        shape = (int(offsets[-1]), d)
        rows = [array[a:b] for a, b in pairwise(offsets)]
    if array.shape != shape:
        return [Problem("shape", f"{hook}: {array.shape} instead of {shape}")]
    allowed = COMPUTED
    if noise:
        allowed = NOISES * max(float(np.max(_off(a, b))) for a, b in zip(noise, right, strict=True))
        allowed = max(allowed, 2.0**-8)
    return _compared(case, hook, rows, right, allowed)


def _compared(case: Case, hook: str, rows: Any, right: Any, allowed: float) -> list[Problem]:
    stored = _ROUNDING[case["dtype"]]
    for i, (mine, true) in enumerate(zip(rows, right, strict=True)):
        with np.errstate(invalid="ignore"):
            clipped = (
                np.where(np.abs(true) > _LARGEST, mine, true)
                if case["dtype"] == "float16"
                else true
            )
        floor = _TINY * np.sqrt(true.shape[-1]) / np.maximum(np.linalg.norm(true, axis=-1), 1e-30)
        limit = stored * 1.01 + allowed + (floor if case["dtype"] == "float16" else 0.0)
        off = _off(mine, clipped)
        bad = ~(off <= limit)
        if bad.any():
            t = int(np.argmax(np.where(np.isnan(off), np.inf, off)))
            detail = (
                f"{hook}: sample {i} of {len(right)}, token {t} of {len(true)}: off by "
                f"{off[t]:.3g} of its norm, {np.broadcast_to(limit, off.shape)[t]:.3g} allowed; "
                f"{int(bad.sum())} tokens of the sample"
            )
            kind = f"values: {_short(hook)}, {case['family']}, {case['format']}"
            return [Problem(kind, detail)]
    return []


def _short(hook: str) -> str:
    return "module" if hook.startswith("module:") else hook.rsplit(".", 1)[-1]


def _off(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return for each token how far ``a`` is from ``b``, as a share of the norm of ``b``."""
    off: npt.NDArray[np.float64] = np.linalg.norm(a - b, axis=-1) / np.maximum(
        np.linalg.norm(b, axis=-1), 1e-12
    )
    return off
