"""Facts that stand in several files of the project agree."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

import pytest
from packaging.requirements import Requirement

from mistudio_ext._version import __version__
from tests.packaging.conftest import ROOT

#: What the design is made of.
DESIGN = {
    "jupyter_server",
    "jupyterlab",
    "anywidget",
    "traitlets",
    "torch",
    "transformers",
    "bitsandbytes",
    "datasets",
    "numpy",
    "nvidia-ml-py",
    "tornado",
}


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    """Return the project table of pyproject.toml."""
    document = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project: dict[str, Any] = document["project"]
    return project


def test_front_end_and_package_have_one_version() -> None:
    package = json.loads((ROOT / "labextension/package.json").read_text(encoding="utf-8"))
    lock = json.loads((ROOT / "labextension/package-lock.json").read_text(encoding="utf-8"))
    source = (ROOT / "labextension/src/version.ts").read_text(encoding="utf-8")
    assert package["version"] == __version__
    assert lock["version"] == __version__
    assert re.search(r"VERSION = '(.*)'", source).group(1) == __version__


def test_changelog_knows_the_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [{__version__}]" in changelog or "## [Unreleased]" in changelog


def test_dependencies_of_the_design_are_declared(project: dict[str, Any]) -> None:
    declared = {Requirement(line).name for line in project["dependencies"]}
    assert declared >= DESIGN
    assert "pytest" in {Requirement(line).name for line in project["optional-dependencies"]["test"]}


def test_dependencies_leave_the_build_of_torch_to_the_machine(project: dict[str, Any]) -> None:
    for line in project["dependencies"]:
        operators = {specifier.operator for specifier in Requirement(line).specifier}
        assert operators <= {">=", "<"}, line


def test_lock_names_packages_and_no_addresses_to_fetch_them_from() -> None:
    lock = json.loads((ROOT / "labextension/package-lock.json").read_text(encoding="utf-8"))
    assert not [name for name, entry in lock["packages"].items() if "resolved" in entry]
