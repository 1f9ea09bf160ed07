"""Measure how well the generator follows the score it is given.

    python scripts/measure_generator.py DATA/held_out --wav OUT

Each held-out song's own sketch (with its dance, rhythm and genre) is played by the generator and compared with the real
rendering: log10-mel L1 (80 mels, n_fft 1024, hop 256, floor 1e-4; with a codec at 44.1 kHz 128 mels to 20 kHz, n_fft
4096, hop 512, floor 2e-4) and the correlation of onset envelopes, over the seconds in the middle of the song, of the
mean of the channels, means over songs. Beside it: the codec's reconstruction of the real rendering, which
the generator cannot surpass; the rendering of the next song, which is what playing something else scores; and white
noise of the song's power. Songs of the studio composer by default, which is what the engine's sketches are like.

--wav writes OUT/generated and OUT/real, for scripts/measure_generated.py.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from from_sketch import open_generator, play
from recordings import fine_log_mel_l1, table, white_noise

from d2m.codec.reconstruct import reconstruct
from d2m.errors import D2MError
from d2m.evaluation import fidelity


def compare(output: np.ndarray, real: np.ndarray, rate: int) -> dict[str, float]:
    """Return distances of one recording (channels, samples) to the real rendering."""
    output, real = output.mean(0), real.mean(0)
    mel = fine_log_mel_l1(output, real) if rate == 44100 else fidelity.log_mel_l1(output, real, rate)
    return {"log_mel_l1": mel, "onset_correlation": fidelity.onset_correlation(output, real, rate)}


def write(folder: Path, name: str, waveform: np.ndarray, rate: int) -> None:
    """Write one recording (channels, samples) as a 16-bit .wav file."""
    import soundfile

    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".{name}.partial.wav"
    soundfile.write(partial, np.clip(waveform.T, -1, 1), rate, subtype="PCM_16")
    partial.replace(folder / f"{name}.wav")


def _as_long(sound: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Repeat or cut a recording to the length of another, both (channels, samples)."""
    return sound.take(np.arange(other.shape[1]) % sound.shape[1], axis=1)


def measure(files: list[Path], options: argparse.Namespace) -> dict[str, dict[str, list[float]]]:
    """Return figures of every song, by what is compared with it."""
    from d2m.datasets.pairs import load_pairs

    generator, codec = open_generator(options.generator, options.codec)
    frames = int(options.seconds * codec.frame_rate)
    rng, songs = np.random.default_rng(options.seed), []
    for file in files:
        pair = load_pairs([file])[0]
        start = max(0, (pair.frames - frames) // 2) if frames else 0
        generated, real = play(pair, generator, codec, start, frames or None)
        songs.append((generated, real))
        if options.wav:
            write(options.wav / "generated", file.stem, generated, codec.sample_rate)
            write(options.wav / "real", file.stem, real, codec.sample_rate)
    found: dict[str, dict[str, list[float]]] = {}
    for index, (generated, real) in enumerate(songs):
        decoded = reconstruct(codec, real, codec.sample_rate)
        outputs = {"generated": generated, "codec": decoded, "white noise": white_noise(real, rng)}
        if len(songs) > 1:
            outputs["next song"] = _as_long(songs[(index + 1) % len(songs)][1], real)
        for name, output in outputs.items():
            for figure, value in compare(output, real, codec.sample_rate).items():
                found.setdefault(name, {}).setdefault(figure, []).append(value)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("songs", type=Path, help="folder of examples (npz) that nothing was trained on")
    parser.add_argument("--generator", default="studio-generator", help="weights, name or file")
    parser.add_argument("--codec", help="codec weights, name or file; the generator's own by default")
    parser.add_argument("--all", action="store_true", help="all examples, not only studio-*.npz")
    parser.add_argument("--count", type=int, default=0, help="songs, spread evenly over the folder; 0 for all")
    parser.add_argument("--seconds", type=float, default=0.0, help="from the middle of each song; 0 for all of it")
    parser.add_argument("--seed", type=int, default=0, help="of the noise")
    parser.add_argument("--wav", type=Path, metavar="FOLDER", help="write what is heard")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    pattern = "*.npz" if options.all else "studio-*.npz"
    files = sorted(options.songs.glob(pattern))
    if options.count and len(files) > options.count:
        files = [files[i] for i in np.linspace(0, len(files) - 1, options.count).round().astype(int)]
    if not files:
        raise D2MError(f"no {pattern} in {options.songs}; make examples with 'd2m data music'")
    found = measure(files, options)
    results = {name: {k: float(np.mean(v)) for k, v in figures.items()} for name, figures in found.items()}
    if options.json:
        print(json.dumps({"songs": len(files), "seconds": options.seconds, "results": results}, indent=2))
        return
    print(f"{len(files)} songs, true sketches")
    rows = [["against the real rendering", "log-mel L1", "onset correlation"]]
    rows += [[name, *(f"{value:.3f}" for value in figures.values())] for name, figures in results.items()]
    print(table(rows))


if __name__ == "__main__":
    from one_line import run_main

    run_main(main)
