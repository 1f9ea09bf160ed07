"""Measure an endless stream: speed, memory, gaps, seams, loudness, listeners.

    python scripts/measure_stream.py SONGS [--minutes 120] [-o stream.wav] [--shuffle --seed 0] [--json]
    python scripts/measure_stream.py SONGS --listeners 10 [--seconds 60]

The first writes a .wav as ``d2m symbolic stream -o`` does and looks at it:

- seconds of processor and of clock, and how many times faster than real time that is;
- resident memory after a tenth, a half and all of it, and its slope over the second half;
- silences: the longest stretch under -66 dB full scale, and the longest while the score says that something sounds;
- seams: the largest step between neighbouring samples within 10 ms of any beginning or end of a bridge, beside the
  largest steps at the bar lines inside songs; and the largest difference between the file and a second synthesiser that
  begins 6 s before each seam and plays in blocks of another size, in steps of 16 bits;
- loudness of each song's stretch, and how far they are apart; the share of samples that the limiter touched is at most
  that of samples near the ceiling.

The second starts a server and as many listeners, who fetch like the page does: how long they wait for a segment, how
many come too late.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np

from d2m.audio.loudness import loudness
from d2m.symbolic.bridge.files import load
from d2m.symbolic.sound import find_soundfont
from d2m.symbolic.sound.notes import Notes
from d2m.symbolic.sound.player import CACHE_BYTES, CEILING_DB, RATE, Player
from d2m.symbolic.sound.soundfont import SoundFont
from d2m.symbolic.stream.library import Library
from d2m.symbolic.stream.planning import Planner
from d2m.symbolic.stream.programme import Programme
from d2m.symbolic.stream.recording import FADE, pcm, record
from d2m.symbolic.stream.server import StreamServer
from d2m.symbolic.stream.station import AHEAD, Station
from d2m.symbolic.tracks import DRUMS

_SILENT_DB, _HOP = -66.0, 441
_NEAR = int(0.01 * RATE)


class Kept(Programme):
    """A programme that keeps what was played, to look at afterwards."""

    def __init__(self, *args: Any, **names: Any) -> None:
        self.played: dict[int, Notes] = {}
        super().__init__(*args, **names)

    def notes(self, first: int, stop: int) -> Notes:
        found = super().notes(first, stop)
        self.played.setdefault(first, found)
        return found


def memory() -> float:
    """Return resident megabytes of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


def programme_of(args: argparse.Namespace) -> Kept:
    font = SoundFont(find_soundfont(), CACHE_BYTES)
    planner = Planner(load(args.model), font)
    return Kept(Library(args.songs), planner, args.shuffle, args.seed, lambda line: print(line, file=sys.stderr))


def write(args: argparse.Namespace, out: Path) -> tuple[dict[str, Any], list[dict[str, Any]], Kept]:
    """Write the file, and measure speed and memory."""
    programme = programme_of(args)
    used: list[tuple[float, float]] = []
    began, worked = time.perf_counter(), time.process_time()
    played = record(
        programme, Player(programme.planner.font, programme), args.minutes, out, lambda s: used.append((s, memory()))
    )
    clock, work = time.perf_counter() - began, time.process_time() - worked
    table = np.array(used)
    at = {f"MB at {share:.0%}": float(table[np.searchsorted(table[:, 0], share), 1]) for share in (0.1, 0.5, 1.0)}
    late = table[table[:, 0] >= 0.5]
    slope = float(np.polyfit(late[:, 0] * args.minutes / 60, late[:, 1], 1)[0]) if len(late) > 2 else float("nan")
    figures = {"minutes": args.minutes, "clock s": clock, "processor s": work} | at | {"MB an hour": slope}
    figures |= {"x real time": args.minutes * 60 / clock, "x real time, processor": args.minutes * 60 / work}
    return figures, played, programme


