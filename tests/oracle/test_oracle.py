"""The oracle within bounds, and the faults that it must see."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from mistudio_ext.services import dataset_requests, requests
from mistudio_ext.spec import TokenizationSpec
from tests.oracle import AREAS, fields, report
from tests.oracle.forks import Nursery
from tests.oracle.mutations import MUTATIONS
from tests.oracle.session import Session

#: Seeds that every run of the tests puts, in groups that share a model, a tokenizer or rows.
SEEDS: dict[str, list[int]] = {
    "engine": [8, 9, 10, 24, 26],
    "files": [0, 1, 2, 4, 5, 7],
    "tokenizers": [0, 1, 2, 8, 9],
    "queries": [*range(2, 6), *range(8, 14)],
    "fields": [1, 4],
}

#: Fault -> a case that is right without it.
FAULTS = {
    "padding_tells": ("engine", {"lengths": [3, 40, 5, 38]}),
    "next_layer": ("engine", {}),
    "bfloat16_weights": ("engine", {}),
    "one_row_less": ("files", {"format": "csv", "rows": 4}),
    "texts_stripped": ("files", {"format": "parquet", "rows": 300, "rows_seed": 1}),
    "ids_off_by_one": ("tokenizers", {"n_texts": 3}),
    "index_without_every_second_word": ("queries", {"kind": "phrase", "indexed": True}),
}


@pytest.fixture(scope="module")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    made = Nursery(tmp_path_factory.mktemp("nursery"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def session(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    opened = Session(tmp_path_factory.mktemp("oracle"), nursery)
    yield opened
    opened.close()


@pytest.mark.parametrize("name", list(AREAS))
def test_nothing_differs_from_the_reference(name: str, session: Session) -> None:
    area, tally = AREAS[name](), report.Tally()
    for seed in SEEDS[name]:
        report.run(area, seed, session, tally)
    assert not tally.mismatches, "\n".join(map(str, tally.mismatches))
    refused = sum(tally.refused.get(name, {}).values())
    assert refused <= len(SEEDS[name]) / 2, "little is left that was compared"


@pytest.mark.parametrize("face", ["rest", "cli"])
def test_the_other_faces_give_the_same(face: str, session: Session) -> None:
    area = AREAS["engine"]()
    case = {**report.case_of(area, 3), **area.simplest, "via": face, "lengths": [3, 40, 5, 38]}
    assert report.put(area, case, session).problems == ()


def test_every_fault_has_a_case() -> None:
    assert set(FAULTS) == set(MUTATIONS)


@pytest.mark.parametrize("fault", list(FAULTS))
def test_a_fault_is_seen(fault: str, nursery: Nursery, session: Session, tmp_path: Path) -> None:
    name, changes = FAULTS[fault]
    area = AREAS[name]()
    case = {**report.case_of(area, 3), **area.simplest, **changes}
    assert report.put(area, case, session).problems == ()
    broken = Session(tmp_path / "broken", nursery, fault)
    try:
        assert report.put(area, case, broken).problems, f"{fault} is not seen"
    finally:
        broken.close()


def test_every_field_is_changed() -> None:
    asked = {*requests._FIELDS}
    assert set(fields.EFFECTS["extraction"]) == asked
    spec = {field.name for field in dataclasses.fields(TokenizationSpec)}
    assert set(fields.EFFECTS["tokenization"]) == spec
    chosen = {"content" if name == "path" else name for name in dataset_requests._CHOICES}
    told = {*fields.EFFECTS["import"], "options", "splits", "config", "revision"}
    assert chosen <= told, "config and revision are those of the Hub, and tested there"


def test_a_case_is_made_smaller(session: Session) -> None:
    """Only what the fault needs is left of a case."""

    def check(case: report.Case, _session: Session) -> report.Outcome:
        wrong = case["a"] > 1 and case["b"] == "x"
        return report.Outcome((report.Problem("wrong", "it is"),) if wrong else ())

    area = report.Area(
        "made up",
        lambda rng, _group: {"a": rng.randint(2, 9), "b": "x", "c": rng.random(), "d": [1, 2]},
        check,
        {"a": 1, "b": "", "c": 0.0, "d": []},
    )
    tally = report.Tally()
    found = report.run(area, 7, session, tally)
    assert found is not None
    assert {k: found.case[k] for k in ("b", "c", "d")} == {"b": "x", "c": 0.0, "d": []}
    assert found.case["a"] > 1
    assert "python -m tests.oracle --case 'made up:7'" in str(found)
    assert "mismatches: 1" in next(tally.lines())
