"""The extraction folder: arrays and journal, new or gone on with."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mistudio_ext import keys
from mistudio_ext.activations import manifest as manifests
from mistudio_ext.engine import journal, resume, reuse
from mistudio_ext.engine.arrays import FULL, ArrayFile, file_name, no_space
from mistudio_ext.engine.batches import Plan
from mistudio_ext.engine.points import Point
from mistudio_ext.engine.record import Record
from mistudio_ext.engine.request import Contexts, Request
from mistudio_ext.engine.writer import Layout
from mistudio_ext.errors import MiStudioError, NoSpaceError


@dataclass
class Started:
    """An extraction folder that is ready to be written to."""

    arrays: list[ArrayFile]
    """All arrays, in the order of the hook points."""
    taken: reuse.Taken
    """Those that another extraction had made."""
    layout: Layout
    journal: journal.Journal
    kept: resume.Kept
    """What an earlier run finished."""
    plan: Plan
    descriptions: dict[str, dict[str, Any]]

    @property
    def files(self) -> list[ArrayFile]:
        """The arrays to fill."""
        return [file for file in self.arrays if file.path.name not in self.taken]

    def close(self) -> None:
        """Close all files."""
        self.journal.close()
        for file in self.files:
            file.close()


def array_files(request: Request, contexts: Contexts, points: Sequence[Point]) -> list[ArrayFile]:
    """Return the array file of each hook point, with its full shape."""
    spec = request.spec
    lead: tuple[int, ...]
    if spec.positions != "all":
        lead = (contexts.n_samples,)
    elif spec.layout == "packed":
        lead = (contexts.n_tokens,)
    else:
        lead = (contexts.n_samples, contexts.context)
    return [
        ArrayFile(request.folder / file_name(p.name), p.name, (*lead, p.d), spec.dtype)
        for p in points
    ]


def finished(request: Request) -> dict[str, Any] | None:
    """Return the manifest if this very extraction is already done, else None."""
    try:
        found = manifests.read(request.folder)
    except MiStudioError:
        return None
    same = not request.fingerprint or found.get("fingerprint") == request.fingerprint
    if found.get("state") != "done" or not same:
        return None
    for name, entry in found.get("files", {}).items():
        path = request.folder / name
        if not path.is_file() or path.stat().st_size != entry.get("bytes"):
            return None
    return found


def recorded_plan(request: Request, identity: dict[str, Any]) -> Plan | None:
    """Return the plan of an interrupted run of the same extraction, if there is one."""
    header, entries = journal.read(request.folder)
    if header is None or not entries or any(header.get(k) != v for k, v in identity.items()):
        return None
    return Plan.from_dict(header["plan"])


def identity_of(
    request: Request, contexts: Contexts, points: Sequence[Point], record: Record
) -> dict[str, Any]:
    """Return what must be the same for a journal to be gone on with.

    Rows of two formats, devices, libraries or sets of weights never meet in one array. Batches
    are those of the journal's own plan.
    """
    facts = {
        **record.computing,
        "fingerprint": request.fingerprint,
        "weights": request.raw["model"].get("fingerprint"),
        "format": request.format,
        "spec": keys.facts_of(request.spec),
        "n_samples": contexts.n_samples,
        "n_tokens": contexts.n_tokens,
        "context": contexts.context,
        "hooks": [[point.name, point.d] for point in points],
    }
    read_back: dict[str, Any] = json.loads(json.dumps(facts))
    return read_back


def start(
    request: Request,
    contexts: Contexts,
    points: Sequence[Point],
    plan: Plan,
    record: Record,
    *,
    go_on: bool,
) -> Started:
    """Reserve the files, or verify and open those of an interrupted run.

    Raises
    ------
    NoSpaceError
        If the disk has no room; nothing is left behind then.
    """
    folder = request.folder
    folder.mkdir(parents=True, exist_ok=True)
    files = array_files(request, contexts, points)
    layout = Layout(request.spec.layout, request.spec.positions, contexts.context, contexts.offsets)
    try:
        return _open(request, contexts, points, plan, record, files, layout, go_on)
    except BaseException:
        for file in files:
            file.close()
        raise


def _open(
    request: Request,
    contexts: Contexts,
    points: Sequence[Point],
    plan: Plan,
    record: Record,
    files: list[ArrayFile],
    layout: Layout,
    go_on: bool,
) -> Started:
    folder = request.folder
    header, entries = journal.read(folder)
    taken: reuse.Taken = dict((header or {}).get("taken") or {}) if go_on else {}
    go_on = go_on and all(file.matches() for file in files) and reuse.intact(files, taken)
    try:
        if not go_on:
            # Without a journal nothing in the folder counts, whatever happens from here on.
            (folder / journal.FILE_NAME).unlink(missing_ok=True)
        descriptions = contexts.copy_to(folder)
        if not go_on:
            taken = reuse.take(files, request.reuse, record.planned(contexts, plan, descriptions))
        own = [file for file in files if file.path.name not in taken]
        kept = resume.nothing(own)
        if go_on:
            for file in own:
                file.open()
            kept = resume.verified(own, layout, plan, entries)
        else:
            try:
                _reserve(request, contexts, own)
            except NoSpaceError:
                for name in (*descriptions, *taken):
                    (folder / name).unlink(missing_ok=True)
                raise
        facts = identity_of(request, contexts, points, record)
        header = {**facts, "plan": plan.to_dict(), "taken": taken}
        opened = journal.Journal(folder, header, kept.entries)
    except OSError as error:
        if error.errno in FULL:
            raise no_space(folder, sum(file.size for file in files)) from error
        raise
    return Started(files, taken, layout, opened, kept, plan, descriptions)


def _reserve(request: Request, contexts: Contexts, files: Sequence[ArrayFile]) -> None:
    old = [file.path.stat() for file in files if file.path.exists()]
    # One that another extraction has a link to stays on the disk when ours is removed.
    replaced = sum(facts.st_size for facts in old if facts.st_nlink == 1)
    tokens = contexts.n_tokens * contexts.tokens.itemsize + contexts.n_samples * 20
    wanted = sum(file.size for file in files) + tokens
    free = shutil.disk_usage(request.folder).free + replaced
    if wanted + request.disk_reserve_bytes > free:
        raise no_space(request.folder, wanted)
    try:
        for file in files:
            file.create()
    except NoSpaceError:
        for file in files:
            file.close()
            file.path.unlink(missing_ok=True)
        raise no_space(request.folder, wanted) from None
