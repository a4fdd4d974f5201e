"""miStudio for Jupyter: activations of language models, extracted, stored, opened as arrays."""

from __future__ import annotations

from mistudio_ext._version import __version__

__all__ = ["__version__"]
