"""What an extraction will read and write: its hook points, its size, its identity."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from mistudio_ext import hookpoints, keys
from mistudio_ext.catalog import DatasetRecord, ModelRecord, TokenizationRecord
from mistudio_ext.errors import InvalidInputError
from mistudio_ext.services import estimates, footprint
from mistudio_ext.services.context import Context, Json, free_bytes
from mistudio_ext.services.extraction_records import ExtractionRecords, weights_of
from mistudio_ext.services.models import ModelService, require_layers
from mistudio_ext.spec import ExtractionSpec, fingerprint


class ExtractionPlanner:
    """Says of a spec what it comes to for a model and a dataset."""

    def __init__(self, context: Context, models: ModelService, records: ExtractionRecords) -> None:
        self._context = context
        self._models = models
        self._records = records

    def hooks(self, model: ModelRecord, hooks: tuple[str, ...], layers: Any) -> tuple[str, ...]:
        """Expand hook names; as they were asked for while the model is not known yet."""
        if model.state != "ready":
            return hooks
        names = hookpoints.expand(hooks, layers, require_layers(model))
        architecture = self._models.architecture(model.id)
        offered = {hook["name"] for hook in architecture["hooks"]}
        offered |= {hookpoints.MODULE_PREFIX + path for path in _modules(architecture["tree"])}
        for name in names:
            if name not in offered:
                raise _no_such_hook(name, model, architecture)
        return names

    def estimate(
        self, model: ModelRecord, spec: ExtractionSpec, hooks: Any, size: estimates.Size
    ) -> Json:
        """Return tokens, bytes, seconds and memory, as ``POST extractions/estimate`` gives them."""
        place = self._context.jobs.place(spec.device)
        whole = replace(spec, hooks=tuple(hooks))
        architecture = self._models.architecture(model.id) if model.state == "ready" else None
        footprint.require(model.format, (architecture or {}).get("sizes"), field="quantize")
        widths = estimates.hook_widths(hooks, architecture, model.d_model or 1)
        n_bytes = estimates.array_bytes(size, widths, spec)
        speed, measured = estimates.tokens_per_second(self._context, model)
        return {
            "n_samples": size.n_samples,
            "n_tokens": size.n_tokens,
            "exact": size.exact,
            "hooks": list(hooks),
            "bytes": n_bytes,
            "seconds": size.n_tokens / speed,
            "tokens_per_second": speed,
            "measured": measured,
            "device_memory_bytes": estimates.device_memory(
                model, whole, architecture, size.context, place
            ),
            "disk_free_bytes": free_bytes(self._context.settings.data_dir),
            "warnings": estimates.warnings_for(self._context, n_bytes, list(hooks), spec),
        }

    def require_space(
        self,
        model: ModelRecord,
        dataset: DatasetRecord,
        split: str,
        tokenization: TokenizationRecord | None,
        length: int | None,
        spec: ExtractionSpec,
        held: int = 0,
    ) -> None:
        """Raise NoSpaceError if the arrays cannot fit on the disk beside what they hold already.

        Arrays that another extraction has are linked, and take nothing; should the engine have
        to make one all the same, it looks at the disk again before it begins.
        """
        if model.state != "ready" or dataset.state != "ready" or length is None:
            return  # Looked at again when the job starts.
        size = estimates.size_of(
            self._context, dataset, split, tokenization, length, spec.max_samples
        )
        linked: set[str] = set()
        if tokenization is not None:
            for other in self._records.with_other_hooks(model, tokenization, spec):
                linked.update(other.spec["hooks"])
        hooks = [name for name in spec.hooks if name not in linked]
        needed = self.estimate(model, spec, hooks, size)["bytes"] - held
        self._context.require_room("The extraction", needed)


def identity_of(
    model: ModelRecord,
    tokenization: TokenizationRecord,
    spec: ExtractionSpec,
    smaller: Sequence[str] = (),
    device: str | None = None,
) -> str:
    """Return the fingerprint of all that decides the arrays.

    Parameters
    ----------
    smaller
        Formats to fall back to: what may end in another format is never taken for what may not.
    device
        The kind of device that was asked for; None for any.
    """
    return fingerprint(
        {
            "model": model.id,
            "weights": weights_of(model),
            "format": model.format,
            "tokenization": tokenization.id,
            "spec": keys.facts_of(spec),
            "fallback": list(smaller),
            "device": device,
            "rules": keys.RULES["extraction"],
        }
    )


def _modules(tree: Iterable[Json]) -> Iterator[str]:
    """Return the paths of all modules in an architecture's tree."""
    for node in tree:
        yield node["name"]
        yield from _modules(node.get("children") or [])


def _no_such_hook(name: str, model: ModelRecord, architecture: Json) -> InvalidInputError:
    layer, short = hookpoints.split_name(name)
    reasons = {u["short"]: u["reason"] for u in architecture.get("unavailable", [])}
    offered = dict.fromkeys(hook["short"] for hook in architecture["hooks"])
    return InvalidInputError(
        f"'{model.name}' has no hook point '{name}'"
        + (f": {reasons[short]}" if short in reasons else ".").replace("..", "."),
        code="no_such_hook",
        field="hooks",
        hint=f"It offers {', '.join(offered)}"
        + (f" in layers 0 to {architecture['n_layers'] - 1}." if layer is not None else "."),
    )
