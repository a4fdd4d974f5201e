"""How a handle shows itself: lines of text, and a card in a notebook."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mistudio_ext.activations.progress import bar
from mistudio_ext.errors import MiStudioError

if TYPE_CHECKING:
    from mistudio_ext.activations.handle import Activations

#: Hooks, and warnings, that are shown before "and … more".
_SHOWN_HOOKS, _SHOWN_WARNINGS = 8, 3

_DOTS = {
    "done": "--jp-success-color1, #388e3c",
    "running": "--jp-brand-color1, #1976d2",
    "failed": "--jp-error-color1, #d32f2f",
}
_MUTED = "color: var(--jp-ui-font-color2, inherit)"
_CELL = "text-align: left; padding: 2px 12px 2px 0; white-space: nowrap"
_CODE = (
    "background: var(--jp-layout-color2, rgba(128, 128, 128, 0.12)); padding: 6px 8px; "
    "margin: 4px 0; font-family: var(--jp-code-font-family, monospace); white-space: pre; "
    "overflow-x: auto"
)


def short(acts: Activations) -> str:
    """Return one line, for ``repr``."""
    try:
        hooks = f"{len(acts)} hooks" if len(acts) else "hooks not known yet"
        return f"<Activations '{acts.name}' {acts.state}: {_extent(acts)}, {hooks}>"
    except MiStudioError as error:
        return f"<Activations {acts.path.name}: {error.message}>"


def plain(acts: Activations) -> str:
    """Return the card as lines of text."""
    try:
        lines = [f"{acts.name} · {acts.state} · {_extent(acts)}", f"  {_origin(acts)}"]
        rows = [(hook, _shape(acts, hook)) for hook in acts.hooks]
    except MiStudioError as error:
        return f"{acts.path.name} · {error}"
    width = max((len(hook) for hook, _ in rows[:_SHOWN_HOOKS]), default=0)
    lines += [f"  {hook:<{width}}  {shape}" for hook, shape in rows[:_SHOWN_HOOKS]]
    if len(rows) > _SHOWN_HOOKS:
        lines.append(f"  and {len(rows) - _SHOWN_HOOKS} more")
    if message := _failure(acts):
        lines.append(f"  {message}")
    lines += [f"  Warning: {message}" for message in _warnings(acts)]
    return "\n".join(lines)


def card(acts: Activations) -> str:
    """Return the card as HTML, in the theme's colours."""
    try:
        return _card(acts)
    except MiStudioError as error:
        return f"<div>{html.escape(acts.path.name)} · {html.escape(str(error))}</div>"


def table(found: Sequence[Activations]) -> str:
    """Return many handles as one HTML table."""
    if not found:
        return (
            "<div>No extractions yet. <code>ms.extract(model=…, dataset=…, layers=[2])</code> "
            "makes one.</div>"
        )
    head = ("Name", "State", "Extent", "Hooks", "Model", "Dataset", "Id")
    rows = [[_escape(cell) for cell in _summary(acts)] for acts in found]
    return (
        '<table class="jp-mistudio-list" style="color: inherit"><thead><tr>'
        + "".join(f'<th style="{_CELL}">{cell}</th>' for cell in head)
        + "</tr></thead><tbody>"
        + "".join(
            "<tr>" + "".join(f'<td style="{_CELL}">{cell}</td>' for cell in row) + "</tr>"
            for row in rows
        )
        + "</tbody></table>"
    )


def _summary(acts: Activations) -> tuple[str, ...]:
    try:
        spec = acts.spec
        model, dataset = str(spec.get("model") or ""), str(spec.get("dataset") or "")
        hooks = str(len(acts))
        return acts.name, acts.state, _extent(acts), hooks, model, dataset, acts.id
    except MiStudioError as error:
        return acts.path.name, error.message, "", "", "", "", acts.path.name


