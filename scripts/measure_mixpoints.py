"""Measure how often each search for mix points finds where a song was cut.

    python scripts/measure_mixpoints.py POP909 [--songs 40] [--cuts 3] [--seed 0] [--json]

Songs of POP909's held-out split, with their band, are cut in two at the beginning of a section. To hide the cut, the
first half goes on with 8 to 24 bars of another song, and the second begins after as many of a third, both brought into
the same key and cut at section beginnings of their own. A search that is told nothing gives its first choice and its
best five. It is right if the two bars up to its mix point and the two from it on are those around the cut, or hold the
same music (at least 0.9 of the pitched notes on the same sixteenths, by F1).

"phrases only" is the harmonic search with all weights but those of the phrases at zero: where foreign music was
joined on there is a section boundary, and this row says what knowing boundaries alone is worth. Besides: how far the
two bars at the first choice are apart for pairs of different songs, and the seconds of processor time that a search
takes for two songs of 200 bars, beside dynamic time warping in plain Python loops.
"""

from __future__ import annotations

import argparse
import json
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from d2m.datasets.pop909 import song_folders
from d2m.datasets.pop909_band import band_score
from d2m.errors import D2MError
from d2m.symbolic.bridge import expectation
from d2m.symbolic.bridge.matching import distributions
from d2m.symbolic.bridge.mixpoints import METHODS, MixPoint, find_mix_points, seam
from d2m.symbolic.bridge.song import Song, song_of
from d2m.symbolic.keys import signature
from d2m.symbolic.pianoroll import PianoRoll, from_score, metres_of, to_score
from d2m.symbolic.tracks import DRUMS

HELD_OUT_EVERY = 10
_MARGIN, _SHORTEST, _LONGEST = 12, 8, 24
_SAME = 0.9
_DRAWS = 50


@dataclass(frozen=True)
class Case:
    """Two songs with a hidden cut: which (bar of a, bar of b) are right, bool (A, B)."""

    a: Song
    b: Song
    right: np.ndarray


def read(folder: Path, seed: int) -> Song:
    """Return a song with its band, on the grid of four steps a beat."""
    score = band_score(folder, np.random.default_rng([seed, 909, int(folder.name)]))
    return song_of_roll(from_score(score, 4, folder.name))


def songs_of_split(root: Path, held_out: bool, count: int, seed: int) -> list[Song]:
    """Return up to ``count`` songs of a split that can be cut."""
    folders = [f for f in song_folders(root) if (int(f.name) % HELD_OUT_EVERY == 0) == held_out]
    order = np.random.default_rng([seed, int(held_out)]).permutation(len(folders))
    found: list[Song] = []
    for index in order:
        if len(found) == count:
            break
        try:
            song = read(folders[index], seed)
        except D2MError:
            continue
        if len(cuts(song)):
            found.append(song)
    if len(found) < 3:
        raise D2MError(f"{root} has {len(found)} songs that can be cut, at least 3 are needed")
    return found


def cuts(song: Song) -> np.ndarray:
    """Return the section beginnings with enough music in 4/4 on either side."""
    starts = song.phrase_starts
    inner = starts[(starts >= _MARGIN) & (starts <= len(song) - _MARGIN)]
    heard = song.whole & song.held.any(axis=(1, 2, 3))
    return np.array([c for c in inner.tolist() if heard[c - 2 : c + 2].all()], dtype=np.int64)


def make_case(songs: list[Song], number: int, rng: np.random.Generator, moved: int = 0) -> Case:
    """Return a case of one song, with two others to hide its cut; the second half moved up by ``moved`` semitones."""
    song = songs[number]
    cut = int(rng.choice(cuts(song)))
    tail, head = (songs[k] for k in rng.choice(np.delete(np.arange(len(songs)), number), 2, replace=False))
    lengths = rng.integers(_SHORTEST, _LONGEST + 1, 2).tolist()
    after = int(rng.choice(cuts(tail)))
    before = int(rng.choice(cuts(head)))
    first = [part(song, 0, cut), in_key_of(tail, after, after + lengths[0], song, cut)]
    lead = min(before, lengths[1])
    second = [in_key_of(head, before - lead, before, song, cut), part(song, cut, len(song))]
    a, b = (song_of_roll(chain(parts)) for parts in (first, [shifted(roll, moved) for roll in second]))
    return Case(a, b, right_pairs(a, cut, shifted_song(b, -moved), lead))


