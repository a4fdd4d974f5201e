"""A worker like the product's, with jobs that misbehave in all the ways that workers do."""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import subprocess
import sys
import time
import types
from pathlib import Path
from typing import Any

from mistudio_ext.errors import InvalidInputError
from mistudio_ext.workers import __main__ as runtime
from mistudio_ext.workers import station


def run(spec: dict[str, Any], report: Any) -> dict[str, Any]:
    """Do what the spec's ``act`` says."""
    act = spec["act"]
    report.phase("working", "odd things")
    print("log line of the odd worker", flush=True)
    if act == "steps":
        for step in range(spec.get("n", 10)):
            report.progress(step + 1, spec.get("n", 10), "steps")
            time.sleep(spec.get("step_s", 0.01))
        return {"answer": 42, "secret": os.environ.get("HF_TOKEN")}
    if act == "who":
        return {
            "pid": os.getpid(),
            "cwd": str(Path.cwd()),
            "token": os.environ.get("HF_TOKEN"),
            "device": (spec.get("lease") or {}).get("device"),
            "visible": os.environ.get("CUDA_VISIBLE_DEVICES"),
        }
    if act == "until":
        # Goes on from where an earlier attempt was, as an extraction does by its journal.
        journal, end = Path(spec["journal"]), Path(spec["end"])
        done = len(journal.read_text()) if journal.exists() else 0
        while not end.exists():
            done += 1
            with journal.open("a") as file:
                file.write("x")
            report.progress(done, None, "steps")
            time.sleep(0.02)
        return {"done": done, "pid": os.getpid()}
    if act == "fill":
        # As a job does that meets a full disk in the middle of its work.
        with Path(spec["file"]).open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 65536)
                report.progress(file.tell(), None, "bytes")
    if act == "large":
        while not Path(spec["end"]).exists():
            time.sleep(0.02)
        return {"answer": "x" * (1 << 20)}
    if act == "mapped":
        # A write to a file that has no blocks yet ends the process where there are none.
        with Path(spec["file"]).open("wb") as file:
            file.truncate(8 << 20)
        with Path(spec["file"]).open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
            mapped[:] = b"x" * len(mapped)
    if act == "flood":
        for step in range(20_000):
            report.progress(step, 20_000, "steps")
        report.warn("flooded", "That was a lot.")
        return {}
    if act == "phases":
        for step in range(3000):
            report.phase(f"phase {step}")
            time.sleep(0.001)
        return {}
    if act == "input_error":
        raise InvalidInputError("There is no such thing.", code="no_thing", field="thing")
    if act == "bug":
        raise KeyError("a bug")
    if act == "memory":
        raise MemoryError
    if act == "c_call":
        # A sleep in C that holds the GIL and takes no notice of signals, with a child beside it.
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        Path(spec["pid_file"]).write_text(f"{os.getpid()} {child.pid}")
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        ctypes.PyDLL(None).sleep(600)
    if act == "signal":
        os.kill(os.getpid(), spec["signal"])
        time.sleep(60)
    if act == "hog":
        counter = spec.get("counter")
        hoard = []
        while not counter:
            hoard.append(b"x" * (16 << 20))  # Until the kernel has enough of it.
        Path(counter).write_text("oom_kill 1\n")
        os.kill(os.getpid(), signal.SIGKILL)
    if act == "exit":
        os._exit(3)
    raise AssertionError(act)


if __name__ == "__main__":
    module = types.ModuleType("odd")
    module.run = run  # type: ignore[attr-defined]
    sys.modules["odd"] = module
    runtime.KINDS["odd"] = "odd"
    station.HEAVY.append("odd")  # As if its imports had taken seconds.
    runtime.main()
