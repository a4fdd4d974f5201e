"""Reading a request for an extraction: everything checked before anything is made."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from typing import Any

from mistudio_ext import hookpoints, keys
from mistudio_ext.errors import InvalidInputError
from mistudio_ext.services import fallback, footprint
from mistudio_ext.services.context import Json, text_of
from mistudio_ext.services.fields import only_known
from mistudio_ext.spec import MODEL_FORMATS, ExtractionSpec, TokenizationSpec

_SPEC_FIELDS = ("layout", "positions", "dtype", "max_samples", "batch_tokens", "device")
_TOKENIZATION_FIELDS = ("context", "mode")
_FIELDS = (
    "model",
    "dataset",
    "split",
    "layers",
    "hooks",
    "quantize",
    "fallback",
    "name",
    "tokenization",
    *_SPEC_FIELDS,
    *_TOKENIZATION_FIELDS,
)
_DEVICE = re.compile(r"^(auto|cpu|cuda(:\d+)?)$")
_NAME = re.compile(r"^[\w][\w .,+:@()-]{0,99}$")


@dataclass(frozen=True)
class ExtractionRequest:
    """A checked request; model and dataset are still names."""

    model: str
    dataset: str
    split: str | None
    layers: tuple[int, ...] | None
    hooks: tuple[str, ...]
    spec: ExtractionSpec
    tokenization: TokenizationSpec
    format: str | None
    name: str | None
    fallback: tuple[str, ...] = ()

    def identity(self, model_id: str, dataset_id: str, device: str | None) -> Json:
        """Return the facts that make two requests the same; see :mod:`mistudio_ext.keys`.

        Parameters
        ----------
        model_id, dataset_id
            The records that model and dataset stand for.
        device
            Kind of device that is asked for; None for any.
        """
        hooks = sorted({hookpoints.ALIASES.get(hook, hook) for hook in self.hooks})
        facts = keys.facts_of(replace(self, hooks=tuple(hooks)))
        where = {"model": model_id, "dataset": dataset_id, "device": device}
        return {**where, "rules": keys.RULES, "request": facts}


def read(body: Json) -> ExtractionRequest:
    """Check the body of ``POST extractions``.

    Raises
    ------
    InvalidInputError
        With the field at fault.
    """
    only_known(body, *_FIELDS)
    given = {name: body[name] for name in _SPEC_FIELDS if body.get(name) is not None}
    spec = ExtractionSpec.from_dict(given)
    if not _DEVICE.match(str(spec.device)):
        raise InvalidInputError(
            f"There is no device '{spec.device}'.",
            code="bad_device",
            field="device",
            hint="Write auto, cpu, cuda or cuda:0.",
        )
    quantize = text_of(body, "quantize")
    model_format = None if quantize in (None, "none") else quantize
    if model_format is not None and model_format not in MODEL_FORMATS:
        raise InvalidInputError(
            f"There is no format '{quantize}'.",
            code="bad_format",
            field="quantize",
            hint=f"Choose none or one of {', '.join(MODEL_FORMATS)}.",
        )
    if model_format is not None:
        footprint.require(model_format, None, field="quantize")
    return ExtractionRequest(
        model=_required(body, "model"),
        dataset=_required(body, "dataset"),
        split=text_of(body, "split"),
        layers=_layers(body.get("layers")),
        hooks=_hooks(body.get("hooks")),
        spec=spec,
        tokenization=_tokenization(body),
        format=model_format,
        name=_name(body),
        fallback=fallback.read(body, model_format or "fp32"),
    )


def _required(body: Json, name: str) -> str:
    value = text_of(body, name)
    if value is None:
        raise InvalidInputError(
            f"Choose a {name} first.",
            code=f"{name}_missing",
            field=name,
            hint="Give an id or name from the catalog, a folder, or a repository on the Hub.",
        )
    return value


def _layers(value: Any) -> tuple[int, ...] | None:
    whole = isinstance(value, list) and all(type(layer) is int for layer in value)
    if value is None or type(value) is int or isinstance(value, str) or whole:
        layers = hookpoints.parse_layers(value)
        if layers != ():
            return layers
    raise InvalidInputError(
        f"{value!r} is not a choice of layers.",
        code="bad_layers",
        field="layers",
        hint="Write it like 0,2-5 or all, or give a list of numbers.",
    )


def _hooks(value: Any) -> tuple[str, ...]:
    if value is None:
        return ("resid_post",)
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if not isinstance(value, list) or not value or not all(isinstance(v, str) for v in value):
        raise InvalidInputError(
            "Choose at least one hook point.",
            code="hooks_missing",
            field="hooks",
            hint=f"For example {', '.join(hookpoints.BLOCK_POINTS)}.",
        )
    for hook in value:
        if hookpoints.ALIASES.get(hook, hook) not in {
            *hookpoints.BLOCK_POINTS,
            *hookpoints.GLOBAL_POINTS,
        }:
            hookpoints.split_name(hook)
    return tuple(dict.fromkeys(value))


def _tokenization(body: Json) -> TokenizationSpec:
    settings = body.get("tokenization")
    if settings is None:
        settings = {}
    if not isinstance(settings, dict):
        raise InvalidInputError(
            "tokenization must be an object of settings.",
            code="bad_tokenization",
            field="tokenization",
        )
    known = {field.name for field in fields(TokenizationSpec)}
    # A tokenization as REST shows it may be handed back with its other fields.
    settings = {k: v for k, v in settings.items() if k in known or k not in ("id", "split")}
    given = {name: body[name] for name in _TOKENIZATION_FIELDS if body.get(name) is not None}
    return TokenizationSpec.from_dict({**settings, **given})


def _name(body: Json) -> str | None:
    name = text_of(body, "name")
    return None if name is None else checked_name(name)


def checked_name(name: str) -> str:
    """Return a name that an extraction can have, or raise InvalidInputError."""
    if not _NAME.match(name):
        raise InvalidInputError(
            f"'{name}' cannot be a name.",
            code="bad_name",
            field="name",
            hint="Use up to 100 letters, digits, spaces and . , + : @ ( ) _ -",
        )
    return name
