"""Run the oracle: ``python -m tests.oracle --seconds 600 --only engine``."""

from __future__ import annotations

import argparse
import itertools
import json
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.oracle import AREAS
from tests.oracle.forks import Nursery
from tests.oracle.report import Tally, case_of, put, run
from tests.oracle.session import Session

#: Cases after which the data folder is emptied: the run shall not fill the disk.
_FRESH = 60


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.oracle", description=__doc__)
    names = "|".join(AREAS)
    parser.add_argument("--seconds", type=float, default=60, help="how long (default 60)")
    parser.add_argument("--seed", type=int, default=None, help="first seed; else a new one")
    parser.add_argument("--only", default="", help=f"areas, separated by commas: {names}")
    parser.add_argument("--case", default="", help="one case again, such as engine:12345")
    parser.add_argument("--set", default="{}", help="JSON of features to change in --case")
    parser.add_argument("--break", default="", dest="broken", help="break a thing on purpose")
    parser.add_argument("--real-workers", action="store_true", help="processes, not forks")
    return parser.parse_args()


def main() -> int:
    given = arguments()
    with tempfile.TemporaryDirectory(prefix="oracle-", ignore_cleanup_errors=True) as place:
        nursery = None if given.real_workers else Nursery(Path(place))
        session = Session(Path(place) / "session", nursery, given.broken)
        try:
            return one(given, session) if given.case else many(given, session)
        finally:
            session.close()
            if nursery is not None:
                nursery.close()


def one(given: argparse.Namespace, session: Session) -> int:
    name, _, seed = given.case.partition(":")
    area = AREAS[name]()
    case = {**case_of(area, int(seed)), **json.loads(given.set)}
    print(json.dumps(case, indent=1, ensure_ascii=False))
    outcome = put(area, case, session)
    if outcome.refused:
        print(f"refused: {outcome.refused}")
    for problem in outcome.problems:
        print(f"{problem.kind}: {problem.detail}")
    print("no mismatch" if not outcome.problems else f"{len(outcome.problems)} problems")
    return bool(outcome.problems)


def many(given: argparse.Namespace, session: Session) -> int:
    names = given.only.split(",") if given.only else list(AREAS)
    areas = [AREAS[name]() for name in names]
    first = random.SystemRandom().randrange(1 << 31) if given.seed is None else given.seed
    print(f"seed {first}", flush=True)
    tally, end = Tally(), time.monotonic() + given.seconds
    for number, area in enumerate(itertools.cycle(areas)):
        if time.monotonic() > end:
            break
        seed = first + number // len(areas)
        mismatch = run(area, seed, session, tally)
        if mismatch is not None and tally.kinds[(area.name, mismatch.problems[0].kind)] <= 3:
            print(mismatch, flush=True)
        if number % _FRESH == _FRESH - 1:
            session.forget()
    print("\n".join(tally.lines()))
    return bool(tally.mismatches)


if __name__ == "__main__":
    sys.exit(main())
