"""One field of a request is changed; the result must be another one, and right, or stay the same.

``EFFECTS`` names every field of every request. The test of this module compares it with the
product's own lists, so a new field has to be put here.
"""

from __future__ import annotations

import csv
import json
import random
from itertools import pairwise
from typing import Any

import numpy as np

import mistudio_ext as ms
from tests.oracle import contexts, engine, files, models
from tests.oracle.report import Area, Case, Outcome, Problem
from tests.oracle.session import PATIENCE, Session

_LENGTHS = [9, 3, 14, 1, 6]
_BASE: Case = {
    **engine.SIMPLEST,
    "model_seed": 0,
    "frame": "both",
    "source": "text",
    "lengths": _LENGTHS,
    "rows_seed": 5,
    "context": 8,
    "layers": [0],
    "mode": "truncate",
}

#: Request -> field -> values to change to, and whether the result is another one.
EFFECTS: dict[str, dict[str, tuple[list[Any], bool]]] = {
    "extraction": {
        "model": ([1], True),
        "dataset": ([6], True),
        "layers": ([[1], [0, 2], None, "1-2", [-1]], True),
        "hooks": ([["mlp_out"], ["attn_out"], ["resid_pre"], ["resid_post", "z"], ["embed"]], True),
        "quantize": (["q8", "q4", "q2"], True),
        "layout": (["padded"], True),
        "positions": (["last", "mean"], True),
        "dtype": (["float16", "bfloat16"], True),
        "context": ([5, 4], True),
        "mode": (["chunk", "pack"], True),
        "max_samples": ([1, 3], True),
        "tokenization": ([False], True),
        "batch_tokens": ([1, 17, 4096], False),
        "device": (["auto"], False),
        "name": (["another"], False),
        "fallback": ([True], True),
        "split": (["train"], False),
    },
    "tokenization": {
        "column": (["other"], True),
        "context": ([5, 9], True),
        "mode": (["chunk", "pack"], True),
        "overlap": ([1, 2], True),
        "special_tokens": ([False], True),
        "bos": (["none", "first"], True),
        "min_tokens": ([6], True),
        "max_rows": ([1, 3], True),
        "max_samples": ([1, 4], True),
        "junk": (["remove"], True),
        "max_junk_share": ([0.05], True),
        "bad_rows": (["skip"], False),
        "chat_template": ([False], False),
    },
    "import": {
        "delimiter": ([",", "|"], True),
        "header": ([False], True),
        "encoding": (["latin-1", "cp1250"], True),
        "columns": ([["b"]], True),
        "max_rows": ([1, 2], True),
        "text_column": (["b"], True),
        "content": (["x;y"], True),
    },
    "estimate": {
        "layers": ([[1], [0, 2], None], True),
        "hooks": ([["mlp_out"], ["resid_post", "z"], ["mlp_post"]], True),
        "layout": (["padded"], True),
        "positions": (["last", "mean"], True),
        "dtype": (["float16", "bfloat16"], True),
        "context": ([5, 4], True),
        "mode": (["chunk", "pack"], True),
        "max_samples": ([1, 3], True),
    },
    "statistics": {"tokenization": ([None, 4, 8], True), "content": ([1], True)},
}


def draw(rng: random.Random, _group: random.Random) -> Case:
    """Draw a request and the fields that are changed one after the other."""
    request = rng.choice(
        ["extraction"] * 4 + ["tokenization"] * 3 + ["import", "estimate", "statistics"]
    )
    names = rng.sample(list(EFFECTS[request]), min(len(EFFECTS[request]), rng.randint(2, 4)))
    changes = [[name, rng.choice(EFFECTS[request][name][0])] for name in names]
    return {"request": request, "changes": changes, "stays": rng.random() < 0.3}


SIMPLEST: Case = {"stays": False}


def check(case: Case, session: Session) -> Outcome:
    """Make the base request, then change field after field, each compared with the reference."""
    outcome: Outcome = globals()[f"_{case['request']}"](case, session)
    return outcome


# --- extraction -----------------------------------------------------------------------------------


def _changed(base: Case, field: str, value: Any) -> Case:
    names = {"model": "model_seed", "dataset": "rows_seed", "quantize": "format"}
    names |= {"tokenization": "special_tokens"}
    return {**base, names.get(field, field): value}