def part(song: Song, first: int, stop: int) -> PianoRoll:
    """Return bars of a song."""
    lines = np.append(song.roll.downbeats, song.roll.steps)
    return song.roll.excerpt(int(lines[first]), int(lines[min(stop, len(song))]))


def in_key_of(other: Song, first: int, stop: int, song: Song, cut: int) -> PianoRoll:
    """Return bars of another song, moved by -5 to 6 semitones to the key that ``song`` has at its cut."""
    gap = int(signature(int(song.keys[cut])) - signature(int(other.keys[min(first, len(other) - 1)])))
    return shifted(part(other, first, stop), (gap + 5) % 12 - 5)


def shifted(roll: PianoRoll, semitones: int) -> PianoRoll:
    """Return the pitched tracks moved up."""
    arrays = []
    for array in (roll.held, roll.onsets):
        moved = np.roll(array, semitones, axis=2)
        moved[DRUMS] = array[DRUMS]
        arrays.append(moved)
    return replace(roll, held=arrays[0], onsets=arrays[1])


def shifted_song(song: Song, semitones: int) -> Song:
    return song_of_roll(shifted(song.roll, semitones)) if semitones else song


def chain(rolls: list[PianoRoll]) -> PianoRoll:
    """Return rolls one after another."""
    starts = np.cumsum([0, *(roll.steps for roll in rolls)])
    lines = np.concatenate([roll.downbeats + at for roll, at in zip(rolls, starts[:-1], strict=True)])
    held, onsets = (np.concatenate([getattr(r, name) for r in rolls], axis=1) for name in ("held", "onsets"))
    return replace(
        rolls[0], held=held, onsets=onsets, tempo=np.concatenate([r.tempo for r in rolls]), downbeats=lines,
        metres=metres_of(lines, int(starts[-1]), rolls[0].steps_per_beat),
    )  # fmt: skip


def song_of_roll(roll: PianoRoll) -> Song:
    return song_of(to_score(roll), roll, roll.name)


def right_pairs(a: Song, cut: int, b: Song, start: int) -> np.ndarray:
    """Return bool (A, B): pairs of bars with the music around the cut."""
    ends = np.array([_same(a, i - 1, a, cut - 2) for i in range(len(a))])
    starts = np.array([_same(b, j, b, start) for j in range(len(b))])
    return ends[:, None] & starts[None]


def _same(one: Song, first: int, other: Song, second: int) -> bool:
    if min(first, second) < 0 or first + 2 > len(one) or second + 2 > len(other):
        return False
    x, y = (s.held[k : k + 2, ..., DRUMS + 1 :] for s, k in ((one, first), (other, second)))
    total = int(x.sum()) + int(y.sum())
    return bool(total) and 2 * int((x & y).sum()) >= _SAME * total


@contextmanager
def only(words: str):
    """Use the harmonic search with some terms only in a ``with`` block."""
    before = dict(expectation.TERMS)
    expectation.TERMS.update({name: value if words in name else 0.0 for name, value in before.items()})
    try:
        yield
    finally:
        expectation.TERMS.update(before)


def hits(case: Case, points: list[MixPoint], shift: int = 0) -> tuple[bool, bool]:
    """Tell whether the first point, and any, is right."""
    found = [bool(case.right[p.bar_a, p.bar_b]) and p.transpose == shift for p in points]
    return found[0], any(found)


