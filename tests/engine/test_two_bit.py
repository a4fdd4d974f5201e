"""Two bits per weight: what is stored, how near it comes, and that models run on it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional

from mistudio_ext.engine.inspect import inspect_model
from mistudio_ext.engine.load import load_model
from mistudio_ext.engine.two_bit import GROUP, TwoBitLinear
from mistudio_ext.sample import MODEL_DIR
from tests.engine.tiny import tiny_model


def weights(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * 0.02


def test_two_and_a_half_bits_are_stored() -> None:
    layer = TwoBitLinear(weights(96, 4 * GROUP))
    stored = sum(b.numel() * b.element_size() for b in layer.buffers())
    assert stored * 8 == 2.5 * 96 * 4 * GROUP


def test_four_levels_a_group_are_kept_exactly() -> None:
    """Scales and offsets that float16 can hold leave nothing to round."""
    generator = torch.Generator().manual_seed(1)
    levels = torch.randint(0, 4, (32, 3, GROUP), generator=generator)
    levels[..., :4] = torch.arange(4)
    scale = 2.0 ** torch.randint(-8, 0, (32, 3, 1), generator=generator)
    weight = (levels * scale - 0.25).flatten(1)
    assert torch.equal(TwoBitLinear(weight).dequantised(torch.float32), weight)


def test_fit_is_nearer_than_rounding_the_range() -> None:
    """Least squares against the four levels that divide each group's range evenly."""
    weight = weights(64, 8 * GROUP)
    groups = weight.reshape(-1, GROUP)
    low, high = groups.amin(1, keepdim=True), groups.amax(1, keepdim=True)
    step = (high - low) / 3
    rounded = ((groups - low) / step).round() * step + low
    fitted = TwoBitLinear(weight).dequantised(torch.float32).reshape(-1, GROUP)
    assert (groups - fitted).square().sum() < 0.8 * (groups - rounded).square().sum()


@pytest.mark.parametrize("width", [GROUP, GROUP + 1, 7, 3 * GROUP - 5])
def test_forward_is_a_linear_layer_of_any_width(width: int) -> None:
    bias = weights(10, seed=2)
    layer = TwoBitLinear(weights(10, width), bias)
    x = weights(2, 5, width, seed=3)
    expected = functional.linear(x, layer.dequantised(torch.float32), bias)
    assert torch.equal(layer(x), expected)
    assert layer.dequantised(torch.float32).shape == (10, width)


def test_the_order_of_adding_decides_nothing() -> None:
    """Processors add in different orders: scales, offsets and levels are the same all the same."""
    weight = weights(512, 16 * GROUP)
    order = torch.randperm(GROUP, generator=torch.Generator().manual_seed(4))
    turned = weight.reshape(512, 16, GROUP)[..., order].flatten(1)
    layer, other = TwoBitLinear(weight), TwoBitLinear(turned)
    assert torch.equal(layer.scale, other.scale)
    assert torch.equal(layer.offset, other.offset)
    expected = layer.weight.reshape(512, 16, GROUP)[..., order].flatten(1)
    assert torch.equal(other.weight, expected)


def test_constant_groups_stay_finite() -> None:
    weight = torch.zeros(4, 2 * GROUP)
    weight[2:] = 0.5
    assert torch.equal(TwoBitLinear(weight).dequantised(torch.float32), weight)


@pytest.mark.parametrize("family", ["gpt2", "llama", "mixtral", "bloom"])
def test_families_run_in_two_bits(family: str, tmp_path: Path) -> None:
    """GPT-2 keeps its weights transposed; widths here are no multiples of a group."""
    tiny_model(family).save_pretrained(tmp_path)
    quantised = load_model(tmp_path, "q2").model
    reference = load_model(tmp_path, "fp32").model
    layers = [m for m in quantised.modules() if isinstance(m, TwoBitLinear)]
    assert len(layers) >= 3 * 4
    assert type(quantised.get_output_embeddings()) is torch.nn.Linear
    ids = torch.arange(3, 23).unsqueeze(0)
    with torch.inference_mode():
        said, expected = (
            m(ids, output_hidden_states=True).hidden_states[-1] for m in (quantised, reference)
        )
    assert said.isfinite().all()
    assert 0 < (said - expected).norm() / expected.norm() < 1


def test_hook_points_are_those_of_the_reference(tmp_path: Path) -> None:
    tiny_model("llama").save_pretrained(tmp_path)
    offered = {
        format: [(h["name"], h["d"]) for h in inspect_model(tmp_path, format, False)["hooks"]]
        for format in ("fp32", "q2")
    }
    assert offered["q2"] == offered["fp32"]
    assert ("blocks.0.attn.hook_z", 48) in offered["q2"]


def test_the_sample_model_keeps_most_of_its_stream() -> None:
    """Judged on a trained model: random weights say nothing of a format."""
    ids = torch.arange(100, 400).unsqueeze(0)
    streams = {}
    for format in ("fp32", "q4", "q2"):
        model = load_model(MODEL_DIR, format).model
        with torch.inference_mode():
            streams[format] = model(ids, output_hidden_states=True).hidden_states[4]
    reference = streams.pop("fp32")
    error = {f: float((x - reference).norm() / reference.norm()) for f, x in streams.items()}
    assert 0.01 < error["q4"] < error["q2"] < 0.5
