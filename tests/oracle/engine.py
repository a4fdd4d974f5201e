"""Requests for extractions at random, compared with plain transformers one sample at a time."""

from __future__ import annotations

import json
import random
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import mistudio_ext as ms
from tests.engine.tiny import FAMILIES, VOCAB
from tests.oracle import faces, models
from tests.oracle.arrays import ENDS, Model, arrays_differ, reference_of
from tests.oracle.contexts import contexts_differ
from tests.oracle.report import Area, Case, Outcome
from tests.oracle.session import PATIENCE, Session

_SHORT = ("resid_pre", "resid_post", "resid_mid", "attn_out", "mlp_out", "z", "mlp_post")
_GLOBAL = ("embed", "ln_final")
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
        "via": rng.choice(["python"] * 18 + ["cli", "rest"]),
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


def check(case: Case, session: Session) -> Outcome:
    """Put the request, and compare tokens, bounds, rows, and every array."""
    if experts(case["family"]) and (case["format"], case["weights"]) != ("fp32", "float32"):
        # A rounding chooses another expert: nothing but float32 can be compared.
        case = {**case, "format": "fp32", "weights": "float32"}
    model = register(case, session)
    # "The model's own, at most 1024": what the registered model says of itself.
    case = {**case, "context": case["context"] or model.context}
    if not model.reads_words:
        # transformers gives some families a tokenizer class that reads nothing of this vocabulary.
        case = {**case, "source": "ids"}
    rows = _rows(case)
    dataset = _dataset(case, rows, session)
    chosen = random.Random(case["rows_seed"]).sample(
        model.modules, min(case["modules"], len(model.modules))
    )
    hooks = [h for h in case["hooks"] if _offered(model, h)] + [f"module:{m}" for m in chosen]
    if not hooks:
        return Outcome(refused="nothing_offered")
    acts = _extract(case, model, dataset, hooks, session)
    problems = contexts_differ(case, rows, acts)
    found, figures = arrays_differ(case, model, acts, hooks)
    return Outcome(tuple(problems + found), figures=figures, made=acts.id)


def _offered(model: Model, hook: str) -> bool:
    end = ENDS.get(hook, f"hook_{hook}")
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


def register(case: Case, session: Session) -> Model:
    key = ("model", case["family"], case["model_seed"], case["frame"], case["weights"])
    if key not in session.kept:
        folder = models.write(session.place(case["family"]), *key[1:])  # type: ignore[arg-type]
        session.kept[key] = Model(folder, {}, {}, [], [], 0, models.reads_words(folder))
    model: Model = session.kept[key]
    if case["format"] not in model.names:
        # Formats that are dtypes are registered; the others are asked for with the request.
        plain = case["format"] in ("fp32", "bf16", "fp16")
        record = ms.models.add(model.folder, format=case["format"] if plain else "fp32")
        model.names[case["format"]] = record["id"]
        architecture = session.studio.models.architecture(record["id"])
        model.context = min(record["context"] or 1024, 1024)
        model.hooks = [hook["name"] for hook in architecture["hooks"]]
    if not model.modules and model.hooks:
        one = reference_of(case, model, "fp32").run([3, 4, 5, 6, 7])
        paths = [c.path for c in one._calls if c.output is not None and c.path]
        model.modules = [p for p in paths if paths.count(p) == 1 and "expert" not in p]
    return model


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


def _extract(case: Case, model: Model, dataset: Path, hooks: list[str], session: Session) -> Any:
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
        given = {
            **settings,
            "model": model.names[case["format"]],
            "dataset": dataset,
            "hooks": hooks,
        }
        for name in ("mode", "tokenization", "fallback"):
            del given[name]
        return ms.open(faces.by_command(given, session))
    if case["via"] == "rest":
        plain = "fp32" if quantize else case["format"]
        body = {**settings, "dataset": str(dataset), "hooks": hooks, "fallback": None}
        added = {"source": "path", "path": str(model.folder), "format": plain}
        return ms.open(faces.by_rest(added, body, session))
    with warnings.catch_warnings():
        # A name or a batch size that has no effect any more is said in a warning.
        warnings.filterwarnings("ignore", "This extraction is there already", UserWarning)
        acts = ms.extract(model.names[case["format"]], dataset, hooks=hooks, **settings)
    acts.wait(timeout=PATIENCE)
    return acts


AREA = Area("engine", draw, check, SIMPLEST, _ALLOWED)
