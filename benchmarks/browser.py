"""What a person feels in the browser: frames while scrolling, the answer to a key press.

``python benchmarks/browser.py [scrolling] [preview] [architecture] [--rows N]`` starts a real
JupyterLab and Chromium. ``scrolling``: a dataset of a million synthetic documents (those of
``search.py``) is scrolled as one reads, as fast as a wheel turns, from end to end with the
scroll bar, and to random places. ``preview``: single keys are pressed in the text whose tokens are
shown. ``architecture``: a model is opened over and over.

Intervals between animation frames say whether the page's thread kept up; long tasks (over 50 ms)
say what stopped it. The same page at rest is the baseline. Load of the machine is printed, since
another program's work shows in these figures like the page's own.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
from playwright.sync_api import Page, expect, sync_playwright  # noqa: E402
from search import documents  # noqa: E402

from tests.servers import JupyterProcess  # noqa: E402
from tests.ui.conftest import CHROMIUM_OPTIONS  # noqa: E402
from tests.ui.frontends import SLOW, Panels, open_lab, sidebar  # noqa: E402

#: Scrolls by ``step`` in every frame, or in ``seconds`` over everything; returns what it saw.
SCROLL = """async ([step, seconds]) => {
  const list = document.querySelector('.jp-mistudio-endless');
  list.scrollIntoView({ block: 'nearest' });
  const middle = () => {
    const box = list.getBoundingClientRect();
    const at = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
    return at?.closest('article') ?? null;
  };
  const tasks = [];
  const watch = new PerformanceObserver(seen => {
    for (const each of seen.getEntries()) tasks.push(each.duration);
  });
  watch.observe({ entryTypes: ['longtask'] });
  const frames = [];
  let waited = 0;
  const begin = await new Promise(requestAnimationFrame);
  for (let last = begin; last - begin < 1000 * seconds; ) {
    const now = await new Promise(requestAnimationFrame);
    frames.push(now - last);
    last = now;
    if (step !== null && middle()?.dataset.known === undefined) waited += 1;
    if (step === 'all') {
      list.scrollTop = (now - begin) / (1000 * seconds) * list.scrollHeight;
    } else if (step !== null) {
      list.scrollTop += step;
    }
  }
  watch.disconnect();
  return { frames, tasks, waited };
}"""

#: Milliseconds from a jump to a random place until its rows are on the screen.
JUMPS = """async jumps => {
  const list = document.querySelector('.jp-mistudio-endless');
  const waits = () => list.querySelector('article:not([data-known])') !== null;
  const taken = [];
  let seed = 1;
  for (let jump = 0; jump < jumps; jump++) {
    seed = (seed * 16807) % 2147483647;
    const begin = performance.now();
    list.scrollTop = seed / 2147483647 * list.scrollHeight;
    do {
      await new Promise(requestAnimationFrame);
    } while (waits());
    taken.push(performance.now() - begin);
    await new Promise(done => setTimeout(done, 250));
  }
  return taken;
}"""

#: What is scrolled how, in pixels for each frame.
SCROLLS: dict[str, int | str | None] = {
    "at rest (baseline)": None,
    "reading, 600 px/s": 10,
    "wheel, 6,000 px/s": 100,
    "fling, 30,000 px/s": 500,
    "scroll bar, end to end": "all",
}

#: Milliseconds from a key press until its tokens are on the screen.
KEYS = """async keys => {
  const area = document.querySelector('[data-testid=mistudio-tokenize-preview] textarea');
  const preview = area.closest('[data-testid=mistudio-tokenize-preview]');
  const taken = [];
  for (let key = 0; key < keys; key++) {
    const begin = performance.now();
    const changed = new Promise(done => {
      const watch = new MutationObserver(() => {
        watch.disconnect();
        requestAnimationFrame(() => done(performance.now() - begin));
      });
      const shown = preview.querySelector('.jp-mistudio-tokenchips');
      watch.observe(shown, { childList: true, subtree: true, characterData: true });
    });
    // At the beginning: what is added behind the first context changes no token of it.
    area.setRangeText('ab '[key % 3], 0, 0, 'end');
    area.dispatchEvent(new InputEvent('input', { bubbles: true }));
    taken.push(await changed);
    await new Promise(done => setTimeout(done, 250));
  }
  return taken;
}"""

#: Milliseconds from a click on a model until the picture of its block is painted; the first time
#: the panel asks the server, later it has the answer.
OPEN = """async times => {
  const root = document.querySelector('#mistudio-sidebar');
  const until = async find => {
    for (let found; ; await new Promise(requestAnimationFrame)) if ((found = find())) return found;
  };
  const button = label => until(() => root.querySelector(`button[aria-label="${label}"]`));
  const taken = [];
  for (let time = 0; time < times; time++) {
    const open = await button('Open sample-model');
    const begin = performance.now();
    open.click();
    await until(() => root.querySelector('.jp-mistudio-diagram'));
    await new Promise(requestAnimationFrame);
    taken.push(performance.now() - begin);
    (await button('Back')).click();
    await new Promise(done => setTimeout(done, 100));
  }
  return taken;
}"""

#: How often a model is opened.
OPENINGS = 40

#: Characters of the text that keys are added to.
TEXTS = (100, 2_000, 20_000)


def scrolling(page: Page, server: JupyterProcess, rows: int) -> None:
    """Scroll a dataset in several ways, and print a table."""
    dataset = imported(server, rows)
    panels = opened(page, server, dataset)
    expect(panels.root.get_by_test_id("mistudio-sample-0")).to_be_visible(timeout=SLOW)
    print(f"\n{rows:,} rows, {load()}\n")
    print("| scrolled | frames | p50 ms | p95 ms | dropped | long tasks | rows not there yet |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name, step in SCROLLS.items():
        seen: dict[str, Any] = page.evaluate(SCROLL, [step, 10])
        frames = np.array(seen["frames"][1:])
        dropped = int(np.sum(np.round(frames / 16.667) - 1))
        tasks = f"{len(seen['tasks'])}"
        if seen["tasks"]:
            tasks += f" (at most {max(seen['tasks']):.0f} ms)"
        p50, p95 = np.percentile(frames, (50, 95))
        waited = seen["waited"] / len(seen["frames"])
        print(
            f"| {name} | {len(frames)} | {p50:.1f} | {p95:.1f} | {dropped} | {tasks} |"
            f" {waited:.1%} of frames |",
            flush=True,
        )
    p50, p95 = np.percentile(page.evaluate(JUMPS, 40), (50, 95))
    print(f"\nA jump to any place until its rows are drawn: p50 {p50:.0f} ms, p95 {p95:.0f} ms")


def preview(page: Page, server: JupyterProcess, rows: int) -> None:
    """Press keys in the text that is tokenised, and print a table."""
    server.api("models", {"source": "sample"})
    sample = server.api("datasets", {"source": "sample"})["dataset"]["id"]
    wait_for_jobs(server)
    panels = opened(page, server, sample)
    panels.root.get_by_role("button", name="Tokenizations").click()
    panels.root.get_by_role("button", name="Tokenise", exact=True).click()
    shown = panels.root.get_by_test_id("mistudio-tokenize-preview")
    text = " ".join(next(documents(2000)))
    print(f"\nFrom a key press until its tokens are drawn, {load()}\n")
    print("| characters | p50 ms | p95 ms | max ms |\n|---:|---:|---:|---:|")
    for length in TEXTS:
        shown.get_by_label("Try it").fill(text[:length])
        expect(shown.locator(".jp-mistudio-tokenchips")).to_be_visible(timeout=SLOW)
        page.wait_for_timeout(1000)
        taken = np.array(page.evaluate(KEYS, 40))
        p50, p95 = np.percentile(taken, (50, 95))
        print(f"| {length:,} | {p50:.0f} | {p95:.0f} | {taken.max():.0f} |", flush=True)


def architecture(page: Page, server: JupyterProcess, rows: int) -> None:
    """Open a model's architecture over and over, over REST and in the panel, and print a table."""
    model = server.api("models", {"source": "sample"})["model"]["id"]
    wait_for_jobs(server)
    asked = []
    for _ in range(OPENINGS):
        begin = time.perf_counter()
        server.api(f"models/{model}/architecture")
        asked.append(1000 * (time.perf_counter() - begin))
    open_lab(page, server)
    panels = sidebar(page)
    panels.tab("Models")
    expect(panels.root.get_by_role("button", name="Open sample-model")).to_be_visible(timeout=SLOW)
    drawn = page.evaluate(OPEN, OPENINGS)
    print(f"\nA model's architecture from the cache, {load()}\n")
    print("| | first, ms | p50 ms | p95 ms | max ms |\n|---|---:|---:|---:|---:|")
    for name, taken in (("REST", asked), ("from the click until it is drawn", drawn)):
        p50, p95 = np.percentile(taken, (50, 95))
        print(f"| {name} | {taken[0]:.0f} | {p50:.0f} | {p95:.0f} | {max(taken):.0f} |", flush=True)


