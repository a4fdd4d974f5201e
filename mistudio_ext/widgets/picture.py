"""The static picture of a panel: what a notebook shows of it where nothing is alive."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mistudio_ext.activations.handle import Activations
from mistudio_ext.activations.readings import Floats, Readings
from mistudio_ext.activations.text import TextSource
from mistudio_ext.client.rest import RestClient
from mistudio_ext.client.server import find_server
from mistudio_ext.errors import MiStudioError

#: Records of a list, and tokens of a sample, that a picture shows.
MAX_RECORDS, MAX_TOKENS = 12, 300

#: Seconds that a cell waits for what the server knows.
PATIENCE_S = 2.0

#: Strongest share of a colour behind a token, in percent; as in the panels.
_STRONGEST = 45

_MUTED = "color: var(--jp-ui-font-color2, inherit)"
_CELL = "text-align: left; padding: 2px 12px 2px 0; vertical-align: top"
_TEXT = "margin: 4px 0; line-height: 1.7; white-space: pre-wrap; overflow-wrap: anywhere"
_FRAME = (
    "max-width: 720px; margin: 2px 0; padding: 8px 12px; border: 1px solid "
    "var(--jp-border-color2, rgba(128, 128, 128, 0.4)); border-radius: 4px; "
    "color: var(--jp-ui-font-color1, inherit); font-size: 13px"
)


@dataclass(frozen=True)
class Listing:
    """Which records of the server a picture lists.

    Attributes
    ----------
    noun
        Route of the list, which is also its key in the answer.
    columns
        Title of a column to the record's key.
    """

    noun: str
    columns: Mapping[str, str] = field(default_factory=dict)

    def table(self) -> str:
        """Return the list as HTML; nothing without a server that answers."""
        address = find_server()
        if address is None:
            return ""
        try:
            found = RestClient(address, PATIENCE_S).get(self.noun)[self.noun]
        except (MiStudioError, KeyError):
            return ""
        rows = [[_value(record.get(key)) for key in self.columns.values()] for record in found]
        return table(tuple(self.columns), rows) if rows else f"<div>No {self.noun} yet.</div>"


def frame(title: str, *parts: str) -> str:
    """Return a titled box with these parts, those that are empty left out."""
    body = "".join(part for part in parts if part)
    return f'<div style="{_FRAME}"><strong>{html.escape(title)}</strong>{body}</div>'


def choice(selection: Mapping[str, Any]) -> str:
    """Return what is chosen in a panel as a table of two columns."""
    rows = [
        [key, _value(value)] for key, value in selection.items() if value not in (None, "", [], {})
    ]
    return table((), rows) if rows else ""


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table, only the first rows of a long one."""
    rest = len(rows) - MAX_RECORDS
    return (
        '<table style="margin: 4px 0; font-size: inherit; color: inherit">'
        + (f'<thead style="{_MUTED}">{_row(head, "th")}</thead>' if head else "")
        + f"<tbody>{''.join(_row(row, 'td') for row in rows[:MAX_RECORDS])}</tbody></table>"
        + (f'<div style="{_MUTED}">and {rest:,} more</div>' if rest > 0 else "")
    )


def tokens(acts: Activations, selection: Mapping[str, Any]) -> str:
    """Return one sample's tokens, coloured by a dimension or by the norm.

    Parameters
    ----------
    acts
        The extraction.
    selection
        ``hook``, ``dimension`` and ``sample`` as a panel has them; the first hook, the norm and
        the first sample where nothing is said.

    Returns
    -------
    str
        HTML; empty where nothing can be shown: no tokens written yet, one row per sample, or a
        choice that the extraction does not have.
    """
    hook = selection.get("hook") or next(iter(acts.hooks), None)
    dimension, sample = selection.get("dimension"), selection.get("sample") or 0
    try:
        if hook is None or acts.positions != "all":
            return ""
        readings = Readings(acts, hook, dimension)
        if not 0 <= sample < readings.n_samples:
            return ""
        values = readings.of(sample, sample + 1).values[:MAX_TOKENS]
        start = int(acts.offsets[sample])
        ids = acts.tokens[start : start + len(values)].tolist()
    except MiStudioError:
        return ""
    by = "the norm" if dimension is None else f"dimension {dimension}"
    spans = "".join(_spans(_texts(acts, ids), values, dimension))
    what = f"Sample {sample:,} by {by} of {html.escape(hook)}"
    return (
        f'<div style="{_FRAME}"><div style="{_MUTED}">{what}</div>'
        f'<div style="{_TEXT}">{spans}</div></div>'
    )


def _spans(texts: Sequence[str], values: Floats, dimension: int | None) -> Iterable[str]:
    """Yield the tokens; colour has a second sign: a line below zero, a border if not finite."""
    for text, value, share in zip(texts, values, _shares(values, dimension), strict=True):
        if not np.isfinite(value):
            style = "outline: 1px dashed var(--jp-error-color1, #d32f2f)"
        else:
            name = "--jp-brand-color1, #1976d2" if share >= 0 else "--jp-warn-color1, #f57c00"
            strength = round(_STRONGEST * abs(float(share)))
            style = f"background: color-mix(in srgb, var({name}) {strength}%, transparent)"
            style += "; border-bottom: 1px dotted" if share < 0 else ""
        yield f'<span style="{style}" title="{value:.4g}">{html.escape(text)}</span>'


def _shares(values: Floats, dimension: int | None) -> Floats:
    """Return how strong each colour is, -1 to 1, on the scale of all tokens but the first."""
    # The first token's value, whatever it is, would hide all others (attention is parked there).
    compared = values[1:] if len(values) > 2 else values
    compared = compared[np.isfinite(compared)]
    if not len(compared):
        return np.zeros_like(values)
    low = float(compared.min()) if dimension is None else 0.0
    span = float(np.abs(compared - low).max()) or 1.0
    shares: Floats = np.clip(np.nan_to_num((values - low) / span), -1.0, 1.0)
    return shares


def _texts(acts: Activations, ids: Sequence[int]) -> list[str]:
    """Return the tokens' texts; their ids where there is no tokenizer to ask."""
    source = TextSource(acts.spec)
    try:
        return [source.token_text(token) or f"[{token}]" for token in ids]
    except ImportError:
        return [f"[{token}] " for token in ids]


def _row(cells: Sequence[str], tag: str) -> str:
    inner = "".join(f'<{tag} style="{_CELL}">{html.escape(cell)}</{tag}>' for cell in cells)
    return f"<tr>{inner}</tr>"


def _value(value: Any) -> str:
    """Return a value as a person writes it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return f"{value:,}"
    if isinstance(value, list | tuple):
        return ", ".join(_value(each) for each in value)
    if isinstance(value, dict):
        return _value(value.get("name"))
    return str(value)
