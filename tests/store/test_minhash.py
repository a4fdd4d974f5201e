"""Near duplicates, compared with a look at every pair."""

from __future__ import annotations

import json
import random
from itertools import combinations
from pathlib import Path

import pytest

from mistudio_ext.store.duplicates import found_path, read_found
from mistudio_ext.store.minhash import similarity
from mistudio_ext.workers import near_duplicates
from tests.store.test_samples import save
from tests.workers.recorder import Recorder

ZH = "我们今天讨论机器学习和深度学习的区别以及它们的应用和发展前景"

ALPHABETS = {
    "Chinese": list("我们今天讨论机器学习和深度的区别以及它应用发展前景天地人你好世界中国"),
    "Thai": list("กขคงจฉชซญดตถทธนบปผพฟมยรลวสหอ"),
    "English": [f"word{i} " for i in range(60)],
    "punctuation": list("!?.,:;-+*/=<>()[]{}|~^&%$@"),
}


def groups(texts: list[str], threshold: float, folder: Path) -> list[set[int]]:
    dataset = save(folder / "ds", [{"text": text} for text in texts])
    spec = {"dataset": {"path": str(dataset), "text_column": "text"}, "threshold": threshold}
    (split,) = near_duplicates.run(spec, Recorder())["splits"]
    return [set(rows) for rows in split["examples"]]


def test_texts_without_blanks(tmp_path: Path) -> None:
    texts = [ZH, ZH + "。", ZH.replace("今", "明"), "完全不同的一句话，没有关系"]
    assert groups(texts, 0.6, tmp_path) == [{0, 1, 2}]


@pytest.mark.parametrize("script", ALPHABETS)
def test_pairs_are_those_of_a_look_at_all(script: str, tmp_path: Path) -> None:
    rng = random.Random(script)
    texts = []
    for _ in range(30):
        units = rng.choices(ALPHABETS[script], k=40)
        twin = list(units)
        twin[rng.randrange(40)] = rng.choice(ALPHABETS[script])
        texts += ["".join(units), "".join(twin)]
    alike = {
        pair for pair in combinations(range(len(texts)), 2)
        if similarity(texts[pair[0]], texts[pair[1]]) >= 0.8
    }  # fmt: skip
    found = {
        pair for rows in groups(texts, 0.8, tmp_path) for pair in combinations(sorted(rows), 2)
    }
    assert len(alike) > 20
    assert found <= alike
    assert len(found) >= 0.85 * len(alike)


def test_what_an_earlier_version_found_is_not_shown(tmp_path: Path) -> None:
    groups([ZH, ZH + "。"], 0.6, tmp_path)
    assert read_found(tmp_path / "ds", "text") is not None
    path = found_path(tmp_path / "ds" / "train", "text")
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": None}))
    assert read_found(tmp_path / "ds", "text") is None
