"""Extraction speed and memory against the bare forward pass and against other tools.

One command, one table::

    python benchmarks/extraction.py            # about ten minutes on two cores
    python benchmarks/extraction.py --quick    # about two minutes
    python benchmarks/extraction.py --device cuda

Every round runs every method on the same tokens, one after the other, in a random order; the
table shows medians over the rounds, and the share of the bare forward pass of the same round.
Real tokens are counted, never padding. CPU time stands beside the time on the clock because it
tells the cost even on a machine that others use at the same time; miStudio's includes mapping and
checking the model. Three layers times three hook points go to disk as float16.

Methods
    bare          the base model to the same depth, nothing kept: one pass at a time by all threads,
                  on batches of the tokens that miStudio has in its two lanes together
    miStudio      the engine, with checksums, statistics, journal and fdatasync
    miStudio-resid  the same, with the residual stream alone, as hidden_states gives it
    miStudio-one-lane  the same, one pass at a time
    hooks+save    forward hooks, batches in dataset order padded to their longest, np.save
    hidden_states output_hidden_states=True; it can only give the residual stream
    TransformerLens, SAELens, nnsight: where they are installed; SAELens's runner stores one
                  hook point a pass, so nine passes

A quiet machine gives the whole table in two parts of a few minutes each::

    python benchmarks/extraction.py --quick --shapes d256x6 --growth
    python benchmarks/extraction.py --quick --shapes gpt2
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

# As in miStudio's worker, and for every method alike; see mistudio_ext/workers/extract.py.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import psutil
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import peers

from mistudio_ext.engine import batches as engine_batches
from mistudio_ext.engine import lanes
from mistudio_ext.engine.load import LoadedModel, choose_device
from mistudio_ext.engine.memory import keep_heap
from mistudio_ext.engine.run import extract
from mistudio_ext.engine.structure import text_model
from mistudio_ext.engine.threads import use_threads

SHAPES: dict[str, dict[str, Any]] = {
    # Overhead dominates: 6 blocks of width 256 with a vocabulary of 50,000.
    "d256x6": {
        "model_type": "llama",
        "hidden_size": 256,
        "intermediate_size": 683,
        "num_hidden_layers": 6,
        "num_attention_heads": 8,
        "num_key_value_heads": 8,
        "vocab_size": 50257,
        "max_position_embeddings": 1024,
        "layers": (1, 3, 5),
    },
    "gpt2": {"model_type": "gpt2", "layers": (3, 7, 11)},
}
POINTS = ("hook_resid_post", "hook_attn_out", "hook_mlp_out")
#: Tokens per round: enough that one run takes seconds.
TOKENS = {"d256x6": (60_000, 12_000), "gpt2": (12_000, 4_000)}


@dataclass
class Case:
    """One model on one set of samples."""

    shape: str
    lengths: str
    loaded: LoadedModel
    folder: Path
    tokens: np.ndarray[Any, Any]
    offsets: np.ndarray[Any, Any]
    device: torch.device
    batch_tokens: int | None = None
    only_layers: tuple[int, ...] | None = None
    peer_samples: int | None = None
    points: tuple[str, ...] = POINTS

    @property
    def layers(self) -> tuple[int, ...]:
        return self.only_layers or tuple(SHAPES[self.shape]["layers"])

    @property
    def hooks(self) -> list[str]:
        return [f"blocks.{layer}.{point}" for layer in self.layers for point in self.points]

    @property
    def plan(self) -> engine_batches.Plan:
        width = self.loaded.model.config.hidden_size
        return engine_batches.make_plan(
            device_type=self.device.type,
            batch_tokens=self.batch_tokens,
            longest=int(np.diff(self.offsets).max()),
            row_bytes=len(self.hooks) * width * 2,
            flops_per_token=2.0 * block_parameters(self.loaded.model),
            padding="plain",
        )

    def in_order(self) -> Iterator[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
        """Yield ids and lengths of batches in dataset order, padded to their longest.

        They hold ``peer_samples`` samples, or as many as fit into miStudio's budget of tokens.
        """
        budget, lengths = self.plan.batch_tokens, np.diff(self.offsets)
        first = 0
        while first < len(lengths):
            end, width = first, 0
            while end < len(lengths) and (
                end - first < self.peer_samples
                if self.peer_samples
                else max(width, lengths[end]) * (end - first + 1) <= budget
            ):
                width = max(width, int(lengths[end]))
                end += 1
            ids = np.zeros((end - first, width), np.int64)
            for row, sample in enumerate(range(first, end)):
                start = self.offsets[sample]
                ids[row, : lengths[sample]] = self.tokens[start : start + lengths[sample]]
            yield ids, lengths[first:end]
            first = end


@dataclass
class Result:
    """Per round: seconds, CPU seconds, and peak memory in MB beyond what was there before."""

    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    peaks: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)


class Peak:
    """Samples the resident memory while a run is going on."""

    def __enter__(self) -> Peak:
        gc.collect()
        trim()
        self._process = psutil.Process()
        self._before = self._process.memory_info().rss
        self._most = self._before
        self._busy: list[int] = []
        self._gpu = gpu_handle()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            self._most = max(self._most, self._process.memory_info().rss)
            if self._gpu is not None:
                self._busy.append(self._gpu())

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.megabytes = (self._most - self._before) / 1e6
        self.busy = statistics.mean(self._busy) / 100 if self._busy else None


def gpu_handle() -> Callable[[], int] | None:
    """Return a function that reads the first GPU's utilisation in percent; None without a GPU."""
    if not torch.cuda.is_available():
        return None
    import pynvml

    try:
        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(0)
        pynvml.nvmlDeviceGetUtilizationRates(handle)
    except pynvml.NVMLError:
        return None
    return lambda: int(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu)


