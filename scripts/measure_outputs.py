"""Check the videos that `d2m generate` writes: lengths, picture packets, levels and seams.

    python scripts/measure_outputs.py FOLDER [--codec jukebox] [--keep OUT]

One row a video in FOLDER: how much longer the wav is than the video (ms), whether the picture's packets are those of
the input byte for byte and at the same times, peak (dBFS), loudness (LUFS) and its spread, clipped samples, the longest
silence (s), and the seam detector's probabilities (small means audible) at the borders of the generator's windows where
the video is long enough to have any. Peak and clipping are those of the decoded AAC as well.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from pathlib import Path

import numpy as np
from recordings import table

import d2m
from d2m.engines.vq import _WINDOW
from d2m.evaluation.sound import levels, seams
from d2m.media import open_video, read_audio
from d2m.media.container import open_container, picture_stream


def picture_packets(path: Path) -> list[tuple[float, str]]:
    """Return the time from the first packet (ms, rounded) and digest of every picture packet."""
    with open_container(path) as container:
        stream = picture_stream(container, path)
        packets = [p for p in container.demux(stream) if p.size]
        first = min(p.pts for p in packets)
        times = [round(float((p.pts - first) * stream.time_base) * 1000) for p in packets]
        return [(time, hashlib.sha256(bytes(p)).hexdigest()) for time, p in zip(times, packets, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--codec", default="spectral")
    parser.add_argument("--level", default="high")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="keep the files here")
    options = parser.parse_args()
    rows = [["video", "length", "packets", "peak", "AAC peak", "LUFS", "spread", "clipped", "silence", "seams"]]
    with tempfile.TemporaryDirectory() as temporary:
        out = options.keep or Path(temporary)
        for path in sorted(p for p in options.folder.iterdir() if p.suffix in (".mp4", ".mov", ".mkv", ".webm")):
            result = d2m.generate(path, out, seed=options.seed, codec=options.codec, level=options.level)
            rate = result.soundtrack.sample_rate
            wave = read_audio_file(result.files["wav"])
            video = open_video(path)
            measured = levels(wave, rate)
            aac = read_audio(result.files["mp4"], rate)
            borders = np.arange(_WINDOW * 256, wave.shape[1], _WINDOW * 256) / rate
            borders = borders[(borders > 0.2) & (borders < video.duration - 0.2)]
            found = seams(wave, rate, borders) if len(borders) else None
            rows.append(
                [
                    path.name,
                    f"{1000 * (wave.shape[1] / rate - video.duration):+.1f} ms",
                    "same" if picture_packets(path) == picture_packets(result.files["mp4"]) else "DIFFERENT",
                    f"{measured.peak_dbfs:.1f}",
                    f"{20 * np.log10(np.abs(aac).max()):.1f}",
                    f"{measured.loudness_lufs:.1f}",
                    f"{measured.loudness_spread:.1f}",
                    str(measured.clipped),
                    f"{measured.silent_seconds:.2f}",
                    f"{found.p_click:.2f}, {found.p_jump:.2f}" if found else "-",
                ]
            )
    print(table(rows))


def read_audio_file(path: Path) -> np.ndarray:
    """Return samples (channels, samples) of a wav."""
    import soundfile

    return soundfile.read(path, dtype="float32", always_2d=True)[0].T


if __name__ == "__main__":
    from one_line import run_main

    run_main(main)
