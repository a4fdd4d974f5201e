"""What a worker leaves in its folder where no server looks on."""

from __future__ import annotations

from pathlib import Path

import pytest

from mistudio_ext import logs
from mistudio_ext.workers import reporter
from mistudio_ext.workers.reporter import FileReporter


def test_a_log_that_no_server_cuts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker cuts its own log, later than a server would; what it prints goes on behind."""
    log = tmp_path / "log.txt"
    report = FileReporter(tmp_path)
    with log.open("ab") as output:  # As the worker's own: it appends.
        output.write(b"first\n" + b"x" * (logs.LIMIT + 1))
        output.flush()
        report.phase("extracting")
        assert log.stat().st_size > logs.LIMIT, "a server's limit is not the worker's"
        output.write(b"x" * logs.LIMIT + b"\nlast\n")
        output.flush()
        report.progress(1, 10)
        assert log.stat().st_size > logs.UNWATCHED_LIMIT, "it does not look all the time"
        monkeypatch.setattr(reporter, "LOG_EVERY_S", 0.0)
        report.phase("writing")
        output.write(b"after\n")
    report.close()
    text = log.read_bytes()
    assert len(text) < logs.LIMIT
    assert text.startswith(b"[the beginning of this log was cut]\n")
    assert text.endswith(b"x\nlast\nafter\n")
