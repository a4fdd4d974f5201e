"""Queries at random, compared with a plain scan of the rows.

What a person must get and what a person may get are told apart. A row that holds the words as they
were typed, between the same bounds, must be found; a row that does not hold them even when case,
diacritics and punctuation are left out must not be.
"""

from __future__ import annotations

import json
import random
import re
import time
import unicodedata
from typing import Any

import mistudio_ext as ms
from tests.oracle import texts
from tests.oracle.report import Area, Case, Outcome, Problem
from tests.oracle.session import PATIENCE, Session

_CODE = """
foo_bar() -5 C++ a.b.c x=1 #tag @me e.g. don't 3.14 <br> ½
""".split()


def draw(rng: random.Random, group: random.Random) -> Case:
    """Draw a query over rows that the group shares."""
    return {
        "rows_seed": group.randrange(1 << 20),
        "rows": group.choice([5, 60, 60, 200]),
        "indexed": group.random() < 0.7,
        "kind": rng.choice(
            """word word phrase prefix code cjk marks nfd and or not tokens tokens lengths where
            long garbage""".split()
        ),
        "query_seed": rng.randrange(1 << 20),
        "limit": rng.choice([1000, 1000, 3]),
        "context": group.choice([4, 16, 512]),
        "mode": group.choice(["truncate", "chunk", "chunk", "pack"]),
    }


SIMPLEST: Case = {"limit": 1000, "mode": "truncate", "context": 512, "rows": 5}


def check(case: Case, session: Session) -> Outcome:
    """Search, and scan."""
    rows = _rows(case)
    dataset = _dataset(case, rows, session)
    rng = random.Random(case["query_seed"])
    if case["kind"] in ("tokens", "lengths"):
        return _by_tokens(case, rows, dataset, rng)
    if case["kind"] == "where":
        value = rng.choice(rows)["label"]
        found = _all(case, dataset, where={"label": value})
        return _exactly(f"label = {value!r}", found, [r["label"] == value for r in rows])
    query, must, may = _query(case, rows, rng)
    found = _all(case, dataset, query=query)
    got = {row["index"] for row in found}
    missed = [i for i, row in enumerate(rows) if must(row["text"]) and i not in got]
    extra = [i for i in got if not may(rows[i]["text"])]
    problems = []
    if missed:
        detail = (
            f"{query!r} stands in row {missed[0]}: {rows[missed[0]]['text']!r}; {len(got)} found"
        )
        problems.append(Problem(f"not found: {case['kind']}", detail[:500]))
    if extra:
        detail = f"{query!r} found in row {extra[0]}: {rows[extra[0]]['text']!r}"
        problems.append(Problem(f"found wrongly: {case['kind']}", detail[:500]))
    problems += _marks(query, found, rows)
    return Outcome(tuple(problems), figures={"rows found": len(got)})


def _all(case: Case, dataset: Any, **asked: Any) -> list[dict[str, Any]]:
    """Return every row that is found, page by page; the pages must fit together."""
    found: list[dict[str, Any]] = []
    while True:
        page = dataset.search(limit=case["limit"], offset=len(found), **asked)
        found += page
        if len(found) >= page.total or not len(page) or len(found) > 5000:
            break
    indices = [row["index"] for row in found]
    assert len(indices) == page.total, f"{len(indices)} rows on all pages, {page.total} in all"
    assert indices == sorted(set(indices)), "rows are out of order, or twice"
    return found


def _exactly(what: str, found: list[dict[str, Any]], right: list[bool]) -> Outcome:
    got = {row["index"] for row in found}
    want = {i for i, holds in enumerate(right) if holds}
    if got != want:
        detail = f"{what}: missing {sorted(want - got)[:5]}, extra {sorted(got - want)[:5]}"
        return Outcome((Problem(f"rows differ: {what.split()[0]}", detail),))
    return Outcome(figures={"rows found": len(got)})


