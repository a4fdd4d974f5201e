"""Job ``tokenizer.read``: load a tokenizer folder once, and keep what previews need of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mistudio_ext import model_files
from mistudio_ext.errors import InvalidInputError
from mistudio_ext.paths import DataFolder
from mistudio_ext.room import DiskLimits
from mistudio_ext.workers.disk import DiskGuard, making
from mistudio_ext.workers.text_encoder import TextEncoder

if TYPE_CHECKING:
    from mistudio_ext.workers.reporter import Reporter


def run(spec: dict[str, Any], report: Reporter) -> dict[str, Any]:
    """Read a tokenizer folder.

    Parameters
    ----------
    spec
        ``{"data_dir", "allow_remote_code", "tokenizer": {"path", "fingerprint",
        "files"}}``; see :func:`mistudio_ext.model_files.unchanged`.
    report
        Told about the phase.

    Returns
    -------
    dict
        ``{"path"}`` of what was kept.
    """
    report.phase("loading tokenizer")
    tokenizer, data = spec["tokenizer"], DataFolder(Path(spec["data_dir"]))
    path = Path(tokenizer["path"])
    with model_files.unchanged({"name": path.name, **tokenizer}):
        encoder = TextEncoder.load(path, allow_remote_code=bool(spec.get("allow_remote_code")))
    target = data.tokenizer(tokenizer["fingerprint"])
    guard = DiskGuard(data.root, DiskLimits.of(spec))
    with making(data.temporary / f"tokenizer-{target.name}", target) as folder:
        if not encoder.save_for_preview(folder, guard):
            raise InvalidInputError(
                "A tokenizer written in Python cannot be previewed.",
                code="no_preview",
                field="tokenizer",
                hint="Tokenise a few rows instead, with max_rows.",
            )
    return {"path": str(target)}
