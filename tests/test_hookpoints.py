"""The vocabulary of hook points and layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mistudio_ext import hookpoints
from mistudio_ext.errors import InvalidInputError


@pytest.mark.parametrize(
    ("text", "layers"),
    [
        ("all", None),
        ("", None),
        (None, None),
        (3, (3,)),
        ("0,2-5", (0, 2, 3, 4, 5)),
        ("0-11:4", (0, 4, 8)),
        (" 1 , -1 ", (1, -1)),
        ([2, 2, -1], (2, -1)),
        (np.int64(2), (2,)),
        (np.arange(2), (0, 1)),
    ],
)
def test_layers(text: Any, layers: tuple[int, ...] | None) -> None:
    """Layers are read as people write them."""
    assert hookpoints.parse_layers(text) == layers


NOT_LAYERS = ["two", "1;2", "1-", "-", "1--2", "0x1", "1.5"]
#: Once read as layers that nobody asked for.
ONCE_READ = ["5-2", "0,5-2", "-2-1", "0-4:0", 1.5, [1.5], [0, 2.0], True, [True], ["1"]]


@pytest.mark.parametrize("text", [*NOT_LAYERS, *ONCE_READ])
def test_layers_that_are_none(text: Any) -> None:
    """What cannot be read is refused."""
    with pytest.raises(InvalidInputError) as caught:
        hookpoints.parse_layers(text)
    assert caught.value.code == "bad_layers"


def test_expand_orders_and_resolves() -> None:
    """Names come in the order of the forward pass, each once; layers may count from the end."""
    names = hookpoints.expand(("residual", "attention", "embed", "ln_final"), (-1, 0), 3)
    assert names == (
        "hook_embed",
        "blocks.0.hook_attn_out",
        "blocks.0.hook_resid_post",
        "blocks.2.hook_attn_out",
        "blocks.2.hook_resid_post",
        "ln_final.hook_normalized",
    )
    full = hookpoints.expand(("blocks.1.mlp.hook_post", "module:model.norm"), None, 3)
    assert full == ("blocks.1.mlp.hook_post", "module:model.norm")
    for hook in ("blocks.3.hook_resid_post", "blocks.x.hook_resid_post", "resid"):
        with pytest.raises(InvalidInputError):
            hookpoints.expand((hook,), None, 3)
    with pytest.raises(InvalidInputError):
        hookpoints.expand(("resid_post",), (3,), 3)
