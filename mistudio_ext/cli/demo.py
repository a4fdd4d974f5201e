"""``jupyter mistudio demo``: the main job on the bundled sample, in a real server and kernel."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mistudio_ext import sample
from mistudio_ext.cli.progress import ProgressLine, number
from mistudio_ext.client.rest import RestClient
from mistudio_ext.client.server import ServerAddress
from mistudio_ext.errors import MiStudioError, ServerError, from_dict
from mistudio_ext.paths import ENV_DATA_DIR
from mistudio_ext.settings import from_config_files

Json = dict[str, Any]

#: The extraction that the demo notebook opens: the same call is its first cell.
REQUEST: Json = {"hooks": ["resid_post"], "max_samples": 1000, "name": "demo"}

NOTEBOOK = "mistudio-demo.ipynb"

#: Seconds for a server or kernel to start, on a slow machine too.
START_S = 180.0

#: What runs in the kernel: the product as a notebook uses it.
CELL = """
import mistudio_ext as ms
acts = ms.open(NAME).wait()
print(acts)
for hook in acts.hooks:
    a = acts[hook]
    print(f"  {hook:28} {a.dtype} {list(a.shape)}  mean norm "
          f"{(a[:2000].astype('float32') ** 2).sum(-1).mean() ** 0.5:.2f}")
"""


def run(arguments: argparse.Namespace) -> int:
    """Run the story; then leave JupyterLab open, or end."""
    settings = from_config_files(data_dir=arguments.data_dir)
    notebooks = settings.data_dir / "notebooks"
    notebooks.mkdir(parents=True, exist_ok=True)
    if not (notebooks / NOTEBOOK).exists():
        shutil.copyfile(Path(sample.__file__).parent / "demo.ipynb", notebooks / NOTEBOOK)
    with _server(settings.data_dir, notebooks) as (process, address):
        print(f"Jupyter server with miStudio at {address.url}, data in {settings.data_dir}")
        client = RestClient(address)
        extraction = _story(client)
        print(_in_kernel(address, f"NAME = {extraction['name']!r}\n{CELL}"), end="")
        print(f"{number(extraction['timings']['tokens_per_s'])} tokens/s in the worker")
        if not arguments.headless:
            _stay(process, address)
    return 0


def _story(client: RestClient) -> Json:
    """Register the sample, look at it, extract; return the finished extraction."""
    dataset = client.post("datasets", {"source": "sample"})
    _follow(client, dataset["job"])
    record = client.get(f"datasets/{dataset['dataset']['id']}")
    splits = " + ".join(f"{number(s['n_rows'])} {s['name']}" for s in record["splits"])
    print(f"dataset  {record['name']}: {splits} documents")
    model = client.post("models", {"source": "sample"})
    _follow(client, model["job"])
    record = client.get(f"models/{model['model']['id']}")
    print(
        f"model    {record['name']}: {record['family']}, {number(record['n_params'])} parameters, "
        f"{record['n_layers']} layers, d_model {record['d_model']}"
    )
    body = {"model": model["model"]["id"], "dataset": dataset["dataset"]["id"], **REQUEST}
    estimate = client.post("extractions/estimate", body)
    exact = "" if estimate["exact"] else "about "
    print(
        f"estimate {exact}{number(estimate['n_tokens'])} tokens, "
        f"{exact}{estimate['bytes'] / 1e6:.0f} MB in {len(estimate['hooks'])} arrays"
    )
    started = _start(client, body)
    _follow(client, started["job"])
    return client.get(f"extractions/{started['extraction']['id']}")


def _start(client: RestClient, body: Json) -> Json:
    """Start the extraction, under another name where somebody's own has this one."""
    try:
        return client.post("extractions", body)
    except MiStudioError as error:
        if error.code != "name_taken":
            raise
    print(f"There is another extraction '{body['name']}' here; this one gets a name of its own.")
    return client.post("extractions", {**body, "name": None})


def _follow(client: RestClient, job: Json | None) -> None:
    """Show a job's progress, and of those it waits for; raise its error."""
    line = ProgressLine()
    while job is not None and job["state"] in ("queued", "running"):
        needed = [client.get(f"jobs/{job_id}") for job_id in job["depends_on"]]
        active = [other for other in needed if other["state"] == "running"]
        line.show(active[0] if active else job)
        time.sleep(0.2)
        job = client.get(f"jobs/{job['id']}")
    line.end()
    if job is not None and job["state"] != "done":
        raise from_dict(job["error"] or {"message": f"The job ended as {job['state']}."})


