"""Each self-check sees the fault that it is there for: model or map is broken on purpose."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import BertConfig, BertModel

from mistudio_ext.engine import lanes, points
from mistudio_ext.engine.forward import batch_rule
from mistudio_ext.engine.forward.lengths import Lengths
from mistudio_ext.engine.load import LoadedModel
from mistudio_ext.engine.model.limits import limits_of
from mistudio_ext.engine.structure import Structure, discover
from mistudio_ext.engine.sums import close
from mistudio_ext.engine.verify import verify

from .tiny import VOCAB, tiny_model

DTYPES = [torch.float32, torch.bfloat16]
RAGGED, EVEN = Lengths(40, 6), Lengths(40, 40)


def bert() -> Any:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=VOCAB,
        hidden_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=80,
        max_position_embeddings=64,
    )
    model = BertModel(config, add_pooling_layer=False).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.08)
    return model


def rule(model: Any, lengths: Lengths) -> batch_rule.Rule:
    structure = discover(model)
    return batch_rule.decide(model, structure, limits_of(model, structure), lengths)


def break_block(model: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """Let a block in the middle return something else."""

    def hook(_: Any, __: Any, output: Any) -> Any:
        if isinstance(output, tuple):
            return (change(output[0]), *output[1:])
        return change(output)

    model.model.layers[1].register_forward_hook(hook)
    return model


@pytest.mark.parametrize("dtype", DTYPES)
def test_models_that_are_whole_get_the_fastest_way(dtype: torch.dtype) -> None:
    assert rule(tiny_model("llama").to(dtype), RAGGED) == batch_rule.Rule("plain")
    assert rule(tiny_model("llama").to(dtype), EVEN) == batch_rule.Rule("plain")
    assert rule(bert().to(dtype), RAGGED).padding == "mask"
    assert rule(bert().to(dtype), EVEN).padding == "plain"


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_model_that_ignores_its_mask_is_not_padded(dtype: torch.dtype) -> None:
    model = bert().to(dtype)
    inner = model.forward
    model.forward = lambda attention_mask=None, **inputs: inner(**inputs)
    found = rule(model, RAGGED)
    assert found.padding == "equal"
    assert found.reason is not None
    assert "with a mask, the padding" in found.reason


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("strength", [0.05, 0.5])
def test_a_model_that_sees_what_comes_later(dtype: torch.dtype, strength: float) -> None:
    def later(x: Tensor) -> Tensor:
        return x + strength * x.roll(-1, dims=1)

    assert rule(break_block(tiny_model("llama").to(dtype), later), RAGGED).padding == "equal"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("strength", [0.05, 0.5])
def test_a_model_whose_samples_see_each_other(dtype: torch.dtype, strength: float) -> None:
    def neighbour(x: Tensor) -> Tensor:
        return x + strength * x.roll(1, dims=0) if len(x) > 1 else x

    for lengths in (RAGGED, EVEN):
        found = rule(break_block(tiny_model("llama").to(dtype), neighbour), lengths)
        assert found.padding == "alone"
        assert found.reason is not None
        assert "neighbours" in found.reason


@pytest.mark.parametrize("dtype", DTYPES)
def test_experts_with_a_capacity(dtype: torch.dtype) -> None:
    """The last tokens of a batch get nothing: which they are depends on the others."""

    def capacity(x: Tensor) -> Tensor:
        flat = x.flatten(0, 1)
        most = torch.topk(flat.float().norm(dim=-1), len(flat) // 4).indices
        return flat.index_fill(0, most, 0.0).view_as(x)

    assert rule(break_block(tiny_model("llama").to(dtype), capacity), EVEN).padding == "alone"


def test_choices_that_rounding_tips_over_are_made_alone() -> None:
    """A token between two experts goes to the other one when its batch is rounded differently."""
    assert rule(tiny_model("mixtral"), RAGGED).padding == "plain"
    found = rule(tiny_model("mixtral").bfloat16(), RAGGED)
    assert found.padding == "alone"
    assert found.reason is not None
    assert "experts" in found.reason


@pytest.mark.parametrize("dtype", DTYPES)
def test_values_that_depend_on_the_shape_of_the_batch(dtype: torch.dtype) -> None:
    def by_rows(x: Tensor) -> Tensor:
        return x * (1 + 0.1 * (len(x) - 1))

    for lengths in (RAGGED, EVEN):
        assert rule(break_block(tiny_model("llama").to(dtype), by_rows), lengths).padding == "alone"

    def by_width(x: Tensor) -> Tensor:
        return x * (1.2 if x.shape[1] > 20 else 1.0)

    assert rule(break_block(tiny_model("llama").to(dtype), by_width), RAGGED).padding == "equal"


def test_frequencies_that_change_beyond_a_length_are_seen_at_the_run_s_own() -> None:
    rope = {
        "rope_type": "longrope",
        "rope_theta": 10000.0,
        "factor": 2.0,
        "short_factor": [1.0] * 6,
        "long_factor": [4.0] * 6,
        "original_max_position_embeddings": 32,
    }
    model = tiny_model("llama", rope_parameters=rope)
    assert rule(model, Lengths(30, 6)).padding == "plain"
    assert rule(model, RAGGED).padding == "equal"


@pytest.mark.parametrize("dtype", DTYPES)
def test_values_that_are_no_numbers_prove_nothing(dtype: torch.dtype) -> None:
    model = break_block(tiny_model("llama").to(dtype), lambda x: x * float("nan"))
    assert rule(model, RAGGED).padding == "alone"


def test_where_trying_costs_too_much_samples_run_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_rule, "_CPU_FLOPS", 1e3)
    model = tiny_model("llama")
    assert rule(model, RAGGED).padding == "alone"
    assert rule(model, Lengths(40, 6, n_tokens=1_000_000)).padding == "plain"


@cache
def whole(dtype: torch.dtype) -> tuple[Any, Structure, points.PointMap]:
    model = tiny_model("llama").to(dtype)
    structure = discover(model)
    return model, structure, points.build(structure, model.config)


def checked(dtype: torch.dtype, name: str, **read: Any) -> points.PointMap:
    """Return the map after the checks, with one point that reads something else."""
    model, structure, mapped = whole(dtype)
    point = mapped.points[name]
    wrong = dataclasses.replace(point, read=dataclasses.replace(point.read, **read))
    broken = dataclasses.replace(mapped, points={**mapped.points, name: wrong})
    return verify(model, structure, broken)[0]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("blocks.1.hook_resid_post", {"module": "model.layers.1.mlp"}),
        ("blocks.1.hook_resid_post", {"scale": 1.03}),
        ("blocks.2.hook_resid_post", {"module": "model.layers.2.mlp"}),
        ("blocks.2.hook_resid_post", {"scale": 0.97}),
        ("blocks.1.hook_resid_pre", {"module": "model.layers.0"}),
        ("blocks.1.hook_resid_mid", {"module": "model.layers.1.mlp"}),
        ("blocks.1.hook_attn_out", {"scale": 0.98}),
        ("blocks.1.hook_mlp_out", {"scale": 1.02}),
        ("blocks.1.hook_attn_out", {"module": "model.layers.0.self_attn"}),
        ("blocks.1.attn.hook_z", {"module": "model.layers.0.self_attn.o_proj"}),
        ("blocks.1.mlp.hook_post", {"module": "model.layers.2.mlp.down_proj"}),
    ],
)
def test_a_point_that_reads_another_tensor_is_not_offered(
    dtype: torch.dtype, name: str, read: dict[str, Any]
) -> None:
    found = checked(dtype, name, **read)
    assert name not in found.points
    assert name in checked(dtype, name).points


def test_a_factor_that_bfloat16_could_hide() -> None:
    generator = torch.Generator().manual_seed(0)
    x, a, m = (torch.randn(3, 11, 48, generator=generator).bfloat16() for _ in range(3))
    y = (x + a) + m
    assert close([x, a, m], y)
    for factor in (0.98, 1.02):
        assert not close([x, a, m * factor], y)
        assert not close([x * factor, a, m], y)


def possible(model: Any, longest: int = 40) -> int:
    return lanes.possible(
        LoadedModel(model, torch.device("cpu"), torch.float32), "fp32", 2, longest
    )


def test_what_only_long_samples_leave_in_a_model_makes_one_lane() -> None:
    assert possible(tiny_model("llama")) == 2

    model = tiny_model("llama")
    norm = model.model.norm

    def remember(module: Any, _: Any, output: Tensor) -> None:
        if output.shape[1] > 30:
            module.longest = output.shape[1] * 1000

    norm.longest = None
    norm.register_forward_hook(remember)
    assert possible(model, longest=20) == 2
    assert possible(model, longest=40) == 1


def test_what_is_made_anew_by_turns_makes_one_lane() -> None:
    """Frequencies that a long sample changes and a short one sets back."""
    model = tiny_model("llama")

    def switch(module: Any, _: Any, output: Tensor) -> None:
        module.table = module.long if output.shape[1] > 30 else module.short

    norm = model.model.norm
    norm.long, norm.short = object(), object()
    norm.table = norm.long
    norm.register_forward_hook(switch)
    assert possible(model) == 1
