"""A process that takes devices, holds them for a moment, and gives them back or dies.

``python holder.py FOLDER LOG SEED UID DEVICE…``: one line in the log for each grant.
"""

from __future__ import annotations

import fcntl
import os
import random
import sys
import time
from pathlib import Path

from mistudio_ext.leases import Device, LeaseFolder, Need


def main() -> None:
    """Take and give back until killed."""
    folder, log, seed, uid, *names = sys.argv[1:]
    dice = random.Random(seed)
    devices = tuple(Device(name, "cpu", index) for index, name in enumerate(names))
    # A second opinion on who holds a device. Not by flock: at death the kernel takes record
    # locks away first, so that these are free when the lease is, even if it pauses in between.
    probes = {name: os.open(f"{log}.{name}", os.O_RDWR | os.O_CREAT) for name in names}
    out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    # By its short name, for the test's folders above it are nobody else's.
    os.chdir(folder)
    become(int(uid))
    leases = LeaseFolder(Path(), devices)
    while True:
        ticket = leases.enter(Need(devices, 0), f"job-{seed}")
        while ticket.entry.device is None:
            time.sleep(0.002)
            leases.advance(ticket)
        device = ticket.entry.device
        try:
            fcntl.lockf(probes[device], fcntl.LOCK_EX | fcntl.LOCK_NB)
            word = "grant"
        except BlockingIOError:
            word = "double"
        os.write(out, f"{word} {ticket.number} {device} {os.getpid()} {seed}\n".encode())
        time.sleep(dice.uniform(0, 0.01))
        if dice.random() < 0.05:
            os.abort()
        fcntl.lockf(probes[device], fcntl.LOCK_UN)
        ticket.give_up()


def become(uid: int) -> None:
    """Go on as this user, who lets nobody look at his files."""
    os.umask(0o077)
    if uid != os.geteuid():
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)


if __name__ == "__main__":
    main()
