"""The loader's JavaScript, run in Node with a page and a model that are as small as can be."""

from __future__ import annotations

import gzip
import json
import subprocess

import pytest

from mistudio_ext.widgets.loader import bundle, bundle_hash, loader

HARNESS = """
import { pathToFileURL } from "node:url";
const [, , loaderPath, setup] = process.argv;
const { page, traits, bundle, fail } = JSON.parse(setup);
globalThis.document = {
  getElementById: id => page && id == "jupyter-config-data" ? { textContent: page } : null
};
globalThis.location = "http://localhost/lab";
globalThis.Blob = class { constructor(parts) { this.text = parts.join(""); } };
URL.createObjectURL = blob => "data:text/javascript," + encodeURIComponent(blob.text);
const sent = [], listeners = new Set();
const model = {
  get: key => traits[key] ?? null,
  on: (event, f) => event == "msg:custom" && listeners.add(f),
  off: (event, f) => listeners.delete(f),
  send: message => {
    sent.push(message.type);
    const answer = fail
      ? { type: "bundle", error: fail }
      : { type: "bundle", base_url: "http://kernel:1/", server_token: "t" };
    setTimeout(() => {
      for (const f of [...listeners]) { f({ type: "other" }, []); f(answer, [bundle]); }
    });
  }
};
const el = { textContent: "" };
const module = (await import(pathToFileURL(loaderPath))).default;
const result = await module.render({ model, el, signal: "s" });
console.log(JSON.stringify({ sent, el, result, log: globalThis.log ?? [], left: listeners.size }));
"""

BUNDLE = """
globalThis.log = ["loaded " + WHERE];
export default {
  render: ({ model, el, signal }) => {
    el.textContent = "panel";
    return [model.get("panel"), model.get("base_url"), model.get("server_token"), signal];
  }
};
"""


@pytest.fixture
def run(tmp_path):
    (tmp_path / "loader.mjs").write_text(loader())
    (tmp_path / "harness.mjs").write_text(HARNESS)

    def call(**setup):
        given = {"page": None, "traits": {}, "bundle": BUNDLE.replace("WHERE", '"kernel"')} | setup
        command = ["node", "harness.mjs", "loader.mjs", json.dumps(given)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    return call


@pytest.fixture
def server(tmp_path):
    """A base URL under which the bundle is."""
    static = tmp_path / "base" / "static" / "mistudio_ext"
    static.mkdir(parents=True)
    (static / "panels.js").write_text(BUNDLE.replace("WHERE", "import.meta.url"))
    (static / "package.json").write_text('{"type": "module"}')
    return (tmp_path / "base").as_uri()


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("by_trait", [True, False])
def test_from_the_pages_server(run, server, slash, by_trait):
    base = server + slash
    if by_trait:
        found = run(traits={"base_url": base, "panel": "jobs"})
    else:
        found = run(page=json.dumps({"baseUrl": base}), traits={"panel": "jobs"})
    assert found["sent"] == []
    url = f"{server}/static/mistudio_ext/panels.js?v={bundle_hash()}"
    assert found["log"] == [f"loaded {url}"]
    assert found["result"] == ["jobs", base if by_trait else None, None, "s"]
    assert found["el"]["textContent"] == "panel"


def test_from_the_kernel_outside_a_jupyter_page(run):
    found = run(traits={"panel": "jobs"})
    assert found["sent"] == ["need-bundle"]
    assert found["log"] == ["loaded kernel"]
    assert found["result"] == ["jobs", "http://kernel:1/", "t", "s"]
    assert found["left"] == 0


def test_from_the_kernel_if_the_server_has_no_bundle(run, server):
    page = json.dumps({"baseUrl": server + "/nothing/"})
    found = run(page=page, traits={"panel": "jobs"})
    assert found["log"] == ["loaded kernel"]
    # The page knows its server: the kernel's address is not for it.
    assert found["result"] == ["jobs", None, None, "s"]


@pytest.mark.parametrize("page", ["{", "{}", "null"])
def test_pages_with_something_else_under_that_id(run, page):
    assert run(page=page)["log"] == ["loaded kernel"]


def test_says_why_there_is_nothing(run):
    found = run(fail="Build the front end.")
    assert found["el"]["textContent"] == "miStudio cannot show its panels. Build the front end."
    assert found["sent"] == ["need-bundle"]


def test_is_small():
    assert len(loader()) < 1024
    assert "//" not in loader().replace("://", "")


def test_the_bundle_is_quick_to_load():
    assert len(gzip.compress(bundle())) < 150_000
