"""Data classes that are passed between the parts of d2m: small frozen records with units.

Of d2m they depend on :mod:`d2m.genres` only, so that features, generator and symbolic music can exchange data without
importing one another. No heavy package is imported here.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from d2m.genres import GENRES as GENRES
from d2m.genres import genre_code as genre_code

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

#: The five tracks of a score, in the order that MuseGAN uses.
TRACKS: tuple[str, ...] = ("drums", "piano", "guitar", "bass", "strings")

#: Sources of beats: the clip's own sound, the dancer's movement, the motion of the whole picture if nobody is
#: found, or given (by the user, a score, a data set); the cuts of a film, or a steady tempo chosen for what it shows.
BEAT_SOURCES: tuple[str, ...] = ("sound", "dance", "picture", "given", "cuts", "steady")
#: What a video shows: a dance, somebody who speaks, a landscape, or other pictures without a dancer.
SUBJECTS: tuple[str, ...] = ("dance", "speech", "landscape", "picture")


@dataclass(frozen=True)
class Motion:
    """A dancer's landmarks over time.

    Attributes:
        joints: float32 (T, J, 3). x and y in picture heights (x to the right, y downwards, the picture's
            aspect kept, so that a length means the same in both), z in the same unit away from the camera;
            for skeletons in space, metres with y upwards.
        fps: frames a second, evenly spaced from time 0.
        skeleton: ``"mediapipe33"``, ``"body25"``, ``"coco17"`` or ``"smpl24"``.
        confidence: float32 (T, J), 0 to 1; 0 where a joint was filled in.
        cuts: rising indices of frames at which another shot or another person begins; no movement leads across them.
    """

    joints: np.ndarray
    fps: float
    skeleton: str
    confidence: np.ndarray
    cuts: tuple[int, ...] = ()

    @property
    def duration(self) -> float:
        """Seconds."""
        return len(self.joints) / self.fps

    def shots(self) -> list[slice]:
        """Return the frames from each cut to the next; one slice over all frames where there are no cuts."""
        edges = [0, *(cut for cut in self.cuts if 0 < cut < len(self.joints)), len(self.joints)]
        return [slice(first, last) for first, last in pairwise(edges)]


@dataclass(frozen=True)
class SmplMotion:
    """Body pose in SMPL's parameters (Loper et al. 2015), as AIST++ stores it.

    Attributes:
        poses: float32 (T, 24, 3), axis-angle in radians.
        translation: float32 (T, 3), in AIST++ units (centimetres times ``scale``).
        scale: the AIST++ ``smpl_scaling`` of this performance.
        fps: frames a second.
    """

    poses: np.ndarray
    translation: np.ndarray
    scale: float
    fps: float


@dataclass(frozen=True)
class Visual:
    """One feature vector of the picture per segment: float32 (S, D), and the model that made it."""

    features: np.ndarray
    model: str


@dataclass(frozen=True)
class BeatGrid:
    """Times of beats and downbeats, which all engines follow.

    A position on the grid is a float number of beats: position ``i`` is ``beats[i]`` seconds, in between it
    is interpolated, and beyond both ends the first and last spacing go on.

    Attributes:
        beats: float64 (N,), N >= 2, strictly rising beat times in seconds. May start before 0 or end after
            the video, so that every instant of the video lies between two beats.
        downbeats: int64 (M,), indices into ``beats`` of the first beat of each bar.
        tempo: beats a minute (the median).
        confidence: 0 (a steady guess, the motion said nothing) to 1.
        beats_per_bar: 4 for all ten genres.
        source: where the beats come from, one of :data:`BEAT_SOURCES`.
    """

    beats: np.ndarray
    downbeats: np.ndarray
    tempo: float
    confidence: float
    beats_per_bar: int = 4
    source: str = "given"

    def time_of(self, position: ArrayLike) -> np.ndarray:
        """Convert positions in beats to seconds.

        Args:
            position: beats, of any shape.

        Returns:
            float64, seconds.
        """
        return _extrapolate(np.asarray(position, dtype=np.float64), np.arange(len(self.beats)), self.beats)

    def position_of(self, time: ArrayLike) -> np.ndarray:
        """Convert seconds to positions in beats.

        Args:
            time: seconds, of any shape.

        Returns:
            float64, beats.
        """
        return _extrapolate(np.asarray(time, dtype=np.float64), self.beats, np.arange(len(self.beats)))

    def covering(self, duration: float) -> BeatGrid:
        """Return the same beats from the last at or before 0 to the first at or after ``duration`` seconds.

        Where beats are missing at an end, the typical spacing of the four nearest intervals goes on there; bar lines
        go on every ``beats_per_bar`` beats.

        Args:
            duration: seconds.
        """
        count = len(self.beats)
        last = min(int(np.searchsorted(self.beats, duration - 1e-9)), count - 1)
        first = min(max(int(np.searchsorted(self.beats, 1e-9)) - 1, 0), max(last - 1, 0))
        beats = self.beats[first : max(last, first + 1) + 1]
        spacing = np.diff(beats)
        head, tail = float(np.median(spacing[:4])), float(np.median(spacing[-4:]))
        before = max(int(np.ceil(beats[0] / head - 1e-9)), 0)
        after = max(int(np.ceil((duration - beats[-1]) / tail - 1e-9)), 0)
        beats = np.concatenate(
            [beats[0] - np.arange(before, 0, -1) * head, beats, beats[-1] + np.arange(1, after + 1) * tail]
        )
        lines = [int(line) - first + before for line in self.downbeats]
        usual = max(int(self.beats_per_bar), 1)
        if lines:
            lines = [*range(lines[0] % usual, lines[0], usual), *lines, *range(lines[-1] + usual, len(beats), usual)]
        downbeats = np.array([line for line in lines if 0 <= line < len(beats)], dtype=np.int64)
        return replace(self, beats=beats, downbeats=downbeats)

    @classmethod
    def steady(cls, tempo: float, duration: float, first_beat: float = 0.0, confidence: float = 0.0) -> BeatGrid:
        """Make a grid of one tempo with bar lines every four beats.

        Args:
            tempo: beats per minute.
            duration: seconds that the grid covers.
            first_beat: time in seconds of a beat from which bars are counted.
            confidence: confidence of the grid.
        """
        period = 60.0 / tempo
        before = int(np.ceil(max(first_beat, 0.0) / period))
        before += -before % 4
        count = before + int(np.ceil((duration - first_beat) / period)) + 1
        beats = first_beat + (np.arange(max(count, before + 2)) - before) * period
        return cls(beats, np.arange(0, len(beats), 4), float(tempo), float(confidence))


def _extrapolate(x: np.ndarray, knots: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Linear interpolation that goes on at the first and last slope."""
    knots = np.asarray(knots, dtype=np.float64)
    values = np.asarray(values, dtype=np.float64)
    i = np.clip(np.searchsorted(knots, x, side="right") - 1, 0, len(knots) - 2)
    slope = (values[i + 1] - values[i]) / (knots[i + 1] - knots[i])
    return values[i] + slope * (x - knots[i])