@contextlib.contextmanager
def _server(data_dir: Path, notebooks: Path) -> Iterator[tuple[subprocess.Popen[bytes], Any]]:
    """Run a JupyterLab server of this environment; yield its process and address."""
    token = secrets.token_hex(24)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser"]
    command += [f"--ServerApp.root_dir={notebooks}", "--LabApp.news_url=None"]
    if os.geteuid() == 0:
        command.append("--allow-root")
    environment = {**os.environ, ENV_DATA_DIR: str(data_dir), "JUPYTER_TOKEN": token}
    log = data_dir / "demo-server.log"
    with log.open("wb") as out:
        # A session of its own: Ctrl-C is for us, who then end the server in good order.
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=environment,
            start_new_session=True,
        )
        try:
            yield process, _address(process, token, log)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _address(process: subprocess.Popen[bytes], token: str, log: Path) -> ServerAddress:
    """Wait until the server answers, and return where."""
    from jupyter_core.paths import jupyter_runtime_dir

    facts = Path(jupyter_runtime_dir()) / f"jpserver-{process.pid}.json"
    deadline = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError, ValueError, ServerError):
            address = ServerAddress(json.loads(facts.read_text())["url"], token)
            RestClient(address).get("system")
            return address
        time.sleep(0.1)
    raise ServerError(
        "The Jupyter server did not start.",
        code="server_not_started",
        hint=f"Its log is {log}; 'jupyter mistudio doctor' looks at the environment.",
    )


def _in_kernel(address: ServerAddress, code: str) -> str:
    """Run code in a new kernel of the server and return what it printed."""
    from jupyter_client.blocking.client import BlockingKernelClient
    from jupyter_core.paths import jupyter_runtime_dir

    kernel = _jupyter(address, "POST", "api/kernels", {"name": "python3"})
    try:
        client: Any = BlockingKernelClient()
        client.load_connection_file(f"{jupyter_runtime_dir()}/kernel-{kernel['id']}.json")
        client.start_channels()
        _until_ready(client)
        printed: list[str] = []

        def take(message: Json) -> None:
            content = message["content"]
            if message["msg_type"] == "stream" and content["name"] == "stdout":
                printed.append(content["text"])

        reply = client.execute_interactive(code, timeout=START_S, output_hook=take)["content"]
        client.stop_channels()
        if reply["status"] != "ok":
            raise from_dict(
                {"code": "kernel_failed", "message": f"{reply['ename']}: {reply['evalue']}"}
            )
        return "".join(printed)
    finally:
        _jupyter(address, "DELETE", f"api/kernels/{kernel['id']}")


def _until_ready(client: Any) -> None:
    """Wait until a kernel answers.

    A client that did not start the kernel itself takes one that is still importing
    for a dead one, so it is asked again.
    """
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        with contextlib.suppress(RuntimeError):
            client.wait_for_ready(timeout=START_S)
            return
        time.sleep(0.5)
    raise ServerError(
        "The kernel did not start.",
        code="kernel_not_started",
        hint="'jupyter mistudio doctor' looks at the environment.",
    )


def _jupyter(address: ServerAddress, method: str, route: str, body: Json | None = None) -> Json:
    """Call the Jupyter server's own REST API."""
    import urllib.request

    request = urllib.request.Request(
        address.url + route,
        method=method,
        data=json.dumps(body).encode() if body is not None else None,
        headers={"Authorization": f"token {address.token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=START_S) as answer:
        text = answer.read()
    found: Json = json.loads(text) if text else {}
    return found


def _stay(process: subprocess.Popen[bytes], address: ServerAddress) -> None:
    """Open JupyterLab on the demo notebook and wait for Ctrl-C."""
    url = f"{address.url}lab/tree/{NOTEBOOK}?token={address.token}"
    print(f"\nJupyterLab is open at\n  {url}\nCtrl-C ends it.", flush=True)
    with contextlib.suppress(webbrowser.Error):
        webbrowser.open(url)
    with contextlib.suppress(KeyboardInterrupt):
        process.wait()
