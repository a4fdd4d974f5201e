"""How far a format moves the residual stream from the reference, and how fast it is."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mistudio_ext.engine.load import LoadedModel
from mistudio_ext.engine.model.limits import limits_of
from mistudio_ext.engine.structure import Structure, discover, text_model
from mistudio_ext.engine.tracing import example_ids

#: Tokens of each text that are run.
MAX_TOKENS = 64


@dataclass(frozen=True)
class Streams:
    """The residual stream after each block on a small batch.

    Attributes
    ----------
    layers
        One float32 tensor ``[tokens, d]`` per block, on the host. The first
        position of each text is left out if there are others: its norm is often a hundred times
        that of the others and would be all that a relative error shows.
    tokens_per_second
        Of the pass, hooks included, after a first one for warming up.
    """

    layers: tuple[Tensor, ...]
    tokens_per_second: float


def token_ids(path: Path, texts: Sequence[str], allow_remote_code: bool = False) -> list[Tensor]:
    """Return the ids ``[1, length]`` of texts, by the model's own tokenizer."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(
        str(path), local_files_only=True, trust_remote_code=allow_remote_code
    )
    rows = [tokenizer(text, truncation=True, max_length=MAX_TOKENS)["input_ids"] for text in texts]
    return [torch.tensor([row]) for row in rows if len(row) > 1]


def streams(loaded: LoadedModel, batch: Sequence[Tensor], structure: Structure) -> Streams:
    """Run a batch, text by text, and keep what leaves each block.

    Parameters
    ----------
    loaded
        The model.
    batch
        Token ids, each ``[1, length]``.
    structure
        What :func:`discover` found in the model.
    """
    runner = text_model(loaded.model)
    blocks = [call.module for call in structure.blocks]
    parts: list[list[Tensor]] = [[] for _ in blocks]

    def keep(index: int) -> Any:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            stream = output[0] if isinstance(output, tuple) else output
            first = 1 if stream.shape[1] > 1 else 0
            parts[index].append(stream[0, first:].float().cpu())

        return hook

    n_tokens = sum(ids.numel() for ids in batch)
    with torch.inference_mode():
        _run(runner, batch[:1], loaded.device)  # The first pass pays for allocation and kernels.
        handles = [block.register_forward_hook(keep(i)) for i, block in enumerate(blocks)]
        began = time.perf_counter()
        try:
            _run(runner, batch, loaded.device)
        finally:
            for handle in handles:
                handle.remove()
        seconds = time.perf_counter() - began
    return Streams(tuple(torch.cat(layer) for layer in parts), n_tokens / max(seconds, 1e-9))


def relative_errors(found: Streams, reference: Streams) -> list[float]:
    """Return ``‖x − reference‖ / ‖reference‖`` over all tokens, for each block in turn."""
    return [
        float((x - y).norm() / y.norm().clamp_min(1e-30))
        for x, y in zip(found.layers, reference.layers, strict=True)
    ]


def measure(loaded: LoadedModel, batch: Sequence[Tensor]) -> Streams:
    """Return :func:`streams` of a model whose structure is not known yet.

    Texts are cut to the positions that the model has; those with ids that it does not know are
    left out, and if that leaves none, random ids take their place.
    """
    structure = discover(loaded.model)
    limits = limits_of(loaded.model, structure)
    length = min(MAX_TOKENS, limits.positions or MAX_TOKENS)
    known = [ids[:, :length] for ids in batch if int(ids.max()) < limits.vocabulary]
    if not known:
        known = [row[None] for row in example_ids(loaded.model.config, batch=8, length=length)]
    return streams(loaded, known, structure)


def _run(runner: nn.Module, batch: Sequence[Tensor], device: torch.device) -> None:
    for ids in batch:
        runner(input_ids=ids.to(device), use_cache=False)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
