"""What a person waits for in the panels: first paint, estimate, coloured tokens, top samples.

``python benchmarks/panels.py [names] [--rounds N]`` starts a real JupyterLab and Chromium on the
bundled sample and a model of random weights (one layer, d = 320, context 2,304) and measures

``paint``     from the command that shows a panel until its content is painted, in a page that has
              shown no panel yet (``first``) and from another panel (``next``);
``estimate``  from a change in the form until a new estimate is painted, and until the server's own
              has come;
``tokens``    frames while a sample of 2,000 coloured tokens is scrolled, and while it is not;
``top``       from the press of *Top samples* until the first rows are painted, and until the whole
              array of 1 GB is read, from memory and from the disk.

Times are the browser's own clock, up to the frame after the one in which the content stood. The
load of the machine is printed: another program's work shows in these figures like the page's own.
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
from statistics import median
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Page, expect, sync_playwright  # noqa: E402

from tests.servers import JupyterProcess  # noqa: E402
from tests.ui.conftest import CHROMIUM_OPTIONS  # noqa: E402
from tests.ui.frontends import SLOW, Panels, execute, open_lab, sidebar  # noqa: E402

Row = tuple[str, str]

#: Panel to an element that is there when its content is.
CONTENT = {
    "datasets": "[data-testid=mistudio-row-sample-stories]",
    "models": "[data-testid=mistudio-row-sample-model]",
    "extract": "[data-testid=mistudio-estimate]",
    "jobs": "[data-testid=mistudio-jobs] [data-kind=extract]",
    "activations": "[data-testid=mistudio-row-long]",
    "monitor": "[data-testid^=mistudio-device]",
}

#: Defines ``painted(check)``: the time when a check first holds, plus the frame that shows it.
PAINTED = """() => {
  window.frame = () => new Promise(done => requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => done(performance.now());
    port2.postMessage(null);
  }));
  window.painted = check => new Promise((done, fail) => {
    setTimeout(() => fail(new Error(`It never was so: ${check}`)), 60000);
    const look = () => {
      if (!check()) return false;
      observer.disconnect();
      frame().then(done);
      return true;
    };
    const observer = new MutationObserver(look);
    const everything = { subtree: true, childList: true, attributes: true, characterData: true };
    if (!look()) observer.observe(document.body, everything);
  });
}"""

SHOW = """async ([tab, selector]) => {
  const selection = tab === 'extract' ? { dataset: 'sample-stories', model: 'sample-model' } : {};
  const begin = performance.now();
  void window.jupyterapp.commands.execute('mistudio:open-panel', { tab, selection });
  const there = () => document.querySelector('#mistudio-sidebar')?.querySelector(selector);
  return await painted(there) - begin;
}"""

#: Changes a control of the form; returns when another estimate was painted, and the server's.
CHANGE = """async ([label, value]) => {
  const root = document.querySelector('#mistudio-sidebar');
  const name = [...root.querySelectorAll('label')].find(l => l.textContent.trim() === label);
  const control = document.getElementById(name.htmlFor);
  const shown = () => root.querySelector('[data-testid=mistudio-estimate]');
  const before = shown().textContent;
  performance.clearResourceTimings();
  const answered = () => performance.getEntriesByType('resource')
    .findLast(each => each.name.includes('extractions/estimate') && each.responseEnd);
  const begin = performance.now();
  Object.getOwnPropertyDescriptor(Object.getPrototypeOf(control), 'value').set
    .call(control, value);
  control.dispatchEvent(new Event(control.tagName === 'SELECT' ? 'change' : 'input',
    { bubbles: true }));
  const first = await painted(() =>
    shown().getAttribute('aria-busy') !== 'true' && shown().textContent !== before);
  while (!answered()) await new Promise(done => setTimeout(done, 1));
  return [first - begin, Math.max(first, answered().responseEnd) - begin];
}"""

#: Scrolls by so many pixels in every frame; returns the times between frames and long tasks.
SCROLL = """async step => {
  const list = document.querySelector('#mistudio-sidebar .jp-mistudio-tokens');
  const long = [];
  const observer = new PerformanceObserver(found => long.push(...found.getEntries()));
  observer.observe({ type: 'longtask' });
  const gaps = [];
  let last = await frame();
  while (gaps.length < 300) {
    list.scrollTop += step;
    if (list.scrollTop <= 0 || list.scrollTop + list.clientHeight >= list.scrollHeight - 1) {
      step = -step;
    }
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    gaps.push(now - last);
    last = now;
  }
  observer.disconnect();
  return [gaps, long.map(each => each.duration)];
}"""

TOP = """async () => {
  const root = document.querySelector('#mistudio-sidebar');
  const section = () => root.querySelector('[data-testid=mistudio-top]');
  const button = [...root.querySelectorAll('button')]
    .find(each => each.textContent.trim().startsWith('Top samples'));
  if (section()) button.click();
  await painted(() => !section());
  const begin = performance.now();
  button.click();
  const first = await painted(() => section()?.querySelector('li'));
  const status = () => section()?.querySelector('[role=status]').textContent;
  const last = await painted(() => /^All/.test(status()));
  return [first - begin, last - begin];
}"""


def make_model(folder: Path) -> None:
    """Write a model of random weights with the sample's tokenizer."""
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    sample = ROOT / "mistudio_ext" / "sample" / "model"
    tokenizer = AutoTokenizer.from_pretrained(sample)
    tokenizer.model_max_length = 2304
    tokenizer.save_pretrained(folder)
    LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=320,
            intermediate_size=256,
            num_hidden_layers=1,
            num_attention_heads=4,
            max_position_embeddings=2304,
        )
    ).save_pretrained(folder)