def _card(acts: Activations) -> str:
    dot = _DOTS.get(acts.state, "--jp-ui-font-color2, #757575")
    hooks = acts.hooks
    first, rest = hooks[:_SHOWN_HOOKS], hooks[_SHOWN_HOOKS:]
    parts = [
        '<div class="jp-mistudio-card" style="max-width: 640px; padding: 8px 12px; '
        "border: 1px solid var(--jp-border-color2, rgba(128, 128, 128, 0.4)); "
        'border-radius: 4px; color: var(--jp-ui-font-color1, inherit); font-size: 13px">',
        f'<div><span aria-hidden="true" style="color: var({dot})">●</span> '
        f"<strong>{_escape(acts.name)}</strong> · {_escape(acts.state)} · "
        f'<span style="font-variant-numeric: tabular-nums">{_escape(_extent(acts))}</span></div>',
        f'<div style="{_MUTED}">{_escape(_origin(acts))}</div>',
    ]
    if acts.state in ("queued", "running"):
        total = acts.total
        parts.append(bar(acts.ready / total if total else None, acts.name))
    if message := _failure(acts):
        colour = "color: var(--jp-error-color1, #d32f2f)"
        parts.append(f'<div style="{colour}">{_escape(message)}</div>')
    colour = "color: var(--jp-warn-color1, #e65100)"
    parts += [f'<div style="{colour}">{_escape(message)}</div>' for message in _warnings(acts)]
    parts.append(_hook_table(acts, first))
    if rest:
        parts.append(
            f"<details><summary>{len(rest)} more hooks</summary>{_hook_table(acts, rest)}</details>"
        )
    parts.append(
        f'<details><summary style="{_MUTED}">How to use it</summary>'
        f'<div style="{_CODE}">{_escape(_usage(acts))}</div>'
        f'<div style="{_MUTED}; overflow-wrap: anywhere">{_escape(str(acts.path))}</div></details>'
        "</div>"
    )
    return "".join(parts)


def _hook_table(acts: Activations, hooks: Sequence[str]) -> str:
    rows = "".join(
        f'<tr><td style="{_CELL}"><code>{_escape(hook)}</code></td>'
        f'<td style="{_CELL}">{_escape(_shape(acts, hook))}</td>'
        f'<td style="{_CELL}; {_MUTED}">{_escape(str(acts.spec.get("dtype", "")))}</td></tr>'
        for hook in hooks
    )
    return (
        '<table style="margin: 4px 0; font-size: inherit; color: inherit">'
        f'<thead><tr style="{_MUTED}">'
        f'<th style="{_CELL}">Hook</th><th style="{_CELL}">Shape</th>'
        f'<th style="{_CELL}">Type</th></tr></thead><tbody>{rows}</tbody></table>'
    )


def _usage(acts: Activations) -> str:
    hook = acts.hooks[0] if acts.hooks else "blocks.0.hook_resid_post"
    lines = [] if acts.state == "done" else ["acts.wait()"]
    uses = [
        (f'x = acts["{hook}"]', "read-only np.memmap"),
        (f'x = acts.torch("{hook}")', "tensor over the same pages"),
        ("acts.sample(0)", "tokens, text, dataset row, {hook: [len, d]}"),
    ]
    width = max(len(code) for code, _ in uses)
    lines += [f"{code:<{width}}  # {meaning}" for code, meaning in uses]
    lines.append(f'for batch in acts.batches("{hook}", 4096): ...')
    return "\n".join(lines)


def _origin(acts: Activations) -> str:
    spec = acts.spec
    split = f" ({spec['split']})" if spec.get("split") else ""
    quantization = str(spec.get("quantization") or "")
    model = str(spec.get("model") or "model")
    if quantization and quantization not in ("fp32", "none") and quantization not in model:
        model += f" [{quantization}]"
    positions = "" if acts.positions == "all" else f", {acts.positions} position"
    return f"{model} on {spec.get('dataset') or 'dataset'}{split}, {acts.layout}{positions}"


def _extent(acts: Activations) -> str:
    ready, total = acts.ready, acts.total
    if total is None and not ready:
        return "nothing written yet"
    if acts.state == "done" or total is None:
        text = f"{ready:,} {acts.unit}"
    else:
        text = f"{ready:,} of {total:,} {acts.unit}"
    samples = acts.samples_ready
    return f"{text} in {samples:,} samples" if acts.unit == "tokens" and samples else text


def _shape(acts: Activations, hook: str) -> str:
    shape = acts.shape(hook)
    return "?" if shape is None else " × ".join(f"{n:,}" for n in shape)


def _failure(acts: Activations) -> str:
    if acts.state not in ("failed", "cancelled", "interrupted"):
        return ""
    error = acts.manifest.get("error") or {}
    return " ".join(str(error[key]) for key in ("message", "hint") if error.get(key))


def _warnings(acts: Activations) -> list[str]:
    """Return what was said of the values and of the run: overflow, inf and nan, a fallback."""
    found = [str(warning["message"]) for warning in acts.manifest.get("warnings") or ()]
    if len(found) > _SHOWN_WARNINGS + 1:
        more = f"and {len(found) - _SHOWN_WARNINGS} more warnings in acts.manifest['warnings']"
        return [*found[:_SHOWN_WARNINGS], more]
    return found


def _escape(text: str) -> str:
    return html.escape(text, quote=True)
