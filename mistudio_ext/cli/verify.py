"""``jupyter mistudio verify``: compare an extraction on disk with what was written."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from mistudio_ext.activations.verify import verify
from mistudio_ext.cli.session import studio


def run(arguments: argparse.Namespace) -> int:
    """Check every file against its checksum; 1 if one is bad."""
    folder = Path(arguments.id).expanduser()
    if not (folder / "manifest.json").exists():
        with studio(arguments) as opened:
            record = opened.extractions.record(arguments.id)
            folder = opened.settings.folder.extraction(record.id)
    checks = verify(folder)
    good = all(check["ok"] for check in checks)
    if arguments.json:
        print(json.dumps({"path": str(folder), "ok": good, "files": checks}))
        return 0 if good else 1
    for check in checks:
        verdict = "ok " if check["ok"] else "BAD"
        print(f"{verdict}  {check['file']}" + (f"  {check['reason']}" if check["reason"] else ""))
    return 0 if good else 1
