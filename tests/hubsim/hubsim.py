#!/usr/bin/env python3
# ruff: noqa: BLE001, C416, E501, RET503, RUF006
# mypy: ignore-errors
"""hubsim - a loopback stand-in for the Hugging Face Hub, for tests.

It serves a local folder of repositories over HTTP the way the public Hub does, closely enough that
``huggingface_hub``, ``datasets`` and ``transformers`` work against it unmodified with ``HF_ENDPOINT`` set, and it can
misbehave on demand (drop, stall, throttle, corrupt, rate-limit ...).

One file; the only hard dependency is tornado, which every Jupyter environment already has. pyarrow is optional and is
only imported for the row-level dataset-viewer routes. See README.md for the folder layout, routes and fault list.

As a library::

    with HubSim(root) as hub:                        # own thread, ephemeral ports
        hub.fail(after=1_000_000, match=r"model\\.safetensors", times=1)
        subprocess.run([...], env={**os.environ, **hub.env(hf_home=tmp)})
        assert any(r["range"] for r in hub.requests)

As a program::

    python hubsim.py --root DIR --port 8099 --fail-after 1000000 --fail-times 1
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fnmatch
import gzip
import hashlib
import json
import os
import re
import struct
import sys
import threading
import time
import urllib.parse
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import tornado.httpserver
import tornado.ioloop
import tornado.iostream
import tornado.netutil
import tornado.web

__version__ = "1.0"

KINDS = ("models", "datasets", "spaces")
LFS_PATTERNS = (
    "*.7z *.arrow *.bin *.bz2 *.ckpt *.ftz *.gguf *.gz *.h5 *.joblib *.model *.msgpack *.npy *.npz *.onnx *.ot "
    "*.parquet *.pb *.pickle *.pkl *.pt *.pth *.rar *.safetensors *.tar *.tflite *.tgz *.wasm *.xz *.zip *.zst"
).split()
LFS_THRESHOLD = 10 * 1024 * 1024
META = ".hubsim.json"
SHA = re.compile(r"[0-9a-f]{40}")
CHUNK = 64 * 1024


# ---------------------------------------------------------------------------------------------------------------------
# Repositories on disk
# ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    """One file of a repository, with the identifiers the Hub would give it."""

    path: str
    disk: Path
    size: int
    git_oid: str  # of the content, or of the LFS pointer when `sha256` is set
    sha256: str | None  # set = stored through LFS
    pointer_size: int | None

    @property
    def etag(self) -> str:
        return self.sha256 or self.git_oid

    def tree_item(self) -> dict:
        item = {"type": "file", "oid": self.git_oid, "size": self.size, "path": self.path}
        if self.sha256:
            item["lfs"] = {"oid": self.sha256, "size": self.size, "pointerSize": self.pointer_size}
        return item

    def sibling(self, blobs: bool) -> dict:
        out: dict[str, Any] = {"rfilename": self.path}
        if blobs:
            out |= {"size": self.size, "blobId": self.git_oid}
            if self.sha256:
                out["lfs"] = {
                    "sha256": self.sha256,
                    "size": self.size,
                    "pointerSize": self.pointer_size,
                }
        return out


class _Hashes:
    """(path, size, mtime_ns) -> (git oid, sha256); so that hashing large files happens once per change."""

    def __init__(self) -> None:
        self._cache: dict[tuple[str, int, int], tuple[str, str]] = {}
        self._lock = threading.Lock()

    def get(self, path: Path, st: os.stat_result) -> tuple[str, str]:
        key = (str(path), st.st_size, st.st_mtime_ns)
        with self._lock:
            hit = self._cache.get(key)
        if hit:
            return hit
        git, sha = hashlib.sha1(b"blob %d\0" % st.st_size), hashlib.sha256()
        with open(path, "rb") as f:
            while block := f.read(1 << 20):
                git.update(block)
                sha.update(block)
        value = (git.hexdigest(), sha.hexdigest())
        with self._lock:
            self._cache[key] = value
        return value


class Repo:
    """A folder `<root>/<kind>/<id>` (branch main) plus sibling folders `<id>@<revision>` for other revisions."""

    def __init__(self, root: Path, kind: str, repo_id: str, hashes: _Hashes) -> None:
        self.kind, self.id, self._hashes = kind, repo_id, hashes
        self.dir = root / kind / repo_id
        meta = self.dir / META
        self.meta: dict[str, Any] = json.loads(meta.read_text("utf-8")) if meta.is_file() else {}
        self.gated = self.meta.get("gated", False)
        self.private = bool(self.meta.get("private", False))
        self.disabled = bool(self.meta.get("disabled", False))

    def revisions(self) -> dict[str, Path]:
        out = {"main": self.dir}
        for sib in sorted(self.dir.parent.glob(self.dir.name + "@*")):
            if sib.is_dir():
                out[urllib.parse.unquote(sib.name.split("@", 1)[1])] = sib
        return out

    def tags(self) -> set[str]:
        return set(self.meta.get("git_tags", []))

    def files(self, folder: Path) -> dict[str, Entry]:
        out: dict[str, Entry] = {}
        for base, dirs, names in os.walk(folder):
            dirs[:] = sorted(d for d in dirs if d != ".git")
            for name in sorted(names):
                if name == META:
                    continue
                disk = Path(base, name)
                rel = disk.relative_to(folder).as_posix()
                st = disk.stat()
                git, sha = self._hashes.get(disk, st)
                patterns = self.meta.get("lfs", LFS_PATTERNS)
                if st.st_size > LFS_THRESHOLD or any(fnmatch.fnmatch(name, p) for p in patterns):
                    pointer = (
                        f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha}\nsize {st.st_size}\n"
                    ).encode()
                    oid = hashlib.sha1(b"blob %d\0" % len(pointer) + pointer).hexdigest()
                    out[rel] = Entry(rel, disk, st.st_size, oid, sha, len(pointer))
                else:
                    out[rel] = Entry(rel, disk, st.st_size, git, None, None)
        return out

    def commit(self, folder: Path, files: dict[str, Entry]) -> str:
        """A commit id that changes whenever any file of the revision does."""
        h = hashlib.sha1(f"{self.kind}/{self.id}\n".encode())
        for p in sorted(files):
            h.update(f"{p} {files[p].etag}\n".encode())
        return h.hexdigest()

    def resolve(self, revision: str) -> tuple[str, dict[str, Entry]] | None:
        """revision (branch, tag, ref or commit id) -> (commit id, files)."""
        revs = self.revisions()
        if revision in revs:
            files = self.files(revs[revision])
            return self.commit(revs[revision], files), files
        if SHA.fullmatch(revision):
            for folder in revs.values():
                files = self.files(folder)
                if self.commit(folder, files) == revision:
                    return revision, files
        return None

    def card(self, files: dict[str, Entry]) -> dict | None:
        """The YAML front matter of README.md, if PyYAML is importable."""
        entry = files.get("README.md")
        if entry is None:
            return None
        m = re.match(r"---\s*\n(.*?)\n---", entry.disk.read_text("utf-8", "replace"), re.S)
        if not m:
            return None
        try:
            import yaml

            data = yaml.safe_load(m.group(1))
            return data if isinstance(data, dict) else None
        except Exception:
            return None

    def info(self, commit: str, files: dict[str, Entry], *, blobs: bool, full: bool = True) -> dict:
        mtime = max((e.disk.stat().st_mtime for e in files.values()), default=0.0)
        stamp = datetime.fromtimestamp(mtime, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        card = self.card(files) or {}
        tags = list(self.meta.get("tags", []))
        for key in (
            "language",
            "license",
            "task_categories",
            "size_categories",
            "tags",
            "datasets",
            "base_model",
        ):
            values = card.get(key)
            for v in values if isinstance(values, list) else [values] if values else []:
                tags.append(
                    str(v)
                    if key == "tags"
                    else f"{key.removesuffix('s') if key == 'datasets' else key}:{v}"
                )
        out: dict[str, Any] = {
            "_id": hashlib.md5(self.id.encode()).hexdigest()[:24],
            "id": self.id,
            "author": self.id.split("/")[0] if "/" in self.id else None,
            "sha": commit,
            "lastModified": stamp,
            "createdAt": self.meta.get("createdAt", stamp),
            "private": self.private,
            "gated": self.gated,
            "disabled": self.disabled,
            "downloads": self.meta.get("downloads", 0),
            "likes": self.meta.get("likes", 0),
            "trendingScore": self.meta.get("trendingScore", 0),
            "tags": tags,
        }
        if full:
            out["cardData"] = card or None
            out["siblings"] = [e.sibling(blobs) for e in files.values()]
            out["usedStorage"] = sum(e.size for e in files.values())
        if self.kind == "models":
            out["modelId"] = self.id
            names = set(files)
            library = self.meta.get(
                "library_name", "transformers" if "config.json" in names else None
            )
            if library:
                out["library_name"] = library
            if tag := self.meta.get(
                "pipeline_tag", "text-generation" if library == "transformers" else None
            ):
                out["pipeline_tag"] = tag
            if full and (st := self._safetensors(files)):
                out["safetensors"] = st
            if full and "config.json" in names:
                with contextlib.suppress(ValueError):
                    cfg = json.loads(files["config.json"].disk.read_text("utf-8"))
                    out["config"] = {k: cfg[k] for k in ("architectures", "model_type") if k in cfg}
        return out

    @staticmethod
    def _safetensors(files: dict[str, Entry]) -> dict | None:
        counts: dict[str, int] = {}
        for p, e in files.items():
            if "/" in p or not p.endswith(".safetensors"):
                continue
            with open(e.disk, "rb") as f:
                (n,) = struct.unpack("<Q", f.read(8))
                head = json.loads(f.read(n))
            for k, t in head.items():
                if k != "__metadata__":
                    size = 1
                    for d in t["shape"]:
                        size *= d
                    counts[t["dtype"]] = counts.get(t["dtype"], 0) + size
        return {"parameters": counts, "total": sum(counts.values())} if counts else None


# ---------------------------------------------------------------------------------------------------------------------
# Faults
# ---------------------------------------------------------------------------------------------------------------------


@dataclass
class Fault:
    """One way to misbehave; applied to requests whose "METHOD /path" matches `match`, at most `times` times.

    kind        what happens                                                parameters
    ----------  ----------------------------------------------------------  -------------------------------------
    disconnect  body cut after N bytes, TCP connection closed               after
    truncate    like disconnect, but Content-Length lies to fit: a clean    after
                short answer
    stall       body pauses for S seconds after N bytes                     after, seconds
    throttle    body sent at no more than R bytes per second                rate
    latency     S seconds before the answer starts                          seconds
    status      answer with this HTTP status instead                        status, retry_after, error_code, message
    corrupt     one byte of the body is inverted                            after (the position)
    norange     Range header is ignored (200 and the whole file)            -
    nolength    text files: gzip + chunked encoding, no Content-Length      -
    drop        connection closed before any answer                         -
    """

    kind: str
    match: str = r"^GET .*/(resolve|resolve-cache|_cdn)/"
    times: int | None = None
    after: int = 0
    seconds: float = 0.0
    rate: float = 0.0
    status: int = 503
    retry_after: int | None = None
    error_code: str | None = None
    message: str | None = None
    hits: int = field(default=0)

    KINDS = (
        "disconnect",
        "truncate",
        "stall",
        "throttle",
        "latency",
        "status",
        "corrupt",
        "norange",
        "nolength",
        "drop",
    )

    def __post_init__(self) -> None:
        if self.kind not in self.KINDS:
            raise ValueError(f"unknown fault kind {self.kind!r}; one of {', '.join(self.KINDS)}")
        self._re = re.compile(self.match)

    def take(self, what: str) -> bool:
        if self.times is not None and self.hits >= self.times:
            return False
        if not self._re.search(what):
            return False
        self.hits += 1
        return True

    def public(self) -> dict:
        return {k: v for k, v in asdict(self).items()}


# ---------------------------------------------------------------------------------------------------------------------
# The server
# ---------------------------------------------------------------------------------------------------------------------


class HubSim:
    """The simulated Hub. Usable as a context manager (own thread) or through `serve_forever()`."""

    def __init__(
        self,
        root: str | os.PathLike,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        cdn: bool = True,
        resolve_cache: bool = True,
        tokens: dict[str, str] | None = None,
        page_size: int = 1000,
        verbose: bool = False,
    ) -> None:
        self.root = Path(root).resolve()
        if not self.root.is_dir():
            raise FileNotFoundError(self.root)
        self.host, self._port, self.cdn, self.resolve_cache = host, port, cdn, resolve_cache
        self.page_size, self.verbose = page_size, verbose
        conf = self.root / "hubsim.json"
        self.conf: dict[str, Any] = json.loads(conf.read_text("utf-8")) if conf.is_file() else {}
        self.tokens: dict[str, str] = {**self.conf.get("tokens", {}), **(tokens or {})}
        self.aliases: dict[str, str] = self.conf.get("aliases", {})
        self.faults: list[Fault] = []
        self.requests: list[dict] = []
        self.hashes = _Hashes()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._servers: list[tornado.httpserver.HTTPServer] = []
        self.cdn_url = ""

    # --- repositories -----------------------------------------------------------------------------------------------

    def repo(self, kind: str, repo_id: str) -> Repo | None:
        if ".." in repo_id.split("/") or "@" in repo_id:
            return None
        folder = self.root / kind / repo_id
        return Repo(self.root, kind, repo_id, self.hashes) if self._is_repo(folder) else None

    @staticmethod
    def _is_repo(folder: Path) -> bool:
        return folder.is_dir() and any(p.is_file() for p in folder.iterdir())

    def repos(self, kind: str) -> list[Repo]:
        base, out = self.root / kind, []
        for first in sorted(base.iterdir()) if base.is_dir() else []:
            if not first.is_dir() or "@" in first.name:
                continue
            if self._is_repo(first):
                out.append(Repo(self.root, kind, first.name, self.hashes))
                continue
            out += [
                Repo(self.root, kind, f"{first.name}/{second.name}", self.hashes)
                for second in sorted(first.iterdir())
                if "@" not in second.name and self._is_repo(second)
            ]
        return out

    # --- faults and log ---------------------------------------------------------------------------------------------

    def fail(self, kind: str = "disconnect", **kwargs: Any) -> Fault:
        """Add a fault; returns it, so that a test can read `.hits`."""
        fault = Fault(kind, **kwargs)
        self.faults.append(fault)
        return fault

    def heal(self) -> None:
        """Remove every fault."""
        self.faults.clear()

    def calls(self, pattern: str = "") -> list[dict]:
        """Logged requests whose "METHOD /path" matches `pattern`."""
        rx = re.compile(pattern)
        return [r for r in list(self.requests) if rx.search(f"{r['method']} {r['path']}")]

    # --- life cycle -------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self._port}"

    def env(
        self, hf_home: str | os.PathLike | None = None, token: str | None = None
    ) -> dict[str, str]:
        """Environment for a client process: this server, an isolated cache, no telemetry, no Xet."""
        out = {
            "HF_ENDPOINT": self.url,
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_IMPLICIT_TOKEN": "0",
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }
        if hf_home is not None:
            out["HF_HOME"] = str(hf_home)
        if token is not None:
            out["HF_TOKEN"] = token
        return out

    def app(self) -> tornado.web.Application:
        rid = r"([\w.-]+(?:/[\w.-]+)?)"
        api = r"/api/(models|datasets|spaces)"
        a = {"hub": self}
        return tornado.web.Application(
            [
                (r"/_hubsim/(faults|requests|health)", Control, a),
                (
                    r"/_cdn/([0-9a-f]{64})/(models|datasets|spaces)/"
                    + rid
                    + r"/([0-9a-f]{40})/(.+)",
                    Cdn,
                    a,
                ),
                (
                    r"/api/resolve-cache/(models|datasets|spaces)/" + rid + r"/([0-9a-f]{40})/(.+)",
                    ResolveCache,
                    a,
                ),
                (api + r"/?", Listing, a),
                (r"/api/whoami-v2", WhoAmI, a),
                (r"/api/validate-yaml", ValidateYaml, a),
                (r"/api/telemetry.*", Empty, a),
                (r"/api/agent-harnesses", Empty, a),
                (r"/api/(models|datasets)-tags-by-type", Empty, a),
                (api + "/" + rid + r"/tree/([^/]+)(?:/(.*))?", Tree, a),
                (api + "/" + rid + r"/paths-info/([^/]+)", PathsInfo, a),
                (api + "/" + rid + r"/refs", Refs, a),
                (api + "/" + rid + r"/commits/([^/]+)", Commits, a),
                (api + "/" + rid + r"/auth-check(?:/write)?", AuthCheck, a),
                (api + "/" + rid + r"/revision/(.+)", Info, a),
                (api + "/" + rid, Info, a),
                (r"/(splits|parquet|info|size|first-rows|rows|is-valid)", Viewer, a),
                (r"/(?:(datasets|spaces)/)?" + rid + r"/(resolve|raw)/([^/]+)/(.+)", Resolve, a),
            ],
            default_handler_class=NotFound,
            default_handler_args=a,
            compress_response=False,
            log_function=lambda handler: None,
        )

    def _listen(self) -> None:
        sockets = tornado.netutil.bind_sockets(self._port, self.host)
        self._port = sockets[0].getsockname()[1]
        server = tornado.httpserver.HTTPServer(self.app())
        server.add_sockets(sockets)
        self._servers = [server]
        self.cdn_url = self.url
        if self.cdn:  # another port = another origin, so that a client which leaks its token to it can be caught
            extra = tornado.netutil.bind_sockets(0, self.host)
            self.cdn_url = f"http://{self.host}:{extra[0].getsockname()[1]}"
            second = tornado.httpserver.HTTPServer(self.app())
            second.add_sockets(extra)
            self._servers.append(second)

    def start(self) -> HubSim:
        ready, error = threading.Event(), []

        def run() -> None:
            loop = asyncio.new_event_loop()
            asyncio.set_event_loop(loop)
            self._loop = loop

            async def up() -> None:
                try:
                    self._listen()
                except Exception as e:
                    error.append(e)
                ready.set()

            loop.create_task(up())
            loop.run_forever()
            for task in asyncio.all_tasks(loop):
                task.cancel()
            loop.run_until_complete(asyncio.sleep(0))
            loop.close()

        self._thread = threading.Thread(target=run, name="hubsim", daemon=True)
        self._thread.start()
        ready.wait(10)
        if error:
            raise error[0]
        return self

    def stop(self) -> None:
        if self._loop is None:
            return

        async def down() -> None:
            for s in self._servers:
                s.stop()
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(s.close_all_connections(), 1)
            self._loop.stop()

        asyncio.run_coroutine_threadsafe(down(), self._loop)
        self._thread.join(5)
        self._loop = None

    __enter__ = start

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def serve_forever(self) -> None:
        async def main() -> None:
            self._listen()
            print(
                json.dumps({"url": self.url, "cdn": self.cdn_url, "root": str(self.root)}),
                flush=True,
            )
            await asyncio.Event().wait()

        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(main())


class Base(tornado.web.RequestHandler):
    def initialize(self, hub: HubSim) -> None:
        self.hub = hub
        self.sent = 0
        self.faults: list[Fault] = []

    def compute_etag(self) -> None:  # the Hub's own ETags are set explicitly
        return None

    def check_xsrf_cookie(self) -> None:
        return None

    async def prepare(self) -> None:
        self.record = {
            "t": time.time(),
            "method": self.request.method,
            "path": self.request.path,
            "query": self.request.query,
            "range": self.request.headers.get("Range"),
            "auth": "Authorization" in self.request.headers,
            "origin": self.request.host,
            "agent": self.request.headers.get("User-Agent", "")[:200],
            "status": None,
            "sent": 0,
        }
        self.hub.requests.append(self.record)
        if self.request.path.startswith("/_hubsim/"):
            self.hub.requests.pop()
            return
        what = f"{self.request.method} {self.request.path}"
        self.faults = [f for f in self.hub.faults if f.take(what)]
        for f in self.faults:
            if f.kind == "latency":
                await asyncio.sleep(f.seconds)
            elif f.kind == "drop":
                self.hang_up()
                self._finished = True
                raise tornado.web.Finish()
            elif f.kind == "status":
                self.error(
                    f.status,
                    f.error_code,
                    f.message or f"injected {f.status}",
                    retry_after=f.retry_after,
                )
                raise tornado.web.Finish()

    def on_finish(self) -> None:
        self.record["status"] = self.get_status()
        self.record["sent"] = self.sent
        if self.hub.verbose and not self.request.path.startswith("/_hubsim/"):
            r = self.record
            print(
                r["method"],
                r["path"],
                r["query"],
                r["range"] or "",
                "->",
                r["status"],
                r["sent"],
                file=sys.stderr,
            )

    def hang_up(self) -> None:
        """End the exchange without a proper end of the answer (on purpose, or because the client left)."""
        self._auto_finish = False
        if not self.request.connection.stream.closed():
            self.request.connection.stream.close()
        self.on_finish()

    def fault(self, kind: str) -> Fault | None:
        return next((f for f in self.faults if f.kind == kind), None)

    # --- answers ----------------------------------------------------------------------------------------------------

    def json(self, data: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(data).encode()
        self.set_status(status)
        self.set_header("Content-Type", "application/json; charset=utf-8")
        for k, v in (headers or {}).items():
            self.set_header(k, v)
        self.sent = len(body)
        self.finish(body)

    def error(
        self,
        status: int,
        code: str | None,
        message: str,
        *,
        retry_after: int | None = None,
        commit: str | None = None,
    ) -> None:
        """An error in the Hub's own dialect: X-Error-Code, X-Error-Message and a JSON body."""
        headers = {"X-Error-Message": message}
        if code:
            headers["X-Error-Code"] = code
        if commit:
            headers["X-Repo-Commit"] = commit
        if status == 401:
            headers["WWW-Authenticate"] = 'Bearer realm="Authentication required", charset="UTF-8"'
        if status == 429:
            wait = retry_after if retry_after is not None else 1
            headers["RateLimit"] = f'"api";r=0;t={wait}'
            headers["RateLimit-Policy"] = '"fixed window";"api";q=500;w=300'
            headers["Retry-After"] = str(wait)
        elif retry_after is not None:
            headers["Retry-After"] = str(retry_after)
        self.json({"error": message}, status, headers)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        if not self._finished:
            self.error(status_code, None, self._reason)

    # --- who may see what -------------------------------------------------------------------------------------------

    def user(self) -> str | None:
        """The caller's name; None = anonymous. Answers 401 itself when the token is unknown."""
        header = self.request.headers.get("Authorization", "")
        if not header.lower().startswith("bearer "):
            return None
        name = self.hub.tokens.get(header[7:].strip())
        if name is None:
            self.error(401, None, "Invalid credentials in Authorization header")
            raise tornado.web.Finish()
        return name

    def open_repo(self, kind: str, repo_id: str, *, content: bool) -> Repo:
        """The repo, or the Hub's refusal. `content` = a file is wanted (gating applies), else metadata only."""
        user = self.user()
        target = self.hub.aliases.get(repo_id)
        if target:
            self.set_status(307)
            self.set_header("Location", self.request.uri.replace(repo_id, target, 1))
            self.set_header("X-Error-Code", "RepoMoved")
            self.finish()
            raise tornado.web.Finish()
        repo = self.hub.repo(kind, repo_id)
        allowed = (
            repo is not None
            and user is not None
            and user in {*repo.meta.get("access", []), repo_id.split("/")[0]}
        )
        if repo is None or (repo.private and not allowed):
            # The Hub does not tell apart "missing" from "private" for anonymous callers.
            self.error(401 if user is None else 404, "RepoNotFound", "Repository not found")
            raise tornado.web.Finish()
        if repo.disabled:
            self.error(403, None, "Access to this resource is disabled.")
            raise tornado.web.Finish()
        if content and repo.gated and not allowed:
            noun = {"models": "model", "datasets": "dataset", "spaces": "space"}[kind]
            if user is None:
                self.error(
                    401,
                    "GatedRepo",
                    f"Access to {noun} {repo_id} is restricted. You must have access to it and be authenticated to "
                    "access it. Please log in.",
                )
            else:
                self.error(
                    403,
                    "GatedRepo",
                    f"Access to {noun} {repo_id} is restricted and you are not in the authorized list. Visit "
                    f"{self.hub.url}/{'' if kind == 'models' else kind + '/'}{repo_id} to ask for access.",
                )
            raise tornado.web.Finish()
        return repo

    def at(self, repo: Repo, revision: str) -> tuple[str, dict[str, Entry]]:
        found = repo.resolve(revision)
        if found is None:
            self.error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
            raise tornado.web.Finish()
        return found

    # --- a file body ------------------------------------------------------------------------------------------------

    async def send_file(self, disk: Path, size: int) -> None:
        """Send a file, or the range asked for, applying the body faults."""
        start, end = 0, size
        rng = None if self.fault("norange") else self.request.headers.get("Range")
        self.set_header("Accept-Ranges", "bytes")
        if rng:
            m = re.fullmatch(r"bytes=(\d*)-(\d*)", rng.strip())
            if m and (m.group(1) or m.group(2)):
                if m.group(1):
                    start = int(m.group(1))
                    end = min(size, int(m.group(2)) + 1) if m.group(2) else size
                else:
                    start = max(0, size - int(m.group(2)))
                if start >= size and size > 0:
                    self.set_status(416)
                    self.set_header("Content-Range", f"bytes */{size}")
                    self.finish()
                    return None
                self.set_status(206)
                self.set_header("Content-Range", f"bytes {start}-{end - 1}/{size}")
        if self.fault("nolength") and self.request.method == "GET" and not rng:
            self.set_header("Content-Encoding", "gzip")
            self.write(gzip.compress(disk.read_bytes()))
            await self.flush()  # chunked: no Content-Length
            await self.finish()
            return None
        cut = self.fault("disconnect")
        short = self.fault("truncate")
        if short:
            end = min(end, start + short.after)
        self.set_header("Content-Length", str(end - start))
        if self.request.method == "HEAD":
            self.finish()
            return None
        throttle, stall, corrupt = (
            self.fault("throttle"),
            self.fault("stall"),
            self.fault("corrupt"),
        )
        stalled = False
        began = time.monotonic()
        with open(disk, "rb") as f:
            f.seek(start)
            left = end - start
            while left > 0:
                step = min(CHUNK, left)
                if cut:
                    step = min(step, cut.after - self.sent)
                if stall and not stalled:
                    step = min(step, max(1, stall.after - self.sent))
                if step > 0:
                    block = f.read(step)
                    if corrupt and start + self.sent <= corrupt.after < start + self.sent + len(
                        block
                    ):
                        i = corrupt.after - start - self.sent
                        block = block[:i] + bytes([block[i] ^ 0xFF]) + block[i + 1 :]
                    self.write(block)
                    try:
                        await self.flush()
                    except tornado.iostream.StreamClosedError:
                        return self.hang_up()  # the client went away
                    self.sent += len(block)
                    left -= len(block)
                if cut and self.sent >= cut.after and left > 0:
                    return self.hang_up()
                if stall and not stalled and self.sent >= stall.after:
                    stalled = True
                    await asyncio.sleep(stall.seconds)
                if throttle and throttle.rate > 0:
                    ahead = self.sent / throttle.rate - (time.monotonic() - began)
                    if ahead > 0:
                        await asyncio.sleep(ahead)
        try:
            await self.finish()
        except tornado.iostream.StreamClosedError:
            self.hang_up()


