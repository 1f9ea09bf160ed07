"""Measure the quality of bridges on held-out songs, and their cost.

    python scripts/measure_bridge.py phrases runs/bridge/best.ckpt runs/published/best.ckpt [--scores bridge.json]
    python scripts/measure_bridge.py phrases studio-bridge --bars 4

The middle bars of held-out windows are masked, and written by each network and by simple rules; figures as in
d2m/symbolic/bridge/measure.py. Cost, always beside the published network's shape: parameters, multiply-adds a bridge
(counted by PyTorch's FlopCounterMode, which takes two operations for each), size in float16, and milliseconds a bridge,
in batches of one on the threads that PyTorch has. Where torchinfo is installed, also its multiply-adds and the
megabytes of a pass for a batch of 16, as Smootify's table has them (258.22 M, 26.49 MB); torchinfo counts a linear
layer once for each row of the batch, however many places it is applied to, so that its figure for ours is far too low.
"""

from __future__ import annotations

import argparse
import json
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from d2m.datasets.phrase_windows import PhraseWindows
from d2m.datasets.phrases import Phrases
from d2m.symbolic.bridge.composer import Composer, build, chances
from d2m.symbolic.bridge.config import BridgeConfig
from d2m.symbolic.bridge.files import load
from d2m.symbolic.bridge.measure import baselines, figures
from d2m.training.export import read_checkpoint

_TIMED = 50


def read(name: str) -> Composer:
    """Return a network from a run's checkpoint or from weights."""
    if not name.endswith(".ckpt"):
        return load(name)
    state = read_checkpoint(name)
    network = build(BridgeConfig.from_dict(state["task"]["config"]))
    network.load_state_dict(state["modules"]["bridge"])
    return Composer(network, f"{Path(name).parent.name} step {state['step']}")


def cost(composer: Composer, bars: int) -> dict[str, float]:
    """Return parameters, multiply-adds and milliseconds of one bridge."""
    from torch.utils.flop_counter import FlopCounterMode

    network, context = composer.network, torch.zeros(1, 2, *composer.config.shape)
    with torch.no_grad():
        with FlopCounterMode(display=False) as counter:
            chances(network, context, bars)
        times = []
        for _ in range(_TIMED):
            began = time.perf_counter()
            chances(network, context, bars)
            times.append(time.perf_counter() - began)
    count = sum(p.numel() for p in network.parameters())
    row = {
        "parameters": count,
        "multiply-adds, M": counter.get_total_flops() / 2e6,
        "MB": 2 * count / 1e6,
        "ms": 1000 * float(np.median(times)),
    }
    return row | by_torchinfo(composer, bars)


def by_torchinfo(composer: Composer, bars: int, batch: int = 16) -> dict[str, float]:
    """Count parameters and multiply-adds by torchinfo as in Smootify's table, for a batch; empty if it is not
    installed.
    """
    if find_spec("torchinfo") is None:
        return {}
    from torchinfo import summary

    context = torch.zeros(batch, 2, *composer.config.shape)
    found = summary(_Whole(composer.network, bars), input_data=context, verbose=0)
    return {
        f"torchinfo, M for {batch}": found.total_mult_adds / 1e6,
        f"pass, MB for {batch}": found.total_output_bytes / 1e6,
        "parameters, MB": found.total_param_bytes / 1e6,
    }


class _Whole(torch.nn.Module):
    """From two bars to a bridge, whichever the network."""

    def __init__(self, network: torch.nn.Module, bars: int) -> None:
        super().__init__()
        self.network, self.bars = network, bars

    def forward(self, context: torch.Tensor) -> torch.Tensor:
        return chances(self.network, context, self.bars)


def windows(folder: Path, bars: int, most: int, seed: int) -> np.ndarray:
    """Return bool (N, bars + 2, steps, pitches, tracks): held-out windows that begin with a phrase, none drawn
    twice.
    """
    found = PhraseWindows(Phrases(folder, "held_out"))
    starts = found.starts(bars + 2)
    chosen = np.sort(np.random.default_rng(seed).permutation(len(starts))[:most])
    return found.take(starts[chosen], np.zeros(len(chosen), np.int64), bars + 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("phrases", type=Path, help="prepared phrases")
    parser.add_argument("networks", nargs="+", help="names of weights, files, or checkpoints of runs")
    parser.add_argument("--bars", type=int, default=2)
    parser.add_argument("--most", type=int, default=2000, help="windows")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scores", type=Path, help="write the first network's figures as JSON, for its card")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    found = windows(args.phrases, args.bars, args.most, args.seed)
    context, real = found[:, [0, -1]], found[:, 1:-1]
    rows = {name: figures(made, real, context) for name, made in baselines(context, args.bars).items()}
    rows["the real bars"] = figures(real, real, context)
    costs = {}
    published = Composer(build(BridgeConfig("published")), "Smootify's, untrained")
    for name in args.networks:
        composer = read(name)
        rows[composer.name] = figures(composer.compose(context, args.bars), real, context)
        costs[composer.name] = cost(composer, args.bars)
    costs[published.name] = cost(published, published.config.most_bars)
    if args.scores:
        first = next(iter(costs))
        chosen = {f"{n}, {len(found)} held-out bridges": v for n, v in rows[first].items()} | costs[first]
        args.scores.write_text(json.dumps(chosen, indent=1) + "\n", encoding="utf-8")
    if args.json:
        print(json.dumps({"bridges": len(found), "bars": args.bars, "figures": rows, "cost": costs}, indent=1))
        return
    print(f"{len(found)} held-out bridges of {args.bars} bars")
    for table in (rows, costs):
        for name, row in table.items():
            print(f"{name:24}" + "  ".join(f"{key} {value:.3f}" for key, value in row.items()))


if __name__ == "__main__":
    from one_line import run_main

    run_main(main)
