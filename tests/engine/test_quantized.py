"""Q8 and q4: what is stored, what is computed of it, and that nothing else decides a value.

The references are plain NumPy on what the formats are defined as. Each is computed one sample at a
time, by a model in float32 whose weights are the dequantised ones.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import nn
from transformers import (
    AutoModelForCausalLM,
    BitsAndBytesConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
)

from mistudio_ext.engine.inspect import memory_of
from mistudio_ext.engine.load import load_model, meta_model
from mistudio_ext.engine.model import quantized_linear
from mistudio_ext.engine.model.eight_bit import EightBitLinear
from mistudio_ext.engine.model.four_bit import FourBitLinear
from mistudio_ext.engine.model.quantized_linear import QuantizedLinear, quantizable_layers
from mistudio_ext.engine.sizes import memory_by_format
from mistudio_ext.errors import InvalidInputError
from tests.engine.helpers import make_spec, one_by_one
from tests.engine.tiny import tiny_model

Array = npt.NDArray[Any]
ROOT = Path(__file__).resolve().parents[2]

#: Width and MLP width: multiples of 32 and 64, outputs that are none, inputs that are none, both.
SHAPES = {"good": (64, 128), "rows": (64, 80), "columns": (96, 192), "both": (48, 96)}
LENGTHS = [7, 12, 9, 3, 20]
HOOKS = ("blocks.0.hook_resid_post", "blocks.1.hook_resid_post")

#: The levels of NF4 (Dettmers et al. 2023, doi:10.48550/arXiv.2305.14314, appendix E).
NF4 = np.array(
    [
        -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
        -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0,
        0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
        0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
    ]
)  # fmt: skip


def seeded(model: PreTrainedModel, seed: int = 0) -> PreTrainedModel:
    """Give weights that are large enough for every part to matter."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            wide = noise * 1.5 / parameter.shape[-1] ** 0.5 if parameter.dim() > 1 else None
            parameter.copy_(1 + 0.2 * noise if wide is None else wide)
    return model.eval()