class NotFound(Base):
    def _no(self, *args: Any) -> None:
        self.error(404, None, "Not Found")

    get = head = post = put = delete = _no


class Empty(Base):
    def _ok(self, *args: Any) -> None:
        self.json({})

    get = head = post = _ok


class Control(Base):
    """Steering from another process: GET/POST/DELETE /_hubsim/faults, GET/DELETE /_hubsim/requests."""

    def get(self, what: str) -> None:
        if what == "health":
            self.json({"ok": True, "version": __version__})
        else:
            self.json(
                [f.public() for f in self.hub.faults] if what == "faults" else self.hub.requests
            )

    def post(self, what: str) -> None:
        spec = json.loads(self.request.body)
        for one in spec if isinstance(spec, list) else [spec]:
            one.pop("hits", None)
            self.hub.faults.append(Fault(**one))
        self.json([f.public() for f in self.hub.faults])

    def delete(self, what: str) -> None:
        (self.hub.faults if what == "faults" else self.hub.requests).clear()
        self.json([])


class WhoAmI(Base):
    def get(self) -> None:
        user = self.user()
        if user is None:
            return self.error(401, None, "Invalid username or password.")
        self.json(
            {
                "type": "user",
                "id": user,
                "name": user,
                "fullname": user,
                "email": None,
                "isPro": False,
                "orgs": [],
                "auth": {
                    "type": "access_token",
                    "accessToken": {"displayName": "hubsim", "role": "read"},
                },
            }
        )


