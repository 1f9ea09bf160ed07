"""Compare published systems and d2m on the same dances, with beats by an independent tracker.

    python scripts/measure_peers.py FOLDER --tracker "python beats.py"

FOLDER holds the videos of the public page of GACA-DiT (github.com/beria-moon/GACA-DiT, folder ``videos``): real dances
of 5 s, each with the music of five systems (``NAME_sample1.mp4`` to ``NAME_sample5.mp4``). d2m's own music is what
``d2m generate --beats dance`` makes of the picture: it does not hear any of the five.

The tracker is a command that is called once with the paths of all recordings (wav) and prints one line of JSON for
each: ``{"file": PATH, "beats": [seconds, …]}``, with ``"strength"``, how clear the beats are, if it can tell. Repeat
``--tracker`` for a table of each.

Columns: beat-align score (sigma 0.05 s) and hit rate (70 ms) of the beats against the low points of the dancer's speed,
each less what the same beats reach in mean over 400 circular shifts, with 95 % intervals from a bootstrap over dances;
the share of AIST dances whose tempo is that of the music they were danced to within 4 %, and of those where it is half
or twice that; the tracker's mean strength. Prints Markdown.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import subprocess
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from d2m.errors import D2MError
from d2m.evaluation.alignment import beat_align, bootstrap, hit_rate, inside
from d2m.evaluation.beats import tempo_agrees
from d2m.evaluation.chance import against_shifts

#: Systems by the number of their sample, on rows of AIST dances and of TikTok dances, by the page's ``index.html``.
AIST_COLUMNS = ("GACA-DiT", "LORIS", "MotionComposer", "CDCD", "D2M-GAN")
TIKTOK_COLUMNS = ("D2M-GAN", "CDCD", "LORIS", "GACA-DiT", "MotionComposer")
#: Our engines, as arguments of :func:`d2m.engines.load`.
ENGINES: dict[str, dict[str, str]] = {
    "d2m, vq": {"name": "vq"},
    "d2m, symbolic": {"name": "symbolic", "arranger": "musegan"},
}
ROWS = ("D2M-GAN", "CDCD", "LORIS", "MotionComposer", "GACA-DiT", *ENGINES)
#: Judges of the dancer's speed (:data:`d2m.evaluation.alignment.JUDGES`), and what they look at.
JUDGES = {"space": "landmarks in space", "flow": "optical flow"}
#: Seconds that a tracker may take for all recordings.
PATIENCE = 3600.0
_RATE = 44100
_NAME = re.compile(r"(?P<dance>.+)_sample(?P<number>[1-5])$")
_MUSIC = re.compile(r"_m(?P<genre>[A-Z]{2})(?P<number>[0-5])_")


@dataclass
class Dance:
    """A dance and the music made for it.

    Attributes:
        name: as in the names of the files.
        videos: system -> video with its sound.
        duration: seconds.
        turns: judge -> float64 (K,), seconds of the low points of the dancer's speed.
        wavs: row -> recordings to be heard.
    """

    name: str
    videos: dict[str, Path]
    duration: float = 0.0
    turns: dict[str, np.ndarray] = field(default_factory=dict)
    wavs: dict[str, list[Path]] = field(default_factory=dict)

    @property
    def tempo(self) -> float | None:
        """Beats a minute of the music danced to, where the name tells it."""
        return aist_tempo(self.name)


def aist_tempo(name: str) -> float | None:
    """Return the tempo of an AIST recording in beats a minute from a name such as ``gHO_sFM_c02_d19_mHO4_ch05``.

    The six pieces of a genre have 80 to 130 in steps of ten, those of house 110 to 135 in steps of five (Tsuchida et
    al., "AIST Dance Video Database", ISMIR 2019, section 3).
    """
    found = _MUSIC.search(name)
    if found is None:
        return None
    number = int(found["number"])
    return 110.0 + 5.0 * number if found["genre"] == "HO" else 80.0 + 10.0 * number


def find_dances(folder: Path) -> tuple[list[Dance], list[str]]:
    """Return the dances of a folder that all five systems have music for, and the names of those that not all have.

    Raises:
        D2MError: if there is no such folder or no such dance.
    """
    if not folder.is_dir():
        raise D2MError(f"{folder}: no such folder")
    found: dict[str, dict[str, Path]] = defaultdict(dict)
    for path in sorted(folder.glob("*.mp4")):
        if match := _NAME.match(path.stem):
            columns = AIST_COLUMNS if "_sFM_" in path.stem else TIKTOK_COLUMNS
            found[match["dance"]][columns[int(match["number"]) - 1]] = path
    whole = [Dance(name, videos) for name, videos in found.items() if len(videos) == len(AIST_COLUMNS)]
    if not whole:
        raise D2MError(f"{folder}: no dance with NAME_sample1.mp4 to NAME_sample5.mp4")
    return whole, [name for name, videos in found.items() if len(videos) < len(AIST_COLUMNS)]


def make_music(dances: list[Dance], seeds: int, folder: Path) -> None:
    """Generate d2m's music for every dance, and write all music as .wav files; completes ``dances``.

    Raises:
        D2MError: if a video cannot be read.
    """
    from d2m import engines
    from d2m.evaluation.alignment_report import watch
    from d2m.features import analyse
    from d2m.media import open_video, read_audio, write_wav

    players = {title: engines.load(**which) for title, which in ENGINES.items()}
    for number, dance in enumerate(dances):
        video = open_video(next(iter(dance.videos.values())))
        analysis = analyse(video, beats="dance")
        dance.duration, dance.turns = video.duration, watch(video, analysis=analysis).judges
        sounds = {system: [(read_audio(path, _RATE), _RATE)] for system, path in dance.videos.items()}
        for title, engine in players.items():
            pieces = [engine.compose(analysis.dance, seed=seed) for seed in range(seeds)]
            sounds[title] = [(piece.waveform, piece.sample_rate) for piece in pieces]
        for row, pieces in sounds.items():
            for seed, (waveform, rate) in enumerate(pieces):
                path = folder / f"{number:02d}-{ROWS.index(row)}-{seed}.wav"
                write_wav(path, waveform, rate)
                dance.wavs.setdefault(row, []).append(path)
        grid = analysis.dance.grid
        print(f"{dance.name}: {grid.tempo:.0f} bpm found, confidence {grid.confidence:.2f}", flush=True)


def track(command: str, wavs: list[Path]) -> dict[Path, dict[str, Any]]:
    """Return what a tracker hears in recordings.

    Args:
        command: program and its options, as on a command line; no shell.
        wavs: the recordings.

    Returns:
        Recording -> ``beats`` (float64 (K,), rising seconds) and ``strength`` (or None).

    Raises:
        D2MError: if the command cannot be run, fails, or does not print what it should.
    """
    words = shlex.split(command)
    if not words:
        raise D2MError("--tracker is empty; give a command that prints a line of JSON for each wav file")
    try:
        done = subprocess.run([*words, *map(str, wavs)], capture_output=True, text=True, timeout=PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise D2MError(f"--tracker '{command}' cannot be run ({error})") from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise D2MError(f"--tracker '{command}' failed: {last}")
    found = {}
    for line in filter(str.strip, done.stdout.splitlines()):
        try:
            told = json.loads(line)
            beats = np.sort(np.asarray(told["beats"], dtype=np.float64).reshape(-1))
            found[Path(told["file"])] = {"beats": beats, "strength": told.get("strength")}
        except (ValueError, KeyError, TypeError, AttributeError):
            raise D2MError(f"--tracker '{command}' printed no JSON with file and beats: {line[:80]}") from None
    missing = [wav.name for wav in wavs if wav not in found]
    if missing:
        raise D2MError(f"--tracker '{command}' printed nothing for {missing[0]} and {len(missing) - 1} more")
    return found


def score(dance: Dance, beats: np.ndarray) -> dict[str, float | None]:
    """Return the excess of each score by each judge; and whether the tempo is right, where it is known; None where
    undefined.
    """
    beats = inside(beats, dance.duration)
    scores: dict[str, float | None] = {"tempo": None, "octave": None}
    for judge in JUDGES:
        turns = inside(dance.turns.get(judge, np.zeros(0)), dance.duration)
        for name, measure in (("beat-align", beat_align), ("hit rate", hit_rate)):
            known = len(turns) and len(beats)
            excess = against_shifts(measure, turns, beats, dance.duration).excess if known else np.nan
            scores[f"{name}, {judge}"] = float(excess) if np.isfinite(excess) else None
    if dance.tempo is not None:
        # A piece without beats has failed to keep any tempo.
        tempo = 60.0 / float(np.median(np.diff(beats))) if len(beats) > 1 else 1e-3
        scores["tempo"] = float(tempo_agrees(tempo, dance.tempo))
        scores["octave"] = float(any(tempo_agrees(tempo, factor * dance.tempo) for factor in (0.5, 1.0, 2.0)))
    return scores


def table(dances: list[Dance], heard: dict[Path, dict[str, Any]]) -> list[list[str]]:
    """Return a line for each system; its first line is the header."""
    names = [f"{name}, {judge}" for judge in JUDGES for name in ("beat-align", "hit rate")]
    titles = [f"{name}, {title}" for title in JUDGES.values() for name in ("beat-align", "hit rate")]
    lines = [["music", "dances", *titles, "tempo (AIST)", "tempo or octave", "strength"]]
    for row in ROWS:
        clips = [
            [score(dance, heard[wav]["beats"]) for wav in dance.wavs[row]] for dance in dances if row in dance.wavs
        ]
        cells = [row, str(len(clips))]
        for name in names:
            values = [value for pieces in clips if (value := _mean([piece[name] for piece in pieces])) is not None]
            mean, low, high = bootstrap(np.array(values), np.random.default_rng(0))
            cells.append("undefined" if not values else f"{mean:+.2f} ({low:+.2f} to {high:+.2f})")
        for name in ("tempo", "octave"):
            share = _mean([_mean([piece[name] for piece in pieces]) for pieces in clips])
            cells.append("" if share is None else f"{share:.2f}")
        strength = _mean([heard[wav]["strength"] for dance in dances for wav in dance.wavs.get(row, [])])
        lines.append([*cells, "" if strength is None else f"{strength:.2f}"])
    return lines


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def markdown(lines: list[list[str]]) -> str:
    """Return a table; its first line is the header."""
    rows = [lines[0], ["---"] * len(lines[0]), *lines[1:]]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder of videos")
    parser.add_argument(
        "--tracker", action="append", required=True, metavar="COMMAND", help="prints a line of JSON for each wav file"
    )
    parser.add_argument("--seeds", type=int, default=3, help="our pieces for each dance, from seed 0 on")
    options = parser.parse_args()
    if options.seeds < 1:
        raise D2MError("at least one seed is needed")
    dances, partial = find_dances(options.folder)
    with tempfile.TemporaryDirectory(prefix="d2m-peers-") as folder:
        make_music(dances, options.seeds, Path(folder))
        wavs = [wav for dance in dances for row in dance.wavs.values() for wav in row]
        for number, command in enumerate(options.tracker, 1):
            lines = table(dances, track(command, wavs))
            print(f"\n{len(dances)} dances, {options.seeds} pieces of ours for each; tracker {number}:\n")
            print(markdown(lines))
    if partial:
        print(f"\nLeft out, since not all systems have music for them: {', '.join(partial)}.")


if __name__ == "__main__":
    from one_line import run_main

    run_main(main)
