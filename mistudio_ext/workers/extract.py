"""The job ``extract``: run the engine on a spec."""

from __future__ import annotations

import os
from typing import Any

from mistudio_ext.workers.reporter import Reporter


def run(spec: dict[str, Any], report: Reporter) -> dict[str, Any]:
    """Extract activations into the folder of the spec.

    Parameters
    ----------
    spec
        The job's ``spec.json``.
    report
        Told about phases, progress and warnings.

    Returns
    -------
    dict
        ``n_samples``, ``n_tokens``, ``bytes``, ``timings``, ``hooks``, ``warnings``.
    """
    # Threads that wait by spinning halve each other's speed on a machine that others use too,
    # and starve our own writers. It is read when torch is loaded, so it is set before that.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # torch and transformers take seconds to import: only a worker that extracts pays for them.
    from mistudio_ext.engine.run import extract

    return extract(spec, report)
