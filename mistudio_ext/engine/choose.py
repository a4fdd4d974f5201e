"""From the hook names that were asked for to the points of this model, or why not."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from mistudio_ext.engine import points, verify
from mistudio_ext.engine.points import Point
from mistudio_ext.engine.structure import Structure
from mistudio_ext.errors import InvalidInputError
from mistudio_ext.hookpoints import MODULE_PREFIX, order, split_name


def choose_points(model: nn.Module, structure: Structure, hooks: Sequence[str]) -> list[Point]:
    """Return the hook points of these names, in the order of the forward pass.

    Points that fail a check on this model, in its dtype, are not there.

    Raises
    ------
    InvalidInputError
        If the model lacks one of them (code ``no_such_hook``, field ``hooks``).
    """
    mapped, _ = verify.verify(model, structure, points.build(structure, model.config))
    chosen: list[Point] = []
    for name in sorted(dict.fromkeys(hooks), key=order):
        if name.startswith(MODULE_PREFIX):
            point = points.module_point(structure, name, name[len(MODULE_PREFIX) :])
            if isinstance(point, str):
                raise InvalidInputError(
                    f"'{name}' cannot be extracted: {point}.",
                    code="no_such_hook",
                    field="hooks",
                    hint="The architecture panel lists the model's modules.",
                )
            chosen.append(point)
            continue
        if name not in mapped.points:
            raise _no_such_hook(name, mapped, structure)
        chosen.append(mapped.points[name])
    return chosen


def _no_such_hook(name: str, mapped: points.PointMap, structure: Structure) -> InvalidInputError:
    layer, short = split_name(name)
    n_layers = len(structure.blocks)
    why = structure.reason or mapped.unavailable.get(short)
    if layer is not None and layer >= n_layers and n_layers:
        why = f"the model has layers 0 to {n_layers - 1}"
    offered = list(dict.fromkeys(point.short for point in mapped.points.values()))
    return InvalidInputError(
        f"The model has no hook point '{name}'" + (f": {why}." if why else "."),
        code="no_such_hook",
        field="hooks",
        hint=f"It offers {', '.join(offered)}" + (f" in {n_layers} layers." if n_layers else "."),
    )
