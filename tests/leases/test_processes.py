"""Ten processes that take, hold, crash and are killed."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from mistudio_ext.leases import holders

HOLDER = Path(__file__).parent / "holder.py"
GRANTS = 200

#: Three users, who only root can become; else they are all the same.
USERS = (20_001, 20_002, 20_003) if os.geteuid() == 0 else (os.geteuid(),)


class Crowd:
    """Ten places, each with a process of one of the users; who dies is followed by another one."""

    def __init__(self, folder: Path, log: Path, devices: list[str], users: Sequence[int]) -> None:
        self._command = [sys.executable, str(HOLDER), str(folder), str(log)]
        self._devices = devices
        self._users = itertools.cycle(users)
        self._seeds = itertools.count()
        self.deaths = 0
        self.places = [self._new() for _ in range(10)]

    def _new(self) -> subprocess.Popen[bytes]:
        more = [str(next(self._seeds)), str(next(self._users)), *self._devices]
        return subprocess.Popen([*self._command, *more], stderr=subprocess.DEVNULL)

    def replace_the_dead(self) -> None:
        """Start a process in each place whose process died."""
        for place, process in enumerate(self.places):
            if process.poll() is not None:
                assert process.returncode in (-signal.SIGKILL, -signal.SIGABRT)
                self.deaths += 1
                self.places[place] = self._new()

    def end(self) -> None:
        """Kill everybody."""
        for process in self.places:
            process.kill()
            process.wait()


@pytest.mark.parametrize(
    ("devices", "users"),
    [(["GPU-one"], [os.geteuid()]), (["GPU-one", "GPU-two"], USERS)],
    ids=["one device, one user", "two devices, three users"],
)
def test_never_two_holders_and_nobody_starves(
    tmp_path: Path, devices: list[str], users: Sequence[int]
) -> None:
    """Holders and waiters are killed and crash; the others go on in the order they came.

    The folder is the one that an administrator makes. Of other users' dead nobody may
    remove the tickets, so these lie there and stop nobody.
    """
    folder, log = tmp_path / "leases", tmp_path / "log"
    folder.mkdir()
    folder.chmod(0o1777)
    dice, crowd = random.Random(0), Crowd(folder, log, devices, users)
    deadline = time.monotonic() + 120
    try:
        lines: list[list[str]] = []
        killed_at = 0
        while len(lines) < GRANTS:
            assert time.monotonic() < deadline, f"only {len(lines)} grants"
            time.sleep(0.01)
            crowd.replace_the_dead()
            lines = [line.split() for line in log.read_text().splitlines()] if log.exists() else []
            if len(lines) >= killed_at + 8:
                killed_at = len(lines)
                # Half of the time whoever was granted last, who holds it most likely still.
                holder = int(lines[-1][3])
                victim = holder if dice.random() < 0.5 else dice.choice(crowd.places).pid
                with contextlib.suppress(ProcessLookupError):
                    if any(place.pid == victim for place in crowd.places):
                        os.kill(victim, signal.SIGKILL)
    finally:
        crowd.end()
    assert crowd.deaths >= 12
    assert {line[0] for line in lines} == {"grant"}
    for device in devices:
        numbers = [int(line[1]) for line in lines if line[2] == device]
        assert numbers == sorted(numbers)
    # Between two grants of a process, the nine others get at most one each and the dead
    # ones' successors theirs: nobody is passed over again and again. With a second device a
    # process that is given no processor time keeps one, and the others go on with the other.
    for pid in {line[3] for line in lines} if len(devices) == 1 else ():
        turns = [n for n, line in enumerate(lines) if line[3] == pid]
        assert all(b - a <= 25 for a, b in itertools.pairwise(turns))
    assert holders(folder) == []


def test_a_lease_goes_with_its_descriptor(tmp_path: Path) -> None:
    """A worker that inherited the descriptor holds the device without the one who took it."""
    from mistudio_ext.leases import Device, LeaseFolder, Need

    device = Device("GPU-one", "cpu", 0)
    leases = LeaseFolder(tmp_path, [device])
    need = Need((device,), 0)
    taken = leases.enter(need, "job_1")
    assert taken.entry.device == "GPU-one"
    code = "import sys; print('ready', flush=True); sys.stdin.read()"
    worker = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=(taken.fd,),
    )
    taken.hand_over()
    assert worker.stdout is not None
    worker.stdout.readline()
    second = leases.enter(need, "job_2")
    assert second.entry.device is None
    turn = leases.advance(second)
    assert turn.why == "device"
    assert turn.holder is not None
    assert turn.holder.job == "job_1"
    assert [(e.job, e.device) for e in holders(tmp_path)] == [
        ("job_1", "GPU-one"),
        ("job_2", None),
    ]
    worker.kill()
    worker.communicate()
    assert leases.advance(second).device == "GPU-one"
    second.give_up()
    assert list(tmp_path.iterdir()) == []
