"""What each format costs in bytes, speed and error, on the trained sample model.

One command, one table::

    python benchmarks/quantisation.py

The error is ``‖x_q − x‖ / ‖x‖`` of the residual stream leaving a block, against the model in fp32,
over the tokens of the first documents of the validation split; *loss* is the mean over the same
documents in nats per token. Bytes are those of all parameters and buffers in memory. Speed is that
of a forward pass of 2,048 tokens, the median over rounds in which each format runs next to fp32.

Other two-bit libraries are measured where they are installed: hqq, optimum-quanto, torchao.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mistudio_ext.engine.inspect import memory_of
from mistudio_ext.engine.load import load_model
from mistudio_ext.sample import DATASET_DIR, MODEL_DIR

Layers = list[tuple[nn.Module, str, nn.Linear]]


def linear_layers(model: Any) -> Layers:
    """Return parent, name and layer of all that a format may change: not the head."""
    head = model.get_output_embeddings()
    return [
        (parent, name, layer)
        for parent in model.modules()
        for name, layer in parent.named_children()
        if isinstance(layer, nn.Linear) and layer is not head
    ]


def hqq() -> Any:
    """hqq's own layer; the way through transformers 5 is not there yet."""
    from hqq.core.quantize import BaseQuantizeConfig, HQQLinear

    model = load_model(MODEL_DIR).model
    config = BaseQuantizeConfig(nbits=2, group_size=64, axis=1)
    for parent, name, layer in linear_layers(model):
        made = HQQLinear(layer, config, compute_dtype=torch.float32, device="cpu")
        setattr(parent, name, made)
    return model


def quanto() -> Any:
    """optimum-quanto's int2."""
    from optimum import quanto

    model = load_model(MODEL_DIR).model
    quanto.quantize(model, weights=quanto.qint2, exclude="lm_head")
    quanto.freeze(model)
    return model


def torchao() -> Any:
    """torchao's int2 in groups of 64."""
    from torchao.quantization import IntxWeightOnlyConfig, quantize_
    from torchao.quantization.granularity import PerGroup

    model = load_model(MODEL_DIR).model
    chosen = {id(layer) for _, _, layer in linear_layers(model)}
    config = IntxWeightOnlyConfig(weight_dtype=torch.int2, granularity=PerGroup(64))
    quantize_(model, config, filter_fn=lambda layer, _: id(layer) in chosen)
    return model


METHODS: dict[str, Callable[[], Any]] = {
    **{f: lambda f=f: load_model(MODEL_DIR, f).model for f in ("bf16", "q8", "q4", "q2")},
    "hqq 2 bits": hqq,
    "optimum-quanto int2": quanto,
    "torchao int2": torchao,
}


@torch.no_grad()
def streams(model: Any, texts: list[torch.Tensor]) -> tuple[torch.Tensor, float]:
    """Return the stream leaving each block, ``[layers, tokens, d]``, and the loss."""
    found, losses = [], []
    for ids in texts:
        said = model(ids, output_hidden_states=True, labels=ids)
        found.append(torch.stack(said.hidden_states)[1:-1, 0].float())
        losses.append(float(said.loss))
    return torch.cat(found, dim=1), statistics.mean(losses)


@torch.no_grad()
def seconds(model: Any, ids: torch.Tensor) -> float:
    """Return how long one forward pass takes."""
    began = time.perf_counter()
    model.model(ids, use_cache=False)
    return time.perf_counter() - began


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(MODEL_DIR)
    table = pq.read_table(next(DATASET_DIR.glob("validation-*")), columns=["text"])
    texts = [
        tokenizer(text, return_tensors="pt", truncation=True, max_length=512)["input_ids"]
        for text in table["text"].to_pylist()[: arguments.documents]
    ]
    batch = torch.cat(texts, dim=1)[:, :2048].reshape(4, -1)
    reference = load_model(MODEL_DIR).model
    expected, loss = streams(reference, texts)
    print("| format | MB | speed of fp32 | loss | error after block 0 | 2 | 4 |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    print(f"| fp32 | {memory_of(reference) / 1e6:.1f} | 1.00 | {loss:.3f} | 0 | 0 | 0 |")
    for name, make in METHODS.items():
        try:
            model = make()
            got, loss = streams(model, texts)
        except (ImportError, RuntimeError, NotImplementedError) as error:
            print(f"{name} left out: {str(error).splitlines()[0]}", file=sys.stderr)
            continue
        error = (got - expected).norm(dim=(1, 2)) / expected.norm(dim=(1, 2))
        ratios = []
        for _ in range(arguments.rounds):
            ratios.append(seconds(reference, batch) / seconds(model, batch))
        size = f"{memory_of(model) / 1e6:.1f}" if name in ("bf16", "q8", "q4", "q2") else "–"
        cells = " | ".join(f"{float(error[layer]):.3f}" for layer in (0, 2, 4))
        print(f"| {name} | {size} | {statistics.median(ratios):.2f} | {loss:.3f} | {cells} |")


if __name__ == "__main__":
    main()
