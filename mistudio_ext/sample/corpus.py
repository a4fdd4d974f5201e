"""The sample corpus: a seeded generator of short English documents with known structure.

The shipped files are ``documents("train")`` and ``documents("validation")`` written to Parquet by
``python -m mistudio_ext.sample.build``.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from .figures import arithmetic, code
from .grammar import Draw
from .letters import dialogue, diary, letter
from .notes import facts, listing, recipe
from .stories import Document, story

SEED = 20
SPLITS: dict[str, int] = {"train": 5400, "validation": 600}
"""Number of documents of each split, in the order in which they are drawn."""

_KINDS: dict[str, tuple[int, Callable[[Draw], Document]]] = {
    "story": (40, story),
    "dialogue": (14, dialogue),
    "letter": (11, letter),
    "diary": (8, diary),
    "recipe": (7, recipe),
    "list": (6, listing),
    "facts": (6, facts),
    "code": (4, code),
    "arithmetic": (4, arithmetic),
}
KINDS = tuple(_KINDS)
COLUMNS = ("text", "kind", "protagonist", "pronoun", "sentiment", "place", "year")


def generate(n: int, seed: int) -> Iterator[dict[str, Any]]:
    """Generate ``n`` documents, no two of them with the same text.

    Parameters
    ----------
    n
        Number of documents.
    seed
        Seed; the same seed gives the same documents on every Python version, and a smaller ``n``
        gives the first of them.

    Yields
    ------
    dict
        One document with the keys :data:`COLUMNS`. ``protagonist``, ``pronoun``, ``sentiment``,
        ``place`` (all str) and ``year`` (int) are None where a document has no such thing.
    """
    draw = Draw(seed)
    weights = {kind: weight for kind, (weight, _) in _KINDS.items()}
    seen: set[str] = set()
    while len(seen) < n:
        document = _KINDS[draw.weighted(weights)][1](draw)
        if document.text not in seen:
            seen.add(document.text)
            yield asdict(document)


def documents(split: str) -> Iterator[dict[str, Any]]:
    """Generate the documents of one split of the shipped dataset.

    Parameters
    ----------
    split
        ``"train"`` or ``"validation"``.

    Raises
    ------
    ValueError
        When there is no such split.
    """
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}; the splits are {', '.join(SPLITS)}")
    start = 0
    for name, size in SPLITS.items():
        if name == split:
            break
        start += size
    for i, document in enumerate(generate(start + SPLITS[split], SEED)):
        if i >= start:
            yield document
