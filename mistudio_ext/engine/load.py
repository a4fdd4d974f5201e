"""Weights on disk → a model in memory, in the format that was asked for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn

from mistudio_ext.engine import families, own_memory, two_bit
from mistudio_ext.engine.memory import is_out_of_memory
from mistudio_ext.engine.model import arithmetic, bitsandbytes_layers
from mistudio_ext.engine.model.as_loaded import format_of, published_as
from mistudio_ext.engine.model.completeness import (
    check_complete,
    check_float16_range,
    check_quantised,
    not_finite,
    unused_weights,
)
from mistudio_ext.engine.model.quantized_linear import quantizable_layers
from mistudio_ext.errors import InvalidInputError, MiStudioError, OutOfMemoryError
from mistudio_ext.published import already_quantised, may_become

#: What building a model from a config and reading its weights raises, where they will not do.
_LOAD_ERRORS = (
    OSError,
    ValueError,
    ImportError,
    RuntimeError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    ZeroDivisionError,
    SafetensorError,
)
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class LoadedModel:
    """A model ready to run, and what to tell the user about how it was loaded."""

    model: Any
    device: torch.device
    dtype: torch.dtype
    warnings: tuple[tuple[str, str], ...] = ()
    format: str | None = None
    """Format that it is in, of several that were asked for or as it was published quantised; None
    where it is simply in the one that was asked for."""
    fallback_reason: str | None = None
    """Why it is not the first of them."""


def choose_device(wanted: str | None) -> torch.device:
    """Return the device for ``auto``, ``cpu``, ``cuda`` or ``cuda:<n>``.

    Raises
    ------
    InvalidInputError
        If there is no such device (code ``no_such_device``).
    """
    if wanted in (None, "", "auto"):
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(str(wanted))
    except RuntimeError as error:
        raise InvalidInputError(
            f"'{wanted}' is not a device.",
            code="no_such_device",
            field="device",
            hint="Use auto, cpu, cuda or cuda:0.",
        ) from error
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device.type not in ("cpu", "cuda") or (
        device.type == "cuda" and (device.index or 0) >= count
    ):
        raise InvalidInputError(
            f"There is no device '{wanted}' here.",
            code="no_such_device",
            field="device",
            hint="Use auto or cpu." if not count else f"Use auto, cpu or cuda:0 to {count - 1}.",
        )
    return device


def read_config(path: Path, allow_remote_code: bool, *, any_kind: bool = False) -> Any:
    """Return the model's config.

    Parameters
    ----------
    path
        The model's folder.
    allow_remote_code
        Whether the model's own code may run.
    any_kind
        Whether a model that cannot be extracted from will do, to be looked at.

    Raises
    ------
    InvalidInputError
        ``not_a_model`` if the folder holds no config that transformers can read,
        ``remote_code`` if the model needs code of its own and that is not allowed,
        ``unsupported_model`` if it is no decoder-only language model.
    """
    from transformers import AutoConfig

    if not (path / "config.json").is_file():
        raise InvalidInputError(
            f"{path} is not a model: it has no config.json.",
            code="not_a_model",
            field="path",
            hint="Give the folder that save_pretrained wrote.",
        )
    try:
        raw = json.loads((path / "config.json").read_text())
        needs_code = "auto_map" in raw and not _known(raw.get("model_type"))
    except (ValueError, AttributeError) as error:
        raise InvalidInputError(
            f"{path}/config.json cannot be read: {error}.", code="not_a_model", field="path"
        ) from error
    if needs_code and not allow_remote_code:
        raise InvalidInputError(
            f"This model ('{raw.get('model_type')}') runs code from its repository.",
            code="remote_code",
            field="path",
            hint="If you trust its author, tick its code when you add it; the administrator's "
            "allow_remote_code must permit that.",
        )
    try:
        config = AutoConfig.from_pretrained(
            path, local_files_only=True, trust_remote_code=needs_code
        )
    except (ValueError, KeyError, OSError, TypeError) as error:
        raise InvalidInputError(
            f"transformers does not know this model: {_one_line(error)}",
            code="not_a_model",
            field="path",
            hint="A newer version of transformers may know it.",
        ) from error
    if not any_kind and (reason := families.unsupported(config)):
        raise InvalidInputError(f"{reason}.", code="unsupported_model", field="path")
    return config


def meta_model(config: Any, allow_remote_code: bool = False) -> nn.Module:
    """Return the model of a config without any weights, for counting and for its tree."""
    with torch.device("meta"):
        model: nn.Module = class_for(config).from_config(
            config, trust_remote_code=allow_remote_code
        )
        return model


def load_model(
    path: Path | str,
    format: str | None = "fp32",
    device: str | torch.device | None = "cpu",
    allow_remote_code: bool = False,
    *,
    allow_pickle: bool = False,
) -> LoadedModel:
    """Load a model for inference.

    Parameters
    ----------
    path
        Folder with ``config.json`` and safetensors.
    format
        None for that of the files: full precision, or as their publisher quantised them.
        ``fp32``, ``bf16``, ``fp16``: dtype of the weights and of the computation.
        ``q8``, ``q4``: int8 and NF4 of bitsandbytes, computed by our own layers, see
        :mod:`mistudio_ext.engine.model`; ``q2``: two bits in groups of 64, see
        :mod:`mistudio_ext.engine.two_bit`. They compute in the dtype of the device
        (bfloat16 on a GPU, float32 on a CPU). Weights that bitsandbytes quantised before they
        were published are computed in the same way, whatever the format.
    device
        Where to put it; see :func:`choose_device`.
    allow_remote_code
        Whether the model's own code may run.
    allow_pickle
        Whether ``pytorch_model*.bin`` may be read where there are no safetensors; torch
        unpickles nothing but tensors from it (``weights_only``).

    Raises
    ------
    InvalidInputError
        If the folder, the format or the weights will not do; ``already_quantised`` for
        another format than the one in which the weights were published quantised.
    OutOfMemoryError
        If the weights do not fit.
    """
    arithmetic.use_full_float32()
    path = Path(path)
    config = read_config(path, allow_remote_code)
    target = device if isinstance(device, torch.device) else choose_device(device)
    safe = _has_safetensors(path)
    if not safe and not allow_pickle:
        raise _unsafe()
    published = published_as(config)
    if published and format and not may_become(published, format):
        raise already_quantised(path.name, published, format)
    asked, format = format, format or "fp32"
    options, dtype, warnings = _options(format, target, config)
    try:
        model, info = class_for(config).from_pretrained(
            path,
            config=config,
            local_files_only=True,
            use_safetensors=safe,
            weights_only=True,
            trust_remote_code=allow_remote_code,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # Refused below, with names and shapes.
            **options,
        )
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise OutOfMemoryError(
            f"The model does not fit into the memory of {target}.",
            hint="Choose a smaller format (bf16, q8, q4) or another device.",
        ) from error
    except UnpicklingError as error:
        raise InvalidInputError(
            "The pickled weights are damaged, or hold more than tensors: they are not read.",
            code="unsafe_weights",
            field="path",
            hint="Choose a version with safetensors.",
        ) from error
    except _LOAD_ERRORS as error:
        if is_out_of_memory(error):
            raise OutOfMemoryError(
                f"The model does not fit into the memory of {target}.",
                hint="Choose a smaller format (bf16, q8, q4) or another device.",
            ) from error
        raise InvalidInputError(
            f"The model cannot be loaded as {format}: {_one_line(error)}",
            code="cannot_load",
            field="format" if format in ("q8", "q4", "q2") else "path",
            hint="Check config.json against the weights; a newer version of transformers may "
            "be needed.",
        ) from error
    check_complete(model, info)
    warnings += unused_weights(model, info)
    if broken := not_finite(model):
        warnings += (("weights_not_finite", f"{broken}. Values that depend on them are too."),)
    if format == "fp16" and not _published_quantised(config):
        check_float16_range(model)
        model = model.float() if target.type == "cpu" else model
    if format == "q2" and not _published_quantised(config):
        two_bit.to_two_bits(model, target)
    if format in ("q8", "q4") or bitsandbytes_layers.is_bitsandbytes(config):
        _take_over(model, format, config, dtype, allow_remote_code)
    if format in ("q8", "q4", "q2") and not _published_quantised(config):
        check_quantised(model, format)
    if "device_map" not in options:
        model = model.to(target)
    own_memory.detach_from_files(model)
    made = format_of(model, config)
    if published and asked and made != asked:
        raise already_quantised(path.name, str(made), asked)
    model.eval()
    model.requires_grad_(False)
    if _published_quantised(config) and not bitsandbytes_layers.is_bitsandbytes(config):
        dtype = model.dtype
    return LoadedModel(model, target, dtype, warnings, made)


def _options(
    format: str, device: torch.device, config: Any
) -> tuple[dict[str, Any], torch.dtype, tuple[tuple[str, str], ...]]:
    """Return keywords for ``from_pretrained``, compute dtype, and warnings."""
    place: dict[str, Any] = {}
    if device.type == "cuda" and find_spec("accelerate") is not None:
        place = {"device_map": {"": str(device)}}  # Straight to the GPU, not through host memory.
    compute = torch.bfloat16 if device.type == "cuda" else torch.float32
    if _published_quantised(config):
        # Quantised by its publisher: it can only be loaded as it is.
        place = {"device_map": {"": str(device)}}
        if bitsandbytes_layers.is_bitsandbytes(config):
            place["dtype"] = compute
        return place, compute, ()
    if format == "fp16" and device.type == "cpu":
        text = "float16 cannot be computed on a CPU at any useful speed; computing in float32."
        return {"dtype": torch.float16}, torch.float32, (("fp16_on_cpu", text),)
    if format in _DTYPES:
        return {"dtype": _DTYPES[format], **place}, _DTYPES[format], ()
    if format == "q2":
        # Through host memory: only the fitted layers go to the GPU.
        return {"dtype": compute}, compute, ()
    if format in ("q8", "q4"):
        quantised = bitsandbytes_layers.config_for(format, compute)
        where = {"device_map": {"": str(device)}}
        return {"quantization_config": quantised, "dtype": compute, **where}, compute, ()
    raise InvalidInputError(
        f"A model cannot be loaded as {format!r} here.",
        code="unsupported_format",
        field="format",
        hint="Choose fp32, bf16, fp16, q8, q4 or q2.",
    )


def _take_over(
    model: nn.Module, format: str, config: Any, dtype: torch.dtype, allow_remote_code: bool
) -> None:
    """Let layers of our own compute what bitsandbytes quantised."""
    bitsandbytes_layers.replace_layers(model, dtype)
    for parameter in model.parameters() if _published_quantised(config) else ():
        # transformers leaves what is not quantised in the dtype of the file: float16, often.
        parameter.data = parameter.data.to(dtype)
    left = (m for m in model.modules() if isinstance(m, nn.Linear) and type(m) is not nn.Linear)
    if not _published_quantised(config) and any(left):
        # Asked of the model as it was: what is left of it has other last parameters.
        paths = quantizable_layers(meta_model(config, allow_remote_code))
        bitsandbytes_layers.quantise_rest(model, format, paths, dtype)
    bitsandbytes_layers.check_range(model)


def _published_quantised(config: Any) -> bool:
    return bool(getattr(config, "quantization_config", None))


def class_for(config: Any) -> Any:
    """Return the Auto class that reads a config: causal language model first."""
    from transformers import AutoModel, AutoModelForCausalLM

    return AutoModelForCausalLM if is_causal(config) else AutoModel


def is_causal(config: Any) -> bool:
    """Tell whether a config is that of a causal language model.

    A kind that can be an encoder (BERT) is one unless its checkpoint says otherwise: a sentence
    encoder or a classifier of that kind has no head for a language model.
    """
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    )

    if "AutoModelForCausalLM" in (getattr(config, "auto_map", None) or {}):
        return True
    causal = MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.get(config.model_type)
    named = (getattr(config, "architectures", None) or [""])[0]
    encoder = config.model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES and named != causal
    return causal is not None and not encoder


def _known(model_type: Any) -> bool:
    from transformers import CONFIG_MAPPING

    return model_type in CONFIG_MAPPING


def _has_safetensors(path: Path) -> bool:
    """Tell whether the weights are safetensors; raise if there are none of any kind."""
    if any(path.glob("*.safetensors")):
        return True
    if not any(path.glob("*.bin")) and not any(path.glob("*.pt")) and not any(path.glob("*.pth")):
        raise InvalidInputError(
            f"{path} holds no weights (*.safetensors).", code="not_a_model", field="path"
        )
    return False


def _unsafe() -> InvalidInputError:
    return InvalidInputError(
        "The weights are pickled (.bin); such a file can run code when it is opened.",
        code="unsafe_weights",
        field="path",
        hint="Choose a revision with safetensors, save it again with save_pretrained, or ask the "
        "administrator to set allow_pickle.",
    )


def _one_line(error: BaseException) -> str:
    text = str(error.message if isinstance(error, MiStudioError) else error)
    return " ".join(text.split())[:300]
