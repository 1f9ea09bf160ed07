"""Compare the output of MuseGANs with their training data, in the form of the paper's tables; and size and speed.

    python scripts/measure_musegan.py studio-musegan --data phrases [--bars 20000] [--json] [--scores FILE]
    python scripts/measure_musegan.py hybrid.safetensors composer.safetensors jamming.safetensors --data phrases

Prints, after Dong et al. 2018, tables 1 and 2: EB, UPC, QN, DP and TD of the training data and of that many bars by
each model, how far they lie apart, and for orientation what the paper has for its own data and model (at 96 steps a
bar, without TD). Figures further from the data than a listener would forgive are named. Then whether phrases are
copies: the distance of generated phrases to the nearest training phrase (cells that differ, of those that sound in
either), beside that of held-out phrases. Last the parameters and the multiply-adds of a phrase as torchinfo counts
them, beside published ones, and phrases a second.

A model with a given track gets it from the data; the track is measured with the others, but not looked for among
copies. Needs torchinfo.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

from d2m.datasets.phrases import Phrases
from d2m.errors import D2MError
from d2m.extras import require
from d2m.symbolic.metrics import Metrics, Tally
from d2m.symbolic.musegan import MuseGan, load
from d2m.symbolic.musegan.latents import draw
from d2m.types import TRACKS

#: Columns in the paper's order.
EB, PITCHED = ("bass", "drums", "guitar", "piano", "strings"), ("bass", "guitar", "piano", "strings")
#: Tables 1 of Dong et al. 2018, from scratch: EB, UPC, QN in the orders above, DP.
PUBLISHED = {
    "training data": ((8.06, 8.06, 19.4, 24.8, 10.1), (1.71, 3.08, 3.28, 3.38), (90.0, 81.9, 88.4, 89.6), 88.6),
    "jamming": ((6.59, 2.33, 18.3, 22.6, 6.10), (1.53, 3.69, 4.13, 4.09), (71.5, 56.6, 62.2, 63.1), 93.2),
    "composer": ((0.01, 28.9, 1.34, 0.02, 0.01), (2.51, 4.20, 4.89, 5.19), (49.5, 47.4, 49.9, 52.5), 75.3),
    "hybrid": ((2.14, 29.7, 11.7, 17.8, 6.04), (2.35, 4.76, 5.45, 5.24), (44.6, 43.2, 45.5, 52.0), 71.3),
}
#: Published generators: parameters, multiply-adds of a phrase.
PUBLISHED_COST = {
    "hybrid, Smootify report (96 x 84)": (359_823, 106e6),
    "ISMIR 2019 tutorial, in torch (16 x 72)": (313_951, 13.7e6),
}
#: How far a figure may lie from that of the data.
FORGIVEN = {"EB": 6.0, "UPC": 0.6, "QN": 12.0, "DP": 8.0}
#: Phrases whose nearest neighbours are looked for.
_COMPARED = 256


def made_phrases(muse: MuseGan, data: Phrases, count: int, seed: int, binarise: str) -> np.ndarray:
    """Return bool (count, bars, steps, pitches, tracks)."""
    if not muse.config.conditional:
        return muse.generate(count, seed, binarise)
    rng = np.random.default_rng(seed)
    given = data[rng.integers(0, len(data), count)][..., muse.config.condition]
    return np.stack([muse.accompany(track, seed + number, binarise) for number, track in enumerate(given)])


def measured(phrases, lowest: int, steps: int) -> Metrics:
    """Return the figures of phrases, a piece at a time."""
    tally = Tally(steps)
    for start in range(0, len(phrases), 256):
        tally.add(phrases[start : start + 256], lowest)
    return tally.metrics()


def row(figures: Metrics) -> dict[str, float]:
    """Return one row of both tables."""
    cells = {f"EB {track}": figures.empty_bars[track] for track in EB}
    cells |= {f"UPC {track}": figures.used_pitch_classes[track] for track in PITCHED}
    cells |= {f"QN {track}": figures.qualified_notes[track] for track in PITCHED}
    cells |= {"DP": figures.drum_pattern}
    return cells | {f"TD {pair}": value for pair, value in figures.tonal_distance.items()}


def nearest(phrases: np.ndarray, data: Phrases, tracks: list[int]) -> np.ndarray:
    """Return float (N,): share of cells that differ from the nearest phrase of the data, of those that sound in
    either.
    """
    own = phrases[..., tracks].reshape(len(phrases), -1).astype(np.float32)
    best = np.full(len(own), np.inf)
    for start in range(0, len(data), 512):
        theirs = data[start : start + 512][..., tracks].reshape(-1, own.shape[1]).astype(np.float32)
        both = own @ theirs.T
        either = own.sum(1)[:, None] + theirs.sum(1)[None] - both
        best = np.minimum(best, (1 - both / np.maximum(either, 1)).min(1))
    return best


def copies(muse: MuseGan, made: np.ndarray, folder: Path, data: Phrases) -> dict[str, float]:
    """Return quantiles of the distance to the nearest training phrase, generated and held out."""
    held_out = Phrases(folder, "held_out")
    chosen = np.random.default_rng(0).permutation(len(held_out))[:_COMPARED]
    found = {}
    for name, phrases in (("generated", made[:_COMPARED]), ("held out", held_out[chosen])):
        distances = nearest(phrases, data, list(muse.config.made))
        found |= {f"{name}, least": distances.min(), f"{name}, median": np.median(distances)}
    return {name: round(float(value), 4) for name, value in found.items()}


def cost(muse: MuseGan, threads: int) -> dict[str, float]:
    """Return parameters, multiply-adds of one phrase, phrases a second at batches of 1 and 64."""
    require("torchinfo", "measure", "counting multiply-adds")
    import torch
    from torchinfo import summary

    torch.set_num_threads(threads)
    config, rng = muse.config, np.random.default_rng(0)

    def given(count: int):
        return torch.full((count, *config.shape[:3]), -1.0) if config.conditional else None

    class OnePhrase(torch.nn.Module):
        """The generator with its random vectors at hand, which torchinfo cannot pass."""

        def __init__(self) -> None:
            super().__init__()
            self.generator, self.latents = muse.generator, draw(config, rng, 1)

        def forward(self, _):
            return self.generator(self.latents, given(1))

    counted = summary(OnePhrase(), input_data=torch.zeros(1), verbose=0)
    found = {"parameters": counted.total_params, "multiply-adds": counted.total_mult_adds}
    for batch in (1, 64):
        latents, track, times = draw(config, rng, batch), given(batch), []
        with torch.inference_mode():
            for _ in range(12):
                began = time.perf_counter()
                muse.generator(latents, track)
                times.append(time.perf_counter() - began)
        found[f"phrases a second, batch {batch}"] = round(batch / float(np.median(times[2:])), 1)
    return found


def published(name: str) -> dict[str, float]:
    """Return a row of the paper, as :func:`row`."""
    empty, classes, qualified, drums = PUBLISHED[name]
    cells = {f"EB {track}": value for track, value in zip(EB, empty, strict=True)}
    cells |= {f"UPC {track}": value for track, value in zip(PITCHED, classes, strict=True)}
    cells |= {f"QN {track}": value for track, value in zip(PITCHED, qualified, strict=True)}
    return cells | {"DP": drums}


def beyond(difference: dict[str, float]) -> list[str]:
    """Return the metrics that differ from the data by more than their tolerance."""
    return [
        f"{name} by {value:+.2f}"
        for name, value in difference.items()
        if abs(value) > FORGIVEN.get(name.split()[0], np.inf) or np.isnan(value)
    ]


def show(title: str, rows: dict[str, dict[str, float]], names: list[str]) -> None:
    print(title)
    print(" " * 24 + "".join(f"{name.split(' ', 1)[-1]:>15}" for name in names))
    for label, cells in rows.items():
        if all(name in cells for name in names):
            print(f"{label:<24}" + "".join(f"{cells[name]:>15.2f}" for name in names))


def card_scores(result: dict) -> dict[str, float]:
    """Return the figures by names that stand for themselves."""
    data, _, difference = result["tables"].values()
    scores = {
        f"{name}, {result['bars']} generated bars (training data {value:.4g})": value + difference[name]
        for name, value in data.items()
    }
    distances = {f"distance to the nearest training phrase, {name}": v for name, v in result["copies"].items()}
    return scores | distances | {name: result["cost"][name] for name in ("parameters", "multiply-adds")}


def measure_model(name: str, data: Phrases, options: argparse.Namespace) -> dict:
    """Return all figures of one model."""
    muse = load(name)
    config = muse.config
    if data.resolution.shape(config.bars) != config.shape:
        raise D2MError(f"{options.data} is at the {data.resolution.name} resolution, {muse.name} is not")
    made = made_phrases(muse, data, max(1, options.bars // config.bars), options.seed, options.binarise)
    of_data = row(measured(data, config.lowest, config.steps))
    of_model = row(measured(made, config.lowest, config.steps))
    difference = {name: of_model[name] - value for name, value in of_data.items()}
    return {
        "model": muse.name,
        "kind": config.model,
        "given": TRACKS[config.condition] if config.conditional else "none",
        "bars": len(made) * config.bars,
        "tables": {"training data": of_data, "model": of_model, "difference": difference},
        "beyond what is forgiven": beyond(difference),
        "copies": copies(muse, made, options.data, data),
        "cost": cost(muse, options.threads),
    }


def tell(results: list[dict]) -> None:
    """Print the tables and lists of all models."""
    rows = {"training data": results[0]["tables"]["training data"]}
    for result in results:
        rows[result["model"][:23]] = result["tables"]["model"]
        rows["  less the data"[: 15 + len(rows)].ljust(15 + len(rows))] = result["tables"]["difference"]
    for name in ("training data", *dict.fromkeys(result["kind"] for result in results)):
        rows[f"(paper) {name}"] = published(name)
    for figure in ("EB", "UPC", "QN", "DP", "TD"):
        show(figure, rows, [name for name in rows["training data"] if name.split()[0] == figure])
    for result in results:
        print(f"{result['model']}: {result['kind']}, given track {result['given']}, {result['bars']} bars")
        print("  further from the data than is forgiven:", ", ".join(result["beyond what is forgiven"]) or "nothing")
        distances = [value for name, value in result["tables"]["model"].items() if name.startswith("TD")]
        print(f"  mean TD: {np.mean(distances):.3f}")
        for part in ("copies", "cost"):
            print("  " + "  ".join(f"{name}: {value:g}" for name, value in result[part].items()))
    for name, (parameters, adds) in PUBLISHED_COST.items():
        print(f"(published) {name}: parameters: {parameters}  multiply-adds: {adds:g}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", help="names or files of weights")
    parser.add_argument("--data", type=Path, required=True, help="folder of the phrases they were trained on")
    parser.add_argument("--bars", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--binarise", default="threshold")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--scores", type=Path, help="write figures for a card, for d2m models export")
    args = parser.parse_args()
    if args.scores and len(args.models) > 1:
        raise D2MError("--scores are one model's; name one")
    data = Phrases(args.data, "train")
    results = [measure_model(name, data, args) for name in args.models]
    if args.scores:
        args.scores.write_text(json.dumps(card_scores(results[0]), indent=2) + "\n", encoding="utf-8")
    if args.json:
        print(json.dumps(results[0] if len(results) == 1 else results, indent=2))
        return
    tell(results)


if __name__ == "__main__":
    from one_line import run_main

    run_main(main)
