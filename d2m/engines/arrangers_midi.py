"""Fit a MIDI file of the user to a dancer's beats.

A beat of the file becomes one beat of the dancer, or a multiple or fraction of it if that is nearer to the tempo of the
file; its first bar begins on a bar line of the dance. Music that is too short is repeated, music that is too long is
cut; in both cases it ends on its own last chord, together with the dance. The metre is kept: a waltz has a bar line at
every third beat.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from d2m.errors import D2MError
from d2m.types import BeatGrid, Dance, Part, Score

#: Beats of the dance to a beat of the file, the likeliest first.
_RATIOS = (1.0, 2.0, 0.5, 4.0, 0.25)
#: Parts that engines play; of more, those with the most notes.
_MOST_PARTS = 16
#: A piece that ends within so many beats of the dance's end is played as it is.
_OWN_END = 2.0
_KICK, _CRASH = 36, 49
#: Longer music is no accompaniment to a video, and denser music none to anything.
_MOST_QUARTERS, _MOST_NOTES = 20_000, 2_000_000


@dataclass(frozen=True)
class Piece:
    """Content of a MIDI file, in its own beats from its first bar line on.

    Attributes:
        parts: positions in beats; a pickup is below 0.
        bars: float64 (B,), the bar lines from 0 to the one after the last onset, whole beats apart.
        tempo: beats a minute, most of the time.
    """

    parts: tuple[Part, ...]
    bars: np.ndarray
    tempo: float

    @property
    def length(self) -> float:
        """Beats from the first bar line to the last."""
        return float(self.bars[-1])


class MidiArranger:
    """Scores from a MIDI file; see the module's docstring.

    Args:
        path: a standard MIDI file.
    """

    def __init__(self, path: Path) -> None:
        self._piece = read_piece(path)
        self.name, self.path = path.name, path
        self.weights: tuple[str, ...] = ()

    def write(self, dance: Dance, seed: int) -> Score:
        """Fit the piece to the beats of a dance.

        Args:
            dance: analysis of a video.
            seed: not used.
        """
        return fit(self._piece, dance)


def read_piece(path: Path) -> Piece:
    """Read a MIDI file.

    Args:
        path: a MIDI file.

    Raises:
        D2MError: if it is missing, no MIDI file, too long, or has no notes.
    """
    from d2m.symbolic.controls import plain
    from d2m.symbolic.midi import clock, load, track_of

    file = load(path)
    if not file.notes:
        raise D2MError(f"{path} has no notes; give a MIDI file with music in it")
    onsets = np.sort(np.concatenate([[note[0] for note in notes] for notes in file.notes.values()])) / file.resolution
    if onsets[-1] > _MOST_QUARTERS:
        raise D2MError(f"{path} is longer than {_MOST_QUARTERS} beats; give the part of it that should be played")
    bars = _bars(file.signatures, file.resolution, float(onsets[-1]))
    first = _first_bar(bars, float(onsets[0]))
    quarters, beats = _beats(bars, first)
    merged: dict[tuple[str, int], list[Part]] = {}
    for instrument, notes in file.notes.items():
        track = "drums" if instrument.drums else track_of(instrument.program)
        table = np.array(notes, dtype=np.int64)
        starts, ends = table[:, :2].T.astype(np.float64)
        own = Part(track, instrument.program, starts, ends, table[:, 2], table[:, 3])
        # The engines play notes alone: pedals, volume and bends become part of them.
        own = plain(replace(own, controls=file.controls.get(instrument.channel)))
        merged.setdefault((track, instrument.program), []).append(own)
    parts = []
    for (track, program), group in merged.items():
        table = np.concatenate([np.column_stack([p.starts, p.ends, p.pitches, p.velocities]) for p in group])
        if not len(table):
            continue
        table = table[np.lexsort((table[:, 2], table[:, 0]))]
        starts, ends = (np.interp(table[:, i] / file.resolution, quarters, beats) for i in (0, 1))
        keys, velocities = table[:, 2].astype(np.int64), table[:, 3].astype(np.int64)
        parts.append(Part(track, program, starts, ends, keys, velocities))
    if not parts:
        raise D2MError(f"{path} is silent, its volume is 0 throughout; give a MIDI file that can be heard")
    parts.sort(key=lambda part: -len(part.starts))
    inside = beats >= 0
    seconds = np.diff(clock(file)(quarters[inside]))
    spans = np.diff(beats[inside])
    usual = np.median(np.repeat(seconds / spans, np.maximum(spans.astype(int), 1)))
    return Piece(tuple(parts[:_MOST_PARTS]), _long_bars(beats[inside]), float(60.0 / max(usual, 1e-3)))


def _bars(signatures: dict[int, tuple[int, int]], resolution: int, last: float) -> list[tuple[float, float, float]]:
    """(start, end, beats) of every bar to the one that holds ``last``, in quarter notes; beats count as felt."""
    signs = {tick / resolution: sign for tick, sign in signatures.items() if tick / resolution <= last}
    signs.setdefault(0.0, (4, 4))
    starts = sorted(signs)
    bars: list[tuple[float, float, float]] = []
    for start, stop in zip(starts, [*starts[1:], np.inf], strict=True):
        numerator, denominator = signs[start]
        length, beat = max(4.0 * numerator / denominator, 0.25), _beat(numerator, denominator)
        at = start
        while at < stop - 1e-6 and at <= last + 1e-6:
            end = min(at + length, stop)
            bars.append((at, end, (end - at) / beat))
            at = end
    return bars


def _beat(numerator: int, denominator: int) -> float:
    """Quarters in a beat: dotted in 6/8 and its like; halves are counted as two."""
    if denominator >= 8 and numerator % 3 == 0:
        return 12.0 / denominator
    return 4.0 / max(denominator, 4)


def _first_bar(bars: list[tuple[float, float, float]], onset: float) -> int:
    """Number of the bar that the music is counted from: the first that plays, or the one after a pickup."""
    number = next(i for i, (_, end, _) in enumerate(bars) if onset < end - 1e-6 or i == len(bars) - 1)
    start, end, beats = bars[number]
    if number + 1 < len(bars) and (beats < bars[number + 1][2] - 1e-6 or onset - start > 0.5 * (end - start) - 1e-6):
        return number + 1
    return number


def _beats(bars: list[tuple[float, float, float]], first: int) -> tuple[np.ndarray, np.ndarray]:
    """Bar lines in quarters, and the same in beats from bar ``first``; each bar has whole beats from there on."""
    counts = [max(round(beats), 1) if number >= first else beats for number, (*_, beats) in enumerate(bars)]
    quarters = np.array([bars[0][0], *(end for _, end, _ in bars)])
    beats = np.concatenate([[0.0], np.cumsum(counts)])
    return quarters, beats - beats[first]


def _long_bars(lines: np.ndarray) -> np.ndarray:
    """Bar lines in beats; where bars have two beats at most, as in 2/4 and 6/8, every four beats, as a dance counts."""
    if np.diff(lines).max() > 2:
        return lines
    return np.arange(0.0, 4.0 * np.ceil(lines[-1] / 4.0) + 1.0, 4.0)


def fit(piece: Piece, dance: Dance) -> Score:
    """Fit a piece to the beats of a dance, with the length of the dance.

    Args:
        piece: music in its own beats.
        dance: analysis of a video.
    """
    from d2m.symbolic.composer.form import plan

    grid = dance.grid
    first, last = (float(grid.position_of(time)) for time in (0.0, dance.duration))
    ratio = _ratio(piece, grid.tempo)
    begin = _first_downbeat(grid, first)
    length = piece.length * ratio
    own_end = begin + ratio * max(float(part.ends.max()) for part in piece.parts)
    own = begin + length > last - _OWN_END - 1e-6 and own_end < last + _OWN_END
    lines = _bar_lines(piece, ratio, begin, first, last)
    grid = replace(grid, downbeats=lines, beats_per_bar=_usual_bar(piece, ratio))
    final = last if own else plan(grid, dance.duration, np.random.default_rng(0), None, None).final
    pickup = min(float(part.starts.min()) for part in piece.parts) < -1e-6
    rounds = range(0 if pickup or begin - first < 0.05 else -1, max(int(np.ceil((final - begin) / length)), 1))
    if len(rounds) * sum(len(part.starts) for part in piece.parts) > _MOST_NOTES:
        raise D2MError(
            "the MIDI file has too many notes to be repeated for the length of the video; give one with fewer notes"
        )
    parts = [_laid(part, piece.length, ratio, begin, rounds, first, final) for part in piece.parts]
    if not own:
        parts = [_ended(part, close, final, last) for part, close in zip(parts, _last_chord(piece), strict=True)]
    kept = tuple(part for part in parts if len(part.starts))
    if not kept:
        raise D2MError("no note of the MIDI file falls within the video; give a file that plays from its first bar on")
    return Score(kept, grid, dance.duration, dance.genre, None)


def _ratio(piece: Piece, tempo: float) -> float:
    """Beats of the dance to one of the piece: nearest to its own tempo, bars still being whole beats."""
    lengths = np.diff(piece.bars)
    fitting = [r for r in _RATIOS if np.allclose(lengths * r, np.round(lengths * r))]
    return min(fitting, key=lambda r: round(abs(np.log2(piece.tempo * r / tempo)), 3))


def _first_downbeat(grid: BeatGrid, first: float) -> float:
    """The first bar line of the dance that is in the video; bars go on beyond the grid's ends."""
    bar = max(int(grid.beats_per_bar), 1)
    lines = np.asarray(grid.downbeats, dtype=np.float64)
    lines = lines if len(lines) else np.zeros(1)
    inside = lines[lines >= first - 1e-6]
    at = float(inside[0]) if len(inside) else float(lines[-1] + bar * np.ceil((first - lines[-1]) / bar - 1e-9))
    while at - bar >= first - 1e-6:
        at -= bar
    return at