def trim() -> None:
    """Give freed memory back to the system, so that every run starts alike."""
    import ctypes

    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def block_parameters(model: Any) -> int:
    from mistudio_ext.engine.structure import discover, parameter_count

    return sum(parameter_count(block.module) for block in discover(model).blocks)


class Quiet:
    """A reporter that says nothing."""

    def phase(self, name: str, message: str = "") -> None:
        return

    def progress(self, done: int, total: int | None, unit: str = "", message: str = "") -> None:
        return

    def warn(self, code: str, message: str) -> None:
        print(f"warning: {code}: {message}", file=sys.stderr)


def bare(case: Case, out: Path) -> float:
    plan, runner = case.plan, text_model(case.loaded.model)
    began = time.perf_counter()
    with torch.inference_mode():
        for chunk in engine_batches.chunks(case.offsets, plan):
            for batch in engine_batches.batches(case.offsets, chunk, plan):
                ids = engine_batches.padded_ids(case.tokens, case.offsets, batch)
                runner(input_ids=torch.from_numpy(ids).to(case.device), use_cache=False)
    synchronize(case)
    return time.perf_counter() - began


def mistudio(case: Case, out: Path) -> float:
    spec = {
        "allow_remote_code": False,
        "disk_reserve_bytes": 0,
        "threads": torch.get_num_threads(),
        "extraction": {
            "id": "ext_bench",
            "name": "bench",
            "path": str(out / "activations"),
            "fingerprint": "bench",
            "spec": {
                "hooks": case.hooks,
                "dtype": "float16",
                "device": str(case.device),
                "batch_tokens": case.batch_tokens,
            },
        },
        "model": {"name": case.shape, "path": str(case.folder), "format": "fp32"},
        "tokenization": {"path": str(case.folder / f"tokens-{case.lengths}"), "settings": {}},
    }
    result = extract(spec, Quiet(), case.loaded)
    timings = result["timings"]
    # Mapping and checking the model is done once, before the first token; all else counts.
    return float(timings["total_s"] - timings["load_s"])


def residual_only(case: Case, out: Path) -> float:
    """Run the engine for what hidden_states can give."""
    return mistudio(replace(case, points=POINTS[:1]), out)


def one_lane(case: Case, out: Path) -> float:
    """Run the engine with one pass at a time."""
    possible = lanes.possible
    lanes.possible = lambda *_: 1
    try:
        return mistudio(case, out)
    finally:
        lanes.possible = possible