class ValidateYaml(Base):
    def post(self) -> None:
        self.json({"errors": [], "warnings": []})


class Listing(Base):
    """Search: /api/models, /api/datasets, /api/spaces."""

    def get(self, kind: str) -> None:
        q = self.get_query_arguments
        user = self.user()
        needles = [s.lower() for s in q("search")]
        wanted = [f for v in q("filter") + q("tags") for f in v.split(",")]
        author, gated, pipeline = (
            self.get_query_argument(k, None) for k in ("author", "gated", "pipeline_tag")
        )
        full = bool(q("full")) or bool(q("expand")) or bool(q("cardData")) or bool(q("config"))
        rows = []
        for repo in self.hub.repos(kind):
            if repo.private and user not in {*repo.meta.get("access", []), repo.id.split("/")[0]}:
                continue
            commit, files = self.at(repo, "main")
            info = repo.info(commit, files, blobs=False, full=full)
            if needles and not all(n in info["id"].lower() for n in needles):
                continue
            if author and (info["author"] or "").lower() != author.lower():
                continue
            if gated is not None and bool(info["gated"]) != (
                gated.lower() in ("true", "1", "auto", "manual")
            ):
                continue
            have = {*info["tags"], info.get("pipeline_tag"), info.get("library_name")}
            if pipeline and info.get("pipeline_tag") != pipeline:
                continue
            if any(w not in have for w in wanted):
                continue
            rows.append(info)
        sort = self.get_query_argument("sort", "trendingScore")
        if sort in ("lastModified", "createdAt", "downloads", "likes", "trendingScore"):
            rows.sort(
                key=lambda r: r[sort], reverse=self.get_query_argument("direction", "-1") != "1"
            )
        if q("expand"):
            keep = {"_id", "id", "modelId", *q("expand"), *q("expand[]")}
            rows = [{k: v for k, v in r.items() if k in keep} for r in rows]
        limit = min(
            int(self.get_query_argument("limit", str(self.hub.page_size))), self.hub.page_size
        )
        self.page(rows, limit)

    def page(self, rows: list, limit: int) -> None:
        at = int(self.get_query_argument("cursor", "0") or 0)
        headers = {"X-Total-Count": str(len(rows))}
        if at + limit < len(rows):
            args = [
                (k, v.decode())
                for k, vs in self.request.query_arguments.items()
                for v in vs
                if k != "cursor"
            ]
            query = urllib.parse.urlencode([*args, ("cursor", str(at + limit))])
            headers["Link"] = (
                f'<{self.request.protocol}://{self.request.host}{self.request.path}?{query}>; rel="next"'
            )
        self.json(rows[at : at + limit], headers=headers)


