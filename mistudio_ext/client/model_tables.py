"""What is shown of models in a cell and on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mistudio_ext.client.table import Table
from mistudio_ext.room import human

Json = dict[str, Any]


def models(rows: Sequence[Json]) -> Table:
    """Return models, variants among them."""
    return Table(
        rows,
        (
            ("Name", lambda r: str(r["name"])),
            ("Format", _format),
            ("Parameters", lambda r: _count(r["n_params"])),
            ("Size", lambda r: _size(r["size_bytes"])),
            ("State", lambda r: str(r["state"])),
            ("Id", lambda r: str(r["id"])),
        ),
        answer={"models": list(rows)},
        empty='No models yet. ms.models.add("sample-model") or a repository\'s name adds one.',
    )


def results(rows: Sequence[Json]) -> Table:
    """Return what a search of the Hub found."""
    return Table(
        rows,
        (
            ("Repository", lambda r: str(r["repo_id"])),
            ("Downloads", lambda r: _count(r["downloads"])),
            ("Likes", lambda r: _count(r["likes"])),
            ("Kind", lambda r: str(r["pipeline_tag"] or "")),
            ("Access", _access),
        ),
        answer={"results": list(rows)},
        empty="The Hub has no model with these words.",
    )


def formats(answer: Json) -> Table:
    """Return what each format takes, with the recommendation and the warning below."""
    devices = answer["devices"]
    kinds = list(dict.fromkeys(device["kind"] for device in devices))
    columns = [
        ("Format", lambda r: str(r["format"])),
        ("On disk", lambda r: _size(r["disk_bytes"])),
        *((f"To load, {kind}", _part("memory_bytes", kind)) for kind in kinds),
        *((f"Extraction, {kind}", _part("extraction_bytes", kind)) for kind in kinds),
        *((f"Fits {d['id']}", _fits(d["id"])) for d in devices),
        ("", lambda r: "recommended" if r["recommended"] else ""),
    ]
    free = ", ".join(f"{d['id']} {_size(d['free_bytes'])}" for d in devices)
    notes = [f"Batch of {answer['batch_tokens']:,} tokens. Free: {free}."]
    notes += [text for name in ("warning", "unsafe") if (text := answer.get(name))]
    if answer.get("license") or answer.get("gated"):
        access = "gated" if answer.get("gated") else "open"
        notes.append(f"Licence {answer.get('license') or 'not named'}, {access}.")
    return Table(answer["formats"], columns, answer=answer, notes=notes, empty="No estimate.")


def variants(rows: Sequence[Json]) -> Table:
    """Return all formats of a model's weights with what was measured."""
    return Table(
        rows,
        (
            ("Name", lambda r: str(r["name"])),
            ("Format", _format),
            ("State", lambda r: str(r["state"])),
            ("Tensors", lambda r: _size(_measured(r, "size_bytes"))),
            ("Peak memory", lambda r: _size(_measured(r, "memory_bytes"))),
            ("Tokens/s", lambda r: _count(_measured(r, "tokens_per_second"))),
            ("Relative error", lambda r: _error(_measured(r, "relative_error"))),
            ("Id", lambda r: str(r["id"])),
        ),
        answer={"variants": list(rows)},
        notes=[f"{r['name']}: {r['fallback_reason']}" for r in rows if r.get("fallback_reason")],
    )


def comparison(answer: Json) -> Table:
    """Return two models' facts and configs side by side, differences marked."""
    first, second = (str(model["name"]) for model in answer["models"])
    config = [{**row, "label": f"config.{row['key']}"} for row in answer["config"]]
    hooks = answer["hooks"]
    notes = [
        f"Hook points of '{name}' alone: {', '.join(hooks[side])}."
        for name, side in ((first, "only_a"), (second, "only_b"))
        if hooks[side]
    ]
    return Table(
        [*answer["rows"], *(row for row in config if not row["same"])],
        (
            ("", lambda r: "" if r["same"] else "≠"),
            ("Fact", lambda r: str(r["label"])),
            (first, lambda r: _plain(r["a"])),
            (second, lambda r: _plain(r["b"])),
        ),
        answer=answer,
        notes=notes,
    )


def _format(row: Json) -> str:
    wanted = row.get("requested_format")
    return f"{row['format']} instead of {wanted}" if wanted else str(row["format"])


def _access(row: Json) -> str:
    return "gated" if row["gated"] else "private" if row["private"] else "open"


def _part(field: str, kind: str) -> Any:
    return lambda row: _size(row[field].get(kind))


def _fits(device: str) -> Any:
    return lambda row: "yes" if row["fits"].get(device) else "no"


def _measured(row: Json, name: str) -> Any:
    return (row.get("measured") or {}).get(name)


def _error(value: Any) -> str:
    return "" if value is None else f"{value:.2g}"


def _count(value: Any) -> str:
    return "" if value is None else f"{value:,.0f}"


def _plain(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _size(n_bytes: Any) -> str:
    return "" if n_bytes is None else human(n_bytes)
