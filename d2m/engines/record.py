"""Play a recording of the user on the dancer's beats: it is cut at bars and stretched, without a change of pitch.

The beats of the recording are tracked (:mod:`d2m.features.sound_beats`). A passage of consecutive bars is chosen whose
loudness follows the dancer's energy best, and each of its bars is stretched onto a bar of the dance by Signalsmith
Stretch (a phase vocoder; package ``python-stretch``, MIT licence). Two or half a beat of the recording make a beat of
the dance where that is nearer to its tempo.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from d2m.audio.mastering import master
from d2m.engines.base import Engine, Progress
from d2m.errors import D2MError
from d2m.features.beat_score import beat_f_measure
from d2m.features.sound_beats import SoundBeats, track_sound
from d2m.types import BeatGrid, Dance, Soundtrack

RATE = 44100
#: Largest change of tempo: beyond it, voices and drums sound stretched.
MOST_STRETCH = 0.12
#: Beats of the recording to a beat of the dance.
_RATIOS = (1.0, 2.0, 0.5)
#: Seconds around a bar line in which two bars are crossfaded, and more of the recording that is stretched with a bar.
_CROSSFADE, _MARGIN = 0.03, 0.12
#: Bars are stretched together as long as no beat is further than this from the dancer's.
_DRIFT = 0.008
#: Seconds of the fade at the end, in which the recording does not end by itself.
_END = 0.6
#: Longest recording in seconds: an hour takes gigabytes of memory to track.
LONGEST = 1800.0
#: Least confidence in the beats of the recording.
_SURE = 0.3
#: Change of length from which a bar is uneven, and what an uneven bar costs a passage, in dB of its level.
_LEAST_UNEVEN, _UNEVEN = 0.03, 10.0
#: F-measure at which the beats of a passage that is tracked on its own are those of the whole recording, and most
#: passages that are tracked.
_AGREES, _MOST_TRIES = 0.9, 5


@dataclass(frozen=True)
class Passage:
    """Bars of a recording for the bars of a dance.

    Attributes:
        record: float64 (B + 1,), seconds in the recording of the bar lines.
        dance: float64 (B + 1,), seconds of the bar lines that they are moved to.
    """

    record: np.ndarray
    dance: np.ndarray


class RecordEngine(Engine):
    """Engine that plays a recording; see the module's docstring.

    Args:
        path: a sound file, or a video with sound.

    Raises:
        D2MError: if the file has no sound, or no clear beat.
    """

    def __init__(self, path: Path) -> None:
        from d2m.media.sound import read_audio

        self.name, self.weights = "record", ("studio-beats",)
        self.path = path
        self._sound = read_audio(path, RATE, mono=False)
        if self._sound.shape[1] > LONGEST * RATE:
            raise D2MError(f"{path}: a recording may last {LONGEST / 60:.0f} minutes at most; cut it")
        self._beats = track_sound(self._sound, RATE)
        if len(self._beats.beats) < 9 or self._beats.confidence < _SURE:
            raise D2MError(f"{path}: no clear beat was found in this recording; choose one with drums")

    @property
    def tempo(self) -> float:
        """Beats per minute of the recording."""
        return self._beats.tempo

    @property
    def beats(self) -> np.ndarray:
        """Beats of the recording in seconds, float64 (K,)."""
        return self._beats.beats

    def compose(self, dance: Dance, *, seed: int = 0, progress: Progress | None = None) -> Soundtrack:
        """Stretch the recording onto the dancer's beats; see :meth:`Engine.compose`.

        Args:
            dance: analysis of a video.
            seed: not used.
            progress: called with the share done, from 0 to 1.

        Raises:
            D2MError: if the tempos are too far apart.
        """
        ratio, change = fitting_ratio(self._beats.tempo, dance.grid.tempo)
        if abs(change) > MOST_STRETCH:
            raise D2MError(
                f"{self.path} is at {self._beats.tempo:.0f} bpm and the dance at {dance.grid.tempo:.0f}: a change of "
                f"{100 * abs(change):.0f} % would be heard; choose another recording, or add --tempo "
                f"{self._beats.tempo:.0f}"
            )
        passages = choose_passages(self._sound, self._beats, dance, ratio)
        wave = np.zeros((len(self._sound), round(dance.duration * RATE)), np.float32)
        for index, passage in enumerate(passages):
            _add(wave, self._sound, passage)
            if progress:
                progress((index + 1) / len(passages))
        fade = min(round(_END * RATE), wave.shape[1])
        wave[:, wave.shape[1] - fade :] *= np.linspace(1.0, 0.0, fade, dtype=np.float32) ** 2
        details = {
            "codec": None,
            "record": self.path.name,
            "record_tempo": round(self._beats.tempo, 2),
            "stretch": round(change, 4),
        }
        provenance: dict[str, object] = {
            "engine": self.name, "weights": list(self.weights), "seed": seed, "genre": dance.genre, "details": details
        }  # fmt: skip
        return Soundtrack(master(wave, RATE, dance.duration), RATE, dance.grid, provenance=provenance)


def fitting_ratio(record: float, dance: float) -> tuple[float, float]:
    """Return how many beats of the recording make a beat of the dance, and the change of tempo that is left.

    Args:
        record, dance: tempos in beats per minute.

    Returns:
        1, 2 or 0.5, and the change of tempo: 0.1 is 10 % faster.
    """
    ratio = min(_RATIOS, key=lambda each: abs(math.log(dance * each / record)))
    return ratio, dance * ratio / record - 1.0


def choose_passages(sound: np.ndarray, beats: SoundBeats, dance: Dance, ratio: float) -> list[Passage]:
    """Choose bars of a recording for the bars of a dance.

    Args:
        sound: float32 (channels, samples) at :data:`RATE`.
        beats: its beats.
        dance: the dance.
        ratio: beats of the recording to a beat of the dance.

    Returns:
        Passages that follow each other; more than one where the recording is too short, or a bar would drift.
    """
    lines = dance_lines(dance.grid, dance.duration)
    step = dance.grid.beats_per_bar * ratio
    first = _record_lines(beats, step)
    count = len(lines) - 1
    length = len(first) - 1
    begin = _best_start(sound, beats, first, _energies(dance, lines)) if length > count else 0
    passages: list[Passage] = []
    at = 0
    while at < count:
        bars = min(count - at, length - begin)
        record, wanted = first[begin : begin + bars + 1], lines[at : at + bars + 1]
        passages += _steady(record, wanted)
        at, begin = at + bars, 0
    return passages


def dance_lines(grid: BeatGrid, duration: float) -> np.ndarray:
    """Return the bar lines from the last at or before 0 to the first at or after the end, in seconds.

    Args:
        grid: beats of the dance.
        duration: seconds.
    """
    bar = grid.beats_per_bar * 60.0 / grid.tempo
    wide = grid.covering(duration + 2 * bar)
    lines = [float(time) for time in wide.beats[wide.downbeats]] or [float(wide.beats[0])]
    while lines[0] > 1e-6:
        lines.insert(0, lines[0] - bar)
    while lines[-1] < duration:
        lines.append(lines[-1] + bar)
    times = np.array(lines)
    start = int(np.searchsorted(times, 1e-6, side="right")) - 1
    return times[start : int(np.searchsorted(times, duration - 1e-6)) + 1]


def _record_lines(beats: SoundBeats, step: float) -> np.ndarray:
    """Return times in the recording, ``step`` beats apart, from its first bar line on."""
    first = int(beats.downbeats[0]) if len(beats.downbeats) else 0
    positions = np.arange(first, len(beats.beats) - 1 + 1e-6, step)
    return np.interp(positions, np.arange(len(beats.beats)), beats.beats)


def _levels(sound: np.ndarray, lines: np.ndarray) -> np.ndarray:
    """Return the level in dB of each bar."""
    total = np.concatenate([[0.0], np.cumsum(np.square(sound, dtype=np.float64).mean(0))])
    edges = np.clip(np.round(lines * RATE).astype(int), 0, len(total) - 1)
    return 10 * np.log10(np.diff(total[edges]) / np.maximum(np.diff(edges), 1) + 1e-9)


def _energies(dance: Dance, lines: np.ndarray) -> np.ndarray:
    """Return the dancer's energy in each bar."""
    at = dance.grid.position_of((lines[:-1] + lines[1:]) / 2)
    half = dance.grid.beats_per_bar / 2
    energy = np.asarray(dance.energy, np.float64)
    spans = [(int(np.clip(c - half, 0, len(energy) - 1)), int(np.clip(c + half, 1, len(energy)))) for c in at]
    return np.array([energy[low : max(high, low + 1)].mean() for low, high in spans])


