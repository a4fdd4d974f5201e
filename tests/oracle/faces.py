"""The product's other faces: a Jupyter server's REST interface, and the command line.

Both run in processes of their own, whose workers are forked in the same nursery.
"""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
import time
import urllib.error
from pathlib import Path
from typing import Any

from mistudio_ext.errors import MiStudioError
from tests.oracle.forks import forked_workers
from tests.oracle.session import PATIENCE, Session
from tests.servers import JupyterProcess

Json = dict[str, Any]


def by_command(settings: Json, session: Session) -> Path:
    """Run ``jupyter mistudio extract`` and return the extraction's folder."""
    command = [*_python(session), "-m", "mistudio_ext.cli", "extract", "--json"]
    command += ["--data-dir", str(session.data_dir)]
    for name, value in settings.items():
        if isinstance(value, list):
            value = ",".join(map(str, value))
        if value is not None:
            command.append(f"--{name.replace('_', '-')}={value}")
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    if done.returncode:
        raise RuntimeError(f"exit {done.returncode}: {done.stderr[-500:]}")
    return session.data_dir / "activations" / json.loads(done.stdout)["id"]


def by_rest(model: Json, body: Json, session: Session) -> Path:
    """Register the model, post the request, and return the extraction's folder."""
    server = _server(session)
    added = _post(server, "models", model)
    _end_of(server, added.get("job"))
    made = _post(server, "extractions", {**body, "model": added["model"]["id"]})
    _end_of(server, made.get("job"))
    return server.data_dir / "activations" / str(made["extraction"]["id"])


def _post(server: JupyterProcess, path: str, body: Json) -> Json:
    given = {name: value for name, value in body.items() if value is not None}
    try:
        answer: Json = server.api(path, given)
    except urllib.error.HTTPError as error:
        facts = json.loads(error.read())
        raise MiStudioError(facts["message"], code=facts["code"]) from error
    return answer


def _end_of(server: JupyterProcess, job: Json | None) -> None:
    end = time.monotonic() + PATIENCE
    while job is not None and job["state"] in ("queued", "running"):
        if time.monotonic() > end:
            raise TimeoutError(f"{job['id']} is {job['state']}")
        time.sleep(0.1)
        job = server.api(f"jobs/{job['id']}")
    if job is not None and job["state"] != "done":
        error = job["error"] or {}
        raise MiStudioError(str(error.get("message")), code=str(error.get("code")))


def _server(session: Session) -> JupyterProcess:
    if session.server is None:
        folder = session.folder / "server"
        folder.mkdir()
        python = folder / "python"
        python.write_text("#!/bin/sh\nexec " + " ".join(_python(session)) + ' "$@"\n')
        python.chmod(0o755)
        session.server = JupyterProcess(folder, python=str(python))
        session.server.start()
    return session.server


def _python(session: Session) -> list[str]:
    nursery = session.nursery
    return [sys.executable, *(["-m", "tests.oracle.faces", str(nursery.socket)] if nursery else [])]


def main() -> None:
    """Run a module like ``python -m``, with workers that are forked in a nursery."""
    place, _, module, *rest = sys.argv[1:]
    sys.argv = [module, *rest]
    with forked_workers(Path(place)):
        runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    os.environ["PYTHONWARNINGS"] = ""
    main()
