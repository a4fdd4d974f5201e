"""Tokenized documents packed into rows of one context each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from .corpus import documents, generate
from .tokenizer import CONTEXT

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerFast

TRAINING_SEED = 21
"""Seed of the documents that are drawn beyond the shipped training split."""

Row = tuple[list[int], list[int], list[int]]
"""Token ids, positions within the document, number of the document within the row (-1: none)."""


def training_texts() -> Iterator[str]:
    """Generate the shipped training split and then new documents without end.

    Documents of the validation split are left out.
    """
    held_out = {document["text"] for document in documents("validation")}
    for document in documents("train"):
        yield document["text"]
    for document in generate(10**9, TRAINING_SEED):
        if document["text"] not in held_out:
            yield document["text"]


def encode(tokenizer: PreTrainedTokenizerFast, text: str) -> list[int]:
    """Return the ids of one document, ``<s>`` … ``</s>``, at most one context of them."""
    ids: list[int] = tokenizer(text, truncation=False, verbose=False)["input_ids"]
    return [*ids, tokenizer.eos_token_id][:CONTEXT]


def pack(tokenizer: PreTrainedTokenizerFast, texts: Iterable[str]) -> Iterator[Row]:
    """Pack whole documents into rows of ``CONTEXT`` tokens, padded where nothing fits.

    Each document goes to the first of a few open rows that has room for it.
    """
    open_rows: list[Row] = []
    pad = tokenizer.pad_token_id
    for text in texts:
        ids = encode(tokenizer, text)
        row = next((r for r in open_rows if len(r[0]) + len(ids) <= CONTEXT), None)
        if row is None:
            if len(open_rows) == 8:
                fullest = max(open_rows, key=lambda r: len(r[0]))
                open_rows.remove(fullest)
                yield _padded(fullest, pad)
            row = ([], [], [])
            open_rows.append(row)
        number = row[2][-1] + 1 if row[2] else 0
        row[0].extend(ids)
        row[1].extend(range(len(ids)))
        row[2].extend([number] * len(ids))
    for row in open_rows:
        yield _padded(row, pad)


def _padded(row: Row, pad: int) -> Row:
    missing = CONTEXT - len(row[0])
    return row[0] + [pad] * missing, row[1] + [0] * missing, row[2] + [-1] * missing


def batches(rows: Iterator[Row], size: int) -> Iterator[dict[str, torch.Tensor]]:
    """Collate rows into the arguments of a model.

    Yields
    ------
    dict
        ``input_ids``, ``position_ids``, ``labels`` (each batch x context, int64) and a boolean
        ``attention_mask`` (batch x 1 x context x context) that keeps documents apart.
    """
    import torch

    causal = torch.ones(CONTEXT, CONTEXT, dtype=torch.bool).tril()
    while chunk := list(islice(rows, size)):
        ids, positions, owner = (torch.tensor(part) for part in zip(*chunk, strict=True))
        # The first token of a document has nothing to be predicted from, and neither has padding.
        labels = ids.masked_fill((owner < 0) | (positions == 0), -100)
        same = (owner[:, :, None] == owner[:, None, :]) & causal
        yield {
            "input_ids": ids,
            "position_ids": positions,
            "labels": labels,
            "attention_mask": same[:, None],
        }