def prepare(server: JupyterProcess, folder: Path) -> None:
    """Make a sample of 2,000 tokens and an array of 1 GB."""
    model = {"source": "path", "path": str(folder), "name": "wide"}
    wide = server.api("models", model)["model"]["id"]
    common = {"dataset": "sample-stories", "model": wide}
    long = {"hooks": ["resid_post"], "mode": "pack", "context": 2200, "max_samples": 20}
    bodies: list[dict[str, Any]] = [
        {**common, **long, "name": "long"},
        {**common, "hooks": ["embed"], "dtype": "float32", "name": "gigabyte"},
        # A run of the form's own model, so that the estimate has a measured speed.
        {"dataset": "sample-stories", "model": "sample-model", "max_samples": 50, "name": "short"},
    ]
    for body in bodies:
        made = server.api("extractions", body)["extraction"]
        while made["state"] != "done":
            if made["state"] not in ("queued", "running"):
                raise SystemExit(f"The extraction {made['state']}: {made['error']}")
            time.sleep(0.5)
            made = server.api(f"extractions/{made['id']}")


def fresh(page: Page, server: JupyterProcess) -> None:
    """Load JupyterLab anew, its sidebar closed."""
    open_lab(page, server)
    page.evaluate(PAINTED)
    page.wait_for_timeout(1500)  # Extensions of the application finish their start.


def paint(page: Page, server: JupyterProcess, rounds: int) -> list[Row]:
    """Measure the first paint of every panel."""
    rows = []
    for tab, selector in CONTENT.items():
        first, after = [], []
        other = "jobs" if tab != "jobs" else "models"
        for _ in range(rounds):
            fresh(page, server)
            first.append(page.evaluate(SHOW, [tab, selector]))
            page.evaluate(SHOW, [other, CONTENT[other]])
            after.append(page.evaluate(SHOW, [tab, selector]))
        rows.append((f"{tab}, first of the page", milliseconds(first)))
        rows.append((f"{tab}, from another panel", milliseconds(after)))
    return rows


def estimate(page: Page, server: JupyterProcess, rounds: int) -> list[Row]:
    """Measure how soon the estimate follows the form."""
    fresh(page, server)
    panels = sidebar(page)
    panels.tab("Extract")
    panels.choose("Dataset", "sample-stories")
    panels.choose("Model", "sample-model")
    expect(panels.root.get_by_test_id("mistudio-estimate")).to_contain_text("On disk")
    page.wait_for_timeout(500)
    changes: dict[str, Callable[[int], tuple[str, str]]] = {
        "layers": lambda i: ("Layers", "0-5" if i % 2 else "1,4"),
        "samples": lambda i: ("At most this many samples", str(200 + i)),
        "number format": lambda i: ("Number format", "float32" if i % 2 else "float16"),
        "context": lambda i: ("Context (tokens)", str(64 + i)),
    }
    rows = []
    for name, change in changes.items():
        found = [page.evaluate(CHANGE, list(change(i + 1))) for i in range(4 * rounds)]
        rows.append((f"{name}, an estimate", milliseconds([shown for shown, _ in found])))
        rows.append((f"{name}, the server's", milliseconds([own for _, own in found])))
    return rows


