"""The command line: ``jupyter mistudio …``."""

from mistudio_ext.cli.main import main

__all__ = ["main"]
