"""How soon a death is seen, and how soon the next in line has the device.

``python benchmarks/recovery.py [--kills N] [--json]``: a real job manager and real worker processes
(of the tests: they import no torch, for what dies makes no difference). Each round kills the worker
that holds the only device, with SIGKILL in the middle of a call in C, while another job waits for
the device. Seconds from the kill until

reported
    the job is ``failed`` in the catalog, with a message that says it was killed;
recovered
    the job that waited has the device, and its worker is started;
leased
    another *process* that waits for the device in the same lease folder has it, asking every 10 ms.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mistudio_ext.leases import LeaseFolder, Need
from tests.jobs.conftest import Desk, open_desk, slots

Times = dict[str, list[float]]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        times = measure(Path(folder), arguments.kills)
    if arguments.json:
        print(json.dumps(times))
        return
    print("| after the kill | median ms | p95 ms | max ms |")
    print("|---|---:|---:|---:|")
    for name, values in times.items():
        ordered = sorted(values)
        p95 = ordered[round(0.95 * (len(ordered) - 1))]
        shown = (statistics.median(ordered), p95, ordered[-1])
        print(f"| {name} | " + " | ".join(f"{1000 * value:.0f}" for value in shown) + " |")


def measure(root: Path, kills: int) -> Times:
    """Return the seconds of each kill."""
    times: Times = {"reported": [], "recovered": [], "leased": []}
    desk = open_desk(root)
    try:
        for number in range(kills):
            one_kill(desk, root, number, times)
        for number in range(kills):
            times["leased"].append(one_lease(desk, root, number))
    finally:
        desk.manager.close()
        desk.catalog.close()
    return times


def one_kill(desk: Desk, root: Path, number: int, times: Times) -> None:
    """Kill the worker that holds the device while a job of the same manager waits for it."""
    pids = root / f"pids-{number}"
    holder = desk.submit("c_call", kind="leased", pid_file=str(pids))
    worker = pid_of(pids)
    following = desk.submit("who", kind="leased")
    while not desk.manager.get(following.id).message:
        desk.manager.wait(following.id, 0.1)
    seen: dict[str, float] = {}
    both = threading.Event()

    def told(message: object) -> None:
        payload = getattr(message, "payload", {})
        state = (payload.get("id"), payload.get("state"))
        if state == (holder.id, "failed"):
            seen.setdefault("reported", time.perf_counter())
        if state == (following.id, "running"):
            seen.setdefault("recovered", time.perf_counter())
        if len(seen) == 2:
            both.set()

    desk.bus.subscribe(told)
    killed = time.perf_counter()
    os.kill(worker, signal.SIGKILL)
    assert both.wait(30), "the kill was not noticed"
    desk.bus.unsubscribe(told)
    for name, at in seen.items():
        times[name].append(at - killed)
    assert "killed" in str(desk.manager.get(holder.id).error)
    desk.until(following.id, "done")


def one_lease(desk: Desk, root: Path, number: int) -> float:
    """Kill the holder while somebody else waits; return the seconds until he has the device."""
    pids = root / f"lease-pids-{number}"
    holder = desk.submit("c_call", kind="leased", pid_file=str(pids))
    worker = pid_of(pids)
    leases = LeaseFolder(root / "leases", slots("cpu"))
    ticket = leases.enter(Need(tuple(leases.devices.values()), 0), "stranger")
    assert ticket.entry.device is None
    killed = time.perf_counter()
    os.kill(worker, signal.SIGKILL)
    while leases.advance(ticket).device is None:
        time.sleep(0.01)
    seconds = time.perf_counter() - killed
    ticket.give_up()
    desk.until(holder.id, "failed")
    return seconds


def pid_of(file: Path) -> int:
    """Wait until the worker says who it is."""
    while not file.exists() or not file.read_text().strip():
        time.sleep(0.005)
    return int(file.read_text().split()[0])


if __name__ == "__main__":
    main()