def _bar_lines(piece: Piece, ratio: float, begin: float, first: float, last: float) -> np.ndarray:
    """int64: the piece's bar lines, round and round, as beats of the dance's grid that exist."""
    once = piece.bars[:-1] * ratio
    if ratio > 1:
        # Twice as many beats are twice as many bars, not bars twice as long.
        spans = np.diff(piece.bars)
        once = np.unique(np.concatenate([once + turn * spans for turn in range(int(ratio))]))
    length = piece.length * ratio
    rounds = np.arange(np.floor((first - begin) / length), np.ceil((last - begin) / length) + 1)
    lines = np.round(begin + (rounds[:, None] * length + once[None])).ravel().astype(np.int64)
    lines = np.unique(lines[(lines >= max(first, 0.0) - 1e-6) & (lines <= last)])
    return lines if len(lines) else np.array([max(int(round(begin)), 0)], dtype=np.int64)


def _usual_bar(piece: Piece, ratio: float) -> int:
    lengths = np.round(np.diff(piece.bars) * min(ratio, 1.0)).astype(int)
    return max(int(np.bincount(lengths).argmax()), 1)


def _laid(part: Part, length: float, ratio: float, begin: float, rounds: range, first: float, final: float) -> Part:
    """A part going round from ``rounds.start`` on; positions on the dance's grid, nothing before ``first``."""
    tables = []
    for turn in rounds:
        starts = part.starts + turn * length
        # In later rounds a pickup would meet the end of the one before.
        inside = part.starts >= (-np.inf if turn == rounds.start else 0.0)
        # What rings over the end of a round gives way to the next one, but for the last.
        ends = np.minimum(part.ends + turn * length, np.inf if turn == rounds[-1] else (turn + 1) * length)
        tables.append(np.stack([starts, ends, part.pitches, part.velocities], axis=1)[inside])
    notes = np.concatenate(tables)
    notes[:, :2] = notes[:, :2] * ratio + begin
    held = (notes[:, 0] < first - 1e-6) & (notes[:, 1] > first + 0.5) & (not part.is_drum)
    notes[held, 0] = first
    notes = notes[(notes[:, 0] >= first - 1e-6) & (notes[:, 0] < final - 1e-6)]
    notes[:, 1] = np.maximum(np.minimum(notes[:, 1], final), notes[:, 0] + 0.02)
    return _part(part, notes)


