"""A page of a dataset's rows, as a list and as a table."""

from __future__ import annotations

import html
from typing import Any

Json = dict[str, Any]


class Page(list[Json]):
    """Rows of a dataset.

    Each is ``{"index", "split", "text", "n_tokens", "highlights", "turns"?, "columns"?}``;
    ``highlights`` are ``[start, end]`` in code points of ``text``.

    Attributes
    ----------
    total
        Rows that match, on this page or not.
    """

    def __init__(self, answer: Json) -> None:
        super().__init__(answer["samples"])
        self.total: int = answer["total"]

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{row['split']}</td><td>{row['index']:,}</td><td>{_marked(row)}</td></tr>"
            for row in self
        )
        return f"<p>{len(self):,} of {self.total:,} rows</p><table>{rows}</table>"


def _marked(row: Json) -> str:
    """Return a row's text as HTML with its matches marked."""
    text, at, parts = row["text"] or "", 0, []
    for start, end in row["highlights"]:
        parts += [html.escape(text[at:start]), f"<mark>{html.escape(text[start:end])}</mark>"]
        at = end
    return "".join([*parts, html.escape(text[at:])])
