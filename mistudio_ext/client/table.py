"""Rows that show themselves as a table: aligned text in a terminal, HTML in a notebook."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

Json = dict[str, Any]

#: Heading of a column, and the text of its cell for a row.
Column = tuple[str, Callable[[Json], str]]

_CELL = "text-align: left; padding: 2px 12px 2px 0; white-space: nowrap"


class Table(list[Json]):
    """A list of dicts that shows itself as a table.

    Parameters
    ----------
    rows
        The dicts, as REST gives them.
    columns
        What is shown of them.
    answer
        The whole answer that the rows are of.
    notes
        Lines below the table.
    empty
        Text to show if there are no rows.
    """

    def __init__(
        self,
        rows: Iterable[Json],
        columns: Sequence[Column],
        *,
        answer: Mapping[str, Any] | None = None,
        notes: Sequence[str] = (),
        empty: str = "Nothing.",
    ) -> None:
        super().__init__(rows)
        self.columns = tuple(columns)
        self.answer = dict(answer or {})
        self.notes = tuple(notes)
        self._empty = empty

    def __repr__(self) -> str:
        cells = [[head for head, _ in self.columns], *self._cells()]
        if not len(self):
            return "\n".join((self._empty, *self.notes))
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = [
            "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in cells
        ]
        return "\n".join((*lines, *self.notes))

    def _repr_html_(self) -> str:
        notes = "".join(f"<div>{html.escape(note)}</div>" for note in self.notes)
        if not len(self):
            return f"<div>{html.escape(self._empty)}</div>{notes}"
        head = _row("th", [name for name, _ in self.columns])
        body = "".join(_row("td", row) for row in self._cells())
        return (
            f'<table class="jp-mistudio-list" style="color: inherit"><thead>{head}</thead>'
            f"<tbody>{body}</tbody></table>{notes}"
        )

    def _cells(self) -> list[list[str]]:
        return [[text(row) for _, text in self.columns] for row in self]


def _row(tag: str, cells: Sequence[str]) -> str:
    inner = "".join(f'<{tag} style="{_CELL}">{html.escape(cell)}</{tag}>' for cell in cells)
    return f"<tr>{inner}</tr>"
