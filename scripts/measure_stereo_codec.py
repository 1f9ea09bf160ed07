"""Measure how well the stereo codec keeps music that it was not trained on.

    python scripts/measure_stereo_codec.py FOLDER --codec studio-codec-2

For ten seconds from the middle of each stereo file at 44.1 kHz (FOLDER and its folders; .flac, .ogg, .wav): log10-mel
L1 of the mean of the channels (128 mels to 20 kHz, n_fft 4096, floor 2e-4); the same as scripts/measure_codec.py
measures it, at 22.05 kHz; the correlation of onset envelopes; how much the level of left against right (dB) and the
correlation of left and right change; and the seconds that decoding takes. Means and medians over the files.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
from recordings import fine_log_mel_l1, table

from d2m.errors import D2MError
from d2m.evaluation import fidelity

RATE = 44100
FIGURES = (
    "log-mel L1",
    "log-mel L1 at 22.05 kHz",
    "onset correlation",
    "level, dB",
    "correlation",
    "seconds to decode",
)


def excerpts(folder: Path, seconds: float, count: int, seed: int) -> list[np.ndarray]:
    """Read the middle of stereo files, float32 (2, samples) each, files drawn at random."""
    import soundfile

    files = sorted(path for end in ("flac", "ogg", "wav") for path in folder.rglob(f"*.{end}"))
    found: list[np.ndarray] = []
    for file in np.random.default_rng(seed).permutation(np.array(files, dtype=object)):
        info = soundfile.info(file)
        length = int(seconds * RATE) // 512 * 512
        if info.samplerate != RATE or info.channels != 2 or info.frames < length:
            continue
        wave, _ = soundfile.read(file, frames=length, start=(info.frames - length) // 2, dtype="float32")
        if wave.std() > 0.01:
            found.append(np.ascontiguousarray(wave.T))
        if len(found) == count:
            break
    if not found:
        raise D2MError(f"no stereo files at 44.1 kHz of {seconds:g} s or more in {folder}; give a folder with some")
    return found


def image(stereo: np.ndarray) -> tuple[float, float]:
    """Measure the level of left against right (dB) and the correlation of the two."""
    power = np.maximum(np.mean(stereo**2, axis=1), 1e-9)
    correlation = float(np.mean(stereo[0] * stereo[1]) / np.sqrt(power[0] * power[1]))
    return float(10 * np.log10(power[0] / power[1])), correlation


def measure(codec, stereo: np.ndarray) -> tuple[float, ...]:
    """Measure one excerpt: the values of :data:`FIGURES`."""
    import torch
    from scipy.signal import resample_poly

    with torch.no_grad():
        codes = codec.encode(torch.from_numpy(stereo)[None])
        began = time.perf_counter()
        output = codec.decode(codes)[0].numpy()
        taken = time.perf_counter() - began
    made, real = output.mean(0), stereo.mean(0)
    low = [resample_poly(wave, 1, 2) for wave in (made, real)]
    (level, alike), (true_level, true_alike) = image(output), image(stereo)
    return (
        fine_log_mel_l1(made, real),
        fidelity.log_mel_l1(low[0], low[1], RATE // 2),
        fidelity.onset_correlation(made, real, RATE),
        abs(level - true_level),
        abs(alike - true_alike),
        taken,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder of stereo music")
    parser.add_argument("--codec", required=True, help="weights, name or file")
    parser.add_argument("--count", type=int, default=30, help="number of files")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of an excerpt in seconds")
    parser.add_argument("--seed", type=int, default=0, help="random seed for the choice of files")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    from d2m import codec as codecs

    codec = codecs.load(options.codec)
    songs = excerpts(options.folder, options.seconds, options.count, options.seed)
    rows = np.array([measure(codec, song) for song in songs])
    mean, median = rows.mean(0), np.median(rows, axis=0)
    if options.json:
        rows = zip(FIGURES, mean, median, strict=True)
        figures = {name: {"mean": float(a), "median": float(b)} for name, a, b in rows}
        print(json.dumps({"files": len(songs), "seconds": options.seconds, "figures": figures}, indent=2))
        return
    print(f"{len(rows)} files, {options.seconds:g} s each")
    lines = [[name, f"{a:.3f}", f"{b:.3f}"] for name, a, b in zip(FIGURES, mean, median, strict=True)]
    print(table([["", "mean", "median"], *lines]))


if __name__ == "__main__":
    from one_line import run_main

    run_main(main)
