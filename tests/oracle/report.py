"""Cases, mismatches, and how a failing case is made smaller."""

from __future__ import annotations

import json
import random
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mistudio_ext.errors import MiStudioError
from tests.oracle.session import Session

Case = dict[str, Any]

#: Seeds in a row that share what is expensive to make.
GROUP = 8


@dataclass(frozen=True)
class Problem:
    """One thing that is not as the reference has it.

    ``kind`` is the same for problems that one fault is likely to cause.
    """

    kind: str
    detail: str


@dataclass(frozen=True)
class Outcome:
    """What became of one case: problems, the code of a refusal, or neither."""

    problems: tuple[Problem, ...] = ()
    refused: str | None = None
    figures: Mapping[str, int] = field(default_factory=dict)
    #: Id of what was made, where a case makes one thing.
    made: str = ""


@dataclass(frozen=True)
class Area:
    """What is drawn and compared.

    Attributes
    ----------
    draw
        Two generators to a case, plain data that decides everything. The second is the same
        for GROUP seeds in a row: for what is expensive to make, such as a model.
    check
        Puts a case to the product and compares what comes back.
    simplest
        For each feature of a case the value that is the least special.
    allowed
        Codes of errors with which a case may be refused.
    """

    name: str
    draw: Callable[[random.Random, random.Random], Case]
    check: Callable[[Case, Session], Outcome]
    simplest: Case
    allowed: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Mismatch:
    """A case that the product got wrong."""

    area: str
    seed: int
    case: Case
    problems: tuple[Problem, ...]
    simplest: Case

    def __str__(self) -> str:
        lines = [f"{self.area}:{self.seed}  {self.problems[0].kind}"]
        lines += [f"    {problem.detail}" for problem in self.problems[:4]]
        special = {k: v for k, v in self.case.items() if self.simplest.get(k, ...) != v}
        lines.append(f"    python -m tests.oracle --case '{self.area}:{self.seed}'")
        lines.append(f"    left after shrinking: {json.dumps(special, ensure_ascii=True)}")
        return "\n".join(lines)


def case_of(area: Area, seed: int) -> Case:
    """Return the case of a seed; JSON and back, so that what is printed is what was run."""
    own = random.Random(f"{area.name}:{seed}")
    group = random.Random(f"{area.name}:group:{seed // GROUP}")
    case: Case = json.loads(json.dumps(area.draw(own, group)))
    return case


def put(area: Area, case: Case, session: Session) -> Outcome:
    """Put a case to the product; errors that it must not make become problems."""
    try:
        with session.in_use():
            outcome = area.check(case, session)
    except MiStudioError as error:
        code = error.code
        if code in area.allowed:
            return Outcome(refused=code)
        return Outcome((Problem(f"refused with {code}", f"{code}: {error}"[:500]),))
    except AssertionError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever the product lets out is a mismatch
        text = "".join(traceback.format_exception(error)[-3:])
        kind = f"raised {type(error).__name__}"
        return Outcome((Problem(kind, f"{error}"[:300]), Problem(kind, text[-900:])))
    return outcome


def shrunk(area: Area, case: Case, outcome: Outcome, session: Session, seconds: float) -> Case:
    """Return the case with as many features at their simplest as leave the problem there."""
    end, kind = time.monotonic() + seconds, outcome.problems[0].kind
    for name, value in area.simplest.items():
        if case.get(name, ...) == value or time.monotonic() > end:
            continue
        tried = {**case, name: value}
        found = put(area, tried, session)
        if any(problem.kind == kind for problem in found.problems):
            case = tried
    return case


class Tally:
    """Figures of a run."""

    def __init__(self) -> None:
        self.cases: Counter[str] = Counter()
        self.figures: dict[str, Counter[str]] = {}
        self.refused: dict[str, Counter[str]] = {}
        self.mismatches: list[Mismatch] = []
        self.kinds: Counter[tuple[str, str]] = Counter()

    def add(self, area: Area, outcome: Outcome) -> None:
        """Count a case."""
        self.cases[area.name] += 1
        self.figures.setdefault(area.name, Counter()).update(outcome.figures)
        if outcome.refused:
            self.refused.setdefault(area.name, Counter())[outcome.refused] += 1

    def lines(self) -> Iterator[str]:
        """Yield a summary."""
        for name, count in sorted(self.cases.items()):
            figures = ", ".join(f"{n:,} {what}" for what, n in sorted(self.figures[name].items()))
            wrong = sum(n for (area, _), n in self.kinds.items() if area == name)
            yield f"{name}: {count:,} cases ({figures}); mismatches: {wrong}"
            if refused := self.refused.get(name):
                yield "  refused: " + ", ".join(f"{c} {n}" for c, n in refused.most_common())
        for (area, kind), n in self.kinds.most_common():
            yield f"  MISMATCH {area}: {kind} ({n})"


def run(
    area: Area, seed: int, session: Session, tally: Tally, shrink_seconds: float = 20.0
) -> Mismatch | None:
    """Draw the case of a seed, put it, and keep what came of it."""
    case = case_of(area, seed)
    outcome = put(area, case, session)
    tally.add(area, outcome)
    if not outcome.problems:
        return None
    key = (area.name, outcome.problems[0].kind)
    tally.kinds[key] += 1
    if tally.kinds[key] == 1 and shrink_seconds > 0:
        case = shrunk(area, case, outcome, session, shrink_seconds)
    mismatch = Mismatch(area.name, seed, case, outcome.problems, area.simplest)
    tally.mismatches.append(mismatch)
    return mismatch
