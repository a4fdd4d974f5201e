"""Characters that are no text: what is left of broken encodings and binary data.

Junk are control characters other than white space, U+FFFD (which stands for bytes that
could not be decoded), private-use characters, noncharacters, and a byte order mark.
"""

from __future__ import annotations

import re

_JUNK = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ue000-\uf8ff\ufdd0-\ufdef\ufeff\ufffd-\uffff"
    "\U000f0000-\U0010ffff]+"
)


def junk_share(text: str) -> float:
    """Return the share of a text's characters that are junk, 0 to 1."""
    return sum(len(run) for run in _JUNK.findall(text)) / len(text) if text else 0.0


def without_junk(text: str) -> str:
    """Return a text without its junk characters."""
    return _JUNK.sub("", text)