def hooks_and_save(case: Case, out: Path) -> float:
    from mistudio_ext.engine.points import build
    from mistudio_ext.engine.structure import discover

    model = case.loaded.model
    points = build(discover(model), model.config).points
    kept: dict[str, torch.Tensor] = {}
    handles = []
    for name in case.hooks:

        def keep(_: Any, __: Any, output: Any, name: str = name) -> None:
            value = output[0] if isinstance(output, tuple) else output
            kept[name] = value.half().cpu()

        handles.append(model.get_submodule(points[name].read.module).register_forward_hook(keep))
    began = time.perf_counter()
    with torch.inference_mode():
        for number, (ids, lengths) in enumerate(case.in_order()):
            mask = torch.from_numpy(np.arange(ids.shape[1])[None] < lengths[:, None])
            inputs = torch.from_numpy(ids).to(case.device)
            ragged = {} if bool(mask.all()) else {"attention_mask": mask.long().to(case.device)}
            text_model(model)(input_ids=inputs, use_cache=False, **ragged)
            for name in case.hooks:
                np.save(out / f"{name}.{number}.npy", kept[name][mask].numpy())
    seconds = time.perf_counter() - began
    for handle in handles:
        handle.remove()
    return seconds


def hidden_states(case: Case, out: Path) -> float:
    began = time.perf_counter()
    with torch.inference_mode():
        for number, (ids, lengths) in enumerate(case.in_order()):
            mask = torch.from_numpy(np.arange(ids.shape[1])[None] < lengths[:, None])
            ragged = {} if bool(mask.all()) else {"attention_mask": mask.long().to(case.device)}
            states = text_model(case.loaded.model)(
                input_ids=torch.from_numpy(ids).to(case.device),
                use_cache=False,
                output_hidden_states=True,
                **ragged,
            ).hidden_states
            for layer in case.layers:
                rows = states[layer + 1].half().cpu()[mask]
                np.save(out / f"{layer}.{number}.npy", rows.numpy())
    return time.perf_counter() - began


METHODS: dict[str, tuple[Callable[[Case, Path], float], str | None]] = {
    "bare": (bare, None),
    "miStudio": (mistudio, None),
    "miStudio-resid": (residual_only, None),
    "miStudio-one-lane": (one_lane, None),
    "hooks+save": (hooks_and_save, None),
    "hidden_states": (hidden_states, None),
    "TransformerLens": (peers.transformer_lens, "transformer_lens"),
    "SAELens": (peers.sae_lens, "sae_lens"),
    "nnsight": (peers.nnsight, "nnsight"),
}


def synchronize(case: Case) -> None:
    if case.device.type == "cuda":
        torch.cuda.synchronize(case.device)


def build_model(shape: str, folder: Path, device: torch.device) -> LoadedModel:
    from transformers import AutoConfig, AutoModelForCausalLM

    facts = {k: v for k, v in SHAPES[shape].items() if k not in ("model_type", "layers")}
    config = AutoConfig.for_model(SHAPES[shape]["model_type"], **facts)
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval().to(device)
    model.requires_grad_(False)
    folder.mkdir(parents=True, exist_ok=True)
    return LoadedModel(model, device, torch.float32)