def _marks(query: str, found: list[dict[str, Any]], rows: list[dict[str, Any]]) -> list[Problem]:
    """Marks are within the text, in order, and begin and end at something that was asked for."""
    for row in found:
        text, end = row["text"], 0
        if text != rows[row["index"]]["text"]:
            return [
                Problem("shown text", f"{text!r} instead of {rows[row['index']]['text']!r}"[:400])
            ]
        for a, b in row["highlights"]:
            if not (end <= a < b <= len(text)):
                return [Problem("marks", f"{row['highlights']} in a text of {len(text)}")]
            end = b
            if not _letters(text[a:b]) and not any(c in query for c in text[a:b]):
                return [Problem("marks", f"{query!r} marks {text[a:b]!r}")]
    return []


# --- words ----------------------------------------------------------------------------------------


def _query(case: Case, rows: list[dict[str, Any]], rng: random.Random) -> Any:
    kind = case["kind"]
    text = rng.choice([row["text"] for row in rows if row["text"].strip()])
    pieces = text.split()
    if kind == "garbage":
        marks = ['"', "(", ")", "*", "AND", "OR", "NOT", "-", "'", "\\", "%", "fox", "\x00", "NEAR"]
        query = " ".join(rng.choice(marks) for _ in range(rng.randint(1, 9)))
        return query, lambda _t: False, lambda _t: True
    if kind == "long":
        query = " ".join(pieces[:1] * rng.choice([50, 500, 3000]))
        return query, _holds_word(pieces[0]), _may(pieces[0])
    if kind == "phrase":
        n = min(len(pieces), rng.randint(2, 3))
        at = rng.randrange(len(pieces) - n + 1)
        phrase = " ".join(pieces[at : at + n]).replace('"', "")
        return f'"{phrase}"', _holds(phrase), _may(phrase)
    word = _plain_word(rng, pieces)
    if kind == "code":
        code = rng.choice(_CODE)
        return code, _holds_word(code), _may(code)
    if kind == "cjk":
        script = texts.SCRIPTS[rng.choice(["chinese", "japanese", "thai"])]
        whole = rng.choice(script)
        part = whole if rng.random() < 0.5 else whole[:2]
        return part, (lambda t: part in t), _may(part)
    if kind == "marks":
        return _unaccented(word), _holds_word(_unaccented(word)), _may(word)
    if kind == "nfd":
        form = rng.choice(["NFD", "NFC"])
        return unicodedata.normalize(form, word), _holds_word(word), _may(word)
    if kind == "prefix":
        start = word[: max(1, len(word) - 1)]
        return f"{start}*", _holds_start(start), _may(start)
    if kind in ("and", "or", "not"):
        return _joined(kind, word, _plain_word(rng, rng.choice(rows)["text"].split() or ["hen"]))
    if rng.random() < 0.3:
        word = word.upper()
    return word, _holds_word(word), _may(word)


def _joined(kind: str, a: str, b: str) -> Any:
    must_a, must_b, may_a, may_b = _holds_word(a), _holds_word(b), _may(a), _may(b)
    query = f"{a} {kind.upper()} {b}"
    if kind == "and":
        return query, lambda t: must_a(t) and must_b(t), lambda t: may_a(t) and may_b(t)
    if kind == "or":
        return query, lambda t: must_a(t) or must_b(t), lambda t: may_a(t) or may_b(t)
    return query, lambda t: must_a(t) and not may_b(t), lambda t: may_a(t) and not must_b(t)


def _plain_word(rng: random.Random, pieces: list[str]) -> str:
    plain = [p for p in pieces if re.fullmatch(r"\w+", p) and p not in ("AND", "OR", "NOT")]
    return rng.choice(plain) if plain else "hen"


