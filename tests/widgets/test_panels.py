from __future__ import annotations

import json

import pytest
from IPython.core.interactiveshell import InteractiveShell

import mistudio_ext as ms
from mistudio_ext.activations import manifest
from mistudio_ext.widgets import loader
from mistudio_ext.widgets.base import push_handle

PANELS = {
    "DatasetPanel": "datasets",
    "ModelPanel": "models",
    "ArchitecturePanel": "architecture",
    "ExtractionPanel": "extraction",
    "JobsPanel": "jobs",
    "MonitorPanel": "monitor",
    "ActivationPanel": "activations",
}


@pytest.fixture(autouse=True)
def _outside(monkeypatch):
    monkeypatch.delenv("MISTUDIO_SERVER_URL", raising=False)
    monkeypatch.delenv("MISTUDIO_SERVER_TOKEN", raising=False)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MISTUDIO_DATA_DIR", str(tmp_path))
    folder = tmp_path / "activations" / "ext_0000000001"
    spec = {"hooks": ["blocks.0.hook_resid_post"]}
    manifest.write(folder, {"id": folder.name, "name": "<run1>", "state": "done", "spec": spec})
    return folder


@pytest.fixture
def shell():
    shell = InteractiveShell.instance()
    yield shell
    shell.reset()
    InteractiveShell.clear_instance()


@pytest.fixture
def messages(monkeypatch):
    """What widgets send to the front end: [(content, buffers)]."""
    sent = []
    monkeypatch.setattr(
        "mistudio_ext.widgets.base.PanelWidget.send",
        lambda self, content, buffers=None: sent.append((content, buffers)),
    )
    return sent


@pytest.mark.parametrize(("name", "panel"), PANELS.items())
def test_state(name, panel):
    state = getattr(ms, name)().get_state()
    assert state["panel"] == panel
    assert state["selection"] == {}
    assert state["kernel_version"] == ms.__version__
    for key in ("base_url", "server_token", "extraction_id"):
        assert state[key] is None
    assert len(state["_esm"]) < 1024
    assert len(json.dumps(state, default=str)) < 2048


def test_arguments(folder):
    assert ms.DatasetPanel("stories").selection == {"dataset": "stories"}
    assert ms.ModelPanel(model="m").selection == {"model": "m"}
    assert ms.ArchitecturePanel(model="m").selection == {"model": "m"}
    acts = ms.open("<run1>")
    assert ms.ActivationPanel(acts).extraction_id == acts.id
    panel = ms.ActivationPanel("<run1>")
    assert panel.extraction_id == acts.id
    assert panel.activations.path == acts.path
    with pytest.raises(LookupError):
        ms.ActivationPanel("nothing")


def test_selection_is_a_trait():
    panel = ms.ExtractionPanel(model="m", layers=range(2), hooks=("resid_post",))
    assert panel.selection == {"model": "m", "layers": [0, 1], "hooks": ["resid_post"]}
    seen = []
    panel.observe(lambda change: seen.append(change["new"]), "selection")
    panel.set_state({"selection": {"model": "other"}})
    panel.selection = {"model": "third"}
    assert seen == [{"model": "other"}, {"model": "third"}]
    assert ms.JobsPanel(selection={"job": "job_1"}).selection == {"job": "job_1"}


@pytest.mark.parametrize("name", PANELS)
def test_unknown_argument(name):
    with pytest.raises(TypeError, match=r"no argument 'selektion'\. Did you mean 'selection'\?"):
        getattr(ms, name)(selektion={})
    with pytest.raises(TypeError, match="It takes"):
        getattr(ms, name)(zzzzzz=1)


def test_what_the_panel_is_cannot_be_changed():
    with pytest.raises(Exception, match="read-only"):
        ms.JobsPanel().panel = "models"


def test_static_picture(folder):
    data, _ = ms.ExtractionPanel(model="<m>")._repr_mimebundle_()
    assert data["text/plain"] == "<ExtractionPanel {'model': '<m>'}>"
    assert "&lt;m&gt;" in data["text/html"]
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"]
    data, _ = ms.ActivationPanel("<run1>")._repr_mimebundle_()
    assert "&lt;run1&gt;" in data["text/html"]
    assert "blocks.0.hook_resid_post" in data["text/html"]


def test_open_in_kernel(folder, shell, messages):
    panel = ms.ActivationPanel()
    ask = {"type": "open-in-kernel", "extraction": folder.name, "name": "x", "variable": "found"}
    panel._handle_custom_msg(ask, [])
    assert shell.user_ns["found"].path == folder
    answer = {"type": "opened-in-kernel", "extraction": folder.name, "variable": "found"}
    assert messages == [(answer, None)]


def test_open_in_kernel_says_what_went_wrong(folder, shell, messages):
    panel = ms.ActivationPanel()
    panel._handle_custom_msg({"type": "open-in-kernel", "extraction": "ext_no"}, [])
    (content, _), *_ = messages
    assert content["variable"] == "acts"
    assert content["error"]["code"] == "no_such_extraction"
    assert "acts" not in shell.user_ns
    panel._handle_custom_msg({"type": "something else"}, [])
    assert len(messages) == 1


@pytest.mark.parametrize("variable", ["class", "a b", "a;b", "", "1a"])
def test_names_that_no_variable_can_have(folder, shell, variable):
    with pytest.raises(ValueError, match="cannot be the name"):
        push_handle(folder.name, variable)


def test_no_session(folder):
    with pytest.raises(ValueError, match="no IPython session"):
        push_handle(folder.name, "acts")


def test_bundle_on_demand(messages, monkeypatch, tmp_path):
    monkeypatch.setattr(loader, "STATIC", tmp_path)
    panel = ms.JobsPanel()
    panel._handle_custom_msg({"type": "need-bundle"}, [])
    assert "not part of this installation" in messages[0][0]["error"]
    (tmp_path / "panels.js").write_bytes(b"export default {}")
    panel._handle_custom_msg({"type": "need-bundle"}, [])
    assert messages[1] == ({"type": "bundle"}, [b"export default {}"])
    monkeypatch.setenv("MISTUDIO_SERVER_URL", "http://127.0.0.1:1/x/")
    monkeypatch.setenv("MISTUDIO_SERVER_TOKEN", "secret")
    panel._handle_custom_msg({"type": "need-bundle"}, [])
    assert messages[2][0] == {
        "type": "bundle",
        "base_url": "http://127.0.0.1:1/x/",
        "server_token": "secret",
    }
    assert "secret" not in json.dumps(panel.get_state(), default=str)