def _last_chord(piece: Piece) -> list[np.ndarray]:
    """For each part (N, 2) keys and velocities of what it ends on: what sounds at the last onset of a pitched part."""
    pitched = [part for part in piece.parts if not part.is_drum]
    if not pitched:
        return [np.zeros((0, 2)) for _ in piece.parts]
    last = max(float(part.starts.max()) for part in pitched)
    chords = []
    for part in piece.parts:
        if part.is_drum:
            chords.append(np.array([[_KICK, 112], [_CRASH, 100]]))
            continue
        sounding = (part.starts <= last + 1e-6) & (part.ends > last + 1e-6)
        if part.track == "bass" and not sounding.any():
            sounding = part.starts == part.starts.max()
        chords.append(np.stack([part.pitches[sounding], part.velocities[sounding]], axis=1))
    return chords


def _ended(part: Part, chord: np.ndarray, final: float, last: float) -> Part:
    """A part with its last chord from ``final`` to the end."""
    chord = np.unique(chord, axis=0)
    closing = np.column_stack([np.full(len(chord), final), np.full(len(chord), last), chord])
    own = np.stack([part.starts, part.ends, part.pitches, part.velocities], axis=1)
    return _part(part, np.concatenate([own, closing.reshape(-1, 4)]))


def _part(like: Part, notes: np.ndarray) -> Part:
    notes = notes[np.lexsort((notes[:, 2], notes[:, 0]))]
    keys, velocities = notes[:, 2].astype(np.int64), np.clip(notes[:, 3], 1, 127).astype(np.int64)
    return replace(like, starts=notes[:, 0], ends=notes[:, 1], pitches=keys, velocities=velocities)
