"""Data files and tokenizers that are replaced: rows and ids are of one set, or there are none."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from mistudio_ext import keys, source_files
from mistudio_ext.activations import kept_tokenizers
from mistudio_ext.activations.text import TextSource
from mistudio_ext.errors import ConflictError, MiStudioError
from mistudio_ext.settings import from_config_files
from mistudio_ext.store.tokens import Tokenization
from mistudio_ext.studio import Studio
from tests.services.conftest import Json, wait
from tests.services.tiny_models import write_model

TEXT = "Once upon a time there was a cat."


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model and its tokenizer, and a file of texts."""
    folder = tmp_path_factory.mktemp("files")
    write_model(folder / "model")
    use_tokenizer(folder / "model", "abc")
    (folder / "rows.txt").write_text(f"{TEXT}\n")
    return folder


@pytest.fixture(scope="module")
def studio(place: Path) -> Iterator[Studio]:
    """One studio for all."""
    opened = Studio.open(from_config_files(data_dir=place / "data"))
    yield opened
    opened.close()


def use_tokenizer(folder: Path, first: str) -> None:
    """Write a tokenizer of words; which ids they have depends on the word that comes first."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = ["<s>", first, *TEXT.replace(".", "").split()]
    vocabulary = {word: i for i, word in enumerate(dict.fromkeys([*words, "<unk>", "time."]))}
    if first == "xyz":
        vocabulary = {word: len(vocabulary) - 1 - i for word, i in vocabulary.items()}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(
        tokenizer_object=made, unk_token="<unk>", bos_token="<s>"
    ).save_pretrained(folder)


def ready(studio: Studio, made: tuple[Json, Json | None]) -> Json:
    """Wait for what was asked for."""
    record, job = made
    if job is not None:
        ended = wait(studio, job)
        assert ended["state"] == "done", ended["error"]
    return record


def right(folder: Path) -> list[int]:
    """Return the ids of the text by plain transformers."""
    return list(AutoTokenizer.from_pretrained(folder)(TEXT)["input_ids"])


def test_a_new_tokenizer_makes_the_ids_from_then_on(studio: Studio, place: Path) -> None:
    """By the model's id: a tokenization, a preview, an estimate; old ids keep their texts."""
    where = {"source": "path", "path": str(place / "rows.txt")}
    dataset = ready(studio, studio.datasets.create(where))
    where = {"source": "path", "path": str(place / "model"), "name": "words"}
    model = ready(studio, studio.models.create(where))
    folder = studio.settings.folder

    def ids(body: Json) -> list[int]:
        made = ready(studio, studio.tokenizations.create(dataset["id"], body))
        return Tokenization(folder.tokenization(made["id"])).tokens.tolist()

    asked = {"model": model["id"], "context": 16}
    old = right(place / "model")
    assert ids(asked) == old
    before = studio.models.record("words").tokenizer_fingerprint
    use_tokenizer(place / "model", "xyz")
    new = right(place / "model")
    assert new != old
    # A preview looks first, and shows nothing rather than old ids.
    with pytest.raises(ConflictError) as caught:
        studio.previews.preview({**asked, "texts": [TEXT]})
    assert caught.value.code == "model_not_ready"
    assert ids(asked) == new
    (context,) = studio.previews.preview({**asked, "texts": [TEXT]})["contexts"]
    assert [chip["id"] for chip in context["tokens"]] == new
    # What was stored with the old one is read with the old one.
    spec: dict[str, Any] = {
        "model_id": model["id"],
        "model_path": str(place / "model"),
        "dataset_path": str(folder.dataset(dataset["id"])),
    }
    for fingerprint, stored in ((before, old), (None, new)):
        source = TextSource({**spec, "tokenizer_fingerprint": fingerprint})
        words = [source.token_text(token) for token in stored]
        assert words[:3] == ["Once", "upon", "a"]
    assert TextSource({**spec, "tokenizer_fingerprint": "gone"}).token_text(3) is None
    use_tokenizer(place / "model", "abc")
    with pytest.raises(ConflictError):
        studio.model_facts.estimate(model["id"], None, None)
    assert ids(asked) == old


def test_a_tokenizer_that_changes_before_its_worker_reads_it(studio: Studio, place: Path) -> None:
    """A folder of a tokenizer: refused with the reason, and right when it is asked for again."""
    folder = place / "tokenizer"
    folder.mkdir()
    use_tokenizer(folder, "abc")
    dataset = studio.datasets.list()[0]
    first = {"tokenizer": str(folder), "context": 8}
    gate, waits = studio.tokenizations._prepare, []

    def late(job: Any) -> Json:
        spec = gate(job)
        if not waits:
            waits.append(job)
            use_tokenizer(folder, "xyz")
        return spec

    kind = studio.jobs._kinds["tokenize"]
    object.__setattr__(kind, "prepare", late)
    try:
        _, job = studio.tokenizations.create(dataset["id"], first)
        error = wait(studio, job)["error"]
    finally:
        object.__setattr__(kind, "prepare", gate)
    assert error["code"] == "model_changed"
    made = ready(studio, studio.tokenizations.create(dataset["id"], first))
    tokens = Tokenization(studio.settings.folder.tokenization(made["id"])).tokens
    assert tokens.tolist()[:6] == right(folder)[:6]
    assert set(made["tokenizer"]) == {"path", "fingerprint"}


