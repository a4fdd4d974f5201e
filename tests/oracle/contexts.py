"""What contexts the docs promise for rows of token ids."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from tests.oracle import models
from tests.oracle.report import Case, Problem


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
        found = packed(case, rows, context, before, after)
    return found[: case["max_samples"]]


def packed(
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


def contexts_differ(case: Case, rows: list[list[int]], acts: Any) -> list[Problem]:
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
