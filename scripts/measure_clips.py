"""Measure the alignment of music with real dancers: music published for clips, music by d2m, and chance.

    python scripts/measure_clips.py FOLDER --original aist_gt_5s

For every clip of a folder: its own sound (published by others for the clip, or with ``--original`` what was danced to),
the music of our engines for several seeds, exactly what ``d2m generate`` makes, and the music that was made for the
other clips. Scores are those of ``d2m evaluate alignment``: AIST++ beat-align score (sigma 0.05 s) and hit rate at
70 ms, of tracked beats and of onsets, each less what the same music reaches in mean over 400 shifts (chance).

Means over clips, of each the mean over its pieces; in brackets 95 %, bootstrap over clips. The landmarks are also what
the beats of the music were found from; optical flow (nothing but the picture) is not. Prints Markdown.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from d2m import engines
from d2m.errors import D2MError
from d2m.evaluation.alignment import bootstrap
from d2m.evaluation.alignment_report import Watched, judge_music, watch
from d2m.evaluation.recordings import SAMPLE_RATE, VIDEO, Recording, read
from d2m.evaluation.rhythm_features import RhythmFeatures, rhythm_features

#: Engines with who writes what they play, as arguments of :func:`d2m.engines.load`.
ENGINES: dict[str, dict[str, str]] = {
    "vq engine": {"name": "vq"},
    "symbolic engine, MuseGAN": {"name": "symbolic", "arranger": "musegan"},
    "symbolic engine, composer": {"name": "symbolic", "arranger": "composer"},
}
#: Rows, in their order.
ORIGINAL, PUBLISHED, OTHERS = "what was danced to", "published for the clip", "made for the other clips (vq engine)"
ROWS = (ORIGINAL, PUBLISHED, *(f"ours, {engine}" for engine in ENGINES), OTHERS)
#: Judges of motion beats that get a table: their names in the report, and what they look at.
JUDGES = {"space": "landmarks in space", "flow": "optical flow"}
#: Events and score of each column.
COLUMNS = (
    ("beats", "beat_align", "beats, beat-align"),
    ("beats", "hit_rate", "beats, hit rate"),
    ("onsets", "beat_align", "onsets, beat-align"),
    ("onsets", "hit_rate", "onsets, hit rate"),
)

#: Rows -> clip -> reports of :func:`judge_music`, one for each piece of music.
Reports = dict[str, dict[str, list[dict[str, Any]]]]


def measure(folder: Path, seeds: int, original: list[str]) -> Reports:
    """Measure all clips; those without a visible dancer are left out and reported.

    Raises:
        D2MError: if the folder holds no video, a file cannot be read, or ``original`` names no clip.
    """
    from d2m.features import analyse
    from d2m.media import open_video

    if not folder.is_dir():
        raise D2MError(f"{folder}: no such folder")
    clips = {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in VIDEO}
    if missing := [name for name in original if name not in clips]:
        raise D2MError(f"{folder} holds no clip '{missing[0]}'; it has {', '.join(clips) or 'no videos'}")
    players = {title: engines.load(**which) for title, which in ENGINES.items()}
    found: Reports = defaultdict(lambda: defaultdict(list))
    dances: dict[str, Watched] = {}
    made: dict[str, list[RhythmFeatures]] = {}
    for name, path in clips.items():
        video = open_video(path)
        analysis = analyse(video, beats="dance")
        if analysis.dance.motion is None:
            print(f"{name}: nobody is seen; left out\n")
            continue
        dance = dances[name] = watch(video, analysis=analysis)
        if video.has_audio:
            row = ORIGINAL if name in original else PUBLISHED
            found[row][name].append(judge_music(dance, rhythm_features(read(path).mono())))
        for kind, engine in players.items():
            pieces = [_heard(engine.compose(analysis.dance, seed=seed), path) for seed in range(seeds)]
            found[f"ours, {kind}"][name] += [judge_music(dance, piece) for piece in pieces]
            if kind == next(iter(ENGINES)):
                made[name] = pieces
    for name, dance in dances.items():
        others = [piece for other, pieces in made.items() if other != name for piece in pieces]
        found[OTHERS][name] = [judge_music(dance, piece) for piece in others]
    return {row: dict(found[row]) for row in ROWS if row in found}


def _heard(music, path: Path) -> RhythmFeatures:
    return rhythm_features(Recording(path, np.atleast_2d(music.waveform), music.sample_rate).mono(SAMPLE_RATE))


def scores(reports: list[dict[str, Any]], judge: str, events: str, score: str) -> tuple[float, float] | None:
    """Return chance and excess, means over the pieces of a clip for which they are defined; None where none is."""
    rows = [report["judges"][judge][events][score] for report in reports]
    known = [(row["chance"], row["excess"]) for row in rows if row["value"] is not None]
    return tuple(np.mean(known, axis=0).tolist()) if known else None


def summary(found: Reports, judge: str, seed: int = 0) -> list[list[str]]:
    """Return a table over all clips: a line for every row, and of each score the excess, its interval, and chance."""
    lines = [["music", "clips", "pieces", *(title for _, _, title in COLUMNS)]]
    for row, clips in found.items():
        cells = [row, str(len(clips)), str(sum(map(len, clips.values())))]
        for events, score, _ in COLUMNS:
            known = [s for reports in clips.values() if (s := scores(reports, judge, events, score))]
            # The same draws everywhere: a further row changes no interval of the others.
            cells.append(_cell(known, len(clips), np.random.default_rng(seed)))
        lines.append(cells)
    return lines


def _cell(known: list[tuple[float, float]], clips: int, rng: np.random.Generator) -> str:
    if not known:
        return "undefined"
    chance = float(np.mean([c for c, _ in known]))
    mean, low, high = bootstrap(np.array([e for _, e in known]), rng)
    between = f" ({low:+.2f} to {high:+.2f})" if len(known) > 1 else ""
    return f"{mean:+.2f}{between} over {chance:.2f}" + (f", {len(known)} clips" if len(known) < clips else "")


def by_clip(found: Reports, judge: str) -> list[list[str]]:
    """Return the excess of the beat-align score of beats, and of onsets, for every clip and row."""
    clips = sorted({name for rows in found.values() for name in rows})
    lines = [["clip", "motion beats", *found]]
    for name in clips:
        first = next(rows[name][0] for rows in found.values() if name in rows)
        cells = [name, str(first["judges"][judge]["motion_beats"])]
        for rows in found.values():
            both = [scores(rows.get(name, []), judge, events, "beat_align") for events in ("beats", "onsets")]
            cells.append(", ".join(_excess(pair) for pair in both) if name in rows else "")
        lines.append(cells)
    return lines


def _excess(pair: tuple[float, float] | None) -> str:
    return "undefined" if pair is None else f"{pair[1]:+.2f}"


def markdown(lines: list[list[str]]) -> str:
    """Return a table; its first line is the header."""
    rows = [lines[0], ["---"] * len(lines[0]), *lines[1:]]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="of dance videos")
    parser.add_argument("--seeds", type=int, default=5, help="pieces of each engine for a clip, from seed 0 on")
    parser.add_argument(
        "--original", action="append", default=[], metavar="NAME", help="clip whose sound was danced to"
    )
    parser.add_argument("--json", type=Path, help="write all reports here")
    options = parser.parse_args()
    if options.seeds < 1:
        raise D2MError("at least one seed is needed")
    found = measure(options.folder, options.seeds, options.original)
    if not found:
        raise D2MError(f"{options.folder}: nobody is seen in any clip")
    for judge, title in JUDGES.items():
        print(f"Motion beats by {title}; excess over chance:\n\n{markdown(summary(found, judge))}\n")
    for judge, title in JUDGES.items():
        print(f"By clip, motion beats by {title}; excess of beats, of onsets:\n\n{markdown(by_clip(found, judge))}\n")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    from one_line import run_main

    run_main(main)
