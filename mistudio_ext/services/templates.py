"""Extraction templates: a saved choice of hook points and settings, for any model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mistudio_ext import hookpoints
from mistudio_ext.catalog import ModelRecord, TemplateRecord, new_id
from mistudio_ext.errors import InvalidInputError
from mistudio_ext.services import requests
from mistudio_ext.services.context import Context, Json, free_name, new_name, text_of
from mistudio_ext.services.fields import only_known
from mistudio_ext.services.models import require_layers
from mistudio_ext.services.names import automatic_name

#: Version of exported templates.
EXPORT_VERSION = 1

_FIELDS = ("name", "description", "favorite", "spec")

#: What a template says about an extraction; model, dataset and name are chosen when it is used.
_SPEC_FIELDS = (
    "layers",
    "hooks",
    "layout",
    "positions",
    "dtype",
    "context",
    "mode",
    "max_samples",
    "batch_tokens",
    "tokenization",
)


class TemplateService:
    """Everything a user does with templates."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._catalog = context.catalog.templates

    def list(self) -> list[Json]:
        """Return all templates: favourites first, then newest first."""
        records = self._catalog.list()
        return [view(r) for r in sorted(records, key=lambda r: not r.favorite)]

    def get(self, template_id: str) -> Json:
        """Return one template."""
        return view(self._catalog.get(template_id))

    def create(self, body: Json) -> Json:
        """Save a template: ``{name?, description?, favorite?, spec}``."""
        only_known(body, *_FIELDS)
        spec = _checked(body.get("spec"))
        wanted = text_of(body, "name")
        record = TemplateRecord(
            id=new_id("tpl"),
            name=new_name(self._catalog.find, "", "template", wanted)
            if wanted
            else free_name(self._catalog.find, automatic_name(spec)),
            description=text_of(body, "description") or "",
            favorite=_boolean(body.get("favorite", False), "favorite"),
            spec=spec,
        )
        self._catalog.add(record)
        return self._told(record)

    def change(self, template_id: str, body: Json) -> Json:
        """Change name, description, favourite or spec."""
        only_known(body, *_FIELDS)
        self._catalog.get(template_id)
        changes: Json = {}
        if "name" in body:
            changes["name"] = new_name(self._catalog.find, template_id, "template", body["name"])
        if "description" in body:
            changes["description"] = text_of(body, "description") or ""
        if "favorite" in body:
            changes["favorite"] = _boolean(body["favorite"], "favorite")
        if "spec" in body:
            changes["spec"] = _checked(body["spec"])
        return self._told(self._catalog.update(template_id, **changes))

    def delete(self, template_id: str) -> Json:
        """Delete a template."""
        self._catalog.get(template_id)
        self._catalog.delete(template_id)
        self._context.bus.publish(
            "template", f"templates/{template_id}", {"id": template_id, "deleted": True}
        )
        return {"deleted": [template_id], "freed_bytes": 0}

    def export(self, ids: Sequence[str] | None = None) -> Json:
        """Return templates as one document; without ids all of them."""
        records = [self._catalog.get(i) for i in ids] if ids else self._catalog.list()
        kept = ("name", "description", "favorite", "spec")
        return {
            "kind": "mistudio-extraction-templates",
            "version": EXPORT_VERSION,
            "templates": [{name: getattr(r, name) for name in kept} for r in records],
        }

    def take(self, document: Json) -> Json:
        """Import an exported document; a name that is taken gets a number.

        Nothing is imported if any template in it is wrong.
        """
        if document.get("kind") != "mistudio-extraction-templates":
            raise InvalidInputError(
                "This is not a file of exported templates.",
                code="not_templates",
                hint="Choose a file that 'Export' made.",
            )
        version, rows = document.get("version"), document.get("templates")
        if not isinstance(version, int) or version > EXPORT_VERSION or not isinstance(rows, list):
            raise InvalidInputError(
                f"Templates of version {version!r} cannot be read here.",
                code="templates_newer",
                hint=f"This miStudio reads up to version {EXPORT_VERSION}.",
            )
        wanted = [_row(row) for row in rows]
        made = []
        for row in wanted:
            name = free_name(self._catalog.find, row["name"])
            made.append(self.create({**row, "name": name}))
        return {"templates": made}

    def for_model(self, template_id: str, model: ModelRecord, *, by_depth: bool) -> Json:
        """Return a template's spec for a model.

        Parameters
        ----------
        template_id
            The template.
        model
            The model at hand, inspected.
        by_depth
            Move layers to the same relative depth if the template was made for a
            model of another depth (``n_layers`` in the spec).
        """
        record = self._catalog.get(template_id)
        spec = {k: v for k, v in record.spec.items() if k != "n_layers"}
        n_layers, made_for = require_layers(model), record.spec.get("n_layers")
        layers = hookpoints.parse_layers(spec.get("layers"))
        if layers is not None:
            if by_depth and made_for and made_for != n_layers:
                layers = tuple(dict.fromkeys(at_depth(n, made_for, n_layers) for n in layers))
            hookpoints.expand(("resid_post",), layers, n_layers)
            spec["layers"] = list(layers)
        return spec

    def _told(self, record: TemplateRecord) -> Json:
        self._context.bus.publish("template", f"templates/{record.id}", view(record))
        return view(record)


def at_depth(layer: int, made_for: int, n_layers: int) -> int:
    """Return the layer at the same relative depth: first stays first, last stays last."""
    if made_for <= 1:
        return 0
    place = (layer + made_for if layer < 0 else layer) / (made_for - 1)
    return round(place * (n_layers - 1))


def _checked(spec: Any) -> Json:
    """Return a template's spec if an extraction could be asked for with it."""
    if not isinstance(spec, dict):
        raise InvalidInputError(
            "A template needs a spec.", code="spec_missing", field="spec", hint="Choose hooks."
        )
    only_known(spec, *_SPEC_FIELDS, "n_layers")
    facts = {k: v for k, v in spec.items() if k != "n_layers"}
    read = requests.read({**facts, "model": "any", "dataset": "any"})
    kept = {k: v for k, v in spec.items() if v is not None}
    return {**kept, "hooks": list(read.hooks)}


def _row(row: Any) -> Json:
    """Return one imported template, checked."""
    if not isinstance(row, dict) or not isinstance(row.get("name"), str) or not row["name"].strip():
        raise InvalidInputError(
            "A template in the file has no name.", code="bad_template", field="templates"
        )
    kept = {name: row[name] for name in _FIELDS if name in row}
    return {**kept, "spec": _checked(row.get("spec"))}


def _boolean(value: Any, field: str) -> bool:
    if not isinstance(value, bool):
        raise InvalidInputError(f"{field} must be true or false.", code="bad_flag", field=field)
    return value


def view(record: TemplateRecord) -> Json:
    """Return a template as REST and events give it."""
    return dict(vars(record))
