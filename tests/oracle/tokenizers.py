"""Tokenizers of every kind at random; ids and spans must be those of the tokenizer itself."""

from __future__ import annotations

import json
import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from tokenizers import models as kinds

import mistudio_ext as ms
from tests.oracle import texts
from tests.oracle.report import Area, Case, Outcome, Problem
from tests.oracle.session import PATIENCE, Session

_SPECIAL = ["<pad>", "<s>", "</s>", "<unk>", "[CLS]", "[SEP]"]

_NORMALIZERS: dict[str, Any] = {
    "none": lambda: None,
    "nfc": normalizers.NFC,
    "nfkc": normalizers.NFKC,
    "nfd": normalizers.NFD,
    "lower": normalizers.Lowercase,
    "accents": lambda: normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents()]),
    "bert": normalizers.BertNormalizer,
    "strip": normalizers.Strip,
    "replace": lambda: normalizers.Replace(" ", "▁"),
    "prepend": lambda: normalizers.Prepend("▁"),
}
_PRE: dict[str, Any] = {
    "whitespace": pre_tokenizers.Whitespace,
    "split": pre_tokenizers.WhitespaceSplit,
    "bert": pre_tokenizers.BertPreTokenizer,
    "metaspace": pre_tokenizers.Metaspace,
    "metaspace_first": lambda: pre_tokenizers.Metaspace(prepend_scheme="first"),
    "bytes": lambda: pre_tokenizers.ByteLevel(add_prefix_space=False),
    "bytes_space": lambda: pre_tokenizers.ByteLevel(add_prefix_space=True),
    "digits": lambda: pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.Digits(individual_digits=True)]
    ),
    "scripts": lambda: pre_tokenizers.Sequence(
        [pre_tokenizers.UnicodeScripts(), pre_tokenizers.Whitespace()]
    ),
    "none": lambda: None,
}


def draw(rng: random.Random, group: random.Random) -> Case:
    """Draw a tokenizer, texts, and settings."""
    kind = group.choice(
        ["bpe", "bpe", "bpe_bytes", "bpe_bytes", "wordpiece", "wordlevel", "unigram"]
    )
    byte_level = kind == "bpe_bytes"
    pre = group.choice(
        ["bytes", "bytes_space"] if byte_level else [p for p in _PRE if "bytes" not in p]
    )
    if kind == "wordlevel":
        pre = group.choice(["whitespace", "split", "bert"])
    return {
        "kind": kind,
        "normalizer": group.choice(["none", "none", "nfc"] if byte_level else list(_NORMALIZERS)),
        "pre": pre,
        "post": group.choice(["none", "bos", "both", "both", "bert", "roberta"]),
        "vocab": group.choice([60, 300, 300, 600]),
        "added": group.choice([0, 0, 1]),
        "train_seed": group.randrange(1 << 20),
        "same_scripts": group.random() < 0.7,
        "texts_seed": rng.randrange(1 << 20),
        "n_texts": rng.choice([1, 3, 12]),
        "context": rng.choice([None, 4, 9, 40]),
        "mode": rng.choice(["truncate", "truncate", "chunk", "pack"]),
        "special_tokens": rng.choice([True, True, False]),
        "min_tokens": rng.choice([1, 1, 1, 3]),
        "what": rng.choice(["tokenize", "tokenize", "preview"]),
        "odd": rng.random() < 0.3,
    }


SIMPLEST: Case = {
    "what": "tokenize",
    "normalizer": "none",
    "post": "none",
    "added": 0,
    "mode": "truncate",
    "min_tokens": 1,
    "odd": False,
    "context": None,
    "special_tokens": True,
    "n_texts": 1,
    "pre": "whitespace",
    "kind": "wordlevel",
}


