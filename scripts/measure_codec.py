"""Measure codecs on music that they were not trained on.

    python scripts/measure_codec.py DATA/held_out --codec spectral:studio-codec --codec jukebox:studio-vqvae:high

For ten seconds from the middle of each song: log10-mel L1 (80 mels, n_fft 1024, hop 256, floor 1e-4) and the same on
the lowest 32 of 128 mels at n_fft 2048, the STFT's spectral convergence, and the correlation of onset envelopes; means
over the songs. White noise of each song's power stands beside them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from recordings import SAMPLE_RATE, open_codec, recordings, table, white_noise

from d2m.codec.reconstruct import reconstruct
from d2m.evaluation import fidelity


def measure(songs: list[np.ndarray], through: Callable[[np.ndarray], np.ndarray]) -> dict[str, float]:
    """Measure the distances between songs and their reconstructions, mean over songs."""
    figures: dict[str, list[float]] = {}
    for song in songs:
        output = through(song)
        distances = {
            "log_mel_l1": fidelity.log_mel_l1(output, song, SAMPLE_RATE),
            "low_log_mel_l1": fidelity.log_mel_l1(output, song, SAMPLE_RATE, 128, 2048, lowest=32),
            "convergence": fidelity.stft_distance(output, song, SAMPLE_RATE).convergence,
            "onset_correlation": fidelity.onset_correlation(output, song, SAMPLE_RATE),
        }
        for name, value in distances.items():
            figures.setdefault(name, []).append(value)
    return {name: float(np.mean(values)) for name, values in figures.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("songs", type=Path, help="folder of wav files or examples")
    parser.add_argument("--codec", action="append", default=[], help="spectral:WEIGHTS or jukebox:WEIGHTS:high|low")
    parser.add_argument("--count", type=int, default=10, help="songs, spread evenly over the folder; 0 for all")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0, help="of the noise")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    songs = recordings(options.songs, options.seconds, options.count)
    rng = np.random.default_rng(options.seed)
    results = {}
    for spec in options.codec:
        codec = open_codec(spec)
        figures = measure(songs, lambda song, codec=codec: reconstruct(codec, song[None], SAMPLE_RATE)[0])
        results[spec] = {"kbit_per_second": codec.bits_per_second / 1000, **figures}
    results["white noise"] = {"kbit_per_second": 0.0, **measure(songs, lambda song: white_noise(song, rng))}
    if options.json:
        print(json.dumps({"songs": len(songs), "seconds": options.seconds, "results": results}, indent=2))
        return
    print(f"{len(songs)} songs, {options.seconds:g} s each")
    rows = [["", "kbit/s", "log-mel L1", "lowest 32 of 128", "convergence", "onset correlation"]]
    rows += [
        [name, f"{next(iter(r.values())):.1f}", *(f"{v:.3f}" for v in list(r.values())[1:])]
        for name, r in results.items()
    ]
    print(table(rows))


if __name__ == "__main__":
    from one_line import run_main

    run_main(main)
