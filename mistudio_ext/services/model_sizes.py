"""Asks a worker what a config's model takes in memory, once for each config."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from importlib.metadata import version

from mistudio_ext.services.context import Context, Json
from mistudio_ext.spec import fingerprint

#: Seconds that a worker may take; importing transformers alone takes some of them.
TIMEOUT_S = 90.0

#: Changes when what is counted changes.
_VERSION = 2

# One at a time: a search that is clicked through must not fill the machine with workers.
_one = threading.Lock()


def sizes_of(context: Context, config: Json) -> Json | None:
    """Return what a model takes by format, see :func:`mistudio_ext.engine.sizes.sizes`.

    None where it cannot be told: transformers does not know the model, or
    the worker failed. The answer is kept in the data folder.
    """
    if not config.get("model_type"):
        return None
    folder = context.settings.data_dir / "models" / ".sizes"
    facts = {"version": _VERSION, "config": config, "transformers": version("transformers")}
    file = folder / f"{fingerprint(facts)}.json"
    with _one:
        if file.is_file():
            kept: Json | None = json.loads(file.read_text())
            return kept
        try:
            found = _ask(context, config)
        except (subprocess.SubprocessError, ValueError, IndexError, OSError):
            return None  # Perhaps the machine was busy: asked again the next time.
        folder.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".tmp")
        part.write_text(json.dumps(found))
        part.replace(file)
    return found


def _ask(context: Context, config: Json) -> Json | None:
    done = subprocess.run(
        [sys.executable, "-m", "mistudio_ext.workers.sizes"],
        input=json.dumps(config),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        env={**os.environ, **context.worker_environment(), "CUDA_VISIBLE_DEVICES": ""},
        check=True,
    )
    answer: Json | None = json.loads(done.stdout.strip().splitlines()[-1])
    return answer