class Info(Base):
    def get(self, kind: str, repo_id: str, revision: str = "main") -> None:
        repo = self.open_repo(kind, repo_id, content=False)
        commit, files = self.at(repo, urllib.parse.unquote(revision))
        info = repo.info(commit, files, blobs=bool(self.get_query_arguments("blobs")))
        expand = self.get_query_arguments("expand") + self.get_query_arguments("expand[]")
        if expand:
            info = {k: v for k, v in info.items() if k in {"_id", "id", "modelId", *expand}}
        if self.get_query_arguments("securityStatus"):
            info["securityRepoStatus"] = {"scansDone": True, "filesWithIssues": []}
        self.json(info, headers={"X-Repo-Commit": commit})


class Tree(Listing):
    def get(self, kind: str, repo_id: str, revision: str, path: str | None = None) -> None:
        repo = self.open_repo(kind, repo_id, content=False)
        commit, files = self.at(repo, urllib.parse.unquote(revision))
        prefix = urllib.parse.unquote(path or "").strip("/")
        recursive = self.get_query_argument("recursive", "false").lower() in ("true", "1")
        expand = self.get_query_argument("expand", "false").lower() in ("true", "1")
        rows = tree_rows(files, prefix, recursive)
        if rows is None:
            return self.error(
                404, "EntryNotFound", f'{prefix} does not exist on "{revision}"', commit=commit
            )
        if expand:
            rows = [{**r, **expansion(commit)} for r in rows]
        self.page(rows, self.hub.page_size)


