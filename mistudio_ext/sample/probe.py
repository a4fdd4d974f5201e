"""Linear probes of the sample model: ``python -m mistudio_ext.sample.probe``.

They check that the structure which the sample corpus is known to have can be read from the model,
and leave the accuracies in ``probes.json`` and in the model card.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import MODEL_DIR
from .card import write_card
from .corpus import documents
from .tokenizer import CONTEXT
from .words import FEELINGS

if TYPE_CHECKING:
    import torch

TRAIN_DOCUMENTS = 1500
LAYERS = (0, 1, 2, 3, 4, 5)
PENALTY = 1e-3
_CUTS = {
    "sentiment": re.compile(rf"\b({'|'.join(sum(FEELINGS.values(), ()))})\b", re.IGNORECASE),
    "pronoun": re.compile(r"\b(she|he)\b", re.IGNORECASE),
}


def example(document: dict[str, Any], label: str) -> tuple[str, str] | None:
    """Return the text that a probe for ``label`` looks at and the right answer.

    Parameters
    ----------
    document
        A document of the corpus.
    label
        ``"kind"`` looks at the whole text. ``"sentiment"`` and ``"pronoun"`` (she or he) look at
        the text up to the last word that gives the label away, and without that word.

    Returns
    -------
    tuple of str, or None
        (text, answer), or None where the label does not apply.
    """
    answer = document[label]
    if label == "kind":
        return document["text"], answer
    words = list(_CUTS[label].finditer(document["text"]))
    if answer is None or not words or (label == "pronoun" and answer not in ("she", "he")):
        return None
    text = document["text"][: words[-1].start()].rstrip()
    return (text, answer) if text else None


def last_token_states(folder: Path, texts: list[str]) -> torch.Tensor:
    """Return the residual stream at the last token of each text.

    Parameters
    ----------
    folder
        The model's folder.
    texts
        At most one context of each is used.

    Returns
    -------
    torch.Tensor
        float32, texts x layers x width. Layer 0 is the embedding, layer n the output of block n.
    """
    import torch
    from transformers import AutoTokenizer, LlamaForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).train(False)
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    states = torch.empty(len(texts), len(LAYERS), model.config.hidden_size)
    with torch.inference_mode():
        for start in range(0, len(order), 16):
            chosen = order[start : start + 16]
            batch = tokenizer(
                [texts[i] for i in chosen],
                padding=True,
                truncation=True,
                max_length=CONTEXT,
                return_tensors="pt",
            )
            hidden = model.model(**batch, output_hidden_states=True).hidden_states
            last = batch["attention_mask"].sum(1) - 1
            rows = torch.arange(len(chosen))
            states[chosen] = torch.stack([hidden[layer][rows, last] for layer in LAYERS], 1)
    return states


def fit(
    train: torch.Tensor, answers: torch.Tensor, test: torch.Tensor, classes: int
) -> torch.Tensor:
    """Fit a logistic regression with an L2 penalty and classify other points.

    Parameters
    ----------
    train, test
        Points x width.
    answers
        Class of each training point, int64.
    classes
        Number of classes.

    Returns
    -------
    torch.Tensor
        Class of each test point, int64.
    """
    import torch

    mean, scale = train.mean(0), train.std(0) + 1e-6
    train, test = (train - mean) / scale, (test - mean) / scale
    weights = torch.zeros(train.shape[1] + 1, classes, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        scores = train @ weights[1:] + weights[0]
        loss = torch.nn.functional.cross_entropy(scores, answers)
        loss = loss + PENALTY * weights[1:].square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        return (test @ weights[1:] + weights[0]).argmax(1)


def run(folder: Path, train_documents: int = TRAIN_DOCUMENTS) -> dict[str, Any]:
    """Fit the probes and measure them on the validation split.

    Parameters
    ----------
    folder
        The model's folder.
    train_documents
        Number of documents of the training split to which a label applies that a probe is fitted
        on.

    Returns
    -------
    dict
        ``layers``, ``train_documents`` and one entry of ``probes`` for each label.
    """
    import torch

    probes = []
    for label in ("kind", "sentiment", "pronoun"):
        usable = (e for d in documents("train") if (e := example(d, label)))
        train = list(islice(usable, train_documents))
        test = [e for d in documents("validation") if (e := example(d, label))]
        states = last_token_states(folder, [text for text, _ in train + test])
        names = sorted({answer for _, answer in train})
        answers = torch.tensor([names.index(answer) for _, answer in train + test])
        cut = len(train)
        accuracy = {}
        for i, layer in enumerate(LAYERS):
            said = fit(states[:cut, i], answers[:cut], states[cut:, i], len(names))
            accuracy[str(layer)] = round(float((said == answers[cut:]).float().mean()), 4)
        majority = Counter(answer for _, answer in test).most_common(1)[0][1] / len(test)
        probes.append(
            {
                "label": label,
                "classes": names,
                "validation_documents": len(test),
                "majority": round(majority, 4),
                "accuracy": accuracy,
            }
        )
    return {"layers": list(LAYERS), "train_documents": train_documents, "probes": probes}


def main() -> None:
    """Run the command."""
    import torch

    parser = argparse.ArgumentParser(description="Probe the sample model.")
    parser.add_argument("--model", type=Path, default=MODEL_DIR, help="folder of the model")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    record = run(arguments.model)
    (arguments.model / "probes.json").write_text(json.dumps(record, indent=2) + "\n")
    write_card(json.loads((arguments.model / "training.json").read_text()), arguments.model)
    print(json.dumps(record, indent=2))


if __name__ == "__main__":
    main()