def check(case: Case, session: Session) -> Outcome:
    """Tokenise, and compare with the tokenizer loaded by transformers."""
    folder = _tokenizer(case, session)
    own = session.kept.setdefault(("own", str(folder)), _load(folder))
    rows = _texts(case)
    if case["what"] == "preview":
        return _preview(case, folder, own, rows, session)
    path = session.place("texts") / "rows.jsonl"
    path.write_text("".join(json.dumps({"text": row}) + "\n" for row in rows))
    dataset = ms.add_dataset(path, text_column="text").wait(timeout=PATIENCE)
    settings = {"mode": case["mode"], "special_tokens": case["special_tokens"]}
    settings["min_tokens"] = case["min_tokens"]
    settings["context"] = case["context"] or 64
    if not any(expected(case, own, rows)):
        return Outcome(refused="nothing_to_tokenise")
    made = dataset.tokenize(tokenizer=folder, **settings).wait(timeout=PATIENCE)
    place = session.data_dir / "tokenizations" / made.id
    tokens, offsets = np.load(place / "tokens.npy"), np.load(place / "offsets.npy")
    mine = [tokens[a:b].tolist() for a, b in pairwise(offsets)]
    true = [ids for ids in expected(case, own, rows) if len(ids) >= case["min_tokens"]]
    figures = {"texts": len(rows), "tokens": len(tokens)}
    if case["mode"] == "pack":
        return Outcome(tuple(_packed(case, own, rows, mine)), figures=figures)
    if mine != true:
        at = next((i for i, (a, b) in enumerate(zip(mine, true, strict=False)) if a != b), -1)
        detail = f"context {at}: {mine[at]} instead of {true[at]}" if at >= 0 else ""
        detail = f"{len(mine)} contexts, {len(true)} expected; {detail}"
        problem = Problem(f"ids differ: {case['kind']}, {case['mode']}", detail[:500])
        return Outcome((problem,), figures=figures)
    return Outcome(figures=figures)


def expected(case: Case, own: Any, rows: list[str]) -> list[list[int]]:
    """Return the contexts, made by the tokenizer itself."""
    context, special = case["context"] or 64, case["special_tokens"]
    found = []
    for row in rows:
        inner = own(row, add_special_tokens=False)["input_ids"]
        if not inner:
            continue
        if case["mode"] == "truncate":
            found.append(
                own(row, truncation=True, max_length=context, add_special_tokens=special)[
                    "input_ids"
                ]
            )
            continue
        room = context - (own.num_special_tokens_to_add() if special else 0)
        for start in range(0, len(inner), max(1, room)):
            piece = inner[start : start + room]
            found.append(_framed(own, piece) if special else piece)
    return found


