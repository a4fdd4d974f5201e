"""Presets: settings of a tokenization under a name, for any dataset and model."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from mistudio_ext.catalog import PresetRecord, new_id
from mistudio_ext.errors import InvalidInputError
from mistudio_ext.services.context import Context, Json, audit, new_name
from mistudio_ext.services.fields import only_known
from mistudio_ext.spec import TokenizationSpec

_FIELDS = ("name", "settings")
_SETTINGS = tuple(field.name for field in fields(TokenizationSpec))


class PresetService:
    """Everything a user does with presets."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._catalog = context.catalog.tokenization_presets

    def list(self) -> list[Json]:
        """Return all presets by name."""
        return sorted(map(view, self._catalog.list()), key=lambda row: str(row["name"]).casefold())

    def get(self, preset_id: str) -> Json:
        """Return one preset."""
        return view(self._catalog.get(preset_id))

    def create(self, body: Json) -> Json:
        """Save a preset: ``{name, settings}``; only the settings that are named are kept."""
        only_known(body, *_FIELDS)
        record = PresetRecord(
            id=new_id("pre"),
            name=new_name(self._catalog.find, "", "preset", body.get("name")),
            settings=_checked(body.get("settings")),
        )
        self._catalog.add(record)
        return self._told(record)

    def change(self, preset_id: str, body: Json) -> Json:
        """Change name or settings."""
        only_known(body, *_FIELDS)
        self._catalog.get(preset_id)
        changes: Json = {}
        if "name" in body:
            changes["name"] = new_name(self._catalog.find, preset_id, "preset", body["name"])
        if "settings" in body:
            changes["settings"] = _checked(body["settings"])
        return self._told(self._catalog.update(preset_id, **changes))

    def delete(self, preset_id: str) -> Json:
        """Delete a preset; what was made with it stays."""
        record = self._catalog.get(preset_id)
        self._catalog.delete(preset_id)
        audit.info("deleted preset %s '%s'", preset_id, record.name)
        self._publish(preset_id, {"id": preset_id, "deleted": True})
        return {"deleted": [preset_id], "freed_bytes": 0}

    def _told(self, record: PresetRecord) -> Json:
        self._publish(record.id, view(record))
        return view(record)

    def _publish(self, preset_id: str, payload: Json) -> None:
        topic = f"tokenization_presets/{preset_id}"
        self._context.bus.publish("tokenization_preset", topic, payload)


def _checked(settings: Any) -> Json:
    if not isinstance(settings, dict):
        raise InvalidInputError(
            "settings must be an object.",
            code="bad_settings",
            field="settings",
            hint=f"It may have {', '.join(_SETTINGS)}.",
        )
    only_known(settings, *_SETTINGS)
    TokenizationSpec.from_dict(settings)
    return settings


def view(record: PresetRecord) -> Json:
    """Return a preset as REST and events give it."""
    return dict(vars(record))
