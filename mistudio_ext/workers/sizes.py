"""``python -m mistudio_ext.workers.sizes``: a config on stdin, what its model takes on stdout."""

from __future__ import annotations

import json
import sys
from typing import Any


def run(config: dict[str, Any]) -> dict[str, Any] | None:
    """Return :func:`mistudio_ext.engine.sizes.sizes` of a ``config.json``.

    None for a model that transformers does not know: its code is not run for an estimate.
    """
    from transformers import CONFIG_MAPPING, AutoConfig

    from mistudio_ext.engine.sizes import sizes

    facts = dict(config)
    model_type = facts.pop("model_type", None)
    if model_type not in CONFIG_MAPPING:
        return None
    try:
        return sizes(AutoConfig.for_model(model_type, **facts))
    except (RuntimeError, TypeError, ValueError, KeyError, AttributeError):
        return None  # A config that lacks what its model needs; the estimate goes by counts.


if __name__ == "__main__":
    answer = run(json.load(sys.stdin))
    sys.stdout.write("\n" + json.dumps(answer) + "\n")
