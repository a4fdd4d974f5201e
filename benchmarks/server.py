"""How responsive the server stays: clients that list, browse and watch while jobs run.

One command, one table::

    python benchmarks/server.py                  # about two minutes
    python benchmarks/server.py --clients 10 --seconds 15

A real Jupyter server with the extension runs three jobs (a tokenization, an extraction, an import)
while each client, with a websocket of its own open, asks one route after the other with a second
of thought between. The table has the latency of each route next to that of the server's own
``api/status`` and of an empty handler, from the same run: what is beyond those is ours. Below it,
how late the event loop was, how much processor time one turn of it and the garbage collector
took, and where the loop's thread was whenever it was late by more than 50 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.websocket import websocket_connect

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.servers import JupyterProcess

ROOT = Path(__file__).resolve().parents[1]

API = "mistudio/api/v1/"

#: Seconds of thought between two requests of a client.
THOUGHT_S = 1.0

JOBS = 3


def server(folder: Path) -> JupyterProcess:
    """Return a server with the extension and the probe."""
    return JupyterProcess(
        folder,
        config={
            "ServerApp": {
                "jpserver_extensions": {"mistudio_ext": True, "benchmarks.loop_probe": True}
            },
            "MiStudioApp": {"max_running_jobs": JOBS},
        },
    )


def prepare(running: JupyterProcess, folder: Path) -> tuple[str, str]:
    """Register the sample and wait for it; return the ids of dataset and model."""
    dataset = running.api("datasets", {"source": "sample"})["dataset"]["id"]
    model = running.api("models", {"source": "sample"})["model"]["id"]
    while {
        running.api(f"datasets/{dataset}")["state"],
        running.api(f"models/{model}")["state"],
    } != {"ready"}:
        time.sleep(0.2)
    words = "the small house by a river had one window and no door".split()
    rng = random.Random(0)
    with (folder / "texts.jsonl").open("w") as file:
        for _ in range(400_000):
            file.write(json.dumps({"text": " ".join(rng.choices(words, k=60))}) + "\n")
    return dataset, model


def start_jobs(running: JupyterProcess, folder: Path, dataset: str, model: str) -> None:
    """Start three jobs that last longer than the measurement."""
    big = running.api("datasets", {"source": "path", "path": str(folder / "texts.jsonl")})[
        "dataset"
    ]
    while running.api(f"datasets/{big['id']}")["state"] != "ready":
        time.sleep(0.5)
    body = {"model": model, "dataset": dataset, "hooks": ["resid_post"], "layers": "all"}
    running.api("extractions", {**body, "positions": "mean"})
    running.api(f"datasets/{big['id']}/tokenizations", {"model": model})
    copy = folder / "again.jsonl"
    copy.write_bytes((folder / "texts.jsonl").read_bytes() * 3)
    running.api("datasets", {"source": "path", "path": str(copy)})
    while sum(job["state"] == "running" for job in running.api("jobs")["jobs"]) < 2:
        time.sleep(0.2)


def routes(dataset: str, model: str) -> dict[str, str]:
    """Return the routes of a person at work, by the name in the table."""
    return {
        "api/status (Jupyter's own)": "api/status",
        "bare (an empty handler)": "bare",
        "datasets": API + "datasets",
        "models": API + "models",
        "extractions": API + "extractions",
        "jobs": API + "jobs",
        "system": API + "system",
        "system/history": API + "system/history",
        "samples, a page": API + f"datasets/{dataset}/samples?offset=2000&limit=25",
        "samples, a search": API + f"datasets/{dataset}/samples?q=lighthouse&limit=25",
        "architecture": API + f"models/{model}/architecture",
    }


async def client(
    running: JupyterProcess, asked: dict[str, str], times: dict[str, list[float]], until: float
) -> int:
    """Ask and watch until the time is over; return how many events came."""
    headers = {"Authorization": f"token {running.token}"}
    http = AsyncHTTPClient()
    url = running.url.replace("http", "ws", 1) + API + "events"
    socket = await websocket_connect(HTTPRequest(url, headers=headers))
    events = 0

    async def watch() -> None:
        nonlocal events
        while await socket.read_message() is not None:
            events += 1

    watching = asyncio.create_task(watch())
    names = list(asked)
    random.shuffle(names)
    await asyncio.sleep(random.random() * THOUGHT_S)
    while time.perf_counter() < until:
        for name in names:
            began = time.perf_counter()
            await http.fetch(running.url + asked[name], headers=headers, request_timeout=60)
            times[name].append(time.perf_counter() - began)
            await asyncio.sleep(random.random() * 2 * THOUGHT_S)
            if time.perf_counter() > until:
                break
    socket.close()
    await watching
    return events


def percentile(values: list[float], share: float) -> float:
    """Return a percentile in milliseconds."""
    ordered = sorted(values)
    return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


async def measure(running: JupyterProcess, asked: dict[str, str], options: Any) -> None:
    """Run the clients and print the tables."""
    AsyncHTTPClient.configure(None, max_clients=options.clients * 2)
    headers = {"Authorization": f"token {running.token}"}
    await AsyncHTTPClient().fetch(running.url + "probe", headers=headers)
    times: dict[str, list[float]] = defaultdict(list)
    until = time.perf_counter() + options.seconds
    events = await asyncio.gather(
        *(client(running, asked, times, until) for _ in range(options.clients))
    )
    answer = await AsyncHTTPClient().fetch(running.url + "probe", headers=headers)
    seen = json.loads(answer.body)
    jobs = [job["state"] for job in running.api("jobs")["jobs"]]
    n_requests = sum(map(len, times.values()))
    print(f"\n{options.clients} clients, {options.seconds:.0f} s, {n_requests} requests,")
    print(f"{sum(events)} events sent; jobs still running at the end: {jobs.count('running')};")
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
    print("| route | requests | median ms | p95 ms | max ms |\n|---|---:|---:|---:|---:|")
    for name in asked:
        t = times[name]
        print(
            f"| {name} | {len(t)} | {1000 * statistics.median(t):.0f} | {percentile(t, 0.95):.0f} "
            f"| {percentile(t, 1):.0f} |"
        )
    ours = [t for name in list(asked)[2:] for t in times[name]]
    print(
        f"| **all of ours** | {len(ours)} | {1000 * statistics.median(ours):.0f} "
        f"| {percentile(ours, 0.95):.0f} | {percentile(ours, 1):.0f} |"
    )
    measured = {
        "event loop late by": seen["lags"],
        "event loop busy for": seen["busy"],
        "garbage collection": seen["collections"],
    }
    for what, values in measured.items():
        print(
            f"\n{what}: median {percentile(values, 0.5):.1f} ms, "
            f"p95 {percentile(values, 0.95):.1f} ms, p99 {percentile(values, 0.99):.1f} ms, "
            f"max {percentile(values, 1):.1f} ms"
        )
    print("\nwhere the loop's thread was when it was late by more than 50 ms:")
    for place, count in sorted(seen["blocks"].items(), key=lambda item: -item[1])[:12]:
        print(f"  {count:4d}  {place}")


def end_jobs(running: JupyterProcess) -> None:
    """Cancel what still runs, and wait: it writes into the folder that is removed."""
    for job in running.api("jobs")["jobs"]:
        running.api(f"jobs/{job['id']}/cancel", {})
    while {job["state"] for job in running.api("jobs")["jobs"]} & {"queued", "running"}:
        time.sleep(0.2)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=40.0)
    options = parser.parse_args()
    os.environ["PYTHONPATH"] = str(ROOT)  # The server finds the probe there.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        running = server(folder)
        running.start()
        try:
            dataset, model = prepare(running, folder)
            start_jobs(running, folder, dataset, model)
            asyncio.run(measure(running, routes(dataset, model), options))
            end_jobs(running)
        finally:
            running.stop()


if __name__ == "__main__":
    main()
