from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("writing.py")


def _load():
    spec = importlib.util.spec_from_file_location("mistudio_test_writing", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def writing():
    return _load()


@pytest.fixture
def make(tmp_path, writing):
    """make(name="run1", layout=..., ...) -> a Writer on a new extraction folder."""
    counter = iter(range(1000))

    def build(**options):
        folder = tmp_path / "activations" / f"ext_{next(counter):010x}"
        folder.parent.mkdir(exist_ok=True)
        return writing.Writer(folder, **options)

    return build


@pytest.fixture
def slow_writer(tmp_path):
    """slow_writer(step, fail_after=None) -> (folder, process that writes an extraction)."""
    processes = []

    def start(step, fail_after=None):
        folder = tmp_path / "activations" / "ext_00000000aa"
        folder.parent.mkdir(exist_ok=True)
        command = [sys.executable, str(SCRIPT), str(folder), str(step)]
        if fail_after is not None:
            command.append(str(fail_after))
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(
            command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        processes.append(process)
        assert process.stdout.readline() == "queued\n"
        return folder, process

    yield start
    for process in processes:
        process.stdin.close()
        process.stdout.close()
        process.kill()
        process.wait()
