"""Files of the Hub: found, fetched, resumed, checked, refused."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mistudio_ext.errors import CancelledError, HubError, MiStudioError
from mistudio_ext.room import DiskLimits
from mistudio_ext.store.arrow import open_split
from mistudio_ext.workers import download
from mistudio_ext.workers.disk import DiskGuard
from mistudio_ext.workers.hub import Repository
from mistudio_ext.workers.hub_models import fetch_model
from tests.hubsim import HubSim
from tests.hubsim.repositories import BIG_BYTES
from tests.workers.recorder import Recorder, leftovers

Import = Callable[..., dict[str, Any]]
BIG = "train.txt.gz"


@pytest.fixture(autouse=True)
def no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "BACKOFF_S", 0.01)
    monkeypatch.setattr(download, "STALL_S", 0.5)


def fetch_big(running: HubSim, report: Recorder | None = None) -> Path:
    repository = Repository("demo/big", "dataset", endpoint=running.url)
    return repository.fetch([BIG], report=report or Recorder()) / BIG


def ranges(running: HubSim) -> list[str | None]:
    return [call["range"] for call in running.calls("GET .*_cdn")]


def is_right(path: Path, root: Path) -> bool:
    original = (root / "datasets/demo/big" / BIG).read_bytes()
    return hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(original).digest()


def test_a_fetched_file_is_where_the_hub_library_looks(
    hub: HubSim, hub_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import hf_hub_download

    report = Recorder()
    path = fetch_big(hub, report)
    assert is_right(path, hub_root)
    assert report.points[-1] == (BIG_BYTES, BIG_BYTES, "bytes")
    found = hf_hub_download("demo/big", BIG, repo_type="dataset", local_files_only=True)
    assert Path(found) == path
    n_calls = len(ranges(hub))
    again = Recorder()
    assert fetch_big(hub, again) == path
    assert len(ranges(hub)) == n_calls


@pytest.mark.parametrize(
    ("fault", "settings", "expected"),
    [
        ("disconnect", {"after": 2_000_000, "times": 1}, [None, "bytes=2000000-"]),
        ("truncate", {"after": 1_500_000, "times": 1}, [None, "bytes=1500000-"]),
        ("stall", {"after": 1_000_000, "seconds": 2, "times": 1}, [None, "bytes=1000000-"]),
        ("corrupt", {"after": 5_000, "times": 1}, [None, None]),
        ("drop", {"times": 2}, [None]),
        ("status", {"status": 503, "times": 2}, [None]),
    ],
)
def test_a_download_survives_what_networks_do(
    fault: str,
    settings: dict[str, Any],
    expected: list[str | None],
    hub: HubSim,
    hub_root: Path,
) -> None:
    hub.fail(fault, match="_cdn", **settings)
    assert is_right(fetch_big(hub), hub_root)
    assert ranges(hub)[-len(expected) :] == expected


def test_a_link_that_breaks_every_megabyte_still_gets_there(hub: HubSim, hub_root: Path) -> None:
    hub.fail("disconnect", match="_cdn", after=1_000_000)
    assert is_right(fetch_big(hub), hub_root)
    assert len(ranges(hub)) == 6


def test_a_server_that_ignores_ranges_makes_it_start_again(hub: HubSim, hub_root: Path) -> None:
    hub.fail("disconnect", match="_cdn", after=2_000_000, times=1)
    hub.fail("norange", match="_cdn")
    report = Recorder()
    assert is_right(fetch_big(hub, report), hub_root)
    assert report.points[-1][0] == BIG_BYTES


class GoesDown(Recorder):
    """Takes the Hub down when so many bytes are there."""

    def __init__(self, running: HubSim, after: int) -> None:
        super().__init__()
        self._hub, self._after = running, after
        running.fail("stall", match="_cdn", after=after, seconds=2, times=1)

    def progress(self, done: int, total: int | None, unit: str = "", message: str = "") -> None:
        super().progress(done, total, unit, message)
        if done >= self._after and not any(fault.kind == "drop" for fault in self._hub.faults):
            self._hub.fail("drop", match="_cdn")


def test_what_an_earlier_process_left_is_taken_over(hub: HubSim, hub_root: Path) -> None:
    with pytest.raises(HubError, match="what was downloaded is kept"):
        fetch_big(hub, GoesDown(hub, 4_000_000))
    hub.heal()
    report = Recorder()
    assert is_right(fetch_big(hub, report), hub_root)
    assert ranges(hub)[-1] == "bytes=4000000-"
    assert report.points[0][0] == 4_000_000


def test_a_file_that_keeps_arriving_damaged_is_refused(hub: HubSim) -> None:
    hub.fail("corrupt", match="_cdn", after=77)
    with pytest.raises(HubError, match="damaged twice") as caught:
        fetch_big(hub)
    assert caught.value.code == "corrupt_download"
    snapshot = Repository("demo/big", "dataset", endpoint=hub.url).snapshot
    assert not (snapshot / BIG).exists()


def test_cancelling_stops_the_download_and_keeps_what_is_there(hub: HubSim) -> None:
    with pytest.raises(CancelledError):
        fetch_big(hub, Recorder(cancel_after=5))
    fetch_big(hub)
    assert str(ranges(hub)[-1]).startswith("bytes=")


def test_the_room_is_looked_at_first(hub: HubSim) -> None:
    repository = Repository("demo/big", "dataset", endpoint=hub.url)
    guard = DiskGuard(repository.cache, DiskLimits(reserve_bytes=1 << 60))
    with pytest.raises(OSError, match=r"6\.0 MB"):
        repository.fetch([BIG], guard=guard, report=Recorder())
    assert ranges(hub) == []


def test_the_token_stays_with_the_hub(hub: HubSim, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_alice")
    fetch_big(hub)
    assert {call["auth"] for call in hub.calls("GET .*/resolve/")} == {True}
    assert {call["auth"] for call in hub.calls("GET .*_cdn")} == {False}


REFUSALS: dict[str, tuple[str, str | None, dict[str, Any]]] = {
    "repo_not_found": ("repo_id", None, {"repo_id": "demo/nothing"}),
    "bad_repo_id": ("repo_id", None, {"repo_id": "not a//name"}),
    "gated": ("token", None, {"repo_id": "demo/gated"}),
    "gated for bob": ("token", "hf_bob", {"repo_id": "demo/gated"}),
    "repo_disabled": ("repo_id", None, {"repo_id": "demo/disabled"}),
    "bad_token": ("token", "hf_wrong", {"repo_id": "demo/plain"}),
    "no_such_revision": ("revision", None, {"repo_id": "demo/plain", "revision": "v9"}),
    "no_such_config": ("config", None, {"repo_id": "demo/multi", "config": "xx"}),
    "no_such_split": ("split", None, {"repo_id": "demo/multi", "splits": ["dev"]}),
    "unknown_format": ("repo_id", None, {"repo_id": "demo/script-only"}),
    "unknown_format 1": ("repo_id", None, {"repo_id": "demo/bad-yaml"}),
    "unknown_format 2": ("repo_id", None, {"repo_id": "demo/bad-address"}),
    "unknown_format 3": ("repo_id", None, {"repo_id": "demo/bad-file"}),
    "unknown_format 4": ("repo_id", None, {"repo_id": "demo/bad-archive"}),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_each_refusal_has_its_own_words(
    case: str,
    hub: HubSim,
    monkeypatch: pytest.MonkeyPatch,
    data_dir: Path,
    import_dataset: Import,
) -> None:
    field, token, settings = REFUSALS[case]
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(MiStudioError) as caught:
        import_dataset(endpoint=hub.url, **settings)
    assert (caught.value.code, caught.value.field) == (case.split()[0], field)
    assert caught.value.hint
    assert leftovers(data_dir) == []


def test_no_network(import_dataset: Import, data_dir: Path) -> None:
    with pytest.raises(ConnectionError, match="cannot be reached") as caught:
        import_dataset(repo_id="demo/plain", endpoint="http://127.0.0.1:9")
    assert getattr(caught.value, "code", None) == "hub_unavailable"
    assert leftovers(data_dir) == []


def test_only_the_files_of_the_chosen_split_are_fetched(
    hub: HubSim, data_dir: Path, import_dataset: Import
) -> None:
    result = import_dataset(endpoint=hub.url, repo_id="demo/multi", config="en", splits=["test"])
    assert (result["config"], result["n_rows"]) == ("en", 100)
    assert len(result["revision"]) == 40
    fetched = {call["path"].rsplit("/", 1)[-1] for call in hub.calls("GET .*_cdn")}
    assert fetched == {"test.parquet"}


def test_the_default_configuration_of_the_card_is_taken(
    hub: HubSim, import_dataset: Import
) -> None:
    result = import_dataset(endpoint=hub.url, repo_id="demo/multi")
    assert result["config"] == "en"
    assert [(s["name"], s["n_rows"]) for s in result["splits"]] == [("train", 200), ("test", 100)]


def test_files_in_folders_are_found_by_their_names(hub: HubSim, import_dataset: Import) -> None:
    result = import_dataset(endpoint=hub.url, repo_id="demo/nested")
    found = {split["name"]: split["n_rows"] for split in result["splits"]}
    assert found == {"train": 20, "validation": 10}


def test_first_rows_need_only_the_first_files(hub: HubSim, import_dataset: Import) -> None:
    result = import_dataset(
        endpoint=hub.url, repo_id="demo/multi", config="en", splits=["train"], max_rows=50
    )
    assert result["n_rows"] == 50
    fetched = [call["path"].rsplit("/", 1)[-1] for call in hub.calls("GET .*_cdn")]
    assert fetched == ["train-0.parquet"]


def test_a_gated_dataset_with_access(
    hub: HubSim, monkeypatch: pytest.MonkeyPatch, import_dataset: Import
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_alice")
    assert import_dataset(endpoint=hub.url, repo_id="demo/gated")["n_rows"] == 20


def test_the_parquet_copy_stands_in_for_a_script(
    hub: HubSim, data_dir: Path, import_dataset: Import
) -> None:
    report = Recorder()
    result = import_dataset(report=report, endpoint=hub.url, repo_id="demo/scripted")
    assert (result["config"], result["n_rows"]) == ("default", 10)
    assert report.warnings == ["parquet_copy"]
    assert open_split(data_dir / "datasets/ds_1", "train").n_rows == 10


def fetch(
    running: HubSim, repo_id: str, report: Recorder | None = None, *, allow_pickle: bool = False
) -> tuple[Path, str]:
    path, commit, _ = fetch_model(
        repo_id,
        None,
        endpoint=running.url,
        with_code=False,
        allow_pickle=allow_pickle,
        limits=DiskLimits(),
        report=report or Recorder(),
    )
    return path, commit


def test_a_model_is_fetched_without_what_it_does_not_need(hub: HubSim) -> None:
    path, commit = fetch(hub, "demo/stories")
    assert path.name == commit
    names = {item.name for item in path.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= names
    assert not {"README.md", "training.json"} & names


def test_a_model_that_is_there_needs_no_network(hub: HubSim) -> None:
    first = fetch(hub, "demo/stories")
    hub.fail("drop", match=".*")
    report = Recorder()
    assert fetch(hub, "demo/stories", report) == first
    assert report.warnings == ["offline_copy"]
    (first[0] / "config.json").unlink()
    with pytest.raises(HubError):
        fetch(hub, "demo/stories")


def test_pickles_are_fetched_only_where_they_are_allowed(hub: HubSim) -> None:
    path, _ = fetch(hub, "demo/pickled", allow_pickle=True)
    assert (path / "pytorch_model.bin").is_file()
    stories, _ = fetch(hub, "demo/stories", allow_pickle=True)
    assert not list(stories.glob("*.bin*"))


@pytest.mark.parametrize(
    ("repo_id", "code"),
    [
        ("demo/pickled", "unsafe_weights"),
        ("demo/empty", "not_a_model"),
        ("demo/gated-stories", "gated"),
        ("demo/nothing", "repo_not_found"),
    ],
)
def test_models_that_cannot_be_had(repo_id: str, code: str, hub: HubSim) -> None:
    with pytest.raises(MiStudioError) as caught:
        fetch(hub, repo_id)
    assert caught.value.code == code
