"""Tiny seeded models of every family, made from their configs."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

VOCAB = 131

_LLAMA_LIKE: dict[str, Any] = {
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "vocab_size": VOCAB,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
_MHA = {**_LLAMA_LIKE, "num_key_value_heads": 4}
_GPT = {
    "vocab_size": VOCAB,
    "n_embd": 48,
    "n_layer": 3,
    "n_head": 4,
    "n_positions": 64,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
_MOE = {"num_experts": 4, "num_local_experts": 4, "num_experts_per_tok": 2}

#: Settings that make each family small.
FAMILIES: dict[str, dict[str, Any]] = {
    "gpt2": _GPT,
    "gpt_neo": {
        "vocab_size": VOCAB,
        "hidden_size": 48,
        "num_layers": 3,
        "num_heads": 4,
        "attention_types": [[["global", "local", "global"], 1]],
        "window_size": 8,
        "max_position_embeddings": 64,
        "bos_token_id": 1,
        "eos_token_id": 2,
    },
    "gpt_neox": {**_MHA, "intermediate_size": 80},
    "gptj": {**_GPT, "rotary_dim": 4},
    "opt": {
        **_LLAMA_LIKE,
        "ffn_dim": 80,
        "word_embed_proj_dim": 48,
    },
    "bloom": {"vocab_size": VOCAB, "hidden_size": 48, "n_layer": 3, "n_head": 4},
    "llama": _LLAMA_LIKE,
    "mistral": {**_LLAMA_LIKE, "sliding_window": 8},
    "mixtral": {**_LLAMA_LIKE, **_MOE},
    "qwen2": _LLAMA_LIKE,
    "qwen3": {**_LLAMA_LIKE, "head_dim": 16},
    "qwen3_moe": {**_LLAMA_LIKE, **_MOE, "head_dim": 16, "moe_intermediate_size": 24},
    "phi": _MHA,
    "phi3": {**_LLAMA_LIKE},
    "gemma": {**_LLAMA_LIKE, "head_dim": 16},
    "gemma2": {**_LLAMA_LIKE, "head_dim": 16, "sliding_window": 8},
    "gemma3_text": {**_LLAMA_LIKE, "head_dim": 16, "sliding_window": 8},
    "falcon": {
        "vocab_size": VOCAB,
        "hidden_size": 48,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "bos_token_id": 1,
        "eos_token_id": 2,
    },
    "olmo2": _LLAMA_LIKE,
    "stablelm": {**_MHA, "hidden_size": 64},
    "granite": {
        **_LLAMA_LIKE,
        "residual_multiplier": 0.22,
        "embedding_multiplier": 12.0,
        "attention_multiplier": 0.1,
    },
    "starcoder2": _LLAMA_LIKE,
    "mpt": {
        "vocab_size": VOCAB,
        "d_model": 48,
        "n_layers": 3,
        "n_heads": 4,
        "max_seq_len": 64,
        "expansion_ratio": 2,
    },
    "deepseek_v3": {
        **_MHA,
        "q_lora_rank": 16,
        "kv_lora_rank": 16,
        "qk_rope_head_dim": 8,
        "qk_nope_head_dim": 8,
        "v_head_dim": 16,
        "head_dim": 8,
        "moe_intermediate_size": 24,
        "n_routed_experts": 4,
        "num_experts_per_tok": 2,
        "n_group": 2,
        "topk_group": 1,
        "first_k_dense_replace": 1,
    },
    "gpt_oss": {**_LLAMA_LIKE, **_MOE, "head_dim": 16, "sliding_window": 8},
    "cohere2": {**_LLAMA_LIKE, "sliding_window": 8},
    "glm4": {**_LLAMA_LIKE, "head_dim": 16},
    "nemotron": {**_LLAMA_LIKE, "head_dim": 16},
    "smollm3": _LLAMA_LIKE,
    "lfm2": {
        **_LLAMA_LIKE,
        "full_attn_idxs": [1],
        "block_ff_dim": 80,
        "block_multiple_of": 8,
        "layer_types": ["conv", "full_attention", "conv"],
    },
    "jamba": {
        **_LLAMA_LIKE,
        **_MOE,
        "num_hidden_layers": 4,
        "attn_layer_period": 4,
        "attn_layer_offset": 2,
        "expert_layer_period": 2,
        "expert_layer_offset": 1,
        "use_mamba_kernels": False,
        "mamba_d_state": 8,
        "mamba_dt_rank": 4,
    },
    "mamba": {
        "vocab_size": VOCAB,
        "hidden_size": 48,
        "num_hidden_layers": 3,
        "state_size": 8,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
    },
}


def tiny_model(family: str, seed: int = 0, **changes: Any) -> PreTrainedModel:
    """Return a tiny model of ``family`` with random weights, in eval mode, float32.

    Weights are drawn wide enough that every part of the model contributes:
    biases and norms are not left at zero and one.
    """
    config = AutoConfig.for_model(family, **{**FAMILIES[family], **changes})
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.add_(noise * (0.08 if parameter.dim() > 1 else 0.05))
    return model.eval()