def _extraction(case: Case, session: Session) -> Outcome:
    seen: dict[str, Case] = {}
    now, count = _BASE, 0
    for field, value in [["layers", [0]], *case["changes"]]:
        asked = _changed(now, field, value)
        outcome = engine.check(asked, session)
        count += 1
        if outcome.problems:
            first = outcome.problems[0]
            detail = f"after {now} with {field}={value!r}: {first.detail}"
            return Outcome((Problem(f"extraction, {field}: {first.kind}", detail[:700]),))
        key = {k: v for k, v in asked.items() if EFFECTS["extraction"].get(k, ([], True))[1]}
        for other, was in seen.items():
            if (other == outcome.made) != (was == key):
                detail = f"{field}={value!r}: {outcome.made}, {other} was made for {was}"
                return Outcome((Problem(f"extraction, {field}: the key", detail[:700]),))
        seen[outcome.made] = key
        now = asked if case["stays"] else _BASE
    return Outcome(figures={"requests": count})


# --- tokenization ---------------------------------------------------------------------------------


def _tokenization(case: Case, session: Session) -> Outcome:
    dataset, rows = _text_rows(session)
    folder = session.kept.setdefault(("fields", "tokenizer"), None) or session.place("words")
    session.kept["fields", "tokenizer"] = folder
    models.write_tokenizer(folder, "both")
    base: dict[str, Any] = {"context": 7, "mode": "truncate"}
    now, count = base, 0
    for field, value in [["context", 7], *case["changes"]]:
        asked = {**now, field: value}
        if asked.get("overlap") or asked.get("bos") == "first":
            asked["mode"] = "chunk"
        made = dataset.tokenize(tokenizer=folder, **asked).wait(timeout=PATIENCE)
        place = session.data_dir / "tokenizations" / made.id
        tokens, offsets = np.load(place / "tokens.npy"), np.load(place / "offsets.npy")
        mine = [tokens[a:b].tolist() for a, b in pairwise(offsets)]
        true = _contexts(asked, rows)
        count += 1
        if mine != true:
            at = next((i for i, (a, b) in enumerate(zip(mine, true, strict=False)) if a != b), -1)
            detail = (
                f"{asked}: {len(mine)} contexts of {len(true)}; {at}: {mine[at]}, not {true[at]}"
            )
            return Outcome((Problem(f"tokenization, {field}: ids", detail[:600]),))
        now = asked if case["stays"] else base
    return Outcome(figures={"requests": count})


def _contexts(asked: dict[str, Any], rows: list[dict[str, Any]]) -> list[list[int]]:
    """Return what the docs say that these settings give."""
    special, bos = asked.get("special_tokens", True), asked.get("bos", "auto")
    before, after = ([1], [2]) if special else ([], [])
    first = [1] if bos == "first" else [] if bos == "none" else before
    later = [] if bos in ("first", "none") else before
    context, mode, overlap = asked["context"], asked["mode"], asked.get("overlap", 0)
    found = []
    texts = []
    for row in rows[: asked.get("max_rows")]:
        text = row[asked.get("column") or "text"]
        share = sum(c == "\x01" for c in text) / max(1, len(text))
        if asked.get("max_junk_share") is not None and share > asked["max_junk_share"]:
            continue
        if asked.get("junk") == "remove":
            text = text.replace("\x01", "")
        texts.append([_id(word) for word in text.split()])
    if mode == "pack":
        case = {"source": "text", "special_tokens": special}
        lead = [] if bos in ("first", "none") else before
        found = [ids for _, ids in contexts.packed(case, texts, context, lead, after)]
    for ids in texts if mode != "pack" else ():
        start = 0
        while True:
            lead = later if start else first
            piece = ids[start : start + context - len(lead) - len(after)]
            found.append([*lead, *piece, *after])
            start += len(piece)
            if mode == "truncate" or start >= len(ids):
                break
            start -= overlap
    found = [ids for ids in found if len(ids) >= asked.get("min_tokens", 1)]
    return found[: asked.get("max_samples")]


def _id(word: str) -> int:
    number = word[1:]
    return int(number) if word.startswith("w") and number.isdecimal() else 0


