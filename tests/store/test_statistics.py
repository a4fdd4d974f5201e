"""Numbers about datasets and tokenizations."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mistudio_ext.store import statistics
from tests.store.test_query import build
from tests.store.test_samples import save, tokenization


def test_a_distribution_adds_up() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.integers(5, 900, 5000), [100_000]])
    found = statistics.distribution(values)
    edges, counts = found["histogram"]["edges"], found["histogram"]["counts"]
    assert sum(counts) == len(values)
    assert len(edges) == len(counts) + 1
    assert (edges[0], edges[-1]) == (5, 100_001)
    assert counts[-1] <= 0.006 * len(values)
    assert found["mean"] == pytest.approx(values.mean())
    assert found["percentiles"]["50"] == found["median"] == np.median(values)
    assert statistics.distribution(np.zeros(0, int))["total"] == 0
    assert statistics.distribution(np.array([7]))["histogram"] == {"edges": [7, 8], "counts": [1]}


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    rows = [{"text": text} for text in ["One two.", "One two.", "", "Drei", "One two.", None]]
    return save(tmp_path / "ds", rows)


def test_a_dataset_by_words(dataset: Path) -> None:
    (split,) = statistics.dataset_statistics(dataset, "text")["splits"]
    assert (split["n_samples"], split["empty"], split["duplicates"]) == (6, 2, 3)
    assert (split["words"]["total"], split["words"]["max"]) == (7, 2)
    assert split["characters"]["total"] == 28
    assert (split["unique_words"], split["top_words"]) == (None, [])
    build(dataset)
    (split,) = statistics.dataset_statistics(dataset, "text")["splits"]
    assert split["unique_words"] == 3
    assert split["top_words"][0] == {"word": "one", "count": 3, "rows": 3}


def test_what_was_counted_is_kept(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = statistics.dataset_statistics(dataset, "text")
    monkeypatch.delattr(statistics, "_measure")
    assert statistics.dataset_statistics(dataset, "text") == first


def test_chats_and_ids(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "hi there"}]
    chat = save(tmp_path / "chat", [{"messages": turns}])
    assert statistics.dataset_statistics(chat, "messages")["splits"][0]["words"]["total"] == 3
    ids = save(tmp_path / "ids", [{"input_ids": [1, 2, 3]}, {"input_ids": [1, 2, 3]}])
    (split,) = statistics.dataset_statistics(ids, None)["splits"]
    assert (split["words"]["total"], split["duplicates"], split["characters"]) == (6, 1, None)


def test_a_tokenization_by_tokens(tmp_path: Path) -> None:
    folder = tokenization(tmp_path / "tok", [3, 2, 5], [0, 1, 2])
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["tokenizer"]["special_ids"] = [0, 6]
    manifest |= {"n_rows": 3, "skipped": {"empty": 0, "short": 0}, "bytes": 1}
    manifest["settings"] = {"context": 5}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    found = statistics.tokenization_statistics(folder, lambda token: f"<{token}>")
    assert found["top_tokens"][0] == {"id": 0, "text": "<0>", "count": 2}
    assert found["rare_tokens"][0]["count"] == 1
    assert found["special_tokens"] == [
        {"id": 0, "text": "<0>", "count": 2},
        {"id": 6, "text": "<6>", "count": 1},
    ]
    assert found["vocabulary"] == {"size": 7, "used": 7, "share": 1.0, "once": 4}
    assert found["fill"] == pytest.approx(10 / 15)
    assert found["lengths"]["total"] == 10
    assert statistics.tokenization_statistics(folder) == found
