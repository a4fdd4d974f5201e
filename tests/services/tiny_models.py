"""Small models and ready token ids for the services' tests, and what plain transformers says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

VOCAB = 96
ROWS = [[7, 8, 9, 30, 31], [60, 61, 62, 63, 64, 65, 66], [12, 90, 13]]


def write_model(folder: Path, seed: int = 0, **changes: Any) -> Path:
    """Save a Llama of two layers whose weights depend on nothing but the seed."""
    config = LlamaConfig(
        vocab_size=VOCAB,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        **changes,
    )
    model = LlamaForCausalLM(config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(noise / 8 if parameter.dim() > 1 else 1 + noise / 5)
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    return folder


def write_ids(file: Path) -> Path:
    """Write rows of ready token ids."""
    pq.write_table(pa.table({"input_ids": pa.array(ROWS, pa.list_(pa.int32()))}), file)
    return file


def arrays(folder: str | Path) -> dict[str, npt.NDArray[np.float32]]:
    """Return the arrays of an extraction's folder by hook point, as plain NumPy reads them."""
    files = json.loads((Path(folder) / "manifest.json").read_text())["files"]
    return {f["hook"]: np.load(Path(folder) / name) for name, f in files.items() if f["hook"]}


def reference(folder: Path) -> dict[str, npt.NDArray[np.float32]]:
    """Return what each block reads, adds and returns, one row at a time, by plain transformers."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    found: dict[str, list[npt.NDArray[np.float32]]] = {}

    def keep(name: str) -> Any:
        def hook(_module: Any, _inputs: Any, output: Any) -> None:
            value = output[0] if isinstance(output, tuple) else output
            found.setdefault(name, []).append(value.detach()[0].float().numpy().copy())

        return hook

    for i, block in enumerate(model.model.layers):
        block.register_forward_hook(keep(f"blocks.{i}.hook_resid_post"))
        block.mlp.register_forward_hook(keep(f"blocks.{i}.hook_mlp_out"))
        block.self_attn.register_forward_hook(keep(f"blocks.{i}.hook_attn_out"))
        block.mlp.up_proj.register_forward_hook(keep(f"module:model.layers.{i}.mlp.up_proj"))
        block.mlp.gate_proj.register_forward_hook(keep(f"module:model.layers.{i}.mlp.gate_proj"))
    for row in ROWS:
        with torch.no_grad():
            model(input_ids=torch.tensor([row]), use_cache=False)
    return {name: np.concatenate(parts) for name, parts in found.items()}
