"""axe-core on a part of a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import Page

AXE = Path(__file__).parents[2] / "labextension" / "node_modules" / "axe-core" / "axe.min.js"


def serious_findings(page: Page, selector: str) -> list[str]:
    """Return what axe-core finds serious or critical below an element, with the elements."""
    if not page.evaluate("() => Boolean(window.axe)"):
        # Not through a script tag: Lab's AMD loader would take it for a module of its own.
        page.evaluate(f"() => {{ const define = undefined; {AXE.read_text(encoding='utf-8')} }}")
    found: list[dict[str, Any]] = page.evaluate(
        "async selector => (await window.axe.run(selector)).violations", selector
    )
    return [
        f"{each['id']}: {each['help']}: {[node['html'][:160] for node in each['nodes'][:3]]}"
        for each in found
        if each["impact"] in ("serious", "critical")
    ]
