"""``jupyter mistudio`` as a person or script calls it: real processes, exit codes, output."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from mistudio_ext import sample
from mistudio_ext.cli.main import complain, main
from mistudio_ext.errors import InvalidInputError

ROWS = [f"Row {n}: the cat number {n} sat on mat {n * 7}." for n in range(60)]


def cli(*arguments: str, data: Path, check: int | None = 0) -> subprocess.CompletedProcess[str]:
    """Run ``jupyter mistudio`` and check its exit code."""
    command = [sys.executable, "-m", "mistudio_ext.cli", *arguments, "--data-dir", str(data)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert check is None or ended.returncode == check, ended.stderr + ended.stdout
    assert "Traceback" not in ended.stderr + ended.stdout
    return ended


def test_how_a_file_is_read_can_be_said(tmp_path: Path) -> None:
    """What is said reaches the import, and the record says it again."""
    path = tmp_path / "a.csv"
    path.write_bytes('1\t"na\xefve\n2\tx\n'.encode("cp1252"))
    how = ("--encoding", "cp1252", "--delimiter", "tab", "--no-header", "--quoting", "none")
    asked = ("import", str(path), *how, "--type", "column_0=text", "--json")
    imported = json.loads(cli(*asked, data=tmp_path / "data").stdout)
    assert imported["options"] == {
        "format": "csv",
        "encoding": "cp1252",
        "delimiter": "\t",
        "header": False,
        "quoting": "none",
        "types": {"column_0": "text"},
    }
    assert [column["dtype"] for column in imported["columns"]] == ["string", "string"]


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """A file with a few short documents."""
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"text": row}) + "\n" for row in ROWS))
    return path


def test_extract_show_verify_delete(tmp_path: Path, rows: Path) -> None:
    """From a file and a model folder to arrays, twice the same, and away again."""
    data = tmp_path / "data"
    asked = ("extract", "--model", str(sample.MODEL_DIR), "--dataset", str(rows))
    asked += ("--layers", "0,4-5", "--hooks", "resid_post,attn_out", "--name", "run1")
    first = cli(*asked, "--json", data=data)
    found = json.loads(first.stdout)
    assert found["state"] == "done"
    assert found["n_samples"] == 60
    assert len(found["hooks"]) == 6
    assert "extracting" in first.stderr
    folder = Path(found["path"])
    array = np.load(folder / "blocks.4.hook_attn_out.npy", mmap_mode="r")
    assert list(array.shape) == found["hooks"]["blocks.4.hook_attn_out"]
    made = (folder / "blocks.4.hook_attn_out.npy").stat().st_mtime_ns

    again = json.loads(cli(*asked, "--json", data=data).stdout)
    assert again["id"] == found["id"]
    assert (folder / "blocks.4.hook_attn_out.npy").stat().st_mtime_ns == made

    listed = json.loads(cli("list", "--json", data=data).stdout)
    assert [e["name"] for e in listed["extractions"]] == ["run1"]
    assert "run1" in cli("list", data=data).stdout
    shown = json.loads(cli("show", "run1", "--json", data=data).stdout)
    assert shown["id"] == found["id"]
    assert "layers" in cli("show", found["id"], data=data).stdout

    assert "BAD" not in cli("verify", "run1", data=data).stdout
    with (folder / "blocks.0.hook_resid_post.npy").open("r+b") as file:
        file.seek(1000)
        file.write(b"\x7f")
    broken = cli("verify", "run1", data=data, check=1)
    assert "BAD  blocks.0.hook_resid_post.npy" in broken.stdout
    assert broken.stdout.count("BAD") == 1
    assert cli("verify", str(folder), "--json", data=data, check=1).stdout.startswith("{")

    assert "freed" in cli("delete", "run1", data=data).stdout
    assert not folder.exists()
    assert json.loads(cli("list", "--json", data=data).stdout)["extractions"] == []


def test_datasets(tmp_path: Path, rows: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Imported, searched, counted, tokenised, exported, deleted; all without a server."""
    data = tmp_path / "data"

    def here(*arguments: str) -> str:
        """Run a command in this process, which spares its imports."""
        assert main([*arguments, "--data-dir", str(data)]) == 0
        return capsys.readouterr().out

    rows.write_text(rows.read_text() + "{broken\n")
    asked = ("import", str(rows), "--name", "rows", "--bad-rows", "skip", "--json")
    imported = json.loads(cli(*asked, data=data).stdout)
    assert (imported["name"], imported["n_rows"]) == ("rows", 60)
    found = cli("search", "rows", '"number 7" OR "number 9"', "--limit", "1", data=data)
    assert found.stdout == f"train:7\t{ROWS[7]}\n"
    assert "1 of 2 rows" in found.stderr
    assert "n_samples,60" in here("statistics", "rows", "--csv")

    how = ("--tokenizer", str(sample.MODEL_DIR), "--context", "8", "--mode", "chunk")
    tokens = json.loads(here("tokenize", "rows", *how, "--bos", "none", "--json"))
    assert (tokens["settings"]["context"], tokens["settings"]["bos"]) == (8, "none")
    assert tokens["n_samples"] > 60
    by_tokens = json.loads(here("statistics", "rows", "--tokenization", tokens["id"]))
    assert by_tokens["n_tokens"] == tokens["n_tokens"]
    folder = Path(here("export", tokens["id"], "--padding", "none").strip())
    assert folder.is_dir()
    listed = json.loads(here("list", "--json"))
    assert [t["name"] for t in listed["tokenizations"]] == ["rows / train"]
    assert here("delete", tokens["id"], "rows").count("freed") == 2
    assert not folder.exists()
    listed = json.loads(here("list", "--json"))
    assert listed["datasets"] == listed["tokenizations"] == []


