"""Measure a training step of D2M-GAN: seconds, memory, and time of its parts.

    python scripts/measure_training.py --level high low --threads 1 2
    python scripts/measure_training.py --accelerator cuda --precision 32-true bf16-mixed

The data are noise of the right shape, made in a temporary folder: a step takes as long whatever they are. Times are
medians over ``--steps`` steps after ``--warm`` that do not count; with one thread, processor time is what a step takes
on a machine that does nothing else. Memory is the process's peak (on a GPU, the device's).
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np


def make_noise(folder: Path, kind: str, seconds: float, count: int) -> None:
    """Make a prepared data set of ``count`` segments of noise."""
    from d2m.datasets.prepared import Manifest, Sequence, write_music, write_sequence, write_split
    from d2m.generator.d2m_gan import DATASETS
    from d2m.version import __version__

    shape, rng = DATASETS[kind], np.random.default_rng(0)
    length = round(seconds * count)
    write_music(folder, "noise", rng.normal(0, 0.1, 22050 * length).astype(np.float32))
    motion = rng.standard_normal((length * shape.motion_rate, shape.motion_size)).astype(np.float32)
    visual = rng.standard_normal((-(-length // 2), 2048)).astype(np.float32)
    write_sequence(folder, "dance", Sequence(motion, "noise", 0, 0 if shape.genres else -1, visual))
    for split in ("train", "val", "test"):
        write_split(folder, split, ["dance"])
    size = shape.motion_size
    Manifest(kind, 22050, shape.motion_rate, size, 2048, seconds, "noise", __version__).write(folder)


def measure(args: argparse.Namespace) -> dict[str, object]:
    """Return seconds a step, memory and the profile of one setting, in this process."""
    import torch

    from d2m import jukebox, weights
    from d2m.training.d2m_gan import D2MGANTask, D2MGANTraining
    from d2m.training.devices import make_fabric

    torch.set_num_threads(args.threads[0])
    with tempfile.TemporaryDirectory() as folder:
        make_noise(Path(folder), args.kind, args.seconds, 2 * args.batch)
        settings = D2MGANTraining(Path(folder), 1, args.level[0], args.seconds, batch=args.batch)
        torch.manual_seed(0)
        task = D2MGANTask(settings, jukebox.load(weights.find(args.vqvae, "jukebox-vqvae")[0]))
        fabric = make_fabric(args.accelerator, 1, 1, "auto", args.precision[0])
        task.setup(fabric)
        cuda = fabric.device.type == "cuda"
        times, busy = [], []
        for step in range(args.warm + args.steps):
            began, worked = time.perf_counter(), time.process_time()
            task.step(step, np.random.default_rng(step))
            if cuda:
                torch.cuda.synchronize()
            times.append(time.perf_counter() - began)
            busy.append(time.process_time() - worked)
        peak = torch.cuda.max_memory_allocated() if cuda else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        shares = _profile(task, cuda) if args.profile else {}
    return {
        "level": args.level[0],
        "threads": args.threads[0],
        "precision": args.precision[0],
        "device": str(fabric.device),
        "batch": args.batch,
        "seconds": args.seconds,
        "parameters_M": {n: round(sum(p.numel() for p in m.parameters()) / 1e6, 1) for n, m in task.modules.items()},
        "seconds_per_step": round(statistics.median(times[args.warm :]), 3),
        "processor_seconds_per_step": round(statistics.median(busy[args.warm :]), 3),
        "memory_GB": round(peak / 1e9, 2),
        "shares": shares,
    }


def _profile(task, cuda: bool) -> dict[str, float]:
    """Shares of a step's time by part of the model, and the five dearest operations."""
    import torch
    from torch.profiler import ProfilerActivity, profile, record_function

    parts = {
        "motion encoder": task.model.motion_encoder,
        "VQ generator": task.model.generator,
        "discriminators": task.discriminator,
        "VQ-VAE encoder": task.codec.vqvae.encoders[task.codec.level],
        "VQ-VAE decoder": task.codec.vqvae.decoders[task.codec.level],
    }
    handles = []
    for name, module in parts.items():
        spans: list[record_function] = []

        def begin(*_: object, name: str = name, spans: list = spans) -> None:
            spans.append(record_function(f"forward: {name}"))
            spans[-1].__enter__()

        def end(*_: object, spans: list = spans) -> None:
            spans.pop().__exit__(None, None, None)

        handles += [module.register_forward_pre_hook(begin), module.register_forward_hook(end)]
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if cuda else [])]
    with profile(activities=activities) as profiler:
        began = time.perf_counter()
        task.step(10**6, np.random.default_rng(0))
        if cuda:
            torch.cuda.synchronize()
        whole = (time.perf_counter() - began) * 1e6
    for handle in handles:
        handle.remove()
    averages = profiler.key_averages()
    attribute = "device_time_total" if cuda else "cpu_time_total"
    shares = {e.key: getattr(e, attribute) / whole for e in averages if e.key.startswith("forward: ")}
    own = "self_device_time_total" if cuda else "self_cpu_time_total"
    dear = sorted((e for e in averages if e.key.startswith("aten::")), key=lambda e: -getattr(e, own))[:6]
    shares |= {e.key: getattr(e, own) / whole for e in dear}
    return {name: round(share, 3) for name, share in shares.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", default="aist", choices=("aist", "tiktok"))
    parser.add_argument("--level", nargs="+", default=["high", "low"])
    parser.add_argument("--threads", nargs="+", type=int, default=[1])
    parser.add_argument("--precision", nargs="+", default=["32-true"])
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--warm", type=int, default=1, help="steps before those that count")
    parser.add_argument("--vqvae", default="studio-vqvae")
    parser.add_argument("--accelerator", default="auto")
    parser.add_argument("--profile", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    args = parser.parse_args()
    settings = [(level, n, p) for level in args.level for n in args.threads for p in args.precision]
    if len(settings) == 1:
        result = measure(args)
        print(json.dumps(result) if args.json else _table(result), flush=True)
        return
    # Each setting in a process of its own, as a peak of memory is the process's.
    names = ("kind", "batch", "seconds", "steps", "warm", "vqvae", "accelerator")
    common = [word for name in names for word in (f"--{name}", getattr(args, name))]
    common += [*(["--json"] if args.json else []), *([] if args.profile else ["--no-profile"])]
    for level, threads, precision in settings:
        own = ["--level", level, "--threads", threads, "--precision", precision]
        subprocess.run([sys.executable, __file__, *map(str, (*common, *own))], check=True)


def _table(result: dict) -> str:
    title = "{level}, batch {batch} x {seconds:g} s, {threads} threads, {precision} on {device}".format(**result)
    times = "{seconds_per_step} s a step ({processor_seconds_per_step} s of processor time)".format(**result)
    lines = [title, f"  {times}, {result['memory_GB']} GB", "  parameters (millions): "]
    lines[-1] += ", ".join(f"{name} {size}" for name, size in result["parameters_M"].items())
    return "\n".join([*lines, *(f"  {share:6.1%}  {name}" for name, share in result["shares"].items())])


if __name__ == "__main__":
    from one_line import run_main

    run_main(main)