def llama(width: int, mlp: int) -> PreTrainedModel:
    config = LlamaConfig(
        vocab_size=64, hidden_size=width, intermediate_size=mlp, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64,
        pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    return seeded(LlamaForCausalLM(config))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("quantized")
    for name, (width, mlp) in SHAPES.items():
        llama(width, mlp).save_pretrained(folder / name)
    return folder


def nf4(weight: Array) -> Array:
    """Quantise to NF4 in blocks of 64 of the flattened weight, and back, in float64."""
    flat = weight.astype(np.float64).reshape(-1)
    blocks = np.arange(flat.size) // 64
    largest = np.maximum.reduceat(abs(flat), np.arange(0, flat.size, 64))[blocks]
    levels = abs(flat[:, None] / largest[:, None] - NF4).argmin(1)
    return (NF4[levels] * largest).reshape(weight.shape)


def stored(layer: FourBitLinear) -> Array:
    """Read a 4-bit weight byte by byte, in float64."""
    packed = layer.packed.numpy()
    levels = np.stack([packed >> 4, packed & 15], 1).reshape(-1)
    count = layer.out_features * layer.in_features
    scales = layer.absmax.numpy().reshape(-1)
    if layer.nested_absmax is not None:
        assert layer.nested_code is not None
        assert layer.offset is not None
        outer = layer.nested_absmax.numpy()[np.arange(scales.size) // 256].astype(np.float64)
        scales = layer.nested_code.numpy()[scales] * outer + float(layer.offset)
    flat = NF4[levels[:count]] * scales[np.arange(count) // 64]
    return flat.reshape(layer.out_features, layer.in_features)


def dequantised(model: nn.Module, plain: nn.Module) -> nn.Module:
    """Put into a plain model the weights that the quantised one stores, read by NumPy."""
    for path in quantizable_layers(plain):
        layer, target = model.get_submodule(path), plain.get_submodule(path)
        if isinstance(layer, FourBitLinear):
            weight = stored(layer)
        else:
            assert isinstance(layer, EightBitLinear)
            weight = layer.levels.numpy() * layer.scale.numpy().astype(np.float64)
        assert isinstance(target.weight, torch.Tensor)
        turned = weight if isinstance(target, nn.Linear) else weight.T
        target.weight.data = torch.from_numpy(turned.copy()).float()
    return plain


def furthest(found: Array, right: Array) -> float:
    """Return the largest error of a token, by its own norm."""
    error = np.linalg.norm(found - right, axis=1) / np.linalg.norm(right, axis=1)
    return float(error.max())


# -- what is stored -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shape", [(64, 64), (64, 80), (80, 96), (48, 45), (7, 34), (1, 3), (3, 63)]
)
@pytest.mark.parametrize("nested", [True, False])
def test_four_bits_are_nf4(shape: tuple[int, int], nested: bool) -> None:
    """Any shape: the levels are the nearest, and the blocks' scales those of their own weights."""
    from bitsandbytes.functional import quantize_4bit

    weight = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    packed, state = quantize_4bit(weight, compress_statistics=nested, quant_type="nf4")
    layer = FourBitLinear(packed, state, None, torch.float32)
    found = layer.weight.numpy()
    assert found == pytest.approx(stored(layer), rel=1e-6, abs=1e-7)
    # The second quantisation moves the scales; their errors are some thousandths.
    assert found == pytest.approx(nf4(weight.numpy()), rel=0.03 if nested else 1e-5, abs=1e-6)


def test_four_bits_other_than_our_own() -> None:
    """A publisher may have chosen other blocks, FP4, or another type to store the bytes in."""
    from bitsandbytes.functional import dequantize_4bit, quantize_4bit

    weight = torch.randn(64, 128, generator=torch.Generator().manual_seed(1))
    for options in ({"blocksize": 128}, {"quant_type": "fp4"}, {"quant_storage": torch.bfloat16}):
        chosen: dict[str, Any] = {"quant_type": "nf4", **options}
        packed, state = quantize_4bit(weight, **chosen)
        layer = FourBitLinear(packed, state, None, torch.float32)
        assert torch.equal(layer.weight, dequantize_4bit(packed, state)), options


def test_eight_bits_are_int8_by_rows(models: Path) -> None:
    loaded = load_model(models / "both", "q8").model
    plain = load_model(models / "both", "fp32").model
    for path in quantizable_layers(plain):
        found, weight = (m.get_submodule(path).weight.numpy() for m in (loaded, plain))
        level = abs(weight.astype(np.float16)).max(1, keepdims=True).astype(np.float64) / 127
        steps = found / level
        assert steps == pytest.approx(np.round(steps), abs=1e-4)
        # To the nearest level, of weights that went through float16.
        assert (abs(found - weight) / level).max() < 0.5 + 0.05


def test_weights_that_float16_cannot_hold_are_refused(tmp_path: Path) -> None:
    model = llama(64, 80)
    model.model.layers[1].mlp.down_proj.weight.data[3, 5] = 1e5
    model.save_pretrained(tmp_path)
    for format in ("q8", "fp16"):
        with pytest.raises(InvalidInputError, match=r"layers\.1\.mlp\.down_proj") as caught:
            load_model(tmp_path, format)
        assert caught.value.code == "weights_out_of_range"


# -- which layers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["falcon", "gpt2", "mamba", "bloom"])
@pytest.mark.parametrize("format", ["q8", "q4", "q2"])
def test_linear_layers_of_any_class(family: str, format: str, tmp_path: Path) -> None:
    """Falcon derives its own; Mamba reads the weight of one; GPT-2 transposes."""
    tiny_model(family).save_pretrained(tmp_path)
    plain = load_model(tmp_path, "fp32").model
    expected = set(quantizable_layers(plain))
    model = load_model(tmp_path, format).model
    found = {path for path, m in model.named_modules() if isinstance(m, QuantizedLinear)}
    assert found == expected
    assert len(found) >= 2 * 3
    with torch.inference_mode():
        said = model(torch.arange(3, 23)[None], output_hidden_states=True).hidden_states[-1]
    assert said.isfinite().all()
    if format != "q2":
        reference = dequantised(model, plain)
        with torch.inference_mode():
            right = reference(torch.arange(3, 23)[None], output_hidden_states=True)
        assert furthest(said[0].numpy(), right.hidden_states[-1][0].numpy()) < 1e-4


def test_a_class_that_computes_something_else_is_left_alone() -> None:
    class Router(nn.Linear):
        def forward(self, input: torch.Tensor) -> torch.Tensor:
            return super().forward(input).softmax(-1)

    class Named(nn.Linear):
        pass

    class Needs(nn.Linear):
        def forward(self, input: torch.Tensor) -> torch.Tensor:
            return super().forward(input) * self.strength

    assert not quantized_linear.is_linear(Router)
    assert not quantized_linear.is_linear(Needs)
    assert quantized_linear.is_linear(Named)


# -- what is computed, in real workers with the processor's switches either way --------------------

_WORKER = """
import json, sys
import bitsandbytes.nn.modules as modules
switch = json.loads(sys.argv[1])
modules.has_avx512bf16 = lambda: switch
from pathlib import Path
from mistudio_ext.workers.__main__ import run, write_result
from mistudio_ext.workers.station import Station
station = Station()
for job in map(Path, sys.argv[2:]):
    write_result(job, run(job, station))
"""


def write_rows(folder: Path, rows: list[list[int]]) -> dict[str, Any]:
    folder.mkdir(parents=True)
    np.save(folder / "tokens.npy", np.concatenate(rows).astype(np.uint16))
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    np.save(folder / "offsets.npy", offsets)
    np.save(folder / "rows.npy", np.arange(len(rows), dtype=np.int64))
    np.save(folder / "starts.npy", np.zeros(len(rows), np.int32))
    settings = {"context": max(map(len, rows)), "mode": "truncate"}
    return {"id": "tok_0000000001", "path": str(folder), "settings": settings}


def random_rows() -> list[list[int]]:
    generator = np.random.default_rng(5)
    return [generator.integers(5, 64, n).tolist() for n in LENGTHS]


SWITCHES: dict[str, tuple[bool, dict[str, str]]] = {
    "avx512_bf16": (True, {}),
    "plain": (False, {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}),
}


@pytest.fixture(scope="module", params=list(SWITCHES))
def extracted(
    request: pytest.FixtureRequest, models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, str], Array]:
    """Extract every shape in both formats in one worker, and give what it stored."""
    switch, environment = SWITCHES[request.param]
    root: Path = tmp_path_factory.mktemp(request.param)
    tokenization = write_rows(root / "tokens", random_rows())
    jobs = []
    for name in SHAPES:
        for format in ("q4", "q8"):
            folder = root / f"{name}-{format}"
            spec = make_spec(folder, models / name, tokenization, list(HOOKS), format)
            job = root / f"job-{name}-{format}"
            job.mkdir()
            (job / "spec.json").write_text(json.dumps(spec))
            jobs.append(str(job))
    subprocess.run(
        [sys.executable, "-c", _WORKER, json.dumps(switch), *jobs],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        check=False,
    )
    results = {job: json.loads((Path(job) / "result.json").read_text()) for job in jobs}
    assert all(found.get("error") is None for found in results.values()), results
    return lambda name, format: np.load(root / f"{name}-{format}" / f"{HOOKS[1]}.npy")


@pytest.mark.timeout(180)
@pytest.mark.parametrize("format", ["q4", "q8"])
@pytest.mark.parametrize("name", list(SHAPES))
def test_every_shape_on_every_processor(
    name: str, format: str, extracted: Callable[[str, str], Array], models: Path, tmp_path: Path
) -> None:
    """Float32 values of the stored weights, one sample at a time, within a thousandth."""
    plain = load_model(models / name, "fp32").model
    reference = dequantised(load_model(models / name, format).model, plain)
    tokenization = write_rows(tmp_path / "tokens", random_rows())
    right = one_by_one(
        reference, reference.model, tokenization, {"x": ("model.layers.1", "output")}
    )
    assert furthest(extracted(name, format), np.concatenate(right["x"])) < 1e-4


# -- a sample's values are its own ----------------------------------------------------------------

OUTLIER = 7


@pytest.fixture(scope="module")
def spiky(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model in which one token has activations far beyond LLM.int8's threshold of 6."""
    model = llama(64, 80)
    with torch.no_grad():
        model.model.embed_tokens.weight[OUTLIER] *= 5
        model.model.embed_tokens.weight[OUTLIER, :8] = 60.0
        # Unlike those of a norm, inputs of this layer have no common size.
        for layer in model.model.layers:
            layer.input_layernorm.weight.mul_(4)
    folder: Path = tmp_path_factory.mktemp("spiky")
    model.save_pretrained(folder)
    return folder


def company_error(model: nn.Module) -> float:
    """Return how far a sample is off in company: with others, an outlier, padding."""
    runner: Any = model.model  # type: ignore[union-attr]
    sample = [9, 33, 12, 50, 21]
    batches = [
        [sample, [11, 12, 13, 14, 15], [40, 41, 42, 43, 44]],
        [sample, [OUTLIER] * 5],
        [[*sample, 0, 0], [11, OUTLIER, 13, 14, 15, 16, 17]],
    ]
    with torch.inference_mode():
        alone = runner(input_ids=torch.tensor([sample]), use_cache=False).last_hidden_state[0]
        found = [
            runner(input_ids=torch.tensor(rows), use_cache=False).last_hidden_state[0, :5]
            for rows in batches
        ]
    return max(furthest(x.numpy(), alone.numpy()) for x in found)


@pytest.mark.parametrize("format", ["q8", "q4", "q2"])
def test_neighbours_change_nothing(format: str, spiky: Path) -> None:
    assert company_error(load_model(spiky, format).model) < 1e-5


# -- the checks above can fail --------------------------------------------------------------------


def test_the_library_s_own_int8_would_be_found(
    spiky: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With LLM.int8 itself, an outlier in another sample changes this one."""
    monkeypatch.setattr("mistudio_ext.engine.load._take_over", lambda *_: None)
    monkeypatch.setattr("mistudio_ext.engine.load.check_quantised", lambda *_: None)
    assert company_error(load_model(spiky, "q8").model) > 1e-3


def test_wrong_scales_would_be_found(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a per cent off, which is less than bfloat16 or scales of a neighbour would be."""
    quantised = load_model(models / "columns", "q4").model
    reference = dequantised(quantised, load_model(models / "columns", "fp32").model)
    ids = torch.tensor(random_rows()[1])[None]

    def stream(model: nn.Module) -> Array:
        with torch.inference_mode():
            found = model(ids, output_hidden_states=True).hidden_states[-1][0]
        return np.asarray(found)

    assert furthest(stream(quantised), stream(reference)) < 1e-4
    right = FourBitLinear._absmax
    monkeypatch.setattr(FourBitLinear, "_absmax", lambda layer: right(layer) * 1.005)
    assert furthest(stream(quantised), stream(reference)) > 1e-3


def test_a_model_that_a_format_does_not_change_is_refused(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mistudio_ext.engine.two_bit.quantizable_layers", lambda _: {})
    with pytest.raises(InvalidInputError) as caught:
        load_model(models / "good", "q2")
    assert caught.value.code == "nothing_to_quantize"


# -- quantised before it was published -------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"load_in_8bit": True},
        {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"},
        {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True},
    ],
)
def test_published_weights(options: dict[str, Any], models: Path, tmp_path: Path) -> None:
    """Computed in float32, though the file is in float16, and estimated as they are."""
    chosen: Any = BitsAndBytesConfig(**options)  # type: ignore[no-untyped-call]
    made = AutoModelForCausalLM.from_pretrained(
        models / "both", quantization_config=chosen, device_map={"": "cpu"}, dtype=torch.float16
    )
    made.save_pretrained(tmp_path)
    loaded = load_model(tmp_path, None)
    ids = torch.tensor(random_rows()[1])[None]
    plain = dequantised(loaded.model, load_model(models / "both", "fp32").model)
    with torch.inference_mode():
        found, right = (m(ids, output_hidden_states=True) for m in (loaded.model, plain))
    assert found.hidden_states[-1].dtype == loaded.dtype == torch.float32
    # What is not quantised went through float16 when the model was saved.
    assert furthest(found.hidden_states[-1][0].numpy(), right.hidden_states[-1][0].numpy()) < 0.01
    told = memory_by_format(meta_model(loaded.model.config))
    assert told["fp32"]["cpu"] == pytest.approx(memory_of(loaded.model), rel=0.01)