def tree_rows(files: dict[str, Entry], prefix: str, recursive: bool) -> list[dict] | None:
    start = prefix + "/" if prefix else ""
    inside = {p: e for p, e in files.items() if p.startswith(start)}
    if prefix and not inside:
        return None
    folders: dict[str, None] = {}
    leaves = []
    for p, e in inside.items():
        parts = p[len(start) :].split("/")
        depth = len(parts) - 1 if recursive else min(1, len(parts) - 1)
        for i in range(1, depth + 1):
            folders[start + "/".join(parts[:i])] = None
        if recursive or len(parts) == 1:
            leaves.append(e.tree_item())
    dirs = [
        {"type": "directory", "oid": hashlib.sha1(d.encode()).hexdigest(), "size": 0, "path": d}
        for d in folders
    ]
    return sorted(dirs, key=lambda r: r["path"]) + sorted(leaves, key=lambda r: r["path"])


def expansion(commit: str) -> dict:
    return {
        "lastCommit": {"id": commit, "title": "hubsim", "date": "2026-01-01T00:00:00.000Z"},
        "securityFileStatus": {"status": "safe", "avScan": None, "pickleImportScan": None},
    }


class PathsInfo(Base):
    def post(self, kind: str, repo_id: str, revision: str) -> None:
        repo = self.open_repo(kind, repo_id, content=False)
        commit, files = self.at(repo, urllib.parse.unquote(revision))
        if "json" in self.request.headers.get("Content-Type", ""):
            body = json.loads(self.request.body or b"{}")
            paths, expand = body.get("paths", []), bool(body.get("expand"))
        else:
            paths = self.get_body_arguments("paths")
            expand = self.get_body_argument("expand", "false").lower() in ("true", "1")
        rows = []
        for p in paths if isinstance(paths, list) else [paths]:
            p = p.strip("/")
            if p in files:
                rows.append(files[p].tree_item())
            elif p and any(f.startswith(p + "/") for f in files):
                rows.append(
                    {
                        "type": "directory",
                        "oid": hashlib.sha1(p.encode()).hexdigest(),
                        "size": 0,
                        "path": p,
                    }
                )
        self.json([{**r, **expansion(commit)} for r in rows] if expand else rows)


