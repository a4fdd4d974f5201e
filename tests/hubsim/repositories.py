"""The repositories that tests find on the loopback Hub."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

SAMPLE_MODEL = Path(__file__).parents[2] / "mistudio_ext" / "sample" / "model"

#: Size of ``demo/big``'s file.
BIG_BYTES = 6_000_000

CARD = """---
license: mit
configs:
- config_name: en
  default: true
  data_files:
  - {split: train, path: en/train-*.parquet}
  - {split: test, path: en/test.parquet}
- config_name: fr
  data_files:
  - {split: train, path: fr/*.parquet}
---
# Two languages
"""


OWN_CODE = """
from transformers import LlamaConfig, LlamaForCausalLM


class OwnConfig(LlamaConfig):
    model_type = "own"


class OwnForCausalLM(LlamaForCausalLM):
    config_class = OwnConfig
"""

#: Dataset cards that cannot be followed.
BAD_CARDS = {
    "bad-yaml": "configs: [",
    "bad-address": "configs:\n- {config_name: a, data_files: 'http://127.0.0.1:9/x.jsonl'}",
    "bad-file": "configs:\n- {config_name: a, data_files: gone.jsonl}",
}


def documents(count: int, seed: int = 0) -> list[str]:
    """Return random but repeatable texts."""
    rng = random.Random(seed)
    words = "token feature circuit layer probe residual sparse neuron head model text data".split()
    return [" ".join(rng.choices(words, k=rng.randint(3, 40))) for _ in range(count)]


def fill(root: Path) -> None:
    """Make all repositories below ``root``."""
    datasets, models = root / "datasets", root / "models"
    write_lines(datasets / "demo/plain/train.jsonl", documents(300))
    write_lines(datasets / "demo/plain/validation.jsonl", documents(30, 1))
    multi = datasets / "demo/multi"
    for seed, name in enumerate(("en/train-0", "en/train-1", "en/test", "fr/a")):
        write_parquet(multi / f"{name}.parquet", documents(100, seed))
    (multi / "README.md").write_text(CARD)
    write_parquet(datasets / "demo/gated/train.parquet", documents(20))
    write_meta(datasets / "demo/gated", gated="manual", access=["alice"])
    write_parquet(datasets / "demo/private/train.parquet", documents(20))
    write_meta(datasets / "demo/private", private=True, access=["alice"])
    write_parquet(datasets / "demo/disabled/train.parquet", documents(20))
    write_meta(datasets / "demo/disabled", disabled=True)
    write_packed(datasets / "demo/packed")
    script = datasets / "demo/scripted"
    script.mkdir(parents=True)
    (script / "scripted.py").write_text("raise SystemExit('must not run')\n")
    exported = datasets / "demo/scripted@refs%2Fconvert%2Fparquet/default"
    write_parquet(exported / "train/0000.parquet", documents(10))
    script = datasets / "demo/script-only"
    script.mkdir(parents=True)
    (script / "script-only.py").write_text("raise SystemExit('must not run')\n")
    for name, card in BAD_CARDS.items():
        write_lines(datasets / f"demo/{name}/train.jsonl", documents(3))
        (datasets / f"demo/{name}/README.md").write_text(f"---\n{card}\n---\n")
    archive = datasets / "demo/bad-archive/train.zip"
    archive.parent.mkdir(parents=True)
    archive.write_bytes(b"PK")
    nested = datasets / "demo/nested"
    for number, name in enumerate(("train-00000-of-00002", "train-00001-of-00002", "validation")):
        write_lines(nested / f"data/en/{name}.jsonl", documents(10, number))
    (nested / "README.md").write_text("# No front matter\n")
    big = datasets / "demo/big/train.txt.gz"
    big.parent.mkdir(parents=True)
    big.write_bytes(random.Random(7).randbytes(BIG_BYTES))
    shutil.copytree(SAMPLE_MODEL, models / "demo/stories")
    shutil.copytree(SAMPLE_MODEL, models / "demo/gated-stories")
    write_meta(models / "demo/gated-stories", gated="manual", access=["alice"])
    pickled = models / "demo/pickled"
    pickled.mkdir(parents=True)
    shutil.copy(SAMPLE_MODEL / "config.json", pickled)
    (pickled / "pytorch_model.bin").write_bytes(b"\x80\x04N.")
    own_code(models / "demo/own-code")
    (models / "demo/empty").mkdir()
    (models / "demo/empty/README.md").write_text("# Nothing here\n")
    (root / "hubsim.json").write_text(
        json.dumps({"tokens": {"hf_alice": "alice", "hf_bob": "bob"}})
    )


def own_code(folder: Path) -> None:
    """Make a model of a kind that only its own code knows: the sample's under another name."""
    shutil.copytree(SAMPLE_MODEL, folder)
    config = json.loads((folder / "config.json").read_text())
    config["model_type"] = "own"
    config["architectures"] = ["OwnForCausalLM"]
    config["auto_map"] = {
        "AutoConfig": "own.OwnConfig",
        "AutoModelForCausalLM": "own.OwnForCausalLM",
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text(OWN_CODE)


def write_lines(path: Path, texts: list[str]) -> None:
    """Write a JSON Lines file with the columns ``id`` and ``text``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"id": i, "text": text}) for i, text in enumerate(texts)]
    path.write_text("\n".join(lines) + "\n")


def write_parquet(path: Path, texts: list[str]) -> None:
    """Write a Parquet file with the column ``text``."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"text": texts}), path)


def write_packed(folder: Path) -> None:
    """Write raw files as they are often kept: ``.jsonl.zst`` and ``.jsonl.gz``."""
    import pyarrow as pa

    for name, codec, n_rows in (("train.jsonl.zst", "zstd", 40), ("test.jsonl.gz", "gzip", 15)):
        write_lines(folder / "plain.jsonl", documents(n_rows))
        plain = folder / "plain.jsonl"
        (folder / name).write_bytes(pa.compress(plain.read_bytes(), codec=codec, asbytes=True))
        plain.unlink()


def write_meta(path: Path, **facts: Any) -> None:
    """Write who may read a repository."""
    (path / ".hubsim.json").write_text(json.dumps(facts))
