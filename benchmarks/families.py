"""Every language model type of transformers, shrunken: extracted and compared with transformers.

For each type that can be built from a small config, in float32 and in bfloat16: block outputs of
an extraction over samples of different lengths, against the same model run by plain transformers,
one sample at a time. A type is right, refused with its reason, or wrong.

    python -m benchmarks.families                    # all, about half an hour on two cores
    python -m benchmarks.families --part 1/8         # every eighth, from the first
    python -m benchmarks.families bert llama --json found.jsonl
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from torch import nn

from mistudio_ext.activations import manifest as manifests
from mistudio_ext.engine.inspect import inspect_model
from mistudio_ext.engine.load import class_for
from mistudio_ext.engine.run import extract
from mistudio_ext.engine.structure import text_model
from mistudio_ext.errors import MiStudioError
from mistudio_ext.spec import ExtractionSpec

VOCAB = 131
#: Samples: short beside long, and one of the longest; beyond windows of 8.
LENGTHS = (3, 40, 5, 38, 7, 39, 1, 37, 12, 26)
#: Largest error of a token relative to its norm, and of its usual token, by format.
TOLERANCE = {"fp32": (2e-4, 1e-5), "bf16": (0.08, 0.03)}
#: Values by the names that configs use; a config gets those that it has.
SMALL: dict[str, Any] = {
    "vocab_size": VOCAB, "hidden_size": 48, "n_embd": 48, "d_model": 48, "dim": 48,
    "intermediate_size": 96, "ffn_dim": 96, "n_inner": 96, "d_ff": 96, "hidden_dim": 96,
    "ffn_hidden_size": 96, "moe_intermediate_size": 32, "shared_expert_intermediate_size": 32,
    "moe_shared_expert_intermediate_size": 32, "intermediate_size_mlp": 96, "d_inner": 96,
    "num_hidden_layers": 4, "n_layer": 4, "n_layers": 4, "num_layers": 4, "decoder_layers": 3,
    "encoder_layers": 3, "num_attention_heads": 4, "n_head": 4, "n_heads": 4, "num_heads": 4,
    "decoder_attention_heads": 4, "encoder_attention_heads": 4, "encoder_ffn_dim": 96,
    "decoder_ffn_dim": 96, "num_key_value_heads": 2, "num_kv_heads": 2, "head_dim": 12,
    "d_kv": 12, "embedding_size": 48, "word_embed_proj_dim": 48, "d_embed": 48, "emb_dim": 48,
    "max_position_embeddings": 64, "n_positions": 64, "max_seq_len": 64, "n_ctx": 64,
    "max_sequence_length": 64, "sliding_window": 8, "window_size": 8, "local_attention": 8,
    "attention_window": 8, "num_experts": 4, "num_local_experts": 4, "n_routed_experts": 4,
    "num_experts_per_tok": 2, "n_shared_experts": 1, "n_group": 1, "topk_group": 1,
    "moe_num_experts": 4, "moe_k": 2, "moe_topk": 2, "first_k_dense_replace": 1,
    "q_lora_rank": 16, "kv_lora_rank": 16, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8,
    "v_head_dim": 12, "state_size": 8, "mamba_d_state": 8, "mamba_n_heads": 4,
    "mamba_d_head": 24, "mamba_n_groups": 1, "n_groups": 1, "mamba_num_heads": 4,
    "mamba_head_dim": 24, "mamba_dt_rank": 4, "time_step_rank": 4, "rotary_dim": 8,
    "attention_hidden_size": 48, "lru_width": 48, "linear_num_key_heads": 2,
    "linear_num_value_heads": 4, "linear_key_head_dim": 12, "linear_value_head_dim": 12,
    "global_head_dim": 12, "hidden_size_per_layer_input": 8, "vocab_size_per_layer_input": VOCAB,
    "bottleneck_size": 24, "true_hidden_size": 48, "intra_bottleneck_size": 48,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1,
    "sep_token_id": 2, "n_langs": 1, "num_labels": 2, "lstm_dim": 48, "num_codebooks": 1,
    "laurel_rank": 8, "altup_num_inputs": 2, "num_kv_shared_layers": 0, "index_topk": 64,
    "index_n_heads": 2, "index_head_dim": 8, "num_nextn_predict_layers": 0, "block_size": 8,
}  # fmt: skip


class TooSlow(Exception):  # noqa: N818 - raised by a signal
    """A type took too long."""


class Silent:
    """A reporter that keeps warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def phase(self, name: str, message: str = "") -> None:
        pass

    def progress(self, done: int, total: int | None, unit: str = "", message: str = "") -> None:
        pass

    def warn(self, code: str, message: str) -> None:
        self.warnings.append(code)