class Refs(Base):
    def get(self, kind: str, repo_id: str) -> None:
        repo = self.open_repo(kind, repo_id, content=False)
        out: dict[str, list] = {"branches": [], "converts": [], "tags": [], "pullRequests": []}
        for name in repo.revisions():
            commit, _ = self.at(repo, name)
            if name.startswith("refs/convert/"):
                out["converts"].append(
                    {
                        "name": name.removeprefix("refs/convert/"),
                        "ref": name,
                        "targetCommit": commit,
                    }
                )
            elif name.startswith("refs/pr/"):
                out["pullRequests"].append(
                    {"name": name.removeprefix("refs/"), "ref": name, "targetCommit": commit}
                )
            elif name in repo.tags():
                out["tags"].append(
                    {"name": name, "ref": f"refs/tags/{name}", "targetCommit": commit}
                )
            else:
                out["branches"].append(
                    {"name": name, "ref": f"refs/heads/{name}", "targetCommit": commit}
                )
        self.json(out)


class Commits(Base):
    def get(self, kind: str, repo_id: str, revision: str) -> None:
        repo = self.open_repo(kind, repo_id, content=False)
        commit, _ = self.at(repo, urllib.parse.unquote(revision))
        self.json(
            [
                {
                    "id": commit,
                    "title": "hubsim",
                    "message": "",
                    "authors": [{"user": "hubsim"}],
                    "date": "2026-01-01T00:00:00.000Z",
                }
            ]
        )


class AuthCheck(Base):
    def get(self, kind: str, repo_id: str) -> None:
        self.open_repo(kind, repo_id, content=True)
        self.json({})


class Resolve(Base):
    """File download: LFS files are redirected (302) to the CDN origin, the others (307) to a cacheable URL here."""

    async def get(self, kind: str | None, repo_id: str, how: str, revision: str, path: str) -> None:
        repo = self.open_repo(kind or "models", repo_id, content=True)
        commit, files = self.at(repo, urllib.parse.unquote(revision))
        self.set_header("X-Repo-Commit", commit)
        entry = files.get(urllib.parse.unquote(path))
        if entry is None:
            return self.error(404, "EntryNotFound", "Entry not found", commit=commit)
        if self.hub.cdn and entry.sha256 and how == "resolve":
            quoted = urllib.parse.quote(entry.path)
            target = f"{self.hub.cdn_url}/_cdn/{entry.sha256}/{repo.kind}/{repo.id}/{commit}/{quoted}?Signature=hubsim"
            self.set_status(302)
            self.set_header("Location", target)
            self.set_header("X-Linked-Etag", f'"{entry.sha256}"')
            self.set_header("X-Linked-Size", str(entry.size))
            self.set_header("ETag", f'"{entry.git_oid}"')
            self.finish()
            return None
        if self.hub.resolve_cache and not entry.sha256 and how == "resolve":
            quoted = urllib.parse.quote(entry.path)
            self.set_status(307)
            self.set_header(
                "Location",
                f"/api/resolve-cache/{repo.kind}/{repo.id}/{commit}/{quoted}?etag=%22{entry.etag}%22",
            )
            self.set_header("X-Linked-Etag", f'"{entry.etag}"')
            self.set_header("X-Linked-Size", str(entry.size))
            self.finish()
            return None
        self.set_header("ETag", f'"{entry.etag}"')
        if entry.sha256:
            self.set_header("X-Linked-Etag", f'"{entry.sha256}"')
            self.set_header("X-Linked-Size", str(entry.size))
        self.set_header("Content-Disposition", f'inline; filename="{Path(entry.path).name}";')
        self.set_header(
            "Content-Type",
            "application/octet-stream" if entry.sha256 else "text/plain; charset=utf-8",
        )
        await self.send_file(entry.disk, entry.size)

    head = get


