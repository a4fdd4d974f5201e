"""A job manager in a control group with little memory, and a worker that wants all of it.

``python -m tests.jobs.starved FOLDER PROCS`` joins the group of this ``cgroup.procs``, runs the
job, and prints its state and error.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from tests.jobs.conftest import open_desk


def main() -> None:
    """Run the job."""
    folder, procs = map(Path, sys.argv[1:])
    procs.write_text(str(os.getpid()))
    desk = open_desk(folder)
    ended = desk.until(desk.submit("hog").id, "failed", "interrupted")
    desk.manager.close()
    desk.catalog.close()
    print(json.dumps([ended.state, ended.error]))


if __name__ == "__main__":
    main()
