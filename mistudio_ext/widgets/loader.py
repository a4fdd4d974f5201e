"""The few lines of JavaScript that a widget carries, and the bundle that they load.

The panels are one file among the server's static files, cached by its content
hash. A widget holds only a loader (under 1 kB of state instead of the whole
bundle). Where the page is no Jupyter page, or the server has no such file, the
loader asks the kernel for it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from mistudio_ext.errors import NotFoundError

STATIC = Path(__file__).parents[1] / "static"
BUNDLE = "panels.js"


def loader() -> str:
    """Return the front-end module of a widget, under 1 kB whatever the bundle's size."""
    source = Path(__file__).with_name("loader.js").read_text(encoding="utf-8")
    lines = [line.strip() for line in source.splitlines()]
    kept = "\n".join(line for line in lines if line and not line.startswith("//"))
    return re.sub(r"\s*(=>|[=,:;?!|(){}+]+)\s*", r"\1", kept).replace("HASH", bundle_hash())


def bundle_hash() -> str:
    """Return the content hash of the bundle; ``missing`` if the front end was not built."""
    try:
        found = json.loads((STATIC / "manifest.json").read_text(encoding="utf-8"))
        return str(found[BUNDLE]["hash"])
    except (OSError, ValueError, KeyError, TypeError):
        return "missing"


def bundle() -> bytes:
    """Return the bundle.

    Raises
    ------
    NotFoundError
        If the front end was not built.
    """
    try:
        return (STATIC / BUNDLE).read_bytes()
    except FileNotFoundError:
        raise NotFoundError(
            "The panels are not part of this installation.",
            code="front_end_missing",
            hint="Install the wheel, or build the front end with 'make'.",
        ) from None
