"""The extraction folder: manifest, arrays, journal; new or gone on with."""

from __future__ import annotations

import contextlib
import platform
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from mistudio_ext.activations import manifest as manifests
from mistudio_ext.engine import journal, resume, reuse
from mistudio_ext.engine.arrays import FULL, ArrayFile, file_name, named, no_space
from mistudio_ext.engine.batches import Plan
from mistudio_ext.engine.points import Point
from mistudio_ext.engine.request import Contexts, Request
from mistudio_ext.engine.writer import Layout
from mistudio_ext.errors import MiStudioError, NoSpaceError

#: Changes when an older journal can no longer be gone on with.
ENGINE_VERSION = 2


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


def identity_of(request: Request, contexts: Contexts, points: Sequence[Point]) -> dict[str, Any]:
    """Return what must be the same for a journal to be gone on with."""
    return {
        "engine": ENGINE_VERSION,
        "fingerprint": request.fingerprint,
        "n_samples": contexts.n_samples,
        "n_tokens": contexts.n_tokens,
        "context": contexts.context,
        "hooks": [[point.name, point.d] for point in points],
        "dtype": request.spec.dtype,
        "layout": request.spec.layout,
        "positions": request.spec.positions,
        # Rows of two formats never meet in one array.
        **({"format": request.format} if request.fallback else {}),
    }