def _fold(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()


def _unaccented(text: str) -> str:
    parts = unicodedata.normalize("NFD", text)
    return "".join(c for c in parts if unicodedata.category(c) != "Mn") or text


def _letters(text: str) -> str:
    """Return what is left of a text without case, diacritics, punctuation and blanks."""
    folded = _unaccented(unicodedata.normalize("NFKD", text).casefold())
    return "".join(c for c in folded if unicodedata.category(c)[0] in "LNM")


def _holds(phrase: str) -> Any:
    """Whether a text has it between bounds of words, whatever the case, composed or not."""
    pattern = re.compile(r"(?<!\w)" + re.escape(_fold(phrase)) + r"(?!\w)")
    return lambda text: bool(pattern.search(_fold(text)))


def _holds_word(word: str) -> Any:
    """The same for one word, which must stand alone: between blanks."""
    folded = _fold(word)
    return lambda text: folded in _fold(text).split()


def _holds_start(start: str) -> Any:
    folded = _fold(start)
    return lambda text: any(part.startswith(folded) for part in _fold(text).split())


def _may(query: str) -> Any:
    """Whether a text may be found: it has the letters of every word that was asked for."""
    wanted = [w for w in map(_letters, query.split()) if w]
    return lambda text: all(w in _letters(text) for w in wanted)


# --- tokens ---------------------------------------------------------------------------------------


def _by_tokens(case: Case, rows: list[dict[str, Any]], dataset: Any, rng: random.Random) -> Outcome:
    """Sequences and lengths by a tokenization whose ids are those of words."""
    folder, vocab = _words_tokenizer(rows, dataset, case)
    mode, context = case["mode"], case["context"]
    made = dataset.tokenize(
        tokenizer=folder, context=context, mode=mode, special_tokens=False
    ).wait(timeout=PATIENCE)
    ids = [[vocab[w] for w in row["text"].split()] for row in rows]
    kept = [row[:context] for row in ids] if mode == "truncate" else ids
    if case["kind"] == "lengths":
        low, high = sorted((rng.randint(1, 12), rng.randint(1, 12)))
        found = _all(case, dataset, tokenization=made, min_tokens=low, max_tokens=high)
        return _exactly(f"lengths {low} to {high}", found, [low <= len(k) <= high for k in kept])
    source = rng.choice([k for k in kept if k])
    n = rng.randint(1, min(3, len(source)))
    at = rng.randrange(len(source) - n + 1)
    wanted = source[at : at + n]
    found = _all(case, dataset, tokenization=made, token_ids=wanted)
    right = [any(k[i : i + n] == wanted for i in range(len(k))) for k in kept]
    return _exactly(f"tokens {mode} {wanted}", found, right)


def _words_tokenizer(rows: list[dict[str, Any]], dataset: Any, case: Case) -> Any:
    folder = dataset.oracle_folder
    names = sorted({w for row in rows for w in row["text"].split()})
    vocab = {"<unk>": 0, **{name: i for i, name in enumerate(names, 1)}}
    if not (folder / "tokenizer.json").exists():
        document = {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": [],
            "normalizer": None,
            "pre_tokenizer": {"type": "WhitespaceSplit"},
            "post_processor": None,
            "decoder": None,
            "model": {"type": "WordLevel", "vocab": vocab, "unk_token": "<unk>"},
        }
        (folder / "tokenizer.json").write_text(json.dumps(document))
        facts = {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "<unk>"}
        (folder / "tokenizer_config.json").write_text(json.dumps(facts))
    return folder, vocab


# --- rows -----------------------------------------------------------------------------------------


def _rows(case: Case) -> list[dict[str, Any]]:
    rng = random.Random(case["rows_seed"])
    rows = []
    for i in range(case["rows"]):
        parts = texts.words(rng, rng.randint(1, 12))
        if rng.random() < 0.4:
            parts.insert(rng.randrange(len(parts) + 1), rng.choice(_CODE + list(texts.TRICKY)))
        if rng.random() < 0.15:
            parts = [unicodedata.normalize("NFD", p) for p in parts]
        if rng.random() < 0.1:
            parts = [p + rng.choice(".,;!?") for p in parts]
        rows.append(
            {"text": " ".join(parts), "label": rng.choice(["a", "b", "c:d", "e f"]), "n": i}
        )
    return rows


def _dataset(case: Case, rows: list[dict[str, Any]], session: Session) -> Any:
    key = ("queried", case["rows_seed"], case["rows"])
    if key not in session.kept:
        folder = session.place("queried")
        path = folder / "rows.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        made = ms.add_dataset(path, text_column="text").wait(timeout=PATIENCE)
        made.oracle_folder = folder
        session.kept[key] = made
    if case["indexed"]:
        # Else some rows may be found in the index and the others by reading them.
        while session.studio.jobs.all(state=("queued", "running")):
            time.sleep(0.05)
    return session.kept[key]


_ALLOWED = frozenset({"empty_query", "bad_query", "query_too_long", "empty_tokenization"})
AREA = Area("queries", draw, check, SIMPLEST, _ALLOWED)