def test_rules_of_an_earlier_release_are_not_found_again(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model is read anew, ids and rows are made anew, and a preview of old facts is none."""
    dataset, model = studio.datasets.list()[0], studio.models.list()[0]
    record = studio.models.record(model["id"])
    asked = {"model": model["id"], "context": 12}
    first = ready(studio, studio.tokenizations.create(dataset["id"], asked))
    assert studio.tokenizations.create(dataset["id"], asked)[0]["id"] == first["id"]
    for name in ("tokenization", "model", "dataset"):
        monkeypatch.setitem(keys.RULES, name, keys.RULES[name] + 1)
    now = studio.models.current(record)
    assert (now.state, now.fingerprint) == ("pending", record.fingerprint)
    studio.jobs.wait(str(now.job_id))
    again, job = studio.tokenizations.create(dataset["id"], asked)
    assert again["id"] != first["id"]
    studio.jobs.cancel(job["id"]) if job else None
    added, job = studio.datasets.create({"source": "path", "path": dataset["source_path"]})
    assert added["id"] != dataset["id"]
    assert [n["code"] for n in added["notices"]] == ["content_changed"]
    assert wait(studio, job)["state"] == "done"


def same_size_and_time(file: Path, text: str) -> None:
    """Replace a file by one of the same size and time."""
    facts = file.stat()
    assert len(text.encode()) == facts.st_size
    file.write_text(text)
    os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def test_other_rows_of_the_same_size_and_time_are_another_dataset(
    studio: Studio, place: Path
) -> None:
    """And it is said; a failed import is tried again under its name."""
    file = place / "replaced.jsonl"
    file.write_text(json.dumps({"text": "aaaa"}) + "\n")
    body = {"source": "path", "path": str(file)}
    first = ready(studio, studio.datasets.create(body))
    assert studio.datasets.create(body)[0]["id"] == first["id"]
    same_size_and_time(file, json.dumps({"text": "bbbb"}) + "\n")
    made = studio.datasets.create(body)
    assert [n["code"] for n in made[0]["notices"]] == ["content_changed"]
    second = ready(studio, made)
    pages = [studio.dataset_views.samples(d["id"])["samples"][0] for d in (first, second)]
    assert [page["text"] for page in pages] == ["aaaa", "bbbb"]
    broken = place / "broken.jsonl"
    broken.write_text('{"text": \n')
    body = {"source": "path", "path": str(broken), "name": "mine"}
    record, job = studio.datasets.create(body)
    assert wait(studio, job)["state"] == "failed"
    broken.write_text('{"text": "mended"}\n')
    mended = ready(studio, studio.datasets.create(body))
    assert (mended["id"], mended["name"]) == (record["id"], "mine")
    assert studio.dataset_views.samples(record["id"])["samples"][0]["text"] == "mended"


def change(folder: Path, how: str, *, fails: bool) -> None:
    """Change a folder's files as somebody may who does not know that they are read."""
    file = folder / "a.csv"
    if how == "in place":
        same_size_and_time(file, "text\nold\n" if fails else "text\nnew\n")
    elif how == "moved":
        shutil.copy2(file, folder.parent / "other")
        (folder.parent / "other").replace(file)
    else:
        (folder / f"b{fails}.csv").write_text("text\n")
    if fails:
        raise MiStudioError("broken row", code="broken_file")


@pytest.mark.parametrize("how", ["in place", "moved", "added"])
def test_files_that_change_while_they_are_read(tmp_path: Path, how: str) -> None:
    """A reader's own error about a half-written file is told as what it is."""
    folder = tmp_path / "data"
    folder.mkdir()
    file = folder / "a.csv"
    file.write_text("text\nold\n")
    for fails in (False, True):
        with pytest.raises(ConflictError) as caught, source_files.unchanged(folder):
            change(folder, how, fails=fails)
        assert caught.value.code == "dataset_changed"
    with pytest.raises(MiStudioError, match="broken row"), source_files.unchanged(folder):
        raise MiStudioError("broken row", code="broken_file")
    (folder / ".lock").write_text("")  # Nobody reads hidden files.
    with source_files.unchanged(folder) as signature:
        pass
    assert signature == source_files.signature(folder)


def test_what_was_kept_of_a_half_read_tokenizer_is_of_none(tmp_path: Path) -> None:
    """Neither of the one before nor of the one after."""
    folder = tmp_path / "models" / "m"
    kept_tokenizers.begin(folder, "a")
    (folder / "tokenizer.json").write_text("half")
    assert kept_tokenizers.find(folder, "a") is None
    kept_tokenizers.begin(folder, "b")
    assert not (folder / "tokenizer.json").exists()
    (folder / "tokenizer.json").write_text("b")
    kept_tokenizers.finish(folder, "b")
    assert kept_tokenizers.find(folder, "b") == folder
    kept_tokenizers.begin(folder, None)
    kept_tokenizers.finish(folder, None)
    assert kept_tokenizers.find(folder, "c") is None
    former = kept_tokenizers.find(folder, "b")
    assert former is not None
    assert (former / "tokenizer.json").read_text() == "b"