def sounding(programme: Kept, total: int) -> np.ndarray:
    """Return bool, every 10 ms: whether a note is held, or a drum was struck within 100 ms."""
    change = np.zeros(total // _HOP + 2, np.int64)
    for notes in programme.played.values():
        ends = np.where(notes.tracks == DRUMS, notes.starts + RATE // 10, notes.ends)
        first, last = (np.minimum(-(-times // _HOP), len(change) - 1) for times in (notes.starts, ends))
        np.add.at(change, first, 1)
        np.add.at(change, np.maximum(last, first), -1)
    return np.cumsum(change)[:-1] > 0


def silences(sound: np.ndarray, held: np.ndarray) -> dict[str, float]:
    """Return the longest stretches, in milliseconds, that are silent, and that are so against the score."""
    limit = 32768 * 10 ** (_SILENT_DB / 20)
    # The end fades out.
    count = len(sound) // _HOP - int(FADE * RATE) // _HOP
    peaks = np.array([np.abs(sound[k * _HOP : (k + 1) * _HOP].astype(np.int32)).max() for k in range(count)])
    quiet = peaks < limit
    return {
        "longest silence, ms": 10.0 * _longest(quiet),
        "longest against the score, ms": 10.0 * _longest(quiet & held[:count]),
        "gaps over 50 ms": float(sum(run > 5 for run in _runs(quiet & held[:count]))),
    }


def _runs(flags: np.ndarray) -> np.ndarray:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return edges[1::2] - edges[::2]


def _longest(flags: np.ndarray) -> int:
    return int(_runs(flags).max(initial=0))


def seams(
    sound: np.ndarray, played: list[dict[str, Any]], programme: Kept, args: argparse.Namespace
) -> dict[str, float]:
    """Return steps between samples at seams, beside those at bar lines inside songs, and against a second
    synthesiser.
    """
    inner = [s for entry in played if entry["kind"] == "bridge" for s in (entry["start"], entry["end"])]
    places = [round(s * RATE) for s in inner if 7 < s < len(sound) / RATE - 6]
    if not places:
        return {}
    rng = np.random.default_rng(0)
    starts = np.concatenate([notes.starts for notes in programme.played.values()])
    others = rng.choice(starts[(starts > RATE) & (starts < len(sound) - RATE)], 2000)
    gaps, far = _Recalled(programme), 0
    for place in places:
        player = Player(programme.planner.font, gaps, place - RATE, 6 * RATE)
        again = np.concatenate([np.frombuffer(pcm(player.read(n)), "<i2") for n in (12345, RATE, 777)]).reshape(-1, 2)
        there = sound[place - RATE : place - RATE + len(again)].astype(np.int32)
        far = max(far, int(np.abs(there - again).max()))
    return {
        "seams": float(len(places)),
        "largest step at a seam": max(_step(sound, place) for place in places),
        "at 2000 notes inside, largest": max(_step(sound, int(place)) for place in others),
        "median step at a seam": float(np.median([_step(sound, place) for place in places])),
        "median at notes inside": float(np.median([_step(sound, int(place)) for place in others])),
        "second synthesiser differs by": float(far),
    }


class _Recalled:
    """What a programme has played, from the beginning."""

    def __init__(self, programme: Kept) -> None:
        from d2m.symbolic.sound.notes import joined

        self.all = joined(list(programme.played.values()))

    def notes(self, first: int, stop: int) -> Notes:
        return self.all.within(first, stop)


def _step(sound: np.ndarray, place: int) -> float:
    near = sound[place - _NEAR : place + _NEAR].astype(np.int32)
    return float(np.abs(np.diff(near, axis=0)).max() / 32768)


def levels(sound: np.ndarray, played: list[dict[str, Any]]) -> dict[str, float]:
    """Return how loud songs are, in LUFS, and how often the limiter works."""
    found = []
    for entry in played:
        span = slice(round(entry["start"] * RATE), min(round(entry["end"] * RATE), len(sound)))
        if entry["kind"] == "song" and span.stop - span.start > 5 * RATE:
            found.append(loudness(sound[span].T / 32768, RATE))
    near = 32768 * 10 ** (CEILING_DB / 20) * 0.99
    hot = sum(
        int((np.abs(sound[k : k + RATE].astype(np.int32)).max(axis=1) > near).sum()) for k in range(0, len(sound), RATE)
    )
    return {
        "songs": float(len(found)),
        "LUFS, mean": float(np.mean(found)),
        "standard deviation": float(np.std(found)),
        "quietest to loudest": float(np.ptp(found)),
        "share near the ceiling": hot / len(sound),
    }


def measure_file(args: argparse.Namespace) -> dict[str, dict[str, float]]:
    with tempfile.TemporaryDirectory() as folder:
        out = args.output or Path(folder) / "stream.wav"
        speed, played, programme = write(args, out)
        data = 44 if out.stat().st_size < 2**32 else 80
        sound = np.memmap(out, "<i2", "r", offset=data).reshape(-1, 2)
        held = sounding(programme, len(sound))
        results = {"speed": speed, "silence": silences(sound, held), "seams": seams(sound, played, programme, args)}
        return results | {"loudness": levels(sound, played)}


def listen(url: str, seconds: float, waits: list[float], spare: list[float]) -> None:
    """Simulate one listener like the page: eight segments ahead, on its own clock."""
    number = json.load(urllib.request.urlopen(url + "state"))["live"]
    first, begins = number, None
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        heard = first + (time.monotonic() - begins if begins else 0.0)
        if number > heard + AHEAD:
            time.sleep(0.1)
            continue
        asked = time.monotonic()
        urllib.request.urlopen(f"{url}segment/{number}.wav").read()
        now = time.monotonic()
        begins = begins or now + 0.15
        waits.append(now - asked)
        spare.append(begins + number - first - now)
        number += 1


def measure_listeners(args: argparse.Namespace) -> dict[str, dict[str, float]]:
    station = Station(programme_of(args))
    waits: list[float] = []
    spare: list[float] = []
    with StreamServer(station, port=0) as server:
        station.start()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        urllib.request.urlopen(server.url + "segment/0.wav").read()
        worked, began = time.process_time(), time.perf_counter()
        crowd = [
            threading.Thread(target=listen, args=(server.url, args.seconds, waits, spare))
            for _ in range(args.listeners)
        ]
        for thread in crowd:
            thread.start()
            time.sleep(args.seconds / 4 / args.listeners)
        for thread in crowd:
            thread.join()
        work = (time.process_time() - worked) / (time.perf_counter() - began)
        server.shutdown()
        station.stop()
    return {
        "listeners": {
            "listeners": float(args.listeners),
            "segments fetched": float(len(waits)),
            "median wait, ms": 1000 * float(np.median(waits)),
            "longest wait, ms": 1000 * max(waits),
            "least in hand when it came, s": min(spare),
            "too late": float(sum(left < 0 for left in spare)),
            "processor, listeners included": work,
            "segments played": float(station.rendered),
        }
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("songs", type=Path, help="folder or playlist")
    parser.add_argument("--minutes", type=float, default=120.0)
    parser.add_argument("-o", "--output", type=Path, help="keep the .wav")
    parser.add_argument("--shuffle", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", default="studio-bridge")
    parser.add_argument("--listeners", type=int, help="measure a server with so many listeners instead")
    parser.add_argument("--seconds", type=float, default=60.0, help="that each of them listens")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    results = measure_listeners(args) if args.listeners else measure_file(args)
    if args.json:
        print(json.dumps(results, indent=1))
        return
    for title, row in results.items():
        print(f"{title:10}" + "  ".join(f"{name} {value:.4g}" for name, value in row.items()))


if __name__ == "__main__":
    from one_line import run_main

    run_main(main)
