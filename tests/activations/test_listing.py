from __future__ import annotations

import pytest

from mistudio_ext.activations.listing import find, scan
from mistudio_ext.errors import NotFoundError
from mistudio_ext.paths import DataFolder


@pytest.fixture
def data(tmp_path):
    return DataFolder(tmp_path)


def test_scan_is_newest_first(make, data):
    for name in ("a", "b", "c"):
        make(name=name).all()
    found = scan(data)
    assert [acts.name for acts in found] == ["c", "b", "a"]
    assert found[0].name in found._repr_html_()
    assert "'a' done: 34 tokens" in repr(found)


def test_scan_of_nothing(data):
    assert scan(data) == []
    assert "No extractions yet" in scan(data)._repr_html_()


def test_scan_says_what_is_damaged(make, data):
    make(name="a")
    broken = make(name="b")
    (broken.folder / "manifest.json").write_text("{")
    with pytest.warns(UserWarning, match="damaged"):
        assert [acts.name for acts in scan(data)] == ["a"]


def test_find(make, data, monkeypatch):
    writer = make(name="a").all()
    other = make(name="b")
    assert find(data, "a").id == writer.folder.name
    assert find(data, other.folder.name).name == "b"
    assert find(data, writer.folder).name == find(data, str(writer.folder)).name == "a"
    monkeypatch.chdir(writer.folder.parent)
    assert find(data, f"./{writer.folder.name}").name == "a"
    assert find(data, writer.folder.name).name == "a"


def test_newest_of_equal_names(make, data):
    make(name="a")
    newest = make(name="a")
    with pytest.warns(UserWarning, match="2 extractions are called 'a'"):
        assert find(data, "a").id == newest.folder.name


@pytest.mark.parametrize("name", ["nothing", "", ".", "..", "a/b", "./nowhere", "../a", "/nowhere"])
def test_not_found(make, data, name, monkeypatch, tmp_path):
    make(name="a")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotFoundError):
        find(data, name)


def test_hint_names_what_there_is(make, data):
    make(name="a")
    with pytest.raises(NotFoundError, match="There is a"):
        find(data, "b")
