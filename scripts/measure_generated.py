"""Measure the distance of generated music from real music, with known sounds for comparison.

    python scripts/measure_generated.py DATA/held_out --generated OUT --codec spectral:studio-codec

Every second song is the reference; the rows are Fréchet distances to it, per value of the embedding
(d2m.evaluation.fidelity.embed: 161 values for each 2.97 s, half overlapping, each in units of its standard deviation
over the reference; Ledoit-Wolf covariances; the distance divided by 161) of: the other songs, which is as near as
real music gets at this number of windows; these songs through each codec; cut into pieces of 0.25 s in random order;
white noise of their power; and each folder of generated music. All sets are cut to the same number of windows. Beside
them, means of flatness, harmonic salience (dB), onset strength (dB), onsets a second.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from recordings import SAMPLE_RATE, open_codec, recordings, shuffled, table, white_noise

from d2m.codec.reconstruct import reconstruct
from d2m.errors import D2MError
from d2m.evaluation import fidelity, sound


def texture(songs: list[np.ndarray]) -> dict[str, float]:
    """Return means over recordings of what one recording's sound is like."""
    return {
        "flatness": float(np.nanmean([sound.spectral_flatness(s) for s in songs])),
        "harmonic_salience": float(np.nanmean([sound.harmonic_salience(s, SAMPLE_RATE) for s in songs])),
        "onset_strength": float(np.mean([sound.onset_strength(s, SAMPLE_RATE) for s in songs])),
        "onset_rate": float(np.mean([sound.onset_rate(s, SAMPLE_RATE) for s in songs])),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("real", type=Path, help="folder of real music that nothing was trained on")
    parser.add_argument("--generated", type=Path, action="append", default=[], help="folder of generated wav files")
    parser.add_argument("--codec", action="append", default=[], help="spectral:WEIGHTS or jukebox:WEIGHTS:high|low")
    parser.add_argument("--count", type=int, default=0, help="real songs to use; 0 for all")
    parser.add_argument("--seed", type=int, default=0, help="of noise, shuffling and the choice of windows")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    real = recordings(options.real, 0, options.count)
    reference, others = real[::2], real[1::2]
    sets = {"real, other songs": others}
    for spec in options.codec:
        codec = open_codec(spec)
        sets[f"through {spec}"] = [reconstruct(codec, song[None], SAMPLE_RATE)[0] for song in others]
    for folder in options.generated:
        sets[f"generated: {folder.name}"] = recordings(folder)
    sets["real, shuffled"] = [shuffled(song, rng) for song in others]
    sets["white noise"] = [white_noise(song, rng) for song in others]
    embedded = {name: _embed(songs, name) for name, songs in {"reference": reference, **sets}.items()}
    windows = min(map(len, embedded.values()))
    same = {name: x[rng.permutation(len(x))[:windows]] for name, x in embedded.items()}
    results = {
        name: {"frechet": fidelity.music_distance(same[name], same["reference"]), **texture(songs)}
        for name, songs in sets.items()
    }
    if options.json:
        print(json.dumps({"windows": windows, "results": results}, indent=2))
        return
    print(f"{windows} windows of 2.97 s in each set; Fréchet distance per value to {len(reference)} real songs")
    rows = [["", "Fréchet per value", "flatness", "salience", "onset strength", "onsets/s"]]
    rows += [
        [name, f"{r['frechet']:.2f}", f"{r['flatness']:.4f}", *(f"{v:.2f}" for v in list(r.values())[2:])]
        for name, r in results.items()
    ]
    print(table(rows))


def _embed(songs: list[np.ndarray], name: str) -> np.ndarray:
    long_enough = [song for song in songs if len(song) >= fidelity.EMBEDDING_FRAMES * 256]
    if sum(len(song) // (fidelity.EMBEDDING_FRAMES * 256) for song in long_enough) < 2:
        raise D2MError(f"'{name}' needs at least two windows of 3 s of music")
    return fidelity.embed_all(long_enough, SAMPLE_RATE)


if __name__ == "__main__":
    from one_line import run_main

    run_main(main)
