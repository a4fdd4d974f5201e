from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mistudio_ext.activations import progress, waiting
from mistudio_ext.activations.handle import Activations
from mistudio_ext.errors import ExtractionError, NotFoundError, ServerError

ROOT = Path(__file__).parents[2]


class FakeTerminal:
    def __init__(self):
        self.text = ""

    def isatty(self):
        return True

    def write(self, text):
        self.text += text

    def flush(self):
        pass


class Source:
    """What a server would say, step by step."""

    def __init__(self, *answers, job=None):
        self.answers, self._job, self.asked = list(answers), job, 0

    def extraction(self):
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def job(self):
        return self._job

    def cancel(self):
        self.cancelled = True


@pytest.fixture(autouse=True)
def _ask_often(monkeypatch):
    monkeypatch.setattr(waiting, "_ASK_EVERY", 0.0)
    monkeypatch.setattr(waiting, "_LOOK_EVERY", 0.01)


def _go(process):
    process.stdin.write("go\n")
    process.stdin.flush()


def test_waits_for_another_process(slow_writer, monkeypatch):
    terminal = FakeTerminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    folder, process = slow_writer(0.02)
    _go(process)
    acts = Activations(folder)
    assert acts.wait(timeout=20) is acts
    assert acts.ready == acts.total == 136
    assert "run1: 136 of 136 tokens · 100% · done\n" in terminal.text
    assert "\r" in terminal.text


def test_raises_the_jobs_own_message(slow_writer):
    folder, process = slow_writer(0.01, 3)
    _go(process)
    acts = Activations(folder)
    with pytest.raises(ExtractionError) as caught:
        acts.wait(timeout=20)
    error = caught.value
    assert (error.code, error.message, error.hint) == (
        "no_space",
        "The disk is full.",
        "Make room.",
    )
    assert acts.samples_ready == 3
    assert len(acts["resid_post", 2]) == acts.ready == 22


@pytest.mark.parametrize("state", ["cancelled", "interrupted"])
def test_other_ends(make, state):
    writer = make()
    writer.save(state=state)
    with pytest.raises(ExtractionError, match=f"was {state}") as caught:
        Activations(writer.folder).wait()
    assert caught.value.code == state
    assert "goes on where it was" in caught.value.hint


def test_timeout(make):
    acts = Activations(make().folder)
    start = time.perf_counter()
    with pytest.raises(TimeoutError, match="goes on"):
        acts.wait(timeout=0.1)
    assert 0.1 <= time.perf_counter() - start < 2


def test_done_returns_at_once(make):
    acts = Activations(make().all().folder, source=Source(AssertionError()))
    assert acts.wait() is acts


def test_waits_until_the_job_has_left(make):
    """An extraction that was waited for can be deleted at once: nothing works on it any more."""
    writer = make()

    class Ends(Source):
        def extraction(self):
            if not self.asked:
                writer.all()
            return super().extraction()

    running = {"state": "running"}
    source = Ends(running, running, running, {"state": "done"}, job={"state": "done"})
    Activations(writer.folder, source=source).wait(timeout=20)
    assert source.answers == [{"state": "done"}]


def test_a_job_that_dies_before_it_writes_is_seen_through_the_source(make):
    job = {"state": "failed", "error": {"code": "gated", "message": "No access.", "hint": "Ask."}}
    source = Source({"state": "queued"}, {"state": "failed", "error": None}, job=job)
    with pytest.raises(ExtractionError, match=r"No access\. Ask\.") as caught:
        Activations(make().folder, source=source).wait()
    assert caught.value.code == "gated"
    assert source.asked == 2


def test_the_failure_of_an_earlier_attempt_is_not_raised(make):
    writer = make()
    writer.save(state="failed", error={"code": "old", "message": "Old.", "hint": None})
    acts = Activations(writer.folder, source=Source({"state": "queued"}))
    with pytest.raises(TimeoutError):
        acts.wait(timeout=0.05)
    writer.all()
    acts.wait(timeout=5)


def test_a_server_that_goes_away_does_not_end_the_waiting(make):
    writer = make()
    source = Source({"state": "running"}, ServerError("gone"))
    acts = Activations(writer.folder, source=source)
    with pytest.raises(TimeoutError):
        acts.wait(timeout=0.1)
    writer.all()
    acts.wait(timeout=5)


def test_deleted_meanwhile(make):
    acts = Activations(make().folder, source=Source(NotFoundError("no")))
    with pytest.raises(ExtractionError, match="deleted"):
        acts.wait(timeout=5)


def test_cancel_asks_the_source(make):
    source = Source({"state": "running"})
    Activations(make().folder, source=source).cancel()
    assert source.cancelled


def test_interrupting_only_ends_the_waiting(make):
    acts = Activations(make().folder, source=Source(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        acts.wait()
    assert acts.state == "queued"


CELL = """
import sys
from IPython.core.interactiveshell import InteractiveShell
from mistudio_ext.activations.handle import Activations
shell = InteractiveShell.instance()
shell.kernel = object()
published = []
def publish(data, metadata=None, *, transient=None, update=False, **kw):
    published.append((update, transient["display_id"], data))
shell.display_pub.publish = publish
acts = Activations(sys.argv[1])
print("ready", flush=True)
acts.wait(timeout=20)
assert [update for update, _, _ in published] == [False] + [True] * (len(published) - 1)
assert len(published) > 2 and len({name for _, name, _ in published}) == 1
assert "<progress" in published[0][2]["text/html"]
assert "136 of 136 tokens" in published[-1][2]["text/plain"]
"""


def test_a_cell_shows_a_bar_that_is_updated(slow_writer):
    """In a real IPython shell with a kernel, one output is updated in place."""
    folder, writer = slow_writer(0.03)
    command = [sys.executable, "-c", CELL, str(folder)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as shell:
        assert shell.stdout.readline() == "ready\n"
        _go(writer)
        assert shell.wait(30) == 0


def test_line():
    line = progress.Progress(
        "run1", "running", 500, 1000, "tokens", 0.5, "extracting", rate=250.0, eta_s=2.0
    ).line()
    assert line == "run1: 500 of 1,000 tokens · 50% · 250 tokens/s · 2 s left · extracting"
    assert progress.Progress("run1", "queued", 0, None, "tokens").line() == "run1: queued"
    assert progress.Progress("run1", "failed", 0, None, "tokens").line() == "run1: failed"
    assert progress.duration(200) == "3 min 20 s"
    assert progress.duration(7500) == "2 h 5 min"
