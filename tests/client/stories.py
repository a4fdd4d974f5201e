"""What a notebook does with datasets, the same with a server and without one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import mistudio_ext as ms

ROWS = ["The red fox & the hen.", "A hen alone.", "A red, red rose.", "The red fox sleeps."]


def from_file_to_tokens(folder: Path, tokenizer: Path) -> ms.Dataset:
    """Import a file, read, search, count, tokenise; return the dataset."""
    path = folder / "rows.jsonl"
    lines = [json.dumps({"text": text, "n": i}) for i, text in enumerate(ROWS)]
    path.write_text("\n".join([*lines, "{broken", ""]))
    rows = ms.add_dataset(path, name="foxes", bad_rows="skip").wait(timeout=120)
    assert (rows.name, rows.state, rows.splits) == ("foxes", "ready", {"train": 4})
    assert repr(rows) == f"<Dataset 'foxes' ({rows.id}), ready, 4 rows>"
    assert [found.id for found in ms.datasets() if found.name == "foxes"] == [rows.id]
    assert ms.dataset("foxes").id == ms.dataset(rows.id).id == rows.id

    found = rows.search('"red fox" OR rose', limit=2, columns=["n"])
    assert (found.total, [row["columns"]["n"] for row in found]) == (3, [0, 2])
    assert "<mark>red fox</mark> &amp; the hen" in found._repr_html_()
    assert rows.search(offset=3)[0]["text"] == ROWS[3]
    assert [row["index"] for row in rows.search("hen", where={"n": 1})] == [1]
    (split,) = rows.statistics()["splits"]
    assert (split["n_samples"], split["duplicates"]) == (4, 0)

    tokens = rows.tokenize(tokenizer=tokenizer, context=16, mode="chunk").wait(timeout=120)
    assert tokens.state == "ready"
    assert tokens.record["settings"]["mode"] == "chunk"
    assert "of 'foxes', ready" in repr(tokens)
    assert [made.id for made in rows.tokenizations()] == [tokens.id]
    assert tokens.statistics()["n_rows"] == 4
    assert [row["index"] for row in tokens.search(" fox")] == [0, 3]
    assert rows.search("hen", tokenization=tokens, max_tokens=1).total == 0
    return rows


def away_again(rows: ms.Dataset) -> None:
    """Delete a tokenization, then the dataset."""
    assert rows.tokenizations()[0].delete() > 0
    assert rows.tokenizations() == []
    with pytest.raises(ms.errors.NotFoundError, match="nothing called 'hens'"):
        ms.delete("foxes", "hens")
    assert ms.dataset("foxes").id == rows.id
    assert ms.delete("foxes") > 0
    with pytest.raises(ms.errors.NotFoundError):
        ms.dataset("foxes")
