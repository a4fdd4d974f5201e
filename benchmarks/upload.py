"""Uploads: speed, and the memory of the server while more than a gigabyte arrives.

``python benchmarks/upload.py [--megabytes N]``: a real Jupyter server takes a file in pieces of
8 MiB, as the panel sends them; its memory is read all the while, beyond what it had before.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.servers import JupyterProcess

PIECE = 8 << 20


def own_memory(pid: int) -> int:
    """Return the bytes of a process that are not pages of files."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0]) << 10


def upload(server: JupyterProcess, n_bytes: int) -> float:
    """Send random bytes as a text file; return the seconds that took."""
    started = server.api("uploads", {"name": "big.txt", "size": n_bytes}, "POST")
    piece = os.urandom(PIECE)
    begin = time.perf_counter()
    for first in range(0, n_bytes, PIECE):
        data = piece[: n_bytes - first]
        last = first + len(data) - 1
        request = urllib.request.Request(
            f"{server.url}mistudio/api/v1/uploads/{started['id']}",
            data=data,
            method="PUT",
            headers={
                "Authorization": f"token {server.token}",
                "Content-Range": f"bytes {first}-{last}/{n_bytes}",
            },
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            answer.read()
    seconds = time.perf_counter() - begin
    server.api(f"uploads/{started['id']}", method="DELETE")
    return seconds


def main() -> None:
    """Upload, and print a table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--megabytes", type=int, default=1_200)
    n_bytes = options.parse_args().megabytes * 1_000_000
    with tempfile.TemporaryDirectory() as name:
        server = JupyterProcess(Path(name))
        server.start()
        try:
            upload(server, 2 * PIECE)  # What is loaded at the first use is there.
            assert server.process is not None
            pid, ended, peaks = server.process.pid, threading.Event(), [0]
            before = own_memory(pid)

            def watch() -> None:
                while not ended.wait(0.05):
                    peaks.append(own_memory(pid))

            watcher = threading.Thread(target=watch)
            watcher.start()
            seconds = upload(server, n_bytes)
            ended.set()
            watcher.join()
        finally:
            server.stop()
    print("| MB | seconds | MB/s | server before, MB | at most, MB |\n|---:|---:|---:|---:|---:|")
    print(
        f"| {n_bytes / 1e6:,.0f} | {seconds:.1f} | {n_bytes / 1e6 / seconds:.0f} "
        f"| {before / 1e6:.0f} | {max(peaks) / 1e6:.0f} |"
    )


if __name__ == "__main__":
    main()