def _best_start(sound: np.ndarray, beats: SoundBeats, lines: np.ndarray, energies: np.ndarray) -> int:
    """Return the bar of the recording from which the passage begins.

    Loud bars should meet lively ones; quiet passages count less, and bars of another length than usual, in which the
    tracker has corrected itself, much less. The best passages are tracked again on their own, and the first one is
    taken in which the beats are the same.

    Args:
        sound: float32 (channels, samples) at :data:`RATE`.
        beats: its beats.
        lines: its bar lines in seconds, float64 (B + 1,).
        energies: the dancer's energy in each bar, fewer than B.
    """
    count = len(energies)
    values = _starts(_levels(sound, lines), _uneven(lines), energies)
    agreements: dict[int, float] = {}
    while len(agreements) < min(_MOST_TRIES, len(values)) and values.max() > -np.inf:
        begin = int(np.argmax(values))
        agreements[begin] = _agreement(sound, beats, lines[begin], lines[begin + count])
        if agreements[begin] >= _AGREES:
            return begin
        near = max(count // 2, 1)
        values[max(begin - near + 1, 0) : begin + near] = -np.inf
    return max(agreements, key=lambda begin: agreements[begin])


def _starts(levels: np.ndarray, uneven: np.ndarray, energies: np.ndarray) -> np.ndarray:
    """Return a value for each bar from which a passage may begin, higher for better ones."""
    count = len(energies)
    wanted = energies - energies.mean()
    values = []
    for begin in range(len(levels) - count + 1):
        part = levels[begin : begin + count]
        values.append(part.mean() + np.dot(part - part.mean(), wanted) - _UNEVEN * uneven[begin : begin + count].sum())
    return np.array(values)


def _uneven(lines: np.ndarray) -> np.ndarray:
    """Return for each bar whether its length differs from that of the bars around it."""
    lengths = np.diff(lines)
    around = np.array([np.median(lengths[max(i - 4, 0) : i + 5]) for i in range(len(lengths))])
    return np.abs(lengths / around - 1.0) > _LEAST_UNEVEN


def _agreement(sound: np.ndarray, beats: SoundBeats, begin: float, end: float) -> float:
    """Return the F-measure of the beats of a passage tracked on its own against those of the whole recording."""
    low, high = max(round(begin * RATE), 0), min(round(end * RATE), sound.shape[1])
    alone = track_sound(sound[:, low:high], RATE).beats + low / RATE
    return beat_f_measure(beats.beats[(beats.beats >= begin) & (beats.beats < end)], alone)


def _steady(record: np.ndarray, wanted: np.ndarray) -> list[Passage]:
    """Divide bars into runs that one rate stretches onto the dancer's bar lines, each within a few milliseconds."""
    passages, begin = [], 0
    while begin < len(record) - 1:
        end = begin + 1
        while end < len(record) - 1 and _drift(record[begin : end + 2], wanted[begin : end + 2]) < _DRIFT:
            end += 1
        passages.append(Passage(record[begin : end + 1], wanted[begin : end + 1]))
        begin = end
    return passages


def _drift(record: np.ndarray, wanted: np.ndarray) -> float:
    """Return by how many seconds a bar line is missed at most if the whole run is stretched evenly."""
    share = (record - record[0]) / (record[-1] - record[0])
    return float(np.abs(wanted[0] + share * (wanted[-1] - wanted[0]) - wanted).max())


def _add(wave: np.ndarray, sound: np.ndarray, passage: Passage) -> None:
    """Stretch a passage and crossfade it into the music at its place."""
    source = float(passage.record[-1] - passage.record[0])
    target = float(passage.dance[-1] - passage.dance[0])
    rate = source / target
    first, last = passage.record[0] - _MARGIN * rate, passage.record[-1] + _MARGIN * rate
    played = stretched(_cut(sound, first, last), rate)
    begin = round((passage.dance[0] - _MARGIN) * RATE)
    half, margin = round(_CROSSFADE / 2 * RATE), round(_MARGIN * RATE)
    length = round(target * RATE)
    gain = np.zeros(played.shape[1], np.float32)
    gain[margin - half : margin + length + half] = 1.0
    ramp = np.linspace(0.0, 1.0, 2 * half, dtype=np.float32)
    gain[margin - half : margin + half] = ramp
    stop = min(margin + length + half, len(gain))
    gain[margin + length - half : stop] = ramp[::-1][: stop - (margin + length - half)]
    low, high = max(begin, 0), min(begin + played.shape[1], wave.shape[1])
    if high > low:
        wave[:, low:high] += (played * gain)[:, low - begin : high - begin]


def _cut(sound: np.ndarray, first: float, last: float) -> np.ndarray:
    """Return the samples between two times, silence beyond the ends."""
    low, high = round(first * RATE), round(last * RATE)
    left, right = max(-low, 0), max(high - sound.shape[1], 0)
    return np.pad(sound[:, max(low, 0) : min(high, sound.shape[1])], ((0, 0), (left, right)))


def stretched(sound: np.ndarray, rate: float) -> np.ndarray:
    """Play a sound faster or slower without a change of pitch.

    Args:
        sound: float32 (channels, samples).
        rate: 1.1 is 10 % faster.

    Returns:
        float32 (channels, about samples / rate).
    """
    import python_stretch

    stretch = python_stretch.Signalsmith.Stretch()
    stretch.preset(len(sound), RATE)
    stretch.setTimeFactor(float(rate))
    return np.asarray(stretch.process(np.ascontiguousarray(sound, np.float32)), np.float32)