class ResolveCache(Base):
    """The target of the redirect above, on the same origin; access rules apply again."""

    async def get(self, kind: str, repo_id: str, commit: str, path: str) -> None:
        repo = self.open_repo(kind, repo_id, content=True)
        commit, files = self.at(repo, commit)
        entry = files.get(urllib.parse.unquote(path))
        if entry is None:
            return self.error(404, "EntryNotFound", "Entry not found", commit=commit)
        self.set_header("X-Repo-Commit", commit)
        self.set_header("ETag", f'"{entry.etag}"')
        self.set_header("Content-Disposition", f'inline; filename="{Path(entry.path).name}";')
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        await self.send_file(entry.disk, entry.size)

    head = get


class Cdn(Base):
    """The signed-URL origin. Refuses a request that carries the Hub token, which must not leave the Hub."""

    async def get(self, sha: str, kind: str, repo_id: str, commit: str, path: str) -> None:
        if self.request.headers.get("Authorization"):
            return self.error(400, None, "hubsim: the Authorization header was leaked to the CDN")
        repo = self.hub.repo(kind, repo_id)
        found = repo.resolve(commit) if repo else None
        entry = found[1].get(urllib.parse.unquote(path)) if found else None
        if entry is None or entry.sha256 != sha:
            return self.error(403, None, "AccessDenied")
        self.set_header("ETag", f'"{sha}"')
        self.set_header("Content-Type", "application/octet-stream")
        self.set_header("Content-Disposition", f'attachment; filename="{Path(entry.path).name}";')
        await self.send_file(entry.disk, entry.size)

    head = get


class Viewer(Base):
    """The dataset viewer's API (datasets-server.huggingface.co), for datasets whose files pyarrow can read."""

    def get(self, what: str) -> None:
        name = self.get_query_argument("dataset")
        repo = self.open_repo("datasets", name, content=True)
        commit, files = self.at(repo, "main")
        layout = data_layout(repo, files)
        headers = {"X-Revision": commit}
        config = self.get_query_argument("config", None)
        split = self.get_query_argument("split", None)
        if config is not None and config not in layout:
            return self.error(404, "ConfigNotFound", f"The config '{config}' does not exist.")
        if split is not None and split not in layout.get(config or "", {}):
            return self.error(404, "SplitNotFound", f"The split '{split}' does not exist.")
        pairs = [
            (c, s)
            for c, ss in layout.items()
            for s in ss
            if config in (None, c) and split in (None, s)
        ]
        state = {"pending": [], "failed": [], "partial": False}
        if what == "is-valid":
            flags = ("preview", "viewer", "search", "filter", "statistics")
            return self.json({k: bool(pairs) and k in flags[:2] for k in flags}, headers=headers)
        if what == "splits":
            rows = [{"dataset": name, "config": c, "split": s} for c, s in pairs]
            return self.json({"splits": rows, "pending": [], "failed": []}, headers=headers)
        if what == "parquet":
            rows = []
            conv = repo.resolve("refs/convert/parquet")
            for p, e in (conv[1] if conv else {}).items():
                parts = p.split("/")
                if p.endswith(".parquet") and len(parts) >= 3 and config in (None, parts[0]):
                    url = f"{self.hub.url}/datasets/{name}/resolve/refs%2Fconvert%2Fparquet/{p}"
                    rows.append(
                        {
                            "dataset": name,
                            "config": parts[0],
                            "split": parts[1],
                            "url": url,
                            "filename": parts[-1],
                            "size": e.size,
                        }
                    )
            return self.json({"parquet_files": rows, **state, "features": None}, headers=headers)
        if what == "info":
            out = {}
            for c in {c for c, _ in pairs}:
                tables = {s: read_table(layout[c][s]) for s in layout[c]}
                first = next(iter(tables.values()))
                out[c] = {
                    "features": features(first),
                    "splits": {
                        s: {
                            "name": s,
                            "num_bytes": t.nbytes,
                            "num_examples": t.num_rows,
                            "dataset_name": None,
                        }
                        for s, t in tables.items()
                    },
                    "config_name": c,
                    "dataset_name": name.split("/")[-1],
                    "builder_name": "parquet",
                    "version": {"version_str": "0.0.0", "major": 0, "minor": 0, "patch": 0},
                    "download_size": sum(e.size for s in layout[c].values() for e in s),
                    "dataset_size": sum(t.nbytes for t in tables.values()),
                }
            return self.json(
                {"dataset_info": out if config is None else out[config], **state}, headers=headers
            )
        if what == "size":
            splits = []
            for c, s in pairs:
                t = read_table(layout[c][s])
                splits.append(
                    {
                        "dataset": name,
                        "config": c,
                        "split": s,
                        "num_bytes_memory": t.nbytes,
                        "num_bytes_parquet_files": sum(e.size for e in layout[c][s]),
                        "num_rows": t.num_rows,
                        "num_columns": t.num_columns,
                        "estimated_num_rows": None,
                    }
                )
            total = {
                k: sum(x[k] for x in splits)
                for k in ("num_bytes_memory", "num_bytes_parquet_files", "num_rows")
            }
            total["num_bytes_original_files"] = total["num_bytes_parquet_files"]
            return self.json(
                {"size": {"dataset": {"dataset": name, **total}, "splits": splits}, **state},
                headers=headers,
            )
        if config is None or split is None:
            return self.error(
                422,
                "MissingRequiredParameter",
                "Parameters 'dataset', 'config' and 'split' are required.",
            )
        table = read_table(layout[config][split])
        if what == "first-rows":
            offset, length = 0, 100
        else:
            offset, length = (
                int(self.get_query_argument("offset", "0")),
                int(self.get_query_argument("length", "100")),
            )
            if length > 100:
                return self.error(
                    422, "InvalidParameter", "Parameter 'length' must not be greater than 100"
                )
        rows = [
            {"row_idx": offset + i, "row": r, "truncated_cells": []}
            for i, r in enumerate(table.slice(offset, length).to_pylist())
        ]
        feats = [
            {"feature_idx": i, "name": k, "type": v}
            for i, (k, v) in enumerate(features(table).items())
        ]
        self.json(
            {
                "dataset": name,
                "config": config,
                "split": split,
                "features": feats,
                "rows": rows,
                "truncated": False,
                "num_rows_total": table.num_rows,
                "num_rows_per_page": 100,
                "partial": False,
            },
            headers=headers,
        )