#: Roles of a section in the form of a piece; ``"auto"`` leaves the form to the arranger, ``"bed"`` is quiet music under
#: a voice.
ROLES: tuple[str, ...] = ("auto", "intro", "verse", "lift", "chorus", "break", "outro", "bed")


@dataclass(frozen=True)
class Brief:
    """Requirements on a score besides the dance.

    Attributes:
        begin: seconds from which the music plays; a bar line, or 0.
        end: seconds at which another section follows; None for the end of the piece. The dance goes on for two bars or
            more, which the arranger may use to lead on; notes begin before ``end``.
        role: one of :data:`ROLES`.
        key: key such as ``"A:min"``, or None for the arranger's choice.
        hits: (seconds, strength in 0..1) of the moves that the whole band plays; None to choose them by the accents.
    """

    begin: float = 0.0
    end: float | None = None
    role: str = "auto"
    key: str | None = None
    hits: tuple[tuple[float, float], ...] | None = None

    @property
    def is_section(self) -> bool:
        """Whether the music is a section of a longer piece."""
        return self.begin > 0 or self.end is not None


@dataclass(frozen=True)
class Dance:
    """Analysis of a video, as input of engines.

    Attributes:
        duration: seconds of video; the music is made exactly this long.
        motion: the dancer who stands out most, in each shot; None when nobody was found.
        grid: the beats that the music follows.
        energy: float32 (N,) in 0..1, how much the dancer moves, one value per beat interval of ``grid``.
        accents: float32 (N,) in 0..1, the strength of the movement that lands on each beat of ``grid``.
        genre: AIST code such as ``"gHO"``, or None to let the engine choose.
        visual: visual features, or None.
        smpl: the same dance in SMPL's parameters, or None.
        forgiving: whether the beats are so unsure that the music had better not insist on them: a start without drums
            and bass, no hits of the whole band on strong moves, fewer instruments.
        brief: what is asked of the music besides; None for nothing.
        others: the other dancers, with as many frames as ``motion`` at its rate; confidence 0 where one is not seen.
    """

    duration: float
    motion: Motion | None
    grid: BeatGrid
    energy: np.ndarray
    accents: np.ndarray
    genre: str | None = None
    visual: Visual | None = None
    smpl: SmplMotion | None = None
    forgiving: bool = False
    others: tuple[Motion, ...] = ()
    brief: Brief | None = None

    @property
    def source(self) -> str:
        """Source of the beats, one of :data:`BEAT_SOURCES`."""
        return self.grid.source


