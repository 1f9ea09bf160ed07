"""Measure the reconstruction of held-out melodies by a MusicVAE, and its samples in comparison with real ones.

    python scripts/measure_musicvae.py WEIGHTS --data MELODIES [--part held_out] [--count 500] [--json]

WEIGHTS is a name, a safetensors file, or the checkpoint of a run (``runs/musicvae/best.ckpt``). Reconstructions are of
the means of the latent vectors; "copied" is the share of samples whose nearest training melody (by steps in common,
after transposition to the sample's first key) agrees on more than nine steps in ten.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from pathlib import Path

import numpy as np

from d2m.datasets.melodies import load_melodies
from d2m.errors import D2MError
from d2m.symbolic import emotion
from d2m.symbolic.emotion.forms import load_forms
from d2m.symbolic.emotion.musicvae import HierarchicalMusicVae, MusicVae, MusicVaeConfig
from d2m.symbolic.emotion.statistics import summary
from d2m.symbolic.melody import FIRST_KEY
from d2m.training.export import read_checkpoint
from d2m.training.musicvae import measure


def open_model(path: str) -> MusicVae:
    """Return the model of a weights file or of a run's checkpoint.

    Raises:
        D2MError: if it is neither.
    """
    if Path(path).suffix != ".ckpt":
        return emotion.load(path)
    state = read_checkpoint(path)
    if "musicvae" not in state["modules"]:
        raise D2MError(f"{path} is not a run of 'd2m train musicvae'")
    network = HierarchicalMusicVae(MusicVaeConfig(**state["task"]["config"]))
    network.load_state_dict(state["modules"]["musicvae"])
    return MusicVae(network)


def copied(samples: np.ndarray, known: np.ndarray) -> float:
    """Return the share of the samples that say what a known melody says, in whatever key."""
    told = _relative(known)
    best = [float((told == row).mean(axis=1).max()) for row in _relative(samples)]
    return float(np.mean(np.array(best) > 0.9))


def _relative(melodies: np.ndarray) -> np.ndarray:
    """Keys counted from the first one of each melody; holds and note-offs as they are."""
    struck = melodies >= FIRST_KEY
    first = np.take_along_axis(melodies, struck.argmax(axis=1)[:, None], axis=1).astype(np.int16)
    return np.where(struck, melodies + np.int16(200) - first, melodies.astype(np.int16))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights")
    parser.add_argument("--data", type=Path, required=True, help="folder of melodies")
    parser.add_argument("--part", default="held_out", choices=["train", "valid", "held_out"])
    parser.add_argument("--count", type=int, default=500, help="melodies, and samples at each temperature")
    parser.add_argument("--temperatures", type=float, nargs="*", default=[0.0, 0.5, 1.0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args()
    vae = open_model(args.weights)
    songs = load_melodies(args.data, args.part)
    real = songs.spread(args.count)
    known = load_melodies(args.data, "train").melodies
    kept = measure(vae, real)
    like, rows = summary(real), {}
    for forms, temperature in itertools.product((None, load_forms()), args.temperatures):
        began = time.perf_counter()
        samples = vae.sample(args.count, temperature, seed=1, forms=forms)
        seconds = (time.perf_counter() - began) / args.count
        rows[f"{'free' if forms is None else 'in form'} at {temperature:g}"] = summary(samples) | {
            "copied": copied(samples, known),
            "seconds a melody": seconds,
        }
    if args.json:
        # As d2m models export takes it for the card.
        results = {"means of latent vectors": kept} | rows
        print(json.dumps({"part": args.part, "songs": len(songs.names), "results": results, "real": like}))
        return
    rows = {"real": like} | rows
    print(f"{len(real)} melodies, {args.part}: " + "  ".join(f"{k} {v:.4g}" for k, v in kept.items()))
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    print(f"{'':18}" + "".join(f"{row:>16}" for row in rows))
    for name in names:
        print(f"{name:18}" + "".join(f"{row.get(name, float('nan')):16.4g}" for row in rows.values()))


if __name__ == "__main__":
    from one_line import run_main

    run_main(main)
