"""Print the project's dependencies, so that they install before the front end is built.

Usage: ``python scripts/requirements.py [extra ...]``
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"


def requirements(extras: list[str]) -> list[str]:
    """Return what a build needs and the run-time dependencies, or those of the extras."""
    document = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))
    project = document["project"]
    if extras:
        return [line for extra in extras for line in project["optional-dependencies"][extra]]
    return [*document["build-system"]["requires"], "editables", *project["dependencies"]]


if __name__ == "__main__":
    print("\n".join(requirements(sys.argv[1:])))