@dataclass(frozen=True)
class Part:
    """One instrument of a score.

    Attributes:
        track: one of :data:`TRACKS`.
        program: General MIDI program 0..127; for drums the kit's program.
        starts, ends: float64 (N,), positions in beats on the score's grid; sorted by start.
        pitches: int64 (N,), MIDI note numbers; for drums General MIDI percussion keys.
        velocities: int64 (N,), 1..127.
        name: what a file calls the instrument, or "".
        controls: float64 (M, 3), position in beats, number and value of what moves the instrument beside its notes
            (pedal, volume, pitch bend, ...; see :mod:`d2m.symbolic.controls`), by position; or None.
        patch: name of a patch of the sound library (:mod:`d2m.sounds.patches`) that plays the part where the library
            is used; "" plays ``program``.
    """

    track: str
    program: int
    starts: np.ndarray
    ends: np.ndarray
    pitches: np.ndarray
    velocities: np.ndarray
    name: str = ""
    controls: np.ndarray | None = None
    patch: str = ""

    @property
    def is_drum(self) -> bool:
        return self.track == "drums"

    @property
    def is_effect(self) -> bool:
        """Whether it plays effects of the sound library, which are no notes: other players leave it out."""
        return self.patch.startswith("fx.")

    @property
    def is_vocal(self) -> bool:
        """Whether it is a voice of the sound library."""
        return self.patch.startswith(("voice.sung-", "fx.voice-"))


@dataclass(frozen=True)
class Lane:
    """Automation of the mix over a score.

    Attributes:
        target: a channel of the mixer (:data:`d2m.audio.presets.CHANNELS`) or ``"mix"`` for the sum.
        parameter: ``"gain"`` in dB or ``"lowpass"`` in hertz.
        beats: float64 (N,), rising positions on the score's grid.
        values: float64 (N,); interpolated in between, constant outside.
    """

    target: str
    parameter: str
    beats: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class Score:
    """Notes on a beat grid.

    Attributes:
        parts: the instruments; a track may have several parts (a pad and a violin line are both "strings").
        grid: turns positions in beats into seconds.
        duration: seconds; notes beyond it are not played.
        genre: AIST code, or None.
        key: e.g. ``"A:min"``, or None.
        lanes: automation of the mix.
        character: character of the mix (:func:`d2m.audio.presets.characters`), or "".
        key_changes: position in beats and name of each later key.
        loudness: how much louder than usual the finished music is, in LU.
    """

    parts: tuple[Part, ...]
    grid: BeatGrid
    duration: float
    genre: str | None = None
    key: str | None = None
    lanes: tuple[Lane, ...] = ()
    character: str = ""
    key_changes: tuple[tuple[float, str], ...] = ()
    loudness: float = 0.0

    def without_vocals(self) -> Score:
        """Return the score without the parts that are voices."""
        return replace(self, parts=tuple(part for part in self.parts if not part.is_vocal))

    def instruments(self) -> Score:
        """Return the score without the parts that play effects."""
        return replace(self, parts=tuple(part for part in self.parts if not part.is_effect))


@dataclass(frozen=True)
class Soundtrack:
    """Music made for a video.

    Attributes:
        waveform: float32 (channels, samples), within -1..1.
        sample_rate: hertz.
        grid: the beats that the music was made on.
        score: what was played, or None for an engine without one.
        codes: int64 (codebooks, frames), or None.
        stems: float32 (channels, samples) of each channel of the mix, which add up to the waveform; empty unless asked
            for.
        provenance: engine, weights, seed, versions: plain JSON values.
    """

    waveform: np.ndarray
    sample_rate: int
    grid: BeatGrid
    score: Score | None = None
    codes: np.ndarray | None = None
    provenance: dict[str, object] = field(default_factory=dict)
    stems: dict[str, np.ndarray] = field(default_factory=dict)