def open_extraction(page: Page, server: JupyterProcess, name: str) -> Panels:
    """Open an extraction in the sidebar."""
    fresh(page, server)
    panels = sidebar(page)
    chosen = {"tab": "activations", "selection": {"extraction": name}}
    execute(page, "mistudio:open-panel", chosen)
    expect(panels.root.get_by_role("listbox")).to_be_visible(timeout=SLOW)
    return panels


def tokens(page: Page, server: JupyterProcess, rounds: int) -> list[Row]:
    """Count frames that came late while coloured tokens are scrolled."""
    panels = open_extraction(page, server, "long")
    n = panels.root.get_by_role("listbox").get_by_role("option").count()
    rows = []
    for what, step in (("scrolled", 24), ("at rest", 0)):
        gaps: list[float] = []
        tasks: list[float] = []
        for _ in range(rounds):
            some, long = page.evaluate(SCROLL, step)
            gaps, tasks = gaps + some, tasks + long
        late = sum(gap > 25 for gap in gaps)
        found = f"{late} of {len(gaps)}, {max(gaps):.0f} ms at most, {len(tasks)} long tasks"
        rows.append((f"{n:,} tokens {what}, frames later than 25 ms", found))
    return rows


def top(page: Page, server: JupyterProcess, rounds: int) -> list[Row]:
    """Measure how soon top samples come, with and without the array in memory."""
    made = server.api("extractions")["extractions"]
    (path,) = [Path(each["path"]) for each in made if each["name"] == "gigabyte"]
    file = path / "hook_embed.npy"
    panels = open_extraction(page, server, "gigabyte")
    panels.root.get_by_role("textbox", name="Dimension").fill("17")
    panels.root.get_by_role("button", name="Top samples").click()
    page.wait_for_timeout(3000)
    rows = []
    for place, prepared in (("from memory", lambda: file.read_bytes()), ("from the disk", None)):
        found = []
        for _ in range(rounds):
            (prepared or (lambda: forget(file)))()
            found.append(page.evaluate(TOP))
        size = f"{file.stat().st_size / 1e9:.2f} GB {place}"
        rows.append((f"{size}, first rows", milliseconds([first for first, _ in found])))
        rows.append((f"{size}, all read", milliseconds([last for _, last in found])))
    return rows


def forget(file: Path) -> None:
    """Drop a file from the page cache."""
    with file.open("rb") as opened:
        os.fdatasync(opened.fileno())
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def milliseconds(values: list[float]) -> str:
    """Return median and largest."""
    return f"{median(values):.0f} ms (at most {max(values):.0f})"


MEASURES: dict[str, Callable[[Page, JupyterProcess, int], list[Row]]] = {
    "paint": paint,
    "estimate": estimate,
    "tokens": tokens,
    "top": top,
}


def main() -> None:
    """Measure what was asked for and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[*MEASURES, []], metavar="NAME")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="keep the server's data here for next time")
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="mistudio-panels-"))
    if not (folder / "model").exists():
        make_model(folder / "model")
    config = {"MiStudioApp": {"allow_paths": [str(folder)]}}
    server = JupyterProcess(folder / "server", config=config)
    server.start()
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    try:
        prepare(server, folder / "model")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_OPTIONS)
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            print("| what | median (largest) |\n|---|---|")
            for name in options.names or MEASURES:
                for what, value in MEASURES[name](page, server, options.rounds):
                    print(f"| {what} | {value} |", flush=True)
            print(f"\nload of the machine at the end: {os.getloadavg()[0]:.1f}")
            browser.close()
    finally:
        server.stop()
        if options.folder is None:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
