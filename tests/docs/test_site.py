"""The documentation builds, and no link in it leads nowhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.packaging.conftest import ROOT


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    """A missing page, image or anchor is a warning, and so is a page in no table of contents."""
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html"]
    built = subprocess.run(
        [*command, "-d", str(tmp_path / "doctrees"), str(ROOT / "docs"), str(tmp_path / "site")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    assert (tmp_path / "site/examples/probe.html").is_file()
