"""What is told of a model's blocks, of every kind of model."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import transformers
from transformers import AutoConfig, AutoModel, BertConfig, T5Config

from mistudio_ext.engine.inspect import describe_config, inspect_model
from mistudio_ext.engine.load import load_model, meta_model
from mistudio_ext.errors import InvalidInputError
from tests.engine.tiny import FAMILIES


def test_an_encoder_decoder_is_looked_at(tmp_path: Path) -> None:
    """It opens without hook points and says why."""
    torch.manual_seed(0)
    config = T5Config(vocab_size=64, d_model=32, d_ff=48, num_layers=2, num_heads=2, d_kv=16)
    AutoModel.from_config(config).save_pretrained(tmp_path)
    found = inspect_model(tmp_path, "fp32", False)
    assert (found["kind"], found["hooks"]) == ("encoder-decoder", [])
    assert "Nothing can be extracted" in found["extractable"]
    assert "encoder-decoder" in found["extractable"]
    assert found["tree"]
    with pytest.raises(InvalidInputError) as caught:
        load_model(tmp_path)
    assert caught.value.code == "unsupported_model"
    assert found["n_params"] > 0


@pytest.mark.parametrize("head", ["Model", "ForMaskedLM", "ForSequenceClassification"])
def test_an_encoder_offers_its_stream(head: str, tmp_path: Path) -> None:
    """Whatever the checkpoint was trained for, its encoder opens, and is called one."""
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 2}
    config = BertConfig(vocab_size=64, num_hidden_layers=2, **sizes)
    getattr(transformers, f"Bert{head}")(config).save_pretrained(tmp_path)
    found = inspect_model(tmp_path, "fp32", False)
    assert found["kind"] == "encoder"
    assert {"resid_post", "attn_out", "mlp_out"} <= {hook["short"] for hook in found["hooks"]}
    assert "ln_final" in found["extractable"].partition("Not there")[2]


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_family_is_described(family: str) -> None:
    """Kinds of layers and active parameters are told for every family of the engine."""
    config = AutoConfig.for_model(family, **FAMILIES[family])
    found = describe_config(config, meta_model(config))
    assert len(found["block"]["layer_kinds"]) == found["n_layers"]
    assert 0 < found["active_params"] <= found["n_params"]
    if found["block"]["experts"]:
        assert found["active_params"] < found["n_params"]


def test_norms_and_windows() -> None:
    """Sandwich norms, norms behind, post-LN encoders, and sliding windows."""

    def block(family: str) -> dict[str, object]:
        config = AutoConfig.for_model(family, **FAMILIES[family])
        found: dict[str, object] = describe_config(config, meta_model(config))["block"]
        return found

    assert block("llama")["norms"] == {"pre": True, "post": False}
    assert block("gemma2")["norms"] == {"pre": True, "post": True}
    assert block("olmo2")["norms"] == {"pre": False, "post": True}
    assert "sliding" in block("gemma2")["layer_kinds"]  # type: ignore[operator]
    assert block("mamba")["mixer"] == "ssm"
    tiny = BertConfig(vocab_size=64, hidden_size=32, num_hidden_layers=2, num_attention_heads=2)
    assert describe_config(tiny, meta_model(tiny))["block"]["norms"] == {"pre": False, "post": True}
