"""Join two songs: the first up to a mix point, the bridge, the second from there on.

Both songs keep their own notes, instruments, levels and tempo. In the bridge the tempo changes by the same ratio from
beat to beat, the instruments that play at the seam change half-way, and levels change gradually; where the keys differ,
the first half is in the first key and the second half in the second.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from d2m.errors import D2MError
from d2m.symbolic import keys as key_finding
from d2m.symbolic.bridge.composer import Composer
from d2m.symbolic.bridge.mixpoints import MixPoint
from d2m.symbolic.bridge.song import BEATS, Song
from d2m.symbolic.chords import Progression
from d2m.symbolic.controls import cut_controls, joined_parts
from d2m.symbolic.pianoroll import PITCHES, accents
from d2m.symbolic.pianoroll_tensor import COMPACT, from_tensor
from d2m.symbolic.shape import Shape
from d2m.symbolic.tracks import DRUMS
from d2m.types import TRACKS, BeatGrid, Part, Score

#: Beats before a bar line within which a note, played a little early, belongs to the bar after it.
_EARLY = 0.06
#: A note still sounding at the first bar of the second song is struck there if so many beats of it are left.
_LEFT = 0.25


@dataclass(frozen=True)
class Joined:
    """Two songs and the bridge between them.

    Attributes:
        score: the whole music.
        bridge: bool (bars, 16, 72, 5), the new bars.
        point: where the songs meet.
        start, end: start and end of the bridge, in beats of the score's grid.
        keys: keys of the bars of the bridge.
    """

    score: Score
    bridge: np.ndarray
    point: MixPoint
    start: int
    end: int
    keys: tuple[int, ...]

    @property
    def seconds(self) -> tuple[float, float]:
        """Beginning and end of the bridge."""
        first, last = self.score.grid.time_of([self.start, self.end]).tolist()
        return first, last


@dataclass(frozen=True)
class Bridge:
    """The music between two songs.

    Attributes:
        held: bool (bars, 16, 72, 5), as the network writes it.
        parts: its notes, in beats from its beginning.
        times: float64 (beats + 1,), seconds from its beginning of every beat and of the end.
        keys: keys of its bars.
    """

    held: np.ndarray
    parts: tuple[Part, ...]
    times: np.ndarray
    keys: tuple[int, ...]


def join(
    a: Song,
    b: Song,
    point: MixPoint,
    composer: Composer,
    bars: int = 2,
    around: int | None = None,
    chords: Progression | None = None,
) -> Joined:
    """Go from one song into the other.

    Args:
        a, b: the songs.
        point: the last bar of ``a`` and the first of ``b``; both are played as they are.
        composer: writes the bars between.
        bars: how many, 1 to 8.
        around: bars to keep of each song beside the bridge, or None for all.
        chords: chords of the bridge, repeated to its length; None for the network's.

    Raises:
        D2MError: if the network cannot make that many bars, or the bars of the mix point are not in 4/4.
    """
    bridge = write_bridge(a, b, point, composer, bars, chords)
    stop, start = round(a.position(point.bar_a + 1)), round(b.position(point.bar_b))
    first = 0 if around is None else round(a.position(max(point.bar_a + 1 - around, 0)))
    last = last_beat(b)
    if around is not None:
        last = min(last, round(b.position(min(point.bar_b + around, len(b)))))
    grid = _grid(a, b, bridge, (first, stop), (start, last))
    middle = stop - first
    end = middle + BEATS * bars
    between = [replace(part, starts=part.starts + middle, ends=part.ends + middle) for part in bridge.parts]
    after = b.played(cut(b.score, start, last, end - start, point.transpose))
    before = a.played(cut(a.score, first, stop, -first))
    parts = joined_parts([before, *([part] for part in b.played(between)), after])
    score = Score(parts, grid, float(grid.time_of(end + last - start)))
    return Joined(score, bridge.held, point, middle, end, bridge.keys)


def write_bridge(
    a: Song, b: Song, point: MixPoint, composer: Composer, bars: int, chords: Progression | None = None
) -> Bridge:
    """Compose the bars between the two songs of a mix point, in key and assigned to instruments.

    Args:
        a, b: the song that ends and the one that begins.
        point: the mix point.
        composer: trained network.
        bars: length of the bridge.
        chords: chords of the bridge, repeated to its length; None for the network's.

    Raises:
        D2MError: if the network cannot make that many bars, or the bars of the mix point are not in 4/4.
    """
    held = compose_bridge(a, b, point, composer, bars)
    keys = bridge_keys(a, b, point, bars)
    held = settle(held, keys, a, b, point)
    share = (np.arange(BEATS * bars) + 0.5) / (BEATS * bars)
    beats = 60.0 / (a.tempo(point.bar_a) ** (1 - share) * b.tempo(point.bar_b) ** share)
    times = np.concatenate([[0.0], np.cumsum(beats)])
    parts = tuple(_bridge_parts(a, b, point, held))
    if chords is not None:
        grid = BeatGrid.steady(60.0, BEATS * bars, confidence=1.0)
        parts = Shape(chords=chords).fit(Score(parts, grid, float(BEATS * bars))).parts
    return Bridge(held, parts, times, keys)


def last_beat(song: Song) -> int:
    """Return the beat of a song's score at which its last bar ends.

    Args:
        song: the song.
    """
    return int(np.ceil(song.position(len(song)) - 1e-6))


def compose_bridge(a: Song, b: Song, point: MixPoint, composer: Composer, bars: int) -> np.ndarray:
    """Compose the bars of a bridge; a track that rests in both neighbours rests in the bridge.

    A track that rests in both bars rests in the bridge.

    Args:
        a, b: the song that ends and the one that begins.
        point: the mix point, with the transposition of ``b``.
        composer: trained network.
        bars: length of the bridge.

    Returns:
        bool (bars, 16, 72, 5).

    Raises:
        D2MError: if the network cannot make that many bars, or the two are not in 4/4.
    """
    config = composer.config
    if not 1 <= bars <= config.most_bars or (config.model == "published" and bars != config.most_bars):
        able = "two bars only" if config.model == "published" else f"1 to {config.most_bars} bars"
        raise D2MError(f"{composer.name or 'this network'} composes bridges of {able}, not of {bars}")
    for song, bar in ((a, point.bar_a), (b, point.bar_b)):
        if not (0 <= bar < len(song) and song.whole[bar]):
            raise D2MError(f"bar {bar + 1} of {song.name} is not a bar in 4/4; choose another mix point")
    if config.shape != COMPACT.shape()[1:]:
        raise D2MError(
            f"{composer.name or 'this network'} is not at the compact resolution; use the weights of this version"
        )
    context = np.stack([a.held[point.bar_a], moved(b.held[point.bar_b], point.transpose)])
    return composer.compose(context[None], bars)[0] & context.any(axis=(0, 1, 2))


def moved(bar: np.ndarray, semitones: int) -> np.ndarray:
    """Transpose pitched tracks; notes that leave the range are moved back by an octave.

    Args:
        bar: bool (..., pitches, tracks).
        semitones: upwards.
    """
    out = bar.copy()
    out[..., DRUMS + 1 :] = False
    for low in range(bar.shape[-2]):
        to = low + semitones
        to += 12 if to < 0 else -12 if to >= bar.shape[-2] else 0
        out[..., to, DRUMS + 1 :] |= bar[..., low, DRUMS + 1 :]
    return out


def bridge_keys(a: Song, b: Song, point: MixPoint, bars: int) -> tuple[int, ...]:
    """Return the key of each bar of the bridge: the first song's for the first half, then the second's.

    Args:
        a, b: the two songs.
        point: the mix point.
        bars: length of the bridge.
    """
    first = int(a.keys[point.bar_a])
    second = int(key_finding.transposed(int(b.keys[point.bar_b]), point.transpose))
    return tuple(first if 2 * bar + 1 <= bars else second for bar in range(bars))


def settle(bridge: np.ndarray, keys: tuple[int, ...], a: Song, b: Song, point: MixPoint) -> np.ndarray:
    """Move notes outside the keys of a bridge's bars to the nearest key of the scale, if the songs' keys differ.

    Within one key a network's chromatic notes are as good as the songs' own, and stay.

    Args:
        bridge: bool (bars, 16, 72, 5).
        keys: keys of the bars.
        a, b: the two songs.
        point: the mix point.
    """
    last = key_finding.transposed(int(b.keys[point.bar_b]), point.transpose)
    if key_finding.signature(int(a.keys[point.bar_a])) == key_finding.signature(last):
        return bridge
    out = bridge.copy()
    for bar, key in enumerate(keys):
        inside = key_finding.scale(key)[(COMPACT.lowest + np.arange(COMPACT.pitches)) % 12]
        for foreign in np.flatnonzero(~inside).tolist():
            # A foreign tone lies a semitone from the scale on one side at least.
            to = foreign - 1 if foreign and inside[foreign - 1] else foreign + 1
            if to < COMPACT.pitches:
                out[bar, :, to, DRUMS + 1 :] |= out[bar, :, foreign, DRUMS + 1 :]
            out[bar, :, foreign, DRUMS + 1 :] = False
    return out


def _grid(a: Song, b: Song, bridge: Bridge, span_a: tuple[int, int], span_b: tuple[int, int]) -> BeatGrid:
    """Beats of both songs at their own times, and between them those of the bridge."""
    before = a.score.grid.time_of(np.arange(span_a[0], span_a[1] + 1))
    after = b.score.grid.time_of(np.arange(span_b[0], span_b[1] + 1))
    gaps = [np.diff(before), np.diff(bridge.times), np.diff(after)]
    times = np.concatenate([[0.0], np.cumsum(np.concatenate(gaps))])
    middle = span_a[1] - span_a[0]
    end = middle + len(bridge.times) - 1
    own = [np.round(song.positions[:-1]).astype(np.int64) for song in (a, b)]
    lines = [
        own[0][(own[0] >= span_a[0]) & (own[0] < span_a[1])] - span_a[0],
        np.arange(middle, end, BEATS),
        own[1][(own[1] >= span_b[0]) & (own[1] < span_b[1])] - span_b[0] + end,
    ]
    downbeats = np.unique(np.concatenate(lines)).astype(np.int64)
    return BeatGrid(times, downbeats, float(60.0 / np.median(np.diff(times))), 1.0, BEATS)


def cut(score: Score, first: int, stop: int, offset: int, semitones: int = 0) -> list[Part]:
    """Cut the parts of a score between two beats.

    Args:
        score: the score.
        first, stop: range of beats.
        offset: beats that are added to the positions.
        semitones: transposition.
    """
    found = []
    for part in score.parts:
        begins = (part.starts > first - _EARLY) & (part.starts < stop - _EARLY)
        goes_on = (part.starts <= first - _EARLY) & (part.ends > first + _LEFT) & (not part.is_drum)
        chosen = begins | goes_on
        if not chosen.any():
            continue
        pitches = part.pitches[chosen] + (0 if part.is_drum else semitones)
        pitches = pitches + 12 * (pitches < 0) - 12 * (pitches >= PITCHES)
        starts = np.maximum(part.starts[chosen], first)
        ends = np.minimum(np.maximum(part.ends[chosen], starts + 1e-3), stop)
        arrays = (starts + offset, ends + offset, pitches, part.velocities[chosen])
        controls = cut_controls(part, first, stop, offset)
        found.append(Part(part.track, part.program, *arrays, part.name, controls))
    return found


def _bridge_parts(a: Song, b: Song, point: MixPoint, bridge: np.ndarray) -> list[Part]:
    """The bridge's notes: each half with its song's instruments, levels in between."""
    roll = from_tensor(bridge, COMPACT)
    found = []
    for track, name in enumerate(TRACKS):
        notes = roll.notes(track)
        if not len(notes):
            continue
        share = (notes[:, 0] + 0.5) / roll.steps
        places = ((a, point.bar_a), (b, point.bar_b))
        players = [song.player(bar, track) for song, bar in places]
        voices = [song.voice(bar, track) for song, bar in places]
        levels = [song.level(voice, track) for (song, _), voice in zip(places, voices, strict=True)]
        played = [player is not None for player in players]
        # A song that does not play this track at the seam does not affect its sound.
        share = share if all(played) else np.full(len(share), float(played[1]))
        loud = (1 - share) * levels[0] + share * levels[1] + accents(roll, notes[:, 0])
        velocities = np.clip(np.round(loud), 1, 127).astype(np.int64)
        starts, ends = (notes[:, i] / roll.steps_per_beat for i in (0, 1))
        for program, voice, mine in zip(players, voices, (share < 0.5, share >= 0.5), strict=True):
            if program is None or not mine.any():
                continue
            # The song's own instrument plays on, under its own name.
            home, called = (name, "") if voice is None else (voice.track, voice.name)
            arrays = (starts[mine], ends[mine], notes[mine, 2], velocities[mine])
            found.append(Part(home, program, *arrays, called))
    return found
