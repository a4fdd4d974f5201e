"""The oracle: requests, files, tokenizers and queries at random, each compared with a reference.

``python -m tests.oracle --help`` tells how to run it for longer than ``make test`` does.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any


def _area(name: str) -> Callable[[], Any]:
    return lambda: import_module(f"tests.oracle.{name}").AREA


#: Areas by name; each is imported when it is used.
AREAS = {name: _area(name) for name in ("engine", "files", "tokenizers", "queries", "fields")}
