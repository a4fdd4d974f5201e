"""Other tools that store activations, on the samples of ``extraction.py``; each where installed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from mistudio_ext.engine.structure import text_model

if TYPE_CHECKING:
    from extraction import Case


def transformer_lens(case: Case, out: Path) -> float:
    if case.shape not in _LENSES:
        _LENSES[case.shape] = hooked_transformer(case)
    lens, wanted = _LENSES[case.shape], set(case.hooks)
    began = time.perf_counter()
    with torch.inference_mode():
        for number, (ids, lengths) in enumerate(case.in_order()):
            mask = torch.from_numpy(np.arange(ids.shape[1])[None] < lengths[:, None])
            _, cache = lens.run_with_cache(
                torch.from_numpy(ids).to(case.device),
                names_filter=lambda name: name in wanted,
                return_type=None,
            )
            for name in case.hooks:
                np.save(out / f"{name}.{number}.npy", cache[name].half().cpu()[mask].numpy())
    return time.perf_counter() - began


def hooked_transformer(case: Case) -> Any:
    """Return TransformerLens's own model (version 3 or before) with the same weights."""
    import warnings

    import transformer_lens as lens
    from transformer_lens.pretrained import weight_conversions

    config, llama = case.loaded.model.config, case.shape != "gpt2"
    heads = config.num_attention_heads
    facts: dict[str, Any] = {
        "original_architecture": type(case.loaded.model).__name__,
        "act_fn": "silu" if llama else "gelu_new",
        "d_mlp": config.intermediate_size if llama else 4 * config.hidden_size,
        "normalization_type": "RMS" if llama else "LN",
        "eps": config.rms_norm_eps if llama else config.layer_norm_epsilon,
    }
    if llama:
        facts |= {
            "positional_embedding_type": "rotary",
            "rotary_adjacent_pairs": False,
            "rotary_dim": config.hidden_size // heads,
            "gated_mlp": True,
            "final_rms": True,
            "n_key_value_heads": config.num_key_value_heads,
        }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        hooked_config = lens.HookedTransformerConfig(
            n_layers=config.num_hidden_layers,
            d_model=config.hidden_size,
            n_ctx=1024,
            d_head=config.hidden_size // heads,
            n_heads=heads,
            d_vocab=config.vocab_size,
            seed=0,
            dtype=torch.float32,
            device=str(case.device),
            **facts,
        )
        convert = weight_conversions.convert_llama_weights
        if not llama:
            convert = weight_conversions.convert_gpt2_weights
        found = lens.HookedTransformer(hooked_config)
        found.load_and_process_state_dict(
            convert(case.loaded.model, hooked_config),
            fold_ln=False,
            center_writing_weights=False,
            center_unembed=False,
            fold_value_biases=False,
        )
    return found.eval()


_LENSES: dict[str, Any] = {}


def nnsight(case: Case, out: Path) -> float:
    from nnsight import NNsight

    from mistudio_ext.engine.points import build
    from mistudio_ext.engine.structure import discover

    runner = text_model(case.loaded.model)
    points = build(discover(case.loaded.model), case.loaded.model.config).points
    prefix = case.loaded.model.base_model_prefix
    wrapped = NNsight(runner)
    # It takes values in the order in which the model makes them: contributions, then their sum.
    ordered = sorted(case.hooks, key=lambda h: (int(h.split(".")[1]), "resid_post" in h, h))
    began = time.perf_counter()
    with torch.inference_mode():
        for number, (ids, lengths) in enumerate(case.in_order()):
            mask = torch.from_numpy(np.arange(ids.shape[1])[None] < lengths[:, None])
            saved = {}
            with wrapped.trace(torch.from_numpy(ids).to(case.device), use_cache=False):
                for name in ordered:
                    node = wrapped
                    for part in points[name].read.module.removeprefix(f"{prefix}.").split("."):
                        node = node[int(part)] if part.isdigit() else getattr(node, part)
                    saved[name] = node.output.save()
            for name, value in saved.items():
                rows = value[0] if isinstance(value, tuple) else value
                np.save(out / f"{name}.{number}.npy", rows.half().cpu()[mask].numpy())
    return time.perf_counter() - began


def sae_lens(case: Case, out: Path) -> float:
    """One pass for each hook point: its runner takes no more, and only samples of one length."""
    import sae_lens as lens
    from datasets import Dataset
    from sae_lens import cache_activations_runner as runners

    lengths = np.diff(case.offsets)
    if len(set(lengths.tolist())) > 1:
        raise NotImplementedError("it cuts its contexts out of one stream of tokens")
    if case.shape not in _LENSES:
        _LENSES[case.shape] = hooked_transformer(case)
    context, count = int(lengths[0]), len(lengths)
    most = max(1, case.plan.batch_tokens // context)
    width = case.loaded.model.config.hidden_size
    dataset = Dataset.from_dict({"input_ids": case.tokens.reshape(count, context).tolist()})
    # The very model of the other rows; its own loader would want a name to download.
    runners.load_model = lambda **_: _LENSES[case.shape]
    seconds = 0.0
    for hook in case.hooks:
        config = lens.CacheActivationsRunnerConfig(
            dataset_path="benchmark",
            model_name=case.shape,
            # A batch must divide the samples, or it reads some of them twice.
            model_batch_size=max(n for n in range(1, most + 1) if count % n == 0),
            buffer_size_gb=min(2.0, (context * count * width * 2 + 1) / 1e9),
            hook_name=hook,
            d_in=width,
            training_tokens=context * count,
            context_size=context,
            new_cached_activations_path=str(out / hook),
            shuffle=False,
            dtype="float16",
            device=str(case.device),
            prepend_bos=False,
            streaming=False,
        )
        runner = lens.CacheActivationsRunner(config, override_dataset=dataset)
        began = time.perf_counter()
        runner.run()
        seconds += time.perf_counter() - began
    return seconds