def start(
    request: Request,
    contexts: Contexts,
    points: Sequence[Point],
    plan: Plan,
    manifest: Manifest,
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
        return _open(request, contexts, points, plan, manifest, files, layout, go_on)
    except BaseException:
        for file in files:
            file.close()
        raise


def _open(
    request: Request,
    contexts: Contexts,
    points: Sequence[Point],
    plan: Plan,
    manifest: Manifest,
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
            taken = reuse.take(files, request.reuse, manifest.planned(contexts, plan, descriptions))
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
        facts = {**identity_of(request, contexts, points), "plan": plan.to_dict(), "taken": taken}
        opened = journal.Journal(folder, facts, kept.entries)
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


class Manifest:
    """Writes ``manifest.json`` as the extraction goes from state to state."""

    def __init__(self, request: Request) -> None:
        self._folder = request.folder
        self._body = _body(request)

    def formats(self, request: Request) -> tuple[str, ...]:
        """Return the formats to try: one that an earlier run fell back to comes first."""
        wanted = (request.format, *request.fallback)
        spec = self._body["spec"]
        made = spec.get("quantization")
        if spec.get("fallback_reason") and made in wanted:
            return wanted[wanted.index(made) :]
        return wanted

    def fell_back(self, request: Request, made: str, reason: str) -> None:
        """Say that the model did not fit as it was asked for, and what it is instead."""
        spec = self._body["spec"]
        spec["requested_quantization"], spec["quantization"] = request.asked_format, made
        spec["fallback_reason"] = reason

    def fallback_reason(self) -> str | None:
        """Return why the format is not the one that was asked for, if it is not."""
        reason: str | None = self._body["spec"].get("fallback_reason")
        return reason

    def running(self, contexts: Contexts, started: Started) -> None:
        """Say that rows are being written."""
        self._body["n_samples"], self._body["n_tokens"] = contexts.n_samples, contexts.n_tokens
        self._body["spec"]["context"] = contexts.context
        self._body["files"] = {
            **{
                file.path.name: started.taken.get(file.path.name) or _awaited(file)
                for file in started.arrays
            },
            **started.descriptions,
        }
        self._body["plan"] = started.plan.to_dict()
        self._write("running")

    def computed_on(self, device_type: str) -> None:
        """Note what computes the arrays: bits differ between engines and kinds of device."""
        self._body["engine"] = {"version": ENGINE_VERSION, "device": device_type}

    def planned(
        self, contexts: Contexts, plan: Plan, descriptions: dict[str, dict[str, Any]]
    ) -> dict[str, Any]:
        """Return the manifest as far as it decides whether other arrays are the same."""
        return {
            **self._body,
            "spec": {**self._body["spec"], "context": contexts.context},
            "n_samples": contexts.n_samples,
            "n_tokens": contexts.n_tokens,
            "plan": plan.to_dict(),
            "files": descriptions,
        }

    def done(
        self,
        started: Started,
        timings: dict[str, float],
        warnings: Sequence[dict[str, str]],
    ) -> dict[str, Any]:
        """Say that everything is written, with checksums and statistics."""
        for file, running, total in zip(
            started.files, started.kept.hashes, started.kept.totals, strict=True
        ):
            entry = self._body["files"][file.path.name]
            entry["checksum"] = named(running)
            entry["statistics"] = total.summary()
        self._body["timings"], self._body["warnings"] = timings, list(warnings)
        self._write("done")
        return self._body

    def ended(self, state: str, error: MiStudioError | None) -> None:
        """Say that it ended early; a folder that nobody began is left alone."""
        if not (self._folder / manifests.FILE_NAME).is_file():
            return
        try:
            self._write(state, error.to_dict() if error else None)
        except OSError as failure:
            # On a full disk even this cannot be written; the job's own error says why.
            if failure.errno not in FULL:
                raise

    def _write(self, state: str, error: dict[str, Any] | None = None) -> None:
        self._body["state"], self._body["error"] = state, error
        manifests.write(self._folder, self._body)


def _awaited(file: ArrayFile) -> dict[str, Any]:
    return {
        "hook": file.hook,
        "shape": list(file.shape),
        "dtype": file.dtype,
        "bytes": file.size,
        "checksum": None,
        "statistics": None,
    }


def _body(request: Request) -> dict[str, Any]:
    """Return the manifest that the server made, or a new one with the same facts."""
    raw = request.raw
    extraction, model = raw["extraction"], raw["model"]
    dataset, tokenization = raw.get("dataset") or {}, raw.get("tokenization") or {}
    found: dict[str, Any] = {}
    with contextlib.suppress(MiStudioError):
        found = manifests.read(request.folder)
        if request.fingerprint and found.get("fingerprint") != request.fingerprint:
            found = {}
    spec = request.spec
    facts = {
        "model": model.get("name"),
        "model_id": model.get("id"),
        "model_path": str(model.get("path")),
        "repo_id": model.get("repo_id"),
        "revision": model.get("revision"),
        "quantization": request.format,
        "dataset": dataset.get("name"),
        "dataset_id": dataset.get("id"),
        "dataset_path": dataset.get("path"),
        "dataset_fingerprint": dataset.get("fingerprint"),
        "fingerprint": request.fingerprint,
        "split": dataset.get("split"),
        "text_column": dataset.get("text_column"),
        "tokenization": {
            "id": tokenization.get("id"),
            **(tokenization.get("settings") or {}),
        },
        "layers": sorted({p for p in map(_layer, spec.hooks) if p is not None}),
        "hooks": list(spec.hooks),
        "layout": spec.layout,
        "positions": spec.positions,
        "dtype": spec.dtype,
        "context": (tokenization.get("settings") or {}).get("context"),
        "max_samples": spec.max_samples,
    }
    return {
        "schema_version": manifests.SCHEMA_VERSION,
        "state": "running",
        "id": extraction.get("id") or request.folder.name,
        "name": extraction.get("name") or request.folder.name,
        "fingerprint": request.fingerprint,
        "created_at": extraction.get("created_at") or datetime.now(UTC).isoformat(),
        "n_samples": None,
        "n_tokens": None,
        "files": {},
        "timings": {},
        **found,
        "spec": {**facts, **(found.get("spec") or {})},
        "versions": _versions(),
        "warnings": [],
        "error": None,
    }


def _layer(hook: str) -> int | None:
    parts = hook.split(".")
    return int(parts[1]) if parts[0] == "blocks" and len(parts) > 1 else None


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in ("mistudio_ext", "torch", "transformers", "numpy", "bitsandbytes"):
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    if "mistudio_ext" not in found:
        from mistudio_ext._version import __version__

        found["mistudio_ext"] = __version__
    return found
