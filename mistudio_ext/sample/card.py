"""The model card of the sample model, written from the records of its training and its probes."""

import json
import math
from pathlib import Path
from typing import Any

_CARD = """\
---
license: bsd-3-clause
language:
- en
library_name: transformers
pipeline_tag: text-generation
---

# Sample model

A small Llama ({parameters:,} parameters: 6 layers, width 192, 6 heads, MLP width 512, tied
embeddings, context 512) trained on the sample stories on a CPU. It is large enough to have
something inside worth looking at and small enough to ship.

Two million tokens teach it the form of the texts: what kind of text this is, how one sentence
follows another, how a story is going to end. They do not teach it to keep track of who is who:
names and pronouns change in the middle of what it writes, and neither the sums nor the facts that
it writes can be trusted. The loss was still falling when the training ended; `--steps` makes it
longer.

- Tokenizer: byte-level BPE of {vocabulary:,} entries, trained on the shipped training split. It is
  lossless, splits numbers into digits, and puts `<s>` before a text; `</s>` ends one.
- Weights: bfloat16.

## Training

```
python -m mistudio_ext.sample.train --out DIR
```

{steps:,} steps of AdamW on batches of {rows} rows of 512 tokens, {tokens:,} tokens in all, in
{minutes:.0f} minutes with `--threads {threads}` on a busy CPU; the settings are in
`training.json`. The texts are the shipped training split and then new draws of the same generator,
so hardly any text was seen twice; no text of the validation split is among them. Documents are
packed whole into rows and do not see each other.

| step | tokens | training loss since the row above | validation loss |
|---:|---:|---:|---:|
{curve}

Losses are means in nats per token over all tokens but the first of each document; the curve is
measured on the first {watched} documents of the validation split, the table below on all of it.

| model of the validation split | loss | perplexity |
|---|---:|---:|
| unigram, add-one | {unigram:.3f} | {unigram_p:.1f} |
| bigram, Witten-Bell | {bigram:.3f} | {bigram_p:.1f} |
| this model, as saved in bfloat16 | {loss:.3f} | {loss_p:.2f} |

The baselines are counted on the shipped training split.
{probes}"""

_PROBES = """
## Probes

```
python -m mistudio_ext.sample.probe
```

Accuracy of a logistic regression on the residual stream at the last token of a text, fitted on
{train:,} documents of the training split and measured on those of the validation split to which the
label applies. Layer 0 is the embedding, layer n the output of block n; *majority* is the share of
the most frequent class.

| label | documents | majority | {layers} |
|---|---:|---:|{rule}
{rows}

For `kind` (nine classes) the probe looks at the whole text. For `sentiment` (three classes) the
text ends right before the last feeling that it names, which is the word that settles the label: the
probe finds what the model expects the ending to be. For `pronoun` (she or he) it ends right before
the last *she* or *he*; an accuracy near the majority means that the gender of the protagonist is
not linearly readable there.
"""


def write_card(record: dict[str, Any], folder: Path) -> None:
    """Write ``README.md`` for a trained model.

    Parameters
    ----------
    record
        The training record (``training.json``).
    folder
        The model's folder; probe results in its ``probes.json``, if any, go into the card.
    """
    curve = "\n".join(
        f"| {p['step']:,} | {p['tokens']:,} | {p['train_loss']:.3f} | {p['validation_loss']:.3f} |"
        for p in record["curve"]
    )
    loss, unigram, bigram = (
        record[key] for key in ("final_validation_loss", "unigram_loss", "bigram_loss")
    )
    probes = folder / "probes.json"
    text = _CARD.format(
        parameters=record["parameters"],
        vocabulary=record["vocabulary"],
        steps=record["steps"],
        rows=record["recipe"]["rows"],
        tokens=record["tokens_seen"],
        minutes=record["wall_seconds"] / 60,
        threads=record["recipe"]["threads"],
        curve=curve,
        watched=record["curve_validation_documents"],
        loss=loss,
        loss_p=math.exp(loss),
        unigram=unigram,
        unigram_p=math.exp(unigram),
        bigram=bigram,
        bigram_p=math.exp(bigram),
        probes=_probe_section(json.loads(probes.read_text())) if probes.exists() else "",
    )
    (folder / "README.md").write_text(text, encoding="utf-8")


def _probe_section(record: dict[str, Any]) -> str:
    layers = record["layers"]
    rows = "\n".join(
        f"| `{row['label']}` | {row['validation_documents']} | {row['majority']:.3f} | "
        + " | ".join(f"{row['accuracy'][str(layer)]:.3f}" for layer in layers)
        + " |"
        for row in record["probes"]
    )
    return _PROBES.format(
        train=record["train_documents"],
        layers=" | ".join(f"layer {layer}" for layer in layers),
        rule="---:|" * len(layers),
        rows=rows,
    )
