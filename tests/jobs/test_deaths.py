"""What is said about a worker's death."""

from __future__ import annotations

import signal

import pytest

from mistudio_ext.jobs.deaths import Death, explain

ALIVE = Death(status=None, rebooted=False, watched=True, oom_kills=0, log="")
CRASH = "Fatal Python error: Segmentation fault\n\nCurrent thread"


@pytest.mark.parametrize(
    ("facts", "state", "code", "words"),
    [
        ({"status": -9, "oom_kills": 1}, "failed", "out_of_memory", "kernel killed"),
        ({"oom_kills": 1}, "failed", "out_of_memory", "kernel killed"),
        ({"oom_kills": 1, "watched": False}, "interrupted", "out_of_memory", "kernel killed"),
        ({"status": -9}, "failed", "worker_killed", "from outside"),
        ({"status": -signal.SIGBUS}, "failed", "worker_crashed", "SIGBUS"),
        ({"status": -signal.SIGBUS, "disk_full": True}, "failed", "no_space", "disk"),
        ({"status": 1, "disk_full": True}, "failed", "no_space", "disk"),
        ({"status": -9, "disk_full": True}, "failed", "worker_killed", "from outside"),
        ({"log": CRASH}, "failed", "worker_crashed", "Segmentation fault"),
        ({"log": CRASH, "watched": False}, "interrupted", "worker_crashed", "Segmentation"),
        ({}, "failed", "worker_killed", "earlier server"),
        ({"watched": False}, "interrupted", "worker_lost", "no server"),
        ({"rebooted": True}, "interrupted", "machine_restarted", "restarted"),
        ({"status": 3, "oom_kills": 1}, "failed", "worker_died", "status 3"),
    ],
)
def test_a_death_in_words(facts: dict[str, object], state: str, code: str, words: str) -> None:
    """State, code, message and a hint for each way to die, whoever started the worker."""
    found, error = explain(Death(**{**vars(ALIVE), **facts}))  # type: ignore[arg-type]
    assert (found, error["code"]) == (state, code)
    assert words in error["message"]
    assert error["hint"]