def wait_for_tokens(data: Path, process: subprocess.Popen[str]) -> None:
    """Wait until an extraction has written something."""
    for _ in range(1200):
        for journal in data.glob("activations/*/journal.jsonl"):
            if journal.stat().st_size:
                return
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    raise AssertionError("nothing was written")


LONG = ("extract", "--model", "sample-model", "--dataset", "sample-stories", "--json",
        "--layers", "5", "--max-samples", "200", "--name", "long")  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A data folder with model and tokens, and the checksum of a run that nothing interrupted."""
    data = tmp_path_factory.mktemp("made")
    return data, checksum_of(cli(*LONG, data=data).stdout)


def checksum_of(answer: str) -> str:
    found = json.loads(answer)
    assert found["state"] == "done"
    return str(found["manifest"]["files"]["blocks.5.hook_resid_post.npy"]["checksum"])


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_interrupted_and_called_again(made: tuple[Path, str], how: signal.Signals) -> None:
    """Ctrl-C or kill -9 in the middle: the next call goes on and ends with the same bytes."""
    data, whole = made
    cli("delete", "long", data=data)
    command = [sys.executable, "-m", "mistudio_ext.cli", *LONG, "--data-dir", str(data)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for_tokens(data, process)
    process.send_signal(how)
    out, err = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "Traceback" not in out + err
    assert checksum_of(cli(*LONG, data=data).stdout) == whole
    cli("verify", "long", data=data)


def test_models(made: tuple[Path, str]) -> None:
    """A model's formats, what each takes, and two models side by side."""
    data, _ = made
    named = "sample-model"
    estimate = json.loads(cli("models", "estimate", named, "--json", data=data).stdout)
    assert [row["format"] for row in estimate["formats"]][:2] == ["fp32", "bf16"]
    assert "recommended" in cli("models", "estimate", named, data=data).stdout
    # The format that it is in is there: no job, no second entry.
    same = cli("models", "make", named, "fp32", "--fallback", "q8,q4", "--json", data=data)
    assert [row["name"] for row in json.loads(same.stdout)["variants"]] == [named]
    assert "≠" not in cli("models", "compare", named, named, data=data).stdout
    assert "no_such_model" in cli("models", "variants", "x", data=data, check=2).stderr
    assert "--format" in cli("models", "add", "x", "--format", "q3", data=data, check=2).stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["extract", "--dataset", "d"], 2, "--model"),
        (["extract", "--model", "m", "--dataset", "d", "--dtype", "int8"], 2, "--dtype"),
        (["extract", "--model", "a b", "--dataset", "d"], 2, "no_such_model"),
        (
            ["extract", "--model", "sample-model", "--dataset", "/nowhere"],
            2,
            "no_such_path [dataset]",
        ),
        (
            ["extract", "--model", "sample-model", "--dataset", "sample-stories", "--layers", "x"],
            2,
            "bad_layers [layers]",
        ),
        (["show", "nothing"], 2, "no_such_id"),
        (["delete", "nothing"], 2, "no_such_id"),
        (["verify", "nothing"], 2, "no_such_extraction"),
        (["frobnicate"], 2, "invalid choice"),
    ],
)
def test_bad_arguments(tmp_path: Path, arguments: list[str], code: int, words: str) -> None:
    """Bad arguments end with 2 and one line that says what to do."""
    command = [sys.executable, "-m", "mistudio_ext.cli", *arguments]
    environment = {**os.environ, "MISTUDIO_DATA_DIR": str(tmp_path / "data")}
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    assert ended.returncode == code, ended.stderr
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_failed_job_ends_with_one_line(tmp_path: Path) -> None:
    """What fails in a worker is one line on standard error, and nothing is left."""
    folder = tmp_path / "no-model"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "llama"}')
    save_file({"x": np.zeros(2, dtype=np.float32)}, folder / "other.safetensors")
    rows = tmp_path / "rows.txt"
    rows.write_text("one\ntwo\n")
    data = tmp_path / "data"
    ended = cli("extract", "--model", str(folder), "--dataset", str(rows), data=data, check=None)
    assert ended.returncode in (1, 2)
    assert ended.stdout == ""
    last = ended.stderr.strip().splitlines()[-1]
    assert last.startswith("jupyter mistudio: ")
    assert not list(data.glob("activations/*/*.npy"))


def test_what_mends_a_failure_is_said_as_options(capsys: pytest.CaptureFixture[str]) -> None:
    """The same command with one of them may end well; what is no option is not said."""
    changes: list[dict[str, object]] = [
        {"options": {"bad_rows": "skip"}},
        {"text_column": "the body"},
        {},
    ]
    remedies = [{"label": "It", "change": change} for change in changes]
    assert complain(InvalidInputError("It is broken.", remedies=remedies)) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "again with --bad-rows skip, or with --text-column 'the body'." in said


def test_doctor(tmp_path: Path) -> None:
    """The doctor finds this environment well, and says what it looked at."""
    found = json.loads(cli("doctor", "--json", data=tmp_path / "data").stdout)
    assert found["ok"]
    looked_at = {finding["what"] for finding in found["findings"]}
    assert {"torch", "server extension", "lab extension", "catalog", "devices"} <= looked_at


def test_demo(tmp_path: Path) -> None:
    """The main job, headless: a real server, a real kernel, 100,000 tokens or more."""
    ended = cli("demo", "--headless", data=tmp_path / "data")
    assert "Activations 'demo' done" in ended.stdout
    assert "blocks.5.hook_resid_post" in ended.stdout
    assert "tokens/s" in ended.stdout
    manifest = next((tmp_path / "data").glob("activations/*/manifest.json"))
    assert json.loads(manifest.read_text())["n_tokens"] >= 100_000
