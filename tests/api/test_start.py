"""The extension is light: no torch in the server, and hardly any time at its start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

#: What must never be imported by the server.
HEAVY = ("torch", "transformers", "datasets", "bitsandbytes", "accelerate")

#: Seconds of processor time that the extension may add to the start of a server.
BUDGET_S = 0.3

START = """
import json, sys, time, asyncio
from jupyter_server.serverapp import ServerApp
import jupyterlab, notebook_shim
began = time.process_time()
app = ServerApp(jpserver_extensions={"mistudio_ext": sys.argv[1] == "with"}, port=0,
                open_browser=False, allow_root=True, log_level=40)
app.initialize(argv=[], find_extensions=False)
took = time.process_time() - began
if len(sys.argv) > 2:
    async def use():
        host = app.web_app.settings["mistudio_host"]
        studio = await host.studio()
        studio.datasets.create({"source": "sample"})
        job = studio.jobs.all()[0]
        while studio.jobs.wait(job.id).state in ("queued", "running"):
            pass
        assert studio.jobs.get(job.id).state == "done", studio.jobs.get(job.id)
        studio.dataset_views.samples(studio.datasets.list()[0]["id"], limit=3)
        studio.system.get()
        host.close()
    asyncio.run(use())
print(json.dumps({"took": took, "modules": sorted(sys.modules)}))
"""


def start(*arguments: str, folder: Path) -> dict[str, object]:
    """Start a server in a fresh process and return seconds and modules."""
    environment = {
        **os.environ,
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "MISTUDIO_DATA_DIR": str(folder / "mistudio"),
    }
    command = [sys.executable, "-c", START, *arguments]
    answer = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True, timeout=200
    )
    found: dict[str, object] = json.loads(answer.stdout.splitlines()[-1])
    return found


def test_the_server_never_imports_torch(tmp_path: Path) -> None:
    """Neither at the start nor when the extension is used: workers do that."""
    found = start("with", "used", folder=tmp_path)
    modules = set(map(str, found["modules"]))  # type: ignore[call-overload]
    assert "mistudio_ext.api.app" in modules
    assert "mistudio_ext.studio" in modules
    assert modules.isdisjoint(HEAVY)


def test_services_wait_for_the_first_use(tmp_path: Path) -> None:
    """What opens the catalog is imported behind the server's back, not while it starts."""
    modules = set(map(str, start("with", folder=tmp_path)["modules"]))  # type: ignore[call-overload]
    assert "mistudio_ext.api.app" in modules
    assert modules.isdisjoint({"sqlalchemy", "alembic", "mistudio_ext.studio"})


def test_the_extension_adds_little_to_the_start(tmp_path: Path) -> None:
    """With and without it, in turn; the least processor time of each counts, free of noise."""
    took: dict[str, list[float]] = {"with": [], "without": []}
    for _ in range(4):
        for which, seconds in took.items():
            seconds.append(float(start(which, folder=tmp_path)["took"]))  # type: ignore[arg-type]
    assert min(took["with"]) - min(took["without"]) < BUDGET_S, took