def measure(cases: list[Case], rng: np.random.Generator) -> dict[str, dict[str, float]]:
    """Return the share of cases that each method solves at first and within five."""
    rows: dict[str, dict[str, float]] = {}
    for method in METHODS:
        found = []
        for case in cases:
            draws = _DRAWS if method == "random" else 1
            found += [hits(case, find_mix_points(case.a, case.b, method, 5, rng=rng)) for _ in range(draws)]
        rows[method] = _row(found)
    with only("phrase"):
        rows["phrases only"] = _row([hits(c, find_mix_points(c.a, c.b, "harmonic", 5)) for c in cases])
    return rows


def _row(found: list[tuple[bool, bool]]) -> dict[str, float]:
    first, five = np.mean(np.array(found, dtype=float), axis=0).tolist()
    return {"first": first, "of five": five}


def between(songs: list[Song], rng: np.random.Generator, count: int = 40) -> dict[str, dict[str, float]]:
    """Return figures of :func:`d2m.symbolic.bridge.mixpoints.seam` at the first choice, the mean over pairs of
    songs.
    """
    pairs = [rng.choice(len(songs), 2, replace=False).tolist() for _ in range(count)]
    rows = {}
    for method in METHODS:
        found = []
        for i, j in pairs:
            point = find_mix_points(songs[i], songs[j], method, 1, rng=rng)[0]
            found.append(seam(songs[i], songs[j], point))
        rows[method] = {name: float(np.mean([f[name] for f in found])) for name in found[0]}
    return rows


def search_times(songs: list[Song]) -> dict[str, float]:
    """Return seconds for two songs of 200 bars each, features included."""
    long = [chain([part(s, 0, len(s)) for s in songs[k : k + 6]]) for k in (0, 6)]
    cut = [roll.excerpt(0, int(roll.downbeats[min(200, len(roll.downbeats) - 1)])) for roll in long]
    find_mix_points(*(song_of_roll(roll) for roll in cut), "dtw", 1)
    found = {}
    for method in METHODS:
        a, b = (song_of_roll(roll) for roll in cut)
        began = time.process_time()
        find_mix_points(a, b, method, 5)
        found[method] = time.process_time() - began
    a, b = (song_of_roll(roll) for roll in cut)
    began = time.process_time()
    _plain_warping(distributions(a).tolist(), distributions(b).tolist())
    found["dtw in plain Python"] = time.process_time() - began
    return found


def _plain_warping(first: list[list[float]], second: list[list[float]]) -> float:
    """Cost of the best alignment, by loops."""
    far = float("inf")
    before = [0.0] + [far] * len(second)
    for one in first:
        row = [far]
        for j, two in enumerate(second):
            gap = sum(abs(x - y) for x, y in zip(one, two, strict=True))
            row.append(gap + min(before[j], before[j + 1], row[j]))
        before = row
    return before[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pop909", type=Path, help="folder with 001 ... 909")
    parser.add_argument("--songs", type=int, default=40)
    parser.add_argument("--cuts", type=int, default=3, help="of each song")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    songs = songs_of_split(args.pop909, True, args.songs, args.seed)
    rng = np.random.default_rng([args.seed, 1])
    cases = [make_case(songs, number, rng) for number in np.repeat(np.arange(len(songs)), args.cuts).tolist()]
    about = {
        "cases": len(cases),
        "right pairs": float(np.mean([c.right.sum() for c in cases])),
        "pairs": float(np.mean([c.right.size for c in cases])),
    }
    results = {
        "hidden cut": measure(cases, rng),
        "different songs": between(songs, rng),
        "seconds": search_times(songs),
    }
    if args.json:
        print(json.dumps(about | results, indent=1))
        return
    print(f"{len(cases)} cases; on average {about['right pairs']:.1f} of {about['pairs']:.0f} pairs are right")
    for title in ("hidden cut", "different songs"):
        for method, row in results[title].items():
            print(f"{title}  {method:14}" + "  ".join(f"{name} {value:.3f}" for name, value in row.items()))
    print("seconds  " + "  ".join(f"{name} {value:.3f}" for name, value in results["seconds"].items()))


if __name__ == "__main__":
    from one_line import run_main

    run_main(main)
