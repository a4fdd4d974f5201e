"""Train the sample model: ``python -m mistudio_ext.sample.train --out DIR``."""

from __future__ import annotations

import argparse
import json
import math
import platform
import time
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .baselines import baseline_losses
from .batches import TRAINING_SEED, batches, encode, pack, training_texts
from .card import write_card
from .corpus import SPLITS, documents
from .tokenizer import CONTEXT, build_tokenizer

if TYPE_CHECKING:
    import torch
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

WATCHED = 150
"""Number of validation documents that the loss curve is measured on."""
QUICK = 40
"""Number of validation documents of a quick check that a copy of the model is intact."""


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the outcome of a training run.

    Attributes
    ----------
    steps
        Number of optimizer steps.
    rows
        Rows of one context in a batch.
    learning_rate
        Peak of the schedule: linear warm-up, then a cosine down to a tenth of the peak.
    warmup
        Steps of the warm-up.
    weight_decay
        AdamW weight decay, for matrices only.
    clip
        Largest gradient norm.
    seed
        Seed of the initial weights.
    threads
        CPU threads; sums are rounded differently with another number of them.
    """

    steps: int = 2000
    rows: int = 2
    learning_rate: float = 3e-3
    warmup: int = 100
    weight_decay: float = 0.1
    clip: float = 1.0
    seed: int = 0
    threads: int = 1

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        done = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.learning_rate * (0.55 + 0.45 * math.cos(math.pi * done))


def new_model(tokenizer: PreTrainedTokenizerFast, seed: int) -> LlamaForCausalLM:
    """Make the untrained model: Llama, 6 layers, width 192, 6 heads, tied embeddings."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=192,
        intermediate_size=512,
        num_hidden_layers=6,
        num_attention_heads=6,
        num_key_value_heads=6,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def evaluate(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, texts: list[str]
) -> float:
    """Measure the mean loss over all tokens but the first of each document, in nats per token."""
    import torch

    total, count = 0.0, 0
    model.train(False)
    with torch.inference_mode():
        for batch in batches(pack(tokenizer, texts), 8):
            tokens = int((batch["labels"] != -100).sum())
            total += float(model(**batch).loss) * tokens
            count += tokens
    model.train()
    return total / count


def _optimizer(model: LlamaForCausalLM, recipe: Recipe) -> torch.optim.AdamW:
    import torch

    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim == 1]
    groups = [
        {"params": matrices, "weight_decay": recipe.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.95), fused=True)


def train(recipe: Recipe, out: Path) -> dict[str, Any]:
    """Train the model and save it, its tokenizer, its card and its record.

    Parameters
    ----------
    recipe
        What to do.
    out
        Folder to write to; made when it is missing.

    Returns
    -------
    dict
        The record, as written to ``training.json``.
    """
    import torch
    import transformers
    from transformers import LlamaForCausalLM

    torch.set_num_threads(recipe.threads)
    validation = [document["text"] for document in documents("validation")]
    tokenizer = build_tokenizer(document["text"] for document in documents("train"))
    model = new_model(tokenizer, recipe.seed)
    optimizer = _optimizer(model, recipe)
    parameters = sum(p.numel() for p in model.parameters())

    started = time.perf_counter()
    tokens = 0
    window: list[float] = []
    curve: list[dict[str, float]] = []
    stream = batches(pack(tokenizer, training_texts()), recipe.rows)
    report = max(1, recipe.steps // 10)
    for step, batch in enumerate(islice(stream, recipe.steps)):
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate(step)
        loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        window.append(loss.item())
        tokens += int((batch["position_ids"] > 0).sum())
        if (step + 1) % report == 0:
            point = {
                "step": step + 1,
                "tokens": tokens,
                "train_loss": round(sum(window) / len(window), 4),
                "validation_loss": round(evaluate(model, tokenizer, validation[:WATCHED]), 4),
            }
            curve.append(point)
            window = []
            print(json.dumps(point | {"seconds": round(time.perf_counter() - started)}), flush=True)

    model.bfloat16().save_pretrained(out)
    tokenizer.save_pretrained(out)
    wall = time.perf_counter() - started
    saved = LlamaForCausalLM.from_pretrained(out, dtype=torch.float32)
    final = evaluate(saved, tokenizer, validation)
    baselines = baseline_losses(
        (encode(tokenizer, document["text"]) for document in documents("train")),
        (encode(tokenizer, text) for text in validation),
        len(tokenizer),
    )
    quick = evaluate(saved, tokenizer, validation[:QUICK])
    record = {
        "recipe": asdict(recipe),
        "seed": recipe.seed,
        "steps": recipe.steps,
        "tokens_seen": tokens,
        "documents": {"shipped_train": SPLITS["train"], "then_drawn_with_seed": TRAINING_SEED},
        "parameters": parameters,
        "vocabulary": len(tokenizer),
        "final_train_loss": curve[-1]["train_loss"],
        "final_validation_loss": final,
        "validation_perplexity": math.exp(final),
        **baselines,
        "curve_validation_documents": WATCHED,
        "quick_check": {"validation_documents": QUICK, "validation_loss": quick},
        "curve": curve,
        "wall_seconds": round(wall, 1),
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        },
    }
    (out / "training.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    write_card(record, out)
    return record


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Train the sample model.")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    for name, default in asdict(Recipe()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    arguments = vars(parser.parse_args())
    out = arguments.pop("out")
    record = train(Recipe(**arguments), out)
    print(json.dumps({k: v for k, v in record.items() if k != "curve"}, indent=2))


if __name__ == "__main__":
    main()