def _framed(own: Any, ids: list[int]) -> list[int]:
    frame = own("", add_special_tokens=True)["input_ids"]
    before = frame[: (len(frame) + 1) // 2]
    after = frame[len(before) :]
    if len(frame) == 1 and own.post_of == "eos":
        before, after = [], frame
    return [*before, *ids, *after]


def _packed(case: Case, own: Any, rows: list[str], mine: list[list[int]]) -> list[Problem]:
    """Packed contexts hold the rows' ids in their order, whole, and no context is too long."""
    special = set(own.all_special_ids)
    inner = [own(row, add_special_tokens=False)["input_ids"] for row in rows]
    flat = [t for ids in inner for t in ids if t not in special]
    packed = [t for ids in mine for t in ids if t not in special]
    problems = []
    if max(map(len, mine), default=0) > (case["context"] or 64):
        problems.append(Problem("a packed context is too long", f"{max(map(len, mine))}"))
    if packed != flat and case["min_tokens"] == 1:
        at = next((i for i, (a, b) in enumerate(zip(packed, flat, strict=False)) if a != b), -1)
        detail = f"{len(packed)} ids, {len(flat)} expected, the first that differs: {at}"
        problems.append(Problem(f"ids differ: {case['kind']}, pack", detail))
    return problems


def _preview(case: Case, folder: Path, own: Any, rows: list[str], session: Session) -> Outcome:
    """The preview shows the ids of the real run, and spans as the tokenizer gives them."""
    settings = {"mode": "truncate", "context": 64, "special_tokens": case["special_tokens"]}
    answer = session.studio.previews.preview({"tokenizer": str(folder), "texts": rows, **settings})
    true = expected({**case, "mode": "truncate", "context": 64}, own, rows)
    mine = [[chip["id"] for chip in context["tokens"]] for context in answer["contexts"]]
    if mine != true:
        at = next((i for i, (a, b) in enumerate(zip(mine, true, strict=False)) if a != b), -1)
        detail = (
            f"{len(mine)} of {len(true)}; {at}: {mine[at : at + 1]} instead of {true[at : at + 1]}"
        )
        return Outcome((Problem(f"preview ids differ: {case['kind']}", detail[:500]),))
    for context in answer["contexts"]:
        spans = own(rows[context["row"]], add_special_tokens=False, return_offsets_mapping=True)[
            "offset_mapping"
        ]
        inner = [(c["start"], c["end"]) for c in context["tokens"] if "row" in c]
        if inner != [tuple(s) for s in spans[: len(inner)]]:
            detail = f"{rows[context['row']]!r}: {inner[:8]} instead of {spans[:8]}"
            return Outcome((Problem(f"preview spans differ: {case['kind']}", detail[:500]),))
    return Outcome(figures={"previewed texts": len(rows)})


# --- making ---------------------------------------------------------------------------------------


def _texts(case: Case) -> list[str]:
    rng = random.Random(case["texts_seed"])
    scripts = _scripts(case) if case["same_scripts"] else None
    sizes = [rng.randint(1, 30) for _ in range(case["n_texts"])]
    rows = [" ".join(texts.words(rng, n, scripts)) for n in sizes]
    if case["odd"]:
        rows += [
            "",
            " ",
            "  two  blanks ",
            "\n",
            "e\u0301\u0302",
            "<s> <x> </s>",
            "a\u200bb",
            "\ufeffx",
        ]
    return rows


def _scripts(case: Case) -> list[str]:
    return random.Random(case["train_seed"]).sample(list(texts.SCRIPTS), 3)


def _tokenizer(case: Case, session: Session) -> Path:
    names = ("kind", "normalizer", "pre", "post", "vocab", "added", "train_seed")
    key = ("tokenizer", *(case[name] for name in names))
    if key not in session.kept:
        folder = session.place("tokenizer")
        made = build(case)
        made.save(str(folder / "tokenizer.json"))
        facts = {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "<unk>"}
        facts |= {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>"}
        if case["post"] == "bert":
            facts |= {"cls_token": "[CLS]", "sep_token": "[SEP]"}
        (folder / "tokenizer_config.json").write_text(json.dumps(facts))
        session.kept[key] = folder
    found: Path = session.kept[key]
    return found


def build(case: Case) -> Tokenizer:
    """Return a trained tokenizer of the case's kind."""
    rng = random.Random(case["train_seed"])
    scripts = _scripts(case)
    corpus = [" ".join(texts.words(rng, 20, scripts)) for _ in range(60)] + ["0 1 2 3 4 5 6 7 8 9"]
    kind, size = case["kind"], case["vocab"]
    alphabet = pre_tokenizers.ByteLevel.alphabet() if kind == "bpe_bytes" else []
    options = {"special_tokens": _SPECIAL, "show_progress": False}
    made, trainer = {
        "bpe": lambda: (
            Tokenizer(kinds.BPE(unk_token="<unk>")),
            trainers.BpeTrainer(vocab_size=size, **options),
        ),
        "bpe_bytes": lambda: (
            Tokenizer(kinds.BPE()),
            trainers.BpeTrainer(vocab_size=size + 260, initial_alphabet=alphabet, **options),
        ),
        "wordpiece": lambda: (
            Tokenizer(kinds.WordPiece(unk_token="<unk>")),
            trainers.WordPieceTrainer(vocab_size=size, **options),
        ),
        "wordlevel": lambda: (
            Tokenizer(kinds.WordLevel(unk_token="<unk>")),
            trainers.WordLevelTrainer(vocab_size=size, **options),
        ),
        "unigram": lambda: (
            Tokenizer(kinds.Unigram()),
            trainers.UnigramTrainer(vocab_size=size, unk_token="<unk>", **options),
        ),
    }[kind]()
    if (normalizer := _NORMALIZERS[case["normalizer"]]()) is not None:
        made.normalizer = normalizer
    if (pre := _PRE[case["pre"]]()) is not None:
        made.pre_tokenizer = pre
    made.train_from_iterator(corpus, trainer)
    if kind == "bpe_bytes":
        made.decoder = decoders.ByteLevel()
    elif "metaspace" in case["pre"]:
        made.decoder = decoders.Metaspace()
    if case["added"]:
        made.add_tokens(
            [AddedToken("<x>", lstrip=True, rstrip=False), AddedToken("fox", single_word=True)]
        )
    made.post_processor = _post(case["post"], made) or made.post_processor
    return made


def _post(name: str, made: Tokenizer) -> Any:
    ids = {token: made.token_to_id(token) for token in _SPECIAL}
    if name == "bert":
        return processors.BertProcessing(("[SEP]", ids["[SEP]"]), ("[CLS]", ids["[CLS]"]))
    if name == "roberta":
        return processors.RobertaProcessing(("</s>", ids["</s>"]), ("<s>", ids["<s>"]))
    if name == "none":
        return None
    single = "<s> $A" + (" </s>" if name == "both" else "")
    return processors.TemplateProcessing(
        single=single,
        pair=f"{single} $B:1",
        special_tokens=[("<s>", ids["<s>"]), ("</s>", ids["</s>"])],
    )


def _load(folder: Path) -> Any:
    from transformers import AutoTokenizer

    own = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    own.post_of = "bos"
    return own


AREA = Area(
    "tokenizers",
    draw,
    check,
    SIMPLEST,
    frozenset({"empty_tokenization", "context_too_small", "unsupported_tokenizer"}),
)
