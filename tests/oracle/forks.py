"""Workers forked from a process that has imported everything: a job in tenths of a second.

The product starts ``python -m mistudio_ext.workers JOB_DIR`` for most jobs, and that process
imports torch and transformers, for seconds. Here the same entry point runs in a fork of a
process that has imported them already. All else is the product's own: the job's folder, its
descriptors, its signals, its end.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mistudio_ext.jobs import process as product

#: Environment variable that names what is broken on purpose; see :mod:`tests.oracle.mutations`.
BREAK = "MISTUDIO_ORACLE_BREAK"

#: Environment variable with the socket of a nursery that was started before, by hand.
SHARED = "MISTUDIO_ORACLE_NURSERY"

_WORKER = "mistudio_ext.workers"
_HEAVY = (
    "torch",
    "transformers",
    "transformers.modeling_utils",
    "transformers.models.auto.modeling_auto",
    "transformers.models.auto.tokenization_auto",
    "transformers.models.llama.modeling_llama",
    "datasets",
    "pyarrow.parquet",
    "pyarrow.json",
    "pyarrow.csv",
    "pyarrow.compute",
    "tokenizers",
    "ml_dtypes",
    "mistudio_ext.workers.__main__",
)
#: Descriptors of a request are moved up here, out of the way of the numbers that they shall have.
_HIGH = 500
_MAX_BYTES = 1 << 20


class Nursery:
    """The process that workers are forked from.

    Parameters
    ----------
    folder
        For its socket and its log.
    """

    def __init__(self, folder: Path) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self.socket = Path(os.environ.get(SHARED, folder / "nursery.sock"))
        if SHARED in os.environ:
            return
        with (folder / "nursery.log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.oracle.forks", str(self.socket)],
                stdout=log,
                stderr=log,
                stdin=subprocess.PIPE,
            )
        deadline = time.monotonic() + 600
        while not self.socket.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((folder / "nursery.log").read_text())
            time.sleep(0.05)

    def close(self) -> None:
        """End it; its children are ended by those who asked for them."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.kill()
            self._process.wait()


@contextlib.contextmanager
def forked_workers(socket_path: Path) -> Iterator[None]:
    """Workers of this process are forked in the nursery from here on."""

    class Subprocess:
        DEVNULL = subprocess.DEVNULL

        @staticmethod
        def Popen(command: Sequence[str], **options: Any) -> Any:  # noqa: N802
            if _WORKER not in command:
                return subprocess.Popen(command, **options)
            return _Child(socket_path, command, options)

    real = product.subprocess
    product.subprocess = Subprocess  # type: ignore[assignment]
    try:
        yield
    finally:
        product.subprocess = real


class _Child:
    """What a manager wants of ``subprocess.Popen``."""

    def __init__(self, path: Path, command: Sequence[str], options: dict[str, Any]) -> None:
        fds = tuple(options["pass_fds"])
        request = {
            "command": list(command),
            "cwd": str(options["cwd"]),
            "env": dict(options["env"]),
            "fds": fds,
        }
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.connect(str(path))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _MAX_BYTES)
        socket.send_fds(self._socket, [json.dumps(request).encode()], [options["stdout"], *fds])
        self.pid = int(self._socket.recv(64))
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            self._socket.sendall(b"wait")
            self.returncode = int(self._socket.recv(64))
            self._socket.close()
        return self.returncode

    def __del__(self) -> None:
        self._socket.close()


def main() -> None:
    """Import everything, then fork a worker for each request until stdin ends."""
    for name in _HEAVY:
        importlib.import_module(name)
    path = sys.argv[1]
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path + ".new")
    listener.listen(64)
    Path(path + ".new").rename(path)
    children: dict[socket.socket, int] = {}
    orphans: list[int] = []
    while True:
        ready = select.select([sys.stdin, listener, *children], [], [], 1.0)[0]
        if sys.stdin in ready:
            return
        orphans = [pid for pid in orphans if os.waitpid(pid, os.WNOHANG)[0] == 0]
        for connection in ready:
            if connection is listener:
                accepted = listener.accept()[0]
                children[accepted] = _fork(accepted)
            elif connection is not sys.stdin:
                pid = children.pop(connection)
                if connection.recv(16) == b"wait":
                    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                    with contextlib.suppress(OSError):
                        connection.sendall(str(status).encode())
                else:
                    orphans.append(pid)
                connection.close()


def _fork(connection: socket.socket) -> int:
    data, fds, _, _ = socket.recv_fds(connection, _MAX_BYTES, 8)
    request = json.loads(data)
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            _become_worker(request, fds)
            status = 0
        except BaseException:  # noqa: BLE001 - the last resort of a forked process
            traceback.print_exc()
        finally:
            os._exit(status)
    for fd in fds:
        os.close(fd)
    connection.sendall(str(pid).encode())
    return pid


def _become_worker(request: dict[str, Any], fds: list[int]) -> None:
    os.setsid()
    signal.set_wakeup_fd(-1)
    high = [fcntl.fcntl(fd, fcntl.F_DUPFD, _HIGH) for fd in fds]
    os.closerange(3, _HIGH)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number in (1, 2):
        os.dup2(high[0], number)
    for fd, number in zip(high[1:], request["fds"], strict=True):
        os.dup2(fd, number, inheritable=True)
    os.closerange(_HIGH, _HIGH + len(fds) + 8)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    sys.argv = request["command"][-2:]
    if os.environ.get(BREAK):
        from tests.oracle import mutations

        mutations.apply(os.environ[BREAK])
    from mistudio_ext.workers.__main__ import main as work

    work()


if __name__ == "__main__":
    main()