MEASURES: dict[str, Callable[[Page, JupyterProcess, int], None]] = {
    "scrolling": scrolling,
    "preview": preview,
    "architecture": architecture,
}


def imported(server: JupyterProcess, rows: int) -> str:
    """Import so many synthetic documents, wait until they are indexed, and return the id."""
    path = server.notebooks / "documents.parquet"
    with pq.ParquetWriter(path, pa.schema([("text", pa.string())])) as writer:
        for texts in documents(rows):
            writer.write_table(pa.table({"text": texts}))
    made = server.api("datasets", {"source": "path", "path": str(path)})
    wait_for_jobs(server)
    identity: str = made["dataset"]["id"]
    return identity


def wait_for_jobs(server: JupyterProcess) -> None:
    """Wait until nothing runs any more."""
    while any(job["state"] in ("queued", "running") for job in server.api("jobs")["jobs"]):
        time.sleep(0.5)


def opened(page: Page, server: JupyterProcess, dataset: str) -> Panels:
    """Open a dataset in the sidebar."""
    open_lab(page, server)
    panels = sidebar(page)
    panels.tab("Datasets")
    name = server.api(f"datasets/{dataset}")["name"]
    panels.root.get_by_role("button", name=f"Open {name}").click()
    return panels


def load() -> str:
    """Return how busy the machine is."""
    return f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"


def main() -> None:
    """Start a server and a browser, and measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[*MEASURES, []], metavar=" | ".join(MEASURES))
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="mistudio-browser-"))
    names = ("chromium", "chromium-browser", "google-chrome")
    executable = next(filter(None, map(shutil.which, names)), None)
    server = JupyterProcess(folder)
    server.start()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_OPTIONS)
            for name in options.names or MEASURES:
                page = browser.new_page(viewport={"width": 1280, "height": 900})
                MEASURES[name](page, server, options.rows)
                page.close()
            browser.close()
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