def types() -> list[str]:
    """Return the model types with a head for causal or masked language modelling."""
    from transformers.models.auto import modeling_auto as auto

    causal = set(auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)
    return sorted(causal | set(auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES))


def small_config(model_type: str) -> Any:
    """Return a config of a type with small numbers wherever it has one of the known names."""
    kind = transformers.CONFIG_MAPPING[model_type]
    usual = kind()
    inner = {
        name: small_values(getattr(usual, name))
        for name in getattr(kind, "sub_configs", {})
        if getattr(usual, name, None) is not None
    }
    return kind(**{**small_values(usual), **inner})


def small_values(config: Any) -> dict[str, Any]:
    """Return the small values for the names that a config has."""
    known = {*config.to_dict(), *getattr(config, "attribute_map", {})}
    found = {name: value for name, value in SMALL.items() if name in known}
    if not isinstance(getattr(config, "attention_window", 8), int):
        found["attention_window"] = [8] * 4
    heads = found.get("num_attention_heads")
    mine = getattr(config, "num_key_value_heads", None)
    theirs = getattr(config, "num_attention_heads", None)
    if heads and mine is not None and mine == theirs:
        found["num_key_value_heads"] = heads
    return found


def seeded(model: nn.Module) -> nn.Module:
    """Give a model weights that depend on nothing but a seed and make every part matter."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if not p.is_floating_point():
                continue
            noise = torch.randn(p.shape, generator=generator)
            if p.dim() >= 2:
                value = noise * 1.2 / p.shape[-1] ** 0.5
            elif "norm" in name.lower() and "bias" not in name:
                value = 1 + 0.2 * noise
            else:
                value = p.float() + 0.1 * noise
            p.copy_(value.to(p.dtype))
    return model.eval()


def reference(folder: Path, points: dict[str, Any], rows: Any, dtype: torch.dtype) -> Any:
    """Return what the modules of the points give, one sample at a time, float32."""
    config = transformers.AutoConfig.from_pretrained(folder)
    model = class_for(config).from_pretrained(folder, dtype=dtype).eval()
    found: dict[str, list[Any]] = {name: [] for name in points}

    def keep(name: str) -> Any:
        def hook(_: Any, __: Any, output: Any) -> None:
            value = output
            while not isinstance(value, torch.Tensor):
                value = next(iter(value.values() if isinstance(value, dict) else value))
            found[name].append(value.float().reshape(-1, value.shape[-1]).numpy())

        return hook

    for name, module in points.items():
        model.get_submodule(module).register_forward_hook(keep(name))
    with torch.no_grad():
        for row in rows:
            text_model(model)(input_ids=torch.tensor([row]), use_cache=False)
    return {name: np.concatenate(parts) for name, parts in found.items()}


def try_type(model_type: str, folder: Path) -> Iterator[dict[str, Any]]:
    """Yield what became of a type, by format."""
    config = small_config(model_type)
    try:
        with torch.device("meta"):
            n_params = sum(p.numel() for p in class_for(config).from_config(config).parameters())
        if n_params > 40e6:
            yield {"format": "-", "result": "not built", "why": f"{n_params:.2g} parameters"}
            return
        torch.manual_seed(0)
        model = seeded(class_for(config).from_config(config, dtype=torch.float32))
        model.save_pretrained(folder / "model")
    except TooSlow:
        raise
    except Exception as error:  # noqa: BLE001 - a config that needs special values
        yield {
            "format": "-",
            "result": "not built",
            "why": f"{type(error).__name__}: {error}"[:150],
        }
        return
    del model
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        began = time.monotonic()
        try:
            found = compare(folder, name, dtype)
        except MiStudioError as error:
            found = {"result": "refused", "why": f"{error.code}: {error.message}"[:200]}
        except TooSlow:
            found = {"result": "too slow"}
        except Exception as error:  # noqa: BLE001 - this is what is looked for
            found = {"result": "CRASHED", "why": f"{type(error).__name__}: {error}"[:200]}
        yield {"format": name, **found, "seconds": round(time.monotonic() - began, 1)}


def compare(folder: Path, name: str, dtype: torch.dtype) -> dict[str, Any]:
    """Extract in one format and compare."""
    described = inspect_model(folder / "model", name, False)
    hooks = [h for h in described["hooks"] if h["short"] == "resid_post"]
    if not hooks:
        reasons = {u["short"]: u["reason"] for u in described["unavailable"]}
        return {"result": "refused", "why": str(reasons.get("resid_post"))[:200]}
    generator = np.random.default_rng(3)
    most = described["positions"] or 64
    rows = [generator.integers(5, VOCAB, min(n, most)).tolist() for n in (*LENGTHS, most)]
    out = folder / name
    out.mkdir()
    np.save(out / "tokens.npy", np.concatenate(rows).astype(np.uint16))
    np.save(out / "offsets.npy", np.cumsum([0, *map(len, rows)]))
    np.save(out / "rows.npy", np.arange(len(rows)))
    spec = ExtractionSpec(hooks=tuple(h["name"] for h in hooks), dtype="float32", device="cpu")
    extract(
        {
            "disk_reserve_bytes": 0,
            "threads": torch.get_num_threads(),
            "extraction": {
                "id": "ext_0000000001",
                "name": name,
                "path": str(out / "ext"),
                "fingerprint": "f",
                "spec": spec.to_dict(),
                "created_at": "2026-01-01T00:00:00+00:00",
            },
            "model": {"id": "m", "name": "m", "path": str(folder / "model"), "format": name},
            "dataset": {"id": "d", "name": "d", "split": "train"},
            "tokenization": {"id": "t", "path": str(out), "settings": {"mode": "truncate"}},
        },
        Silent(),
    )
    expected = reference(folder / "model", {h["name"]: h["module"] for h in hooks}, rows, dtype)
    worst = usual = 0.0
    for hook, want in expected.items():
        got = np.load(out / "ext" / f"{hook}.npy")
        if got.shape != want.shape or not np.isfinite(got).all():
            return {
                "result": "WRONG",
                "why": f"{hook}: {got.shape} for {want.shape}, or not finite",
            }
        errors = np.linalg.norm(got - want, axis=1) / np.linalg.norm(want, axis=1).clip(1e-30)
        worst, usual = max(worst, float(errors.max())), max(usual, float(np.median(errors)))
    most_worst, most_usual = TOLERANCE[name]
    return {
        "result": "right" if worst <= most_worst and usual <= most_usual else "WRONG",
        "worst": float(f"{worst:.3g}"),
        "usual": float(f"{usual:.3g}"),
        "padding": manifests.read(out / "ext")["plan"]["padding"],
        "why": described["padding_reason"],
        "context": described["positions"],
        "blocks": len(hooks),
    }


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """Raise :class:`TooSlow` in what takes longer."""

    def ring(*_: Any) -> None:
        raise TooSlow

    signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def main() -> int:
    """Try the types and print a line for each; exit with 1 if one is wrong or crashed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("types", nargs="*")
    parser.add_argument("--part", default="1/1", metavar="K/N")
    parser.add_argument("--json", type=Path, help="file to append one JSON line per result to")
    parser.add_argument("--seconds", type=int, default=120, help="for one type at most")
    options = parser.parse_args()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    first, of = map(int, options.part.split("/"))
    counted: Counter[tuple[str, str]] = Counter()
    for model_type in options.types or types()[first - 1 :: of]:
        with tempfile.TemporaryDirectory() as folder:
            try:
                with at_most(options.seconds):
                    for found in try_type(model_type, Path(folder)):
                        counted[found["format"], found["result"]] += 1
                        line = json.dumps({"type": model_type, **found})
                        print(line, flush=True)
                        if options.json:
                            with options.json.open("a") as file:
                                file.write(line + "\n")
            except Exception as error:  # noqa: BLE001 - a config class that does not build
                result = "too slow" if isinstance(error, TooSlow) else "not built"
                counted["-", result] += 1
                print(json.dumps({"type": model_type, "result": result, "why": str(error)[:150]}))
    for (name, result), n in sorted(counted.items()):
        print(f"{name:5} {result:10} {n}", file=sys.stderr)
    bad = sum(n for (_, result), n in counted.items() if result in ("WRONG", "CRASHED"))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
