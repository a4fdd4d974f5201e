"""Imports from a Hub that fails in every way it can: each has its own words, nothing is lost."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mistudio_ext.errors import CancelledError, MiStudioError, NotFoundError
from mistudio_ext.workers import download
from mistudio_ext.workers import hub as hub_module
from tests.hubsim import HubSim
from tests.hubsim.repositories import documents, write_lines, write_meta
from tests.workers.recorder import Recorder, leftovers

Import = Callable[..., dict[str, Any]]

INFO, FILES = r"^GET /api/datasets/", r"^GET .*/(resolve|resolve-cache|_cdn)/"


@pytest.fixture(autouse=True)
def no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "BACKOFF_S", 0.01)
    for module in (download, hub_module):
        monkeypatch.setattr(module, "STALL_S", 0.3)


def served(running: HubSim) -> Counter[str]:
    """Return the bytes that the Hub has sent of each file."""
    sent: Counter[str] = Counter()
    for call in running.calls("GET .*_cdn"):
        sent[call["path"].rsplit("/", 1)[-1]] += call["sent"]
    return sent


#: Fault that does not go away -> its settings, where it strikes, the code, words of the message.
LASTING: dict[str, tuple[str, dict[str, Any], str, str, str]] = {
    "no answer": ("drop", {}, INFO, "hub_unavailable", "cannot be reached"),
    "no file": ("drop", {}, FILES, "hub_unavailable", "cannot be reached"),
    "cut at once": ("disconnect", {"after": 0}, FILES, "hub_unavailable", "cannot be reached"),
    "ends early": ("truncate", {"after": 0}, FILES, "hub_unavailable", "early, again and again"),
    "late": ("latency", {"seconds": 0.6}, INFO, "hub_unavailable", "timed out"),
    "late file": ("latency", {"seconds": 0.6}, FILES, "hub_unavailable", "timed out"),
    "broken": ("status", {"status": 500}, INFO, "hub_unavailable", "status 500"),
    "busy": ("status", {"status": 503}, FILES, "hub_unavailable", "status 503"),
    "slow down": ("status", {"status": 429, "retry_after": 0}, INFO, "rate_limited", "slow down"),
    "slow down files": ("status", {"status": 429}, FILES, "rate_limited", "slow down"),
    "damaged": ("corrupt", {"after": 9}, FILES, "corrupt_download", "arrived damaged twice"),
    "another's answer": ("status", {"status": 200}, INFO, "bad_answer", "cannot be read"),
}


@pytest.mark.parametrize("case", LASTING)
def test_what_does_not_go_away_is_named(
    case: str, hub: HubSim, data_dir: Path, import_dataset: Import
) -> None:
    kind, settings, match, code, words = LASTING[case]
    hub.fail(kind, match=match, **settings)
    with pytest.raises(ConnectionError, match=words) as caught:
        import_dataset(endpoint=hub.url, repo_id="demo/plain")
    assert isinstance(caught.value, MiStudioError)
    assert (caught.value.code, bool(caught.value.hint)) == (code, True)
    assert leftovers(data_dir) == []
    attempts = len(hub.calls(INFO if match == INFO else "GET .*/resolve/"))
    assert attempts == {"corrupt_download": 2, "bad_answer": 1}.get(code, 3)


#: Fault that goes away -> where it strikes, its settings.
PASSING: dict[str, tuple[str, dict[str, Any]]] = {
    "drop": (".*", {"times": 2}),
    "disconnect": (FILES, {"after": 1_000, "times": 2}),
    "truncate": (FILES, {"after": 1_000, "times": 2}),
    "stall": (FILES, {"after": 1_000, "seconds": 1, "times": 1}),
    "status": (".*", {"status": 502, "times": 2}),
    "corrupt": (FILES, {"after": 1_000, "times": 1}),
    "latency": (".*", {"seconds": 0.05}),
    "throttle": (FILES, {"rate": 1_000_000}),
    "norange": (FILES, {}),
    "nolength": (FILES, {}),
}


@pytest.mark.parametrize("kind", PASSING)
def test_what_goes_away_is_outlived(kind: str, hub: HubSim, import_dataset: Import) -> None:
    match, settings = PASSING[kind]
    hub.fail(kind, match=match, **settings)
    assert import_dataset(endpoint=hub.url, repo_id="demo/plain")["n_rows"] == 330


@pytest.mark.parametrize(("asked_s", "waited_s"), [(7, 7.0), (100_000, 60.0)])
@pytest.mark.parametrize("match", [INFO, FILES], ids=["info", "files"])
def test_the_hub_is_given_the_time_it_asks_for(
    match: str,
    asked_s: int,
    waited_s: float,
    hub: HubSim,
    import_dataset: Import,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits: list[float] = []
    asked = download.wait_s

    def noted(failures: int, error: Exception | None) -> float:
        waits.append(asked(failures, error))
        return 0.0

    monkeypatch.setattr(download, "wait_s", noted)
    monkeypatch.setattr(hub_module, "wait_s", noted)
    hub.fail("status", match=match, status=429, retry_after=asked_s, times=1)
    assert import_dataset(endpoint=hub.url, repo_id="demo/plain")["n_rows"] == 330
    assert waits == [waited_s]


class Meanwhile(Recorder):
    """Does something when so many bytes are there."""

    def __init__(self, action: Callable[[], object], n_bytes: int = 1) -> None:
        super().__init__()
        self._action: Callable[[], object] | None = action
        self._n_bytes = n_bytes

    def progress(self, done: int, total: int | None, unit: str = "", message: str = "") -> None:
        super().progress(done, total, unit, message)
        if unit == "bytes" and done >= self._n_bytes and self._action is not None:
            action, self._action = self._action, None
            action()


def test_no_byte_is_fetched_twice(
    hub: HubSim, hub_root: Path, data_dir: Path, import_dataset: Import
) -> None:
    """Broken off in the second file, an import goes on there; what is whole is not asked for."""
    folder = hub_root / "datasets/demo/multi/en"
    sizes = {path.name: path.stat().st_size for path in folder.glob("*.parquet")}
    hub.fail("disconnect", match="_cdn.*train-1", after=500, times=1)
    down = Meanwhile(lambda: hub.fail("drop", match=FILES), sizes["train-0.parquet"] + 500)
    with pytest.raises(ConnectionError, match="what was downloaded is kept"):
        import_dataset(report=down, endpoint=hub.url, repo_id="demo/multi", config="en")
    assert leftovers(data_dir) == []
    hub.heal()
    report = Recorder()
    result = import_dataset(report=report, endpoint=hub.url, repo_id="demo/multi", config="en")
    assert result["n_rows"] == 300
    assert served(hub) == sizes
    assert [call["range"] for call in hub.calls("GET .*_cdn.*train-1")][-1] == "bytes=500-"
    done = [point[0] for point in report.points if point[2] == "bytes"]
    assert min(done) >= sizes["train-0.parquet"], "what is there counts from the beginning"
    shutil.rmtree(data_dir / "datasets")
    import_dataset(endpoint=hub.url, repo_id="demo/multi", config="en")
    assert served(hub) == sizes


def test_a_cancelled_import_goes_on_where_it_was(
    hub: HubSim, hub_root: Path, tmp_path: Path, data_dir: Path, import_dataset: Import
) -> None:
    with pytest.raises(CancelledError):
        import_dataset(report=Recorder(cancel_after=6), endpoint=hub.url, repo_id="demo/big")
    assert leftovers(data_dir) == []
    (part,) = tmp_path.rglob("*.mistudio.incomplete")
    here = part.stat().st_size
    assert here
    with pytest.raises(ValueError, match=r"train\.txt\.gz"):
        import_dataset(endpoint=hub.url, repo_id="demo/big")
    assert [call["range"] for call in hub.calls("GET .*_cdn")] == [None, f"bytes={here}-"]


@pytest.fixture
def changing(hub_root: Path) -> Iterator[Path]:
    """Return the folder of a repository that a test may change."""
    folder = hub_root / "datasets/demo/changing"
    write_lines(folder / "train.jsonl", documents(50))
    write_lines(folder / "test.jsonl", documents(50, 2))
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("what", ["changed", "made private"])
def test_a_repository_that_changes_meanwhile(
    what: str, hub: HubSim, changing: Path, data_dir: Path, import_dataset: Import
) -> None:
    def change() -> None:
        if what == "changed":
            write_lines(changing / "test.jsonl", documents(60, 1))
        else:
            write_meta(changing, private=True, access=["alice"])

    with pytest.raises(NotFoundError) as caught:
        import_dataset(report=Meanwhile(change), endpoint=hub.url, repo_id="demo/changing")
    expected = {"changed": "revision_gone", "made private": "repo_not_found"}[what]
    assert (caught.value.code, bool(caught.value.hint)) == (expected, True)
    assert leftovers(data_dir) == []
    if what == "changed":
        assert import_dataset(endpoint=hub.url, repo_id="demo/changing")["n_rows"] == 110


def test_a_private_repository(
    hub: HubSim, data_dir: Path, import_dataset: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"endpoint": hub.url, "repo_id": "demo/private"}
    for token in (None, "hf_bob"):
        if token:
            monkeypatch.setenv("HF_TOKEN", token)
        with pytest.raises(NotFoundError, match="or it is private") as caught:
            import_dataset(**asked)
        assert caught.value.code == "repo_not_found"
        assert "token" in str(caught.value.hint)
    monkeypatch.setenv("HF_TOKEN", "hf_alice")
    assert import_dataset(**asked)["n_rows"] == 20


def test_packed_files(hub: HubSim, import_dataset: Import) -> None:
    result = import_dataset(endpoint=hub.url, repo_id="demo/packed")
    assert {split["name"]: split["n_rows"] for split in result["splits"]} == {
        "train": 40,
        "test": 15,
    }


def test_a_damaged_packed_file_is_named(
    hub: HubSim, changing: Path, import_dataset: Import
) -> None:
    for path in changing.glob("*.jsonl"):
        path.unlink()
    (changing / "train.jsonl.zst").write_bytes(b"\x28\xb5\x2f\xfd and then nothing of the kind")
    with pytest.raises(ValueError, match=r"train\.jsonl\.zst") as caught:
        import_dataset(endpoint=hub.url, repo_id="demo/changing")
    assert getattr(caught.value, "code", None) == "broken_file"


def test_a_disk_that_is_full_is_said_before_and_meanwhile(
    hub: HubSim, data_dir: Path, import_dataset: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OSError, match=r"Downloading demo/plain needs .* free") as caught:
        import_dataset(endpoint=hub.url, repo_id="demo/plain", reserve=1 << 60)
    assert getattr(caught.value, "code", None) == "no_space"
    assert hub.calls("GET .*(_cdn|resolve).*jsonl") == []
    assert leftovers(data_dir) == []
