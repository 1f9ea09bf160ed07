"""What a MuseGAN makes, beside its training data, in the form of the paper's tables; its size and speed.

    python scripts/measure_musegan.py studio-musegan --data phrases [--bars 20000] [--json] [--scores FILE]

Prints, after Dong et al. 2018, tables 1 and 2: EB, UPC, QN, DP and TD of the training data and of that many generated
bars, and how far they lie apart. Then whether phrases are copies: the distance of generated phrases to the nearest
training phrase (cells that differ, of those that sound in either), beside that of held-out phrases. Last the
parameters, the multiply-adds of a phrase, and phrases a second.

A model with a given track gets it from the data, and the track is measured with the others.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np

from d2m.datasets.phrases import Phrases
from d2m.errors import D2MError
from d2m.symbolic.metrics import Metrics, Tally
from d2m.symbolic.musegan import MuseGan, load
from d2m.symbolic.musegan.generator import parameter_count
from d2m.symbolic.musegan.latents import draw
from d2m.types import TRACKS

#: Columns in the paper's order.
EB, PITCHED = ("bass", "drums", "guitar", "piano", "strings"), ("bass", "guitar", "piano", "strings")
#: Phrases whose nearest neighbours are looked for.
_COMPARED = 256


def made_phrases(muse: MuseGan, data: Phrases, count: int, seed: int, binarise: str) -> np.ndarray:
    """bool (count, bars, steps, pitches, tracks)."""
    if not muse.config.conditional:
        return muse.generate(count, seed, binarise)
    rng = np.random.default_rng(seed)
    given = data[rng.integers(0, len(data), count)][..., muse.config.condition]
    return np.stack([muse.accompany(track, seed + number, binarise) for number, track in enumerate(given)])


def measured(phrases, lowest: int, steps: int) -> Metrics:
    """The figures of phrases, a piece at a time."""
    tally = Tally(steps)
    for start in range(0, len(phrases), 256):
        tally.add(phrases[start : start + 256], lowest)
    return tally.metrics()


def row(figures: Metrics) -> dict[str, float]:
    """One row of both tables."""
    cells = {f"EB {track}": figures.empty_bars[track] for track in EB}
    cells |= {f"UPC {track}": figures.used_pitch_classes[track] for track in PITCHED}
    cells |= {f"QN {track}": figures.qualified_notes[track] for track in PITCHED}
    cells |= {"DP": figures.drum_pattern}
    return cells | {f"TD {pair}": value for pair, value in figures.tonal_distance.items()}


def nearest(phrases: np.ndarray, data: Phrases) -> np.ndarray:
    """float (N,): share of cells that differ from the nearest phrase of the data, of those that sound in either."""
    own = phrases.reshape(len(phrases), -1).astype(np.float32)
    best = np.full(len(own), np.inf)
    for start in range(0, len(data), 512):
        theirs = data[start : start + 512].reshape(-1, own.shape[1]).astype(np.float32)
        both = own @ theirs.T
        either = own.sum(1)[:, None] + theirs.sum(1)[None] - both
        best = np.minimum(best, (1 - both / np.maximum(either, 1)).min(1))
    return best


def copies(muse: MuseGan, made: np.ndarray, folder: Path, data: Phrases) -> dict[str, float]:
    """Quantiles of the distance to the nearest training phrase, generated and held out."""
    held_out = Phrases(folder, "held_out")
    chosen = np.random.default_rng(0).permutation(len(held_out))[:_COMPARED]
    found = {}
    for name, phrases in (("generated", made[:_COMPARED]), ("held out", held_out[chosen])):
        distances = nearest(phrases, data)
        found |= {f"{name}, least": distances.min(), f"{name}, median": np.median(distances)}
    return {name: round(float(value), 4) for name, value in found.items()}


def size_and_speed(muse: MuseGan, threads: int) -> dict[str, float]:
    """Parameters, multiply-adds of one phrase, phrases a second at batches of 1 and 64."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    torch.set_num_threads(threads)
    config, rng = muse.config, np.random.default_rng(0)

    def given(count: int):
        return torch.full((count, *config.shape[:3]), -1.0) if config.conditional else None

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        muse.generator(draw(config, rng, 1), given(1))
    found = {"parameters": parameter_count(muse.generator), "multiply-adds": counter.get_total_flops() // 2}
    for batch in (1, 64):
        latents, track, times = draw(config, rng, batch), given(batch), []
        with torch.inference_mode():
            for _ in range(12):
                began = time.perf_counter()
                muse.generator(latents, track)
                times.append(time.perf_counter() - began)
        found[f"phrases a second, batch {batch}"] = round(batch / float(np.median(times[2:])), 1)
    return found


def show(title: str, rows: dict[str, dict[str, float]], names: list[str]) -> None:
    print(title)
    print(" " * 16 + "".join(f"{name.split(' ', 1)[-1]:>15}" for name in names))
    for label, cells in rows.items():
        print(f"{label:<16}" + "".join(f"{cells[name]:>15.2f}" for name in names))


def card_scores(result: dict) -> dict[str, float]:
    """The figures by names that stand for themselves."""
    data, _, difference = result["tables"].values()
    scores = {
        f"{name}, {result['bars']} generated bars (training data {value:.4g})": value + difference[name]
        for name, value in data.items()
    }
    distances = {f"distance to the nearest training phrase, {name}": v for name, v in result["copies"].items()}
    return scores | distances | {name: result["cost"][name] for name in ("parameters", "multiply-adds")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="name or file of weights")
    parser.add_argument("--data", type=Path, required=True, help="folder of the phrases it was trained on")
    parser.add_argument("--bars", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--binarise", default="threshold")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--scores", type=Path, help="write figures for the card, for scripts/export_weights.py")
    args = parser.parse_args()
    muse, data = load(args.model), Phrases(args.data, "train")
    config = muse.config
    if data.resolution.shape(config.bars) != config.shape:
        raise D2MError(f"{args.data} is at the {data.resolution.name} resolution, {muse.name} is not")
    made = made_phrases(muse, data, max(1, args.bars // config.bars), args.seed, args.binarise)
    rows = {
        "training data": row(measured(data, config.lowest, config.steps)),
        muse.name[:16]: row(measured(made, config.lowest, config.steps)),
    }
    rows["difference"] = {name: rows[muse.name[:16]][name] - value for name, value in rows["training data"].items()}
    result = {
        "bars": len(made) * config.bars,
        "tables": rows,
        "copies": copies(muse, made, args.data, data),
        "cost": size_and_speed(muse, args.threads),
    }
    if args.scores:
        args.scores.write_text(json.dumps(card_scores(result), indent=2) + "\n", encoding="utf-8")
    if args.json:
        print(json.dumps(result, indent=2))
        return
    print(f"{muse.name}: {config.model}, given track {TRACKS[config.condition] if config.conditional else 'none'}")
    for figure in ("EB", "UPC", "QN", "DP", "TD"):
        show(figure, rows, [name for name in rows["difference"] if name.split()[0] == figure])
    for part in ("copies", "cost"):
        print("  ".join(f"{name}: {value:g}" for name, value in result[part].items()))


if __name__ == "__main__":
    try:
        main()
    except D2MError as error:
        sys.exit(f"error: {error}")