def _text_rows(session: Session, seed: int = 0) -> tuple[Any, list[dict[str, Any]]]:
    key = ("fields", "rows", seed)
    if key not in session.kept:
        rng = random.Random(seed)
        rows = []
        for i in range(7):
            words = [f"w{rng.randint(3, 130)}" for _ in range(rng.randint(1, 20))]
            text = " ".join(words)
            if i % 3 == 1:
                text = text[: len(text) // 2] + "\x01" + text[len(text) // 2 :]
            rows.append({"text": text, "other": " ".join(reversed(words)), "n": i})
        path = session.place("rows") / "rows.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        dataset = ms.add_dataset(path, text_column="text").wait(timeout=PATIENCE)
        session.kept[key] = dataset, rows
    found: tuple[Any, list[dict[str, Any]]] = session.kept[key]
    return found


# --- import ---------------------------------------------------------------------------------------


def _import(case: Case, session: Session) -> Outcome:
    """The same path with other options, and with other content."""
    path = session.place("import") / "rows.csv"
    lines = ["a;b", "one, é;two|x", "three;four, 5", "six;seven"]
    base: dict[str, Any] = {"delimiter": ";", "encoding": "utf-8", "header": True}
    now, count = base, 0
    for field, value in [["delimiter", ";"], *case["changes"]]:
        asked = {**now, field: value}
        content = "\n".join([*lines, asked.pop("content", "y;z")]) + "\n"
        path.write_text(content, encoding="utf-8")
        if asked["delimiter"] != ";" or not asked["header"]:
            asked.pop("columns", None), asked.pop("text_column", None)
        true = _csv_rows(path, asked)
        if true is None:
            continue
        made = ms.add_dataset(path, bad_rows="stop", **asked).wait(timeout=PATIENCE)
        stored = files.stored_rows(session.data_dir / "datasets" / made.id / "train")
        count += 1
        mine = [[str(v or "") for v in row.values()] for row in stored]
        if mine != true:
            detail = f"{asked}: {mine} instead of {true}"
            return Outcome((Problem(f"import, {field}: rows", detail[:600]),))
        text = asked.get("text_column")
        if text and made.record["text_column"] != text:
            return Outcome((Problem("import, text_column", str(made.record["text_column"])),))
        now = asked if case["stays"] else base
    return Outcome(figures={"requests": count})


def _csv_rows(path: Any, asked: dict[str, Any]) -> list[list[str]] | None:
    """Return the cells as Python's csv reads them; None if the rows are not of one width."""
    with open(path, encoding=asked["encoding"], newline="") as file:
        rows = list(csv.reader(file, delimiter=asked["delimiter"]))
    if len({len(row) for row in rows}) != 1:
        return None
    names, rows = (rows[0], rows[1:]) if asked["header"] else ([], rows)
    rows = rows[: asked.get("max_rows")]
    if asked.get("columns"):
        places = [names.index(name) for name in asked["columns"]]
        rows = [[row[i] for i in places] for row in rows]
    return rows


# --- estimate, statistics -------------------------------------------------------------------------


def _estimate(case: Case, session: Session) -> Outcome:
    """What an estimate says of tokens and bytes is what the extraction then takes."""
    count = 0
    for field, value in case["changes"]:
        asked = _changed(_BASE, field, value)
        model = engine.register(asked, session)
        dataset = engine._dataset(asked, engine._rows(asked), session)
        acts = engine._extract(asked, model, dataset, asked["hooks"], session)
        spec = acts.manifest["spec"]
        body = {"model": model.names["fp32"], "dataset": spec["dataset_id"]}
        body |= {"split": "train", "hooks": asked["hooks"], "layers": asked["layers"]}
        names = ("layout", "positions", "dtype", "context", "mode", "max_samples")
        body |= {name: asked[name] for name in names if asked[name] is not None}
        told = session.studio.extractions.estimate({k: v for k, v in body.items() if v is not None})
        taken = sum(acts[hook].nbytes for hook in acts.hooks)
        # Token ids, bounds and rows are counted too: 4 bytes a token, 16 a sample.
        beside = 4 * len(acts.tokens) + 16 * len(acts.rows)
        count += 1
        if told["n_tokens"] != len(acts.tokens) or not taken <= told["bytes"] <= taken + beside:
            detail = f"{body}: {told['n_tokens']} tokens, {told['bytes']} bytes; "
            detail += f"they are {len(acts.tokens)} and {taken}"
            return Outcome((Problem(f"estimate, {field}", detail[:600]),))
    return Outcome(figures={"requests": count})


def _statistics(case: Case, session: Session) -> Outcome:
    count = 0
    for field, value in case["changes"]:
        dataset, rows = _text_rows(session, value if field == "content" else 0)
        context = value if field == "tokenization" else 8
        count += 1
        if context is None:
            (split,) = dataset.statistics()["splits"]
            if split["n_samples"] != len(rows):
                return Outcome(
                    (Problem("statistics: rows", f"{split['n_samples']} of {len(rows)}"),)
                )
            continue
        folder = session.place("tokenizer")
        models.write_tokenizer(folder, "none")
        made = dataset.tokenize(tokenizer=folder, context=context, mode="chunk").wait(PATIENCE)
        true = sum(len(row["text"].split()) for row in rows)
        told = made.statistics()
        if told["n_tokens"] != true:
            return Outcome((Problem("statistics: tokens", f"{told['n_tokens']} of {true}"),))
    return Outcome(figures={"requests": count})


AREA = Area("fields", draw, check, SIMPLEST, frozenset({"overlap_too_large", "empty_tokenization"}))