def data_layout(repo: Repo, files: dict[str, Entry]) -> dict[str, dict[str, list[Entry]]]:
    """config -> split -> files, from the card's `configs:` or from split words in the file names."""
    card = repo.card(files) or {}
    out: dict[str, dict[str, list[Entry]]] = {}
    for conf in card.get("configs") or []:
        data = conf.get("data_files")
        items = (
            data
            if isinstance(data, list) and data and isinstance(data[0], dict)
            else [{"split": "train", "path": data}]
        )
        for item in items:
            patterns = item["path"] if isinstance(item["path"], list) else [item["path"]]
            hits = [e for p, e in files.items() if any(fnmatch.fnmatch(p, x) for x in patterns)]
            out.setdefault(conf["config_name"], {}).setdefault(item["split"], []).extend(hits)
    if not out:
        for p, e in files.items():
            if p.rsplit(".", 1)[-1] in ("parquet", "csv", "json", "jsonl", "arrow", "txt"):
                words = re.split(r"[/._-]", p)
                split = next((s for s in ("train", "test", "validation") if s in words), "train")
                out.setdefault("default", {}).setdefault(split, []).append(e)
    return out


def read_table(entries: list[Entry]):
    import pyarrow as pa

    tables = []
    for e in entries:
        ext = e.path.rsplit(".", 1)[-1]
        if ext == "parquet":
            import pyarrow.parquet as pq

            tables.append(pq.read_table(e.disk))
        elif ext in ("json", "jsonl"):
            import pyarrow.json as pj

            tables.append(pj.read_json(e.disk))
        elif ext == "csv":
            import pyarrow.csv as pc

            tables.append(pc.read_csv(e.disk))
        elif ext == "txt":
            tables.append(pa.table({"text": e.disk.read_text("utf-8", "replace").splitlines()}))
        else:
            tables.append(pa.ipc.open_stream(e.disk).read_all())
    return pa.concat_tables(tables, promote_options="default")


def features(table) -> dict[str, dict]:
    return {f.name: {"dtype": str(f.type), "_type": "Value"} for f in table.schema}


# ---------------------------------------------------------------------------------------------------------------------
# Command line
# ---------------------------------------------------------------------------------------------------------------------


def main(argv: list[str] | None = None) -> int:
    p = argparse.ArgumentParser(
        prog="hubsim", description="A loopback stand-in for the Hugging Face Hub."
    )
    p.add_argument("--root", required=True, help="folder with models/, datasets/ and spaces/")
    p.add_argument("--host", default="127.0.0.1")
    p.add_argument(
        "--port", type=int, default=0, help="0 = any free port; the chosen one is printed as JSON"
    )
    p.add_argument(
        "--no-cdn", action="store_true", help="serve LFS files directly instead of redirecting"
    )
    p.add_argument(
        "--no-resolve-cache",
        action="store_true",
        help="serve small files directly instead of redirecting",
    )
    p.add_argument(
        "--token",
        action="append",
        default=[],
        metavar="TOKEN=USER",
        help="a valid token (repeatable)",
    )
    p.add_argument("--page-size", type=int, default=1000, help="page size of listings and trees")
    p.add_argument(
        "--match", default=Fault.match, help='regex on "METHOD /path" for the faults below'
    )
    p.add_argument(
        "--fail-times", type=int, default=None, help="each fault below at most this often"
    )
    p.add_argument(
        "--fail-after", type=int, metavar="BYTES", help="disconnect after so many body bytes"
    )
    p.add_argument(
        "--truncate-after",
        type=int,
        metavar="BYTES",
        help="short answer with a matching Content-Length",
    )
    p.add_argument("--stall-after", type=int, metavar="BYTES")
    p.add_argument("--stall-seconds", type=float, default=30.0)
    p.add_argument("--rate", type=float, metavar="BYTES_PER_SECOND")
    p.add_argument("--latency", type=float, metavar="SECONDS")
    p.add_argument(
        "--status",
        type=int,
        metavar="CODE",
        help="answer this status (429 and 5xx with Retry-After)",
    )
    p.add_argument("--retry-after", type=int, default=1)
    p.add_argument(
        "--corrupt-at", type=int, metavar="POSITION", help="invert the byte at this position"
    )
    p.add_argument("--no-range", action="store_true", help="ignore Range headers")
    p.add_argument("--verbose", action="store_true", help="log requests to stderr")
    a = p.parse_args(argv)
    hub = HubSim(
        a.root,
        host=a.host,
        port=a.port,
        cdn=not a.no_cdn,
        resolve_cache=not a.no_resolve_cache,
        page_size=a.page_size,
        verbose=a.verbose,
        tokens=dict(t.split("=", 1) for t in a.token),
    )
    common = {"match": a.match, "times": a.fail_times}
    if a.fail_after is not None:
        hub.fail("disconnect", after=a.fail_after, **common)
    if a.truncate_after is not None:
        hub.fail("truncate", after=a.truncate_after, **common)
    if a.stall_after is not None:
        hub.fail("stall", after=a.stall_after, seconds=a.stall_seconds, **common)
    if a.rate:
        hub.fail("throttle", rate=a.rate, **common)
    if a.latency:
        hub.fail("latency", seconds=a.latency, **common)
    if a.status:
        hub.fail("status", status=a.status, retry_after=a.retry_after, **common)
    if a.corrupt_at is not None:
        hub.fail("corrupt", after=a.corrupt_at, **common)
    if a.no_range:
        hub.fail("norange", **common)
    hub.serve_forever()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
