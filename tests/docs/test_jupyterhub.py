"""The configurations in the JupyterHub page: they can be read, and every trait in them exists."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from dockerspawner import DockerSpawner
from jupyterhub.app import JupyterHub
from jupyterhub.auth import Authenticator
from jupyterhub.spawner import LocalProcessSpawner, Spawner
from traitlets import HasTraits
from traitlets.config import Config

from mistudio_ext.settings import SettingsTraits
from tests.packaging.conftest import ROOT

PAGE = (ROOT / "docs" / "jupyterhub.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(python|yaml)\n(.*?)^```$", PAGE, re.M | re.S)

#: Classes in the page.
CLASSES: dict[str, type[HasTraits]] = {
    "Authenticator": Authenticator,
    "DockerSpawner": DockerSpawner,
    "JupyterHub": JupyterHub,
    "MiStudioApp": SettingsTraits,
    "Spawner": Spawner,
    "LocalProcessSpawner": LocalProcessSpawner,
}


def check(config: dict[str, Any]) -> None:
    """Set everything that a configuration says on the real traits."""
    for name, values in config.items():
        assert name in CLASSES, f"{name} is not known here"
        traits = CLASSES[name].class_traits(config=True)
        for trait, value in values.items():
            assert trait in traits, f"{name} has no trait {trait}"
            traits[trait]._validate(CLASSES[name](), value)


@pytest.mark.parametrize("text", [text for kind, text in BLOCKS if kind == "python"])
def test_python(text: str) -> None:
    """A config file runs, and each value is one that its trait takes."""
    config = Config()
    exec(text, {"c": config})
    assert config
    check(config)


@pytest.mark.parametrize("text", [text for kind, text in BLOCKS if kind == "yaml"])
def test_helm_values(text: str) -> None:
    """The values are YAML, and the settings in them exist."""
    values = yaml.safe_load(text)
    files = values["singleuser"]["extraFiles"]
    for file in files.values():
        check(file["data"])
