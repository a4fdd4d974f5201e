"""Requests for extractions at random, compared with plain transformers one sample at a time."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import torch

import mistudio_ext as ms
from tests.engine.tiny import FAMILIES, VOCAB
from tests.oracle import models, reference
from tests.oracle.report import Area, Case, Outcome, Problem
from tests.oracle.session import PATIENCE, Session

#: Half a unit in the last place, relative, of each storage dtype.
_ROUNDING = {"float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}
#: What float16 cannot tell from zero, and its largest number.
_TINY, _LARGEST = 2.0**-25, 65504.0
#: How far float32 may be off for the company that a sample has in its batch: units of 2⁻²³ of a
#: token's norm. Sums of products in another order differ by a few; blocks carry it on.
COMPUTED = 256 * 2.0**-23
#: How often the distance between bfloat16 and float32 on the same model bfloat16 may be off.
NOISES = 3.0

_SHORT = ("resid_pre", "resid_post", "resid_mid", "attn_out", "mlp_out", "z", "mlp_post")
_GLOBAL = ("embed", "ln_final")
_ENDS = {
    "z": "attn.hook_z",
    "mlp_post": "mlp.hook_post",
    "embed": "hook_embed",
    "ln_final": "ln_final.hook_normalized",
}
_FORMATS = ("fp32", "bf16", "fp16", "q8", "q4", "q2")

#: Refusals that are right for some draws: the reference does not tell beforehand which.
_ALLOWED = frozenset(
    {
        "unknown_hook",
        "hook_not_offered",
        "hook_unavailable",
        "no_such_hook",
        "unsupported_model",
        "unsupported_format",
        "context_too_small",
        "overlap_too_large",
        "context_too_long",
        "empty_tokenization",
        "no_hooks",
    }
)


def draw(rng: random.Random, group: random.Random) -> Case:
    """Draw a request and the model and dataset that it names."""
    family = group.choice(
        [*FAMILIES] * 3 + [*models.ENCODERS] * 4 + [*models.CAUSAL] + [*models.BOTH[:1]]
    )
    context = rng.choice([None, None, 1, 2, 5, 8, 16, 33, models.POSITIONS])
    sets = [
        [1],
        [models.POSITIONS],
        [7] * group.randint(1, 9),
        [group.randint(1, models.POSITIONS) for _ in range(group.randint(1, 24))],
        [group.choice((1, 2, 3, models.POSITIONS + 40)) for _ in range(group.randint(2, 12))],
    ]
    lengths = rng.choice(group.sample(sets, 3))
    return {
        "family": family,
        "model_seed": 0,
        "weights": group.choice(["float32", "float32", "float32", "bfloat16", "float16"]),
        "frame": group.choice(["none", "bos", "both"]),
        "format": rng.choice(["fp32", group.choice([*_FORMATS, "bf16"])]),
        "layout": rng.choice(["packed", "packed", "padded"]),
        "positions": rng.choice(["all", "all", "all", "last", "mean"]),
        "dtype": rng.choice(["float32", "float32", "float16", "bfloat16"]),
        "context": context,
        "mode": rng.choice([None, "truncate", "chunk", "pack"]),
        "overlap": rng.choice([0, 0, 1, 3]),
        "source": rng.choice(["ids", "text"]),
        "special_tokens": rng.choice([True, True, False]),
        "lengths": lengths,
        "rows_seed": group.randrange(1 << 20),
        "batch_tokens": rng.choice([None, None, 1, 17, 64, 100, 4096]),
        "max_samples": rng.choice([None, None, None, 1, 3]),
        "layers": rng.choice([None, [0], [-1], "0-1", [1, 0]]),
        "hooks": rng.sample([*_SHORT, *_SHORT, *_GLOBAL], rng.randint(1, 3)),
        "modules": rng.choice([0, 0, 1, 2]),
        "via": rng.choice(["python"] * 30 + ["cli"]),
    }


SIMPLEST: Case = {
    "via": "python",
    "weights": "float32",
    "format": "fp32",
    "max_samples": None,
    "mode": None,
    "overlap": 0,
    "source": "ids",
    "special_tokens": True,
    "frame": "none",
    "layout": "packed",
    "positions": "all",
    "dtype": "float32",
    "context": None,
    "batch_tokens": None,
    "layers": None,
    "modules": 0,
    "hooks": ["resid_post"],
    "lengths": [5, 9],
    "family": "llama",
}


@dataclass
class _Model:
    """A model that was written and registered, and references of it by format."""

    folder: Path
    names: dict[str, str]
    references: dict[str, reference.Reference]
    modules: list[str]
    hooks: list[str]
    context: int


def check(case: Case, session: Session) -> Outcome:
    """Put the request, and compare tokens, bounds, rows, and every array."""
    if experts(case["family"]) and (case["format"], case["weights"]) != ("fp32", "float32"):
        # A rounding chooses another expert: nothing but float32 can be compared.
        case = {**case, "format": "fp32", "weights": "float32"}
    model = _model(case, session)
    # "The model's own, at most 1024": what the registered model says of itself.
    case = {**case, "context": case["context"] or model.context}
    rows = _rows(case)
    dataset = _dataset(case, rows, session)
    chosen = random.Random(case["rows_seed"]).sample(
        model.modules, min(case["modules"], len(model.modules))
    )
    hooks = [h for h in case["hooks"] if _offered(model, h)] + [f"module:{m}" for m in chosen]
    if not hooks:
        return Outcome(refused="nothing_offered")
    acts = _extract(case, model, dataset, hooks, session)
    problems = _contexts_as_expected(case, rows, acts)
    found, figures = _arrays_as_expected(case, model, acts, hooks)
    return Outcome(tuple(problems + found), figures=figures, made=acts.id)


def _offered(model: _Model, hook: str) -> bool:
    end = _ENDS.get(hook, f"hook_{hook}")
    return any(name.endswith(end) for name in model.hooks)


def experts(family: str) -> bool:
    """Tell whether a family chooses experts."""
    if family in models.EXPERTS:
        return True
    if family in FAMILIES or family in models.ENCODERS:
        return False
    names = models.shrunken(family).to_dict()
    return any("expert" in name or "topk" in name for name in names)


# --- putting it -----------------------------------------------------------------------------------


def _model(case: Case, session: Session) -> _Model:
    key = ("model", case["family"], case["model_seed"], case["frame"], case["weights"])
    if key not in session.kept:
        folder = models.write(session.place(case["family"]), *key[1:])  # type: ignore[arg-type]
        session.kept[key] = _Model(folder, {}, {}, [], [], 0)
    model: _Model = session.kept[key]
    if case["format"] not in model.names:
        # Formats that are dtypes are registered; the others are asked for with the request.
        plain = case["format"] in ("fp32", "bf16", "fp16")
        record = ms.models.add(model.folder, format=case["format"] if plain else "fp32")
        model.names[case["format"]] = record["id"]
        architecture = session.studio.models.architecture(record["id"])
        model.context = min(record["context"] or 1024, 1024)
        model.hooks = [hook["name"] for hook in architecture["hooks"]]
    if not model.modules and model.hooks:
        one = _reference(case, model, "fp32").run([3, 4, 5, 6, 7])
        paths = [c.path for c in one._calls if c.output is not None and c.path]
        model.modules = [p for p in paths if paths.count(p) == 1 and "expert" not in p]
    return model


def _reference(case: Case, model: _Model, format: str) -> reference.Reference:
    if format not in model.references:
        loaded = reference.load(str(model.folder), case["family"], format)
        model.references[format] = reference.Reference(loaded)
    return model.references[format]


def _rows(case: Case) -> list[list[int]]:
    rng = np.random.default_rng(case["rows_seed"])
    return [rng.integers(3, VOCAB, n).tolist() for n in case["lengths"]]


def _dataset(case: Case, rows: list[list[int]], session: Session) -> Path:
    key = ("rows", case["source"], *case["lengths"], case["rows_seed"])
    if key not in session.kept:
        session.kept[key] = _write_rows(case, rows, session.place("rows"))
    return session.kept[key]


def _write_rows(case: Case, rows: list[list[int]], folder: Path) -> Path:
    if case["source"] == "ids":
        pq.write_table(pa.table({"input_ids": rows}), folder / "rows.parquet")
        return folder / "rows.parquet"
    lines = [json.dumps({"text": models.words(row)}) for row in rows]
    (folder / "rows.jsonl").write_text("\n".join(lines) + "\n")
    return folder / "rows.jsonl"


def _extract(case: Case, model: _Model, dataset: Path, hooks: list[str], session: Session) -> Any:
    quantize = case["format"] if case["format"] in ("q8", "q4", "q2") else None
    tokenization = {"overlap": case["overlap"]} if case["mode"] == "chunk" else {}
    if not case["special_tokens"]:
        tokenization["special_tokens"] = False
    settings = {
        "layers": case["layers"],
        "layout": case["layout"],
        "positions": case["positions"],
        "dtype": case["dtype"],
        "context": case["context"],
        "mode": case["mode"],
        "max_samples": case["max_samples"],
        "batch_tokens": case["batch_tokens"],
        "quantize": quantize,
        "tokenization": tokenization or None,
        "device": case.get("device", "cpu"),
        "fallback": case.get("fallback", False),
        "split": case.get("split"),
        "name": case.get("name"),
    }
    if case["via"] == "cli" and not tokenization and case["mode"] in (None, "truncate"):
        return ms.open(_by_command(model.names[case["format"]], dataset, hooks, settings, session))
    acts = ms.extract(model.names[case["format"]], dataset, hooks=hooks, **settings)
    acts.wait(timeout=PATIENCE)
    return acts


def _by_command(
    model: str, dataset: Path, hooks: list[str], settings: dict[str, Any], session: Session
) -> str:
    command = [sys.executable, "-m", "mistudio_ext.cli", "extract", "--model", model]
    command += ["--dataset", str(dataset), "--hooks", ",".join(hooks), "--json"]
    command += ["--data-dir", str(session.data_dir)]
    for name in ("layout", "positions", "dtype", "context", "max_samples", "batch_tokens"):
        if settings[name] is not None:
            command += [f"--{name.replace('_', '-')}", str(settings[name])]
    if settings["quantize"]:
        command += ["--quantize", settings["quantize"]]
    if (layers := settings["layers"]) is not None:
        text = layers if isinstance(layers, str) else ",".join(map(str, layers))
        command += [f"--layers={text}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    if done.returncode:
        raise RuntimeError(f"exit {done.returncode}: {done.stderr[-500:]}")
    return str(json.loads(done.stdout)["id"])


# --- contexts -------------------------------------------------------------------------------------


def expected_contexts(case: Case, rows: list[list[int]]) -> list[tuple[int, list[int]]]:
    """Return ``(row, ids)`` of each context, by what the docs say of truncate, chunk and pack."""
    ready = case["source"] == "ids"
    before, after = models.frame_of(case["frame"])
    if ready or not case["special_tokens"]:
        before, after = [], []
    context = case["context"]
    mode = case["mode"] or "truncate"
    room = context - len(before) - len(after)
    found: list[tuple[int, list[int]]] = []
    if mode == "truncate":
        found = [(i, [*before, *row[:room], *after]) for i, row in enumerate(rows)]
    elif mode == "chunk":
        for i, row in enumerate(rows):
            step = room - case["overlap"]
            for start in range(0, max(1, len(row)), step):
                found.append((i, [*before, *row[start : start + room], *after]))
                if start + room >= len(row):
                    break
    else:
        found = _packed(case, rows, context, before, after)
    return found[: case["max_samples"]]


def _packed(
    case: Case, rows: list[list[int]], context: int, before: list[int], after: list[int]
) -> list[tuple[int, list[int]]]:
    """Whole rows one after the other, each with its end; a longer one goes on in the next."""
    if case["source"] == "text" and case["special_tokens"] and not after:
        after = [2]
    found: list[tuple[int, list[int]]] = []
    now: list[int] = []
    first = 0
    for i, row in enumerate(rows):
        body = [*row, *after]
        if now and len(now) + len(body) > context:
            found.append((first, now))
            now = []
        left = len(row)  # A context that would hold nothing but the end is not begun.
        while left > 0:
            if not now:
                now, first = list(before), i
            room = context - len(now)
            now, body, left = now + body[:room], body[room:], left - room
            if len(now) == context:
                found.append((first, now))
                now = []
    return [*found, (first, now)] if now else found


def _contexts_as_expected(case: Case, rows: list[list[int]], acts: Any) -> list[Problem]:
    expected = expected_contexts(case, rows)
    tokens, offsets = np.asarray(acts.tokens), np.asarray(acts.offsets)
    found = [tokens[a:b].tolist() for a, b in pairwise(offsets)]
    problems = []
    if found != [ids for _, ids in expected]:
        at = next(
            (i for i, (a, b) in enumerate(zip(found, expected, strict=False)) if a != b[1]),
            min(len(found), len(expected)),
        )
        detail = f"{len(found)} contexts, {len(expected)} expected; the first that differs: {at}: "
        detail += f"{found[at : at + 1]} instead of {[ids for _, ids in expected[at : at + 1]]}"
        problems.append(Problem("contexts differ", detail[:600]))
    elif np.asarray(acts.rows).tolist() != [row for row, _ in expected]:
        problems.append(Problem("rows differ", f"{np.asarray(acts.rows).tolist()[:20]}"))
    return problems


# --- arrays ---------------------------------------------------------------------------------------


def _arrays_as_expected(
    case: Case, model: _Model, acts: Any, hooks: list[str]
) -> tuple[list[Problem], dict[str, int]]:
    tokens, offsets = np.asarray(acts.tokens), np.asarray(acts.offsets)
    exact = case["format"] not in ("bf16", "q8")
    own = _reference(case, model, case["format"])
    plain = None if exact else _reference(case, model, "fp32")
    samples = [own.run(tokens[a:b].tolist()) for a, b in pairwise(offsets)]
    others = [plain.run(tokens[a:b].tolist()) for a, b in pairwise(offsets)] if plain else []
    problems, compared, unknown = _named(case, model, acts, hooks), 0, 0
    for hook in acts.hooks:
        try:
            right = [_reduced(s.value(hook), case) for s in samples]
            noise = [_reduced(s.value(hook), case) for s in others]
        except reference.Unknown:
            unknown += 1
            continue
        compared += 1
        problems += _array_as_expected(case, acts, hook, right, noise, offsets)
    return problems, {"arrays": compared, "arrays without a reference": unknown}


def _named(case: Case, model: _Model, acts: Any, hooks: list[str]) -> list[Problem]:
    """Nothing but what was asked for is there, and all of it."""
    chosen = parsed_layers(case["layers"], model)
    wanted = {h for h in hooks if h.startswith("module:")}
    for hook in set(hooks) - wanted:
        end = _ENDS.get(hook, f"hook_{hook}")
        blocks = {f"blocks.{i}.{end}" for i in chosen} & set(model.hooks)
        wanted |= blocks or ({end} & set(model.hooks))
    if wanted != set(acts.hooks):
        detail = f"asked {hooks} of layers {case['layers']}, got {acts.hooks}"
        return [Problem("other hooks", detail[:400])]
    return []


def parsed_layers(layers: Any, model: _Model) -> list[int]:
    """Return the numbers that a choice of layers stands for."""
    count = len({h.split(".")[1] for h in model.hooks if h.startswith("blocks.")})
    if layers is None:
        return list(range(count))
    if isinstance(layers, str):
        first, _, last = layers.partition("-")
        return list(range(int(first), int(last) + 1))
    return [i % count for i in layers]


def _reduced(value: torch.Tensor, case: Case) -> npt.NDArray[np.float64]:
    rows = value.float().double().numpy()
    if case["positions"] == "last":
        return rows[-1:]
    if case["positions"] == "mean":
        return rows.mean(0, keepdims=True)
    return rows


def _array_as_expected(
    case: Case,
    acts: Any,
    hook: str,
    right: list[npt.NDArray[np.float64]],
    noise: list[npt.NDArray[np.float64]],
    offsets: npt.NDArray[Any],
) -> list[Problem]:
    array = np.asarray(acts[hook]).astype(np.float64)
    d = right[0].shape[-1]
    lengths = [len(r) for r in right]
    if case["positions"] != "all":
        shape: tuple[int, ...] = (len(right), d)
        rows = [array[i : i + 1] for i in range(len(array))]
    elif case["layout"] == "padded":
        context = case["context"]
        shape = (len(right), context, d)
        rows = [array[i, :n] for i, n in enumerate(lengths)] if array.shape == shape else []
        if array.shape == shape and any(array[i, n:].any() for i, n in enumerate(lengths)):
            return [Problem(f"padding is not zero: {_short(hook)}", hook)]
    else:
        shape = (int(offsets[-1]), d)
        rows = [array[a:b] for a, b in pairwise(offsets)]
    if array.shape != shape:
        return [Problem("shape", f"{hook}: {array.shape} instead of {shape}")]
    allowed = COMPUTED
    if noise:
        allowed = NOISES * max(float(np.max(_off(a, b))) for a, b in zip(noise, right, strict=True))
        allowed = max(allowed, 2.0**-8)
    return _compared(case, hook, rows, right, allowed)


def _compared(case: Case, hook: str, rows: Any, right: Any, allowed: float) -> list[Problem]:
    stored = _ROUNDING[case["dtype"]]
    for i, (mine, true) in enumerate(zip(rows, right, strict=True)):
        with np.errstate(invalid="ignore"):
            clipped = (
                np.where(np.abs(true) > _LARGEST, mine, true)
                if case["dtype"] == "float16"
                else true
            )
        floor = _TINY * np.sqrt(true.shape[-1]) / np.maximum(np.linalg.norm(true, axis=-1), 1e-30)
        limit = stored * 1.01 + allowed + (floor if case["dtype"] == "float16" else 0.0)
        off = _off(mine, clipped)
        bad = ~(off <= limit)
        if bad.any():
            t = int(np.argmax(np.where(np.isnan(off), np.inf, off)))
            detail = (
                f"{hook}: sample {i} of {len(right)}, token {t} of {len(true)}: off by "
                f"{off[t]:.3g} of its norm, {np.broadcast_to(limit, off.shape)[t]:.3g} allowed; "
                f"{int(bad.sum())} tokens of the sample"
            )
            kind = f"values: {_short(hook)}, {case['family']}, {case['format']}"
            return [Problem(kind, detail)]
    return []


def _short(hook: str) -> str:
    return "module" if hook.startswith("module:") else hook.rsplit(".", 1)[-1]


def _off(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return for each token how far ``a`` is from ``b``, as a share of the norm of ``b``."""
    off: npt.NDArray[np.float64] = np.linalg.norm(a - b, axis=-1) / np.maximum(
        np.linalg.norm(b, axis=-1), 1e-12
    )
    return off


AREA = Area("engine", draw, check, SIMPLEST, _ALLOWED)