def make_tokens(folder: Path, kind: str, total: int, vocab: int) -> tuple[Any, Any]:
    """Write a tokenization: ``fixed`` samples of 256 tokens, or ``ragged`` ones of 16 to 512."""
    generator = np.random.default_rng(0)
    if kind == "fixed":
        lengths = np.full(max(1, total // 256), 256)
    else:
        lengths = np.clip(generator.lognormal(4.9, 0.8, total), 16, 512).astype(np.int64)
        lengths = lengths[: int(np.searchsorted(np.cumsum(lengths), total)) + 1]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    tokens = generator.integers(3, vocab, int(offsets[-1])).astype(np.uint16)
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "tokens.npy", tokens)
    np.save(folder / "offsets.npy", offsets)
    np.save(folder / "rows.npy", np.arange(len(lengths)))
    return tokens, offsets


def run_case(case: Case, rounds: int, wanted: list[str]) -> dict[str, Result]:
    results: dict[str, Result] = {}
    skipped: set[str] = set()
    order = random.Random(0)
    for number in range(rounds + 1):  # The first round warms up and is not counted.
        # In another order each time: a machine that slows down would favour who comes first.
        for name in order.sample(wanted, len(wanted)):
            if name in skipped:
                continue
            with tempfile.TemporaryDirectory(dir=case.folder) as out:
                try:
                    with Peak() as peak:
                        before = time.process_time()
                        seconds = METHODS[name][0](case, Path(out))
                        cpu = time.process_time() - before
                except (ImportError, NotImplementedError) as error:
                    print(f"{name} left out: {error}", file=sys.stderr)
                    skipped.add(name)
                    continue
            if number:
                result = results.setdefault(name, Result())
                result.seconds.append(seconds)
                result.cpu.append(cpu)
                result.peaks.append(peak.megabytes)
                if peak.busy is not None:
                    result.busy.append(peak.busy)
    return {name: results[name] for name in wanted if name in results}


def growth(case: Case, folder: Path, sizes: tuple[int, ...]) -> list[tuple[int, float]]:
    """Return miStudio's peak memory in MB for datasets of these many tokens.

    Only the first block runs, so that a million tokens take a minute; what could grow with the
    dataset (offsets, journal, queues, checksums) is there all the same.
    """
    found = []
    for size in sizes:
        vocab = case.loaded.model.config.vocab_size
        tokens, offsets = make_tokens(case.folder / "tokens-growth", "ragged", size, vocab)
        one = replace(case, lengths="growth", tokens=tokens, offsets=offsets, only_layers=(0,))
        with tempfile.TemporaryDirectory(dir=folder) as out, Peak() as peak:
            mistudio(one, Path(out))
        found.append((size, peak.megabytes))
    return found


def machine(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{torch.get_num_threads()}-core {platform.machine()} CPU"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--quick", action="store_true", help="fewer rounds and tokens")
    parser.add_argument("--rounds", type=int, default=None)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--shapes", default=",".join(SHAPES))
    parser.add_argument("--samples", default="fixed,ragged")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--batch-tokens", type=int, default=None)
    parser.add_argument(
        "--peer-samples",
        type=int,
        default=None,
        help="samples in a batch of the other tools; by default as many as fit into miStudio's "
        "budget of tokens, which is kinder to them than a fixed number",
    )
    parser.add_argument(
        "--growth", action="store_true", help="also peak memory at 10^5 and 10^6 tokens"
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    device = choose_device(options.device)
    use_threads(options.threads)
    keep_heap()  # For every method alike: without it, page faults cost all of them time.
    rounds = options.rounds or (3 if options.quick else 5)
    factor = 20 if device.type == "cuda" else 1
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as base:
        for shape in options.shapes.split(","):
            folder = Path(base) / shape
            loaded = build_model(shape, folder, device)
            vocab = loaded.model.config.vocab_size
            total = TOKENS[shape][1 if options.quick else 0] * factor
            for kind in options.samples.split(","):
                tokens, offsets = make_tokens(folder / f"tokens-{kind}", kind, total, vocab)
                case = Case(
                    shape, kind, loaded, folder, tokens, offsets, device, options.batch_tokens
                )
                case.peer_samples = options.peer_samples
                results = run_case(case, rounds, options.methods.split(","))
                rows += table_rows(case, results)
            if options.growth and shape == "d256x6":
                for size, peak in growth(case, folder, (100_000, 1_000_000)):
                    print(f"miStudio at {size:,} tokens: peak {peak:.0f} MB", file=sys.stderr)
            del loaded
    if options.json:
        print(json.dumps({"machine": machine(device), "rows": rows}))
        return 0
    print(f"\n{machine(device)}, torch {torch.__version__}, medians of {rounds} paired rounds\n")
    gpu = any(row["gpu_busy"] is not None for row in rows)
    print(
        "| model | samples | method | tokens/s | of bare | of bare, CPU time | peak MB |"
        + (" GPU busy |" if gpu else "")
    )
    print("|---|---|---|---:|---:|---:|---:|" + ("---:|" if gpu else ""))
    for row in rows:
        print(
            f"| {row['model']} | {row['samples']} | {row['method']} | {row['tokens_per_s']:,.0f} "
            f"| {row['of_bare']:.2f} | {row['of_bare_cpu']:.2f} | {row['peak_mb']:.0f} |"
            + (f" {row['gpu_busy']:.0%} |" if row["gpu_busy"] is not None else "")
        )
    return 0


def table_rows(case: Case, results: dict[str, Result]) -> list[dict[str, Any]]:
    count = int(case.offsets[-1])
    base = results["bare"]

    def share(mine: list[float], bare: list[float]) -> float:
        return statistics.median(b / m for b, m in zip(bare, mine, strict=True))

    return [
        {
            "model": case.shape,
            "samples": case.lengths,
            "method": name,
            "tokens_per_s": count / statistics.median(result.seconds),
            "of_bare": share(result.seconds, base.seconds),
            "of_bare_cpu": share(result.cpu, base.cpu),
            "peak_mb": statistics.median(result.peaks),
            "gpu_busy": statistics.median(result.busy) if result.busy else None,
        }
        for name, result in results.items()
    ]


if __name__ == "__main__":
    sys.exit(main())
