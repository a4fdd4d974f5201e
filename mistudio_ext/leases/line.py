"""Whose turn it is: the rule by which tickets get devices, without any file or lock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from mistudio_ext.leases.devices import Device
from mistudio_ext.leases.memory import Memory
from mistudio_ext.leases.ticket import Entry


@dataclass(frozen=True)
class Need:
    """What a job needs.

    Attributes
    ----------
    devices
        The devices that will do, the best first.
    memory
        Bytes that must be free on it, margin included.
    """

    devices: tuple[Device, ...]
    memory: int


@dataclass(frozen=True)
class Turn:
    """What the line has for a ticket.

    Attributes
    ----------
    device
        The device that it gets now, None if it waits.
    why
        ``device`` (held by ``holder``), ``memory`` (``free`` bytes), ``share``
        (its user holds as many as allowed) or ``line`` (``ahead`` tickets come first).
    """

    device: str | None = None
    why: str = ""
    holder: Entry | None = None
    free: int = 0
    ahead: int = 0


def turn(
    entries: Sequence[Entry],
    mine: Entry,
    devices: Mapping[str, Device],
    memory: Callable[[Device], Memory | None],
    per_user: int = 0,
) -> Turn:
    """Decide about one ticket.

    A free device is kept for the first ticket in the line that can use it: that accepts
    it, fits into its free memory, and whose user does not hold his share already. So a
    large job is never passed by a small one that would take its room, and a job that has
    to wait for memory which strangers hold stops nobody.

    Parameters
    ----------
    entries
        All living tickets.
    mine
        The ticket in question, one of them.
    devices
        The devices that are known here, by id.
    memory
        Tells a device's memory.
    per_user
        Devices that one user may hold; 0 for any number.
    """
    held: dict[str, Entry] = {e.device: e for e in entries if e.device is not None}
    shares: dict[tuple[int, str], int] = {}
    for entry in held.values():
        shares[entry.owner] = shares.get(entry.owner, 0) + 1
    free = [device for device in devices.values() if device.id not in held]
    ahead = 0
    waiting = sorted((e for e in entries if e.device is None), key=lambda e: e.number)
    for entry in waiting:
        if entry.number != mine.number and entry.asleep:
            continue
        may = not per_user or shares.get(entry.owner, 0) < per_user
        usable = [device for device in free if device.id in entry.devices]
        fitting = [d for d in usable if _fits(d, entry, held.values(), devices, memory)]
        best = min(fitting, key=lambda d: entry.devices.index(d.id), default=None) if may else None
        if entry.number == mine.number:
            if best is not None:
                return Turn(best.id)
            return _why(mine, may, usable, held, memory, ahead)
        if best is not None:
            free.remove(best)
            shares[entry.owner] = shares.get(entry.owner, 0) + 1
            ahead += 1
    return Turn(why="line", ahead=ahead)


def next_for(entries: Sequence[Entry], device: str) -> Entry | None:
    """Return the first ticket, of a process that is awake, that waits for this device."""
    waiting = [e for e in entries if e.device is None and not e.asleep and device in e.devices]
    return min(waiting, key=lambda entry: entry.number, default=None)


def _fits(
    device: Device,
    entry: Entry,
    holders: Iterable[Entry],
    devices: Mapping[str, Device],
    memory: Callable[[Device], Memory | None],
) -> bool:
    has = memory(device)
    if has is None:
        return True
    promised = 0
    if device.kind == "cpu":
        # All slots share one memory, and a job that has just begun has not filled its part yet.
        promised = sum(
            holder.memory
            for holder in holders
            if holder.device is not None
            and (known := devices.get(holder.device)) is not None
            and known.kind == "cpu"
        )
    return entry.memory <= has.free and entry.memory + promised <= has.total


def _why(
    mine: Entry,
    may: bool,
    usable: Sequence[Device],
    held: Mapping[str, Entry],
    memory: Callable[[Device], Memory | None],
    ahead: int,
) -> Turn:
    if not may:
        return Turn(why="share")
    if usable:
        free = max((m.free for d in usable if (m := memory(d)) is not None), default=0)
        return Turn(why="memory", free=free)
    holder = next((held[name] for name in mine.devices if name in held), None)
    if holder is not None:
        return Turn(why="device", holder=holder, ahead=ahead)
    return Turn(why="line", ahead=ahead)
