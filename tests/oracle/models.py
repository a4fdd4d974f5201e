"""Models of many families, small, with seeded weights, and the tokenizer that belongs to them."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
)

from tests.engine.tiny import FAMILIES, VOCAB, tiny_model

#: Positions that every model has.
POSITIONS = 64

#: What makes a config small, whatever the family; names that a config does not have are left out.
_SMALL: dict[str, Any] = {
    "vocab_size": VOCAB,
    "hidden_size": 48,
    "d_model": 48,
    "n_embd": 48,
    "embedding_size": 48,
    "intermediate_size": 80,
    "ffn_dim": 80,
    "num_hidden_layers": 3,
    "num_layers": 3,
    "n_layer": 3,
    "num_attention_heads": 4,
    "num_heads": 4,
    "n_head": 4,
    "num_key_value_heads": 2,
    "head_dim": 12,
    "max_position_embeddings": POSITIONS,
    "n_positions": POSITIONS,
    "max_seq_len": POSITIONS,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "num_experts": 4,
    "num_local_experts": 4,
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 24,
    "shared_expert_intermediate_size": 24,
    "sliding_window": 8,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_ffn_dim": 80,
    "decoder_ffn_dim": 80,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "d_ff": 80,
    "d_kv": 12,
    "num_decoder_layers": 2,
}

#: Families that read both ways, or are trained to.
ENCODERS: dict[str, dict[str, Any]] = {
    "albert": {"embedding_size": 16, "num_hidden_groups": 1},
    "bert": {},
    "camembert": {"max_position_embeddings": POSITIONS + 2, "pad_token_id": 1},
    "deberta-v2": {},
    "distilbert": {"dim": 48, "hidden_dim": 80, "n_layers": 3, "n_heads": 4},
    "electra": {},
    "ernie": {},
    "mobilebert": {"intra_bottleneck_size": 32, "true_hidden_size": 32},
    "modernbert": {
        "local_attention": 16,
        "cls_token_id": 1,
        "sep_token_id": 2,
        "num_hidden_layers": 4,
    },
    "mpnet": {"max_position_embeddings": POSITIONS + 2},
    "roberta": {"max_position_embeddings": POSITIONS + 2, "pad_token_id": 1},
    "roformer": {},
    "xlm-roberta": {"max_position_embeddings": POSITIONS + 2, "pad_token_id": 1},
}

#: Families with two sequences, which are refused.
BOTH = ("bart", "marian", "mbart", "pegasus", "t5")

#: Families of causal models beside those of the engine's own tests.
CAUSAL: tuple[str, ...] = tuple(
    """
    afmoe apertus apertus1p5_text arcee aria_text beam bert-generation big_bird biogpt
    bitnet cohere cohere2_moe ctrl cwm data2vec-text diffllama doge ernie4_5 ernie4_5_moe
    exaone exaone4 exaone_moe falcon_h1 falcon_mamba flex_olmo flint glm glm4_moe gpt-sw3
    gpt_bigcode gpt_neox_japanese granite_swa granitemoe granitemoe_swa granitemoeshared
    helium hrm_text hunyuan_v1_dense hunyuan_v1_moe hy_v3 hyperclovax jais2 jetmoe kolibri1
    laguna lfm3 llama4_text megatron-bert mellum mimo_v2_flash minimax minimax_m2 ministral
    ministral3 modernbert-decoder nanochat nemotron_h olmo olmo3 olmo_hybrid olmoe
    openai-gpt persimmon phimoe qwen2_moe recurrent_gemma rembert roberta-prelayernorm rwkv
    sarvam_moe seed_oss solar_open vaultgemma xglm xlm-roberta-xl
    """.split()
)

#: Experts are chosen by a comparison: a rounding can choose another one.
EXPERTS = frozenset({"deepseek_v3", "gpt_oss", "jamba", "mixtral", "qwen3_moe"})


def shrunken(family: str, **changes: Any) -> Any:
    """Return a small config of a family."""
    default = AutoConfig.for_model(family)
    names = set(default.to_dict()) | set(default.attribute_map)
    return AutoConfig.for_model(family, **{k: v for k, v in _SMALL.items() if k in names} | changes)


def build(family: str, seed: int) -> Any:
    """Return a model in float32 with seeded weights, biases and norms among them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if family in FAMILIES:
            return tiny_model(family, seed)
        config = shrunken(family, **ENCODERS.get(family, {}))
        kind = AutoModelForSeq2SeqLM if family in BOTH else AutoModelForCausalLM
        kind = AutoModel if family in ENCODERS else kind
        torch.manual_seed(seed)
        model = kind.from_config(config, dtype=torch.float32)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.add_(noise * (0.08 if parameter.dim() > 1 else 0.05))
    return model.eval()


def words(ids: list[int]) -> str:
    """Return the text that the models' tokenizer reads as these ids."""
    return " ".join(f"w{token}" for token in ids)


def frame_of(frame: str) -> tuple[list[int], list[int]]:
    """Return the special tokens before and after a text."""
    return ([1] if frame in ("bos", "both") else []), ([2] if frame == "both" else [])


def write_tokenizer(folder: Path, frame: str) -> None:
    """Write a tokenizer of words ``w3`` to ``w130``, with BOS and EOS around a text if wanted."""
    names = ["<pad>", "<s>", "</s>"]
    vocab = {**{name: i for i, name in enumerate(names)}, **{f"w{i}": i for i in range(3, VOCAB)}}
    before, after = frame_of(frame)
    pieces = [{"SpecialToken": {"id": names[i], "type_id": 0}} for i in before]
    pieces += [{"Sequence": {"id": "A", "type_id": 0}}]
    pieces += [{"SpecialToken": {"id": names[i], "type_id": 0}} for i in after]
    template = {
        "type": "TemplateProcessing",
        "single": pieces,
        "pair": [*pieces, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {n: {"id": n, "ids": [i], "tokens": [n]} for i, n in enumerate(names)},
    }
    added = [
        {"id": i, "content": n, "single_word": False, "lstrip": False, "rstrip": False}
        | {"normalized": False, "special": True}
        for i, n in enumerate(names)
    ]
    document = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": template if frame != "none" else None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": vocab, "unk_token": "<pad>"},
    }
    (folder / "tokenizer.json").write_text(json.dumps(document))
    facts = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "<pad>"}
    facts |= {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<pad>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(facts))


def reads_words(folder: Path) -> bool:
    """Tell whether transformers makes of a folder the tokenizer that was written into it."""
    loaded = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    return bool(loaded(words([5, 6]), add_special_tokens=False)["input_ids"] == [5, 6])


def write(folder: Path, family: str, seed: int, frame: str, weights: str) -> Path:
    """Save a model with its tokenizer; ``weights`` is the dtype of the file."""
    model = build(family, seed).to(getattr(torch, weights))
    model.save_pretrained(folder)
    write_tokenizer(folder, frame)
    return folder
