"""The plan of a piece: everything that the music will be, between watching a video and playing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from d2m.errors import D2MError
from d2m.genres import genre_names
from d2m.types import BEAT_SOURCES, ROLES, SUBJECTS, TRACKS, BeatGrid, genre_code

#: Tracks that can be left out, kept alone and mixed.
PARTS: tuple[str, ...] = (*TRACKS, "effects")
#: What may be left out beside the tracks: voices, which are on the tracks strings and effects.
VOCALS = "vocals"
#: Largest change of level of a track, in dB.
MOST_GAIN = 24.0
#: Ways to begin a section.
TRANSITIONS: tuple[str, ...] = ("auto", "none")
#: Seconds that two sections may be apart and still follow each other.
SAME = 1e-4
#: Seconds from a bar line within which a time is on it.
LINE = 0.02
#: Beats that the grid may lie beyond either end of the music, and beats that the music may have (24 hours at 1000 bpm).
MOST_REACH, MOST_BEATS = 1000, 1_440_000
#: Largest usual distance of two beats in seconds.
SLOWEST_BEAT = 12.0


@dataclass
class Section:
    """A section of the piece.

    Attributes:
        start, end: seconds. Sections that follow each other meet at a bar line; elsewhere the music rests.
        genre: name of a dance genre.
        role: one of :data:`d2m.types.ROLES`; ``"auto"`` leaves the form within the section to the arranger.
        mood: name of an emotion and strength, such as ``"gloomy:0.6"``, or "".
        energy: how full the music is, 0 to 1: the mean over the section, around which it follows the dancer.
        key: key such as ``"A:min"``, or "" for the arranger's choice.
        arranger: name of the arranger that writes the notes.
        seed: random seed. Sections of one genre and seed share their key, chords and instruments.
        transition: ``"auto"``: a bar composed by the bridge network leads here from another genre or key; ``"none"``.
        cause: why the section begins here, for readers: ``"start"``, ``"cut"``, ``"energy"`` …
    """

    start: float
    end: float
    genre: str
    role: str = "auto"
    mood: str = ""
    energy: float = 0.5
    key: str = ""
    arranger: str = "composer"
    seed: int = 0
    transition: str = "auto"
    cause: str = ""


@dataclass
class Hit:
    """A strong move that the whole band plays.

    Attributes:
        time: seconds.
        strength: 0 to 1; above 0.6 it gets an effect, too.
        kind: why it is there, for readers: ``"move"``, ``"cut"`` or ``"given"``.
    """

    time: float
    strength: float = 0.8
    kind: str = "move"


@dataclass
class Mix:
    """Changes to the mix, over the whole piece.

    Attributes:
        without: tracks that are left out (:data:`PARTS`), and :data:`VOCALS`.
        gains: level in dB by track.
        instruments: General MIDI program, or name of a patch of the sound library, by track.
    """

    without: tuple[str, ...] = ()
    gains: dict[str, float] = field(default_factory=dict)
    instruments: dict[str, str] = field(default_factory=dict)


@dataclass
class Plan:
    """The plan of a piece.

    Attributes:
        duration: seconds.
        beats: float64 (N,), beat times in seconds.
        downbeats: indices of the first beats of bars.
        tempo: beats per minute, for readers and for the mix.
        energy: float (N,) in 0..1 per beat.
        sections: in their order.
        hits: strong moves that the band plays together.
        source, confidence: of the beats.
        beats_per_bar: beats per bar.
        forgiving: whether the beats may be wrong, so that the music begins softly and has no hits.
        fade_in, fade_out: seconds.
        loop: whether the end leads back to the beginning.
        mix: changes to the mix.
        subject: what the video shows, one of :data:`d2m.types.SUBJECTS`; the voice in one of ``"speech"`` is kept.
        reason: why that was decided, for readers.
    """

    duration: float
    beats: np.ndarray
    downbeats: np.ndarray
    tempo: float
    energy: np.ndarray
    sections: list[Section]
    hits: list[Hit] = field(default_factory=list)
    source: str = "given"
    confidence: float = 0.0
    beats_per_bar: int = 4
    forgiving: bool = False
    fade_in: float = 0.0
    fade_out: float = 0.0
    loop: bool = False
    mix: Mix = field(default_factory=Mix)
    subject: str = "dance"
    reason: str = ""

    def section(self, number: int) -> Section:
        """Return a section by its number.

        Args:
            number: from 1.

        Raises:
            D2MError: if there is no such section.
        """
        if not 1 <= number <= len(self.sections):
            raise D2MError(f"there is no section {number}; the plan has {len(self.sections)}")
        return self.sections[number - 1]

    @property
    def grid(self) -> BeatGrid:
        """The beats as a grid."""
        return BeatGrid(
            np.asarray(self.beats, np.float64),
            np.asarray(self.downbeats, np.int64),
            float(self.tempo),
            float(self.confidence),
            int(self.beats_per_bar),
            self.source,
        )

    def follows(self, index: int) -> bool:
        """Tell whether a section begins where the one before it ends.

        Args:
            index: of the section, from 0.
        """
        return index > 0 and self.sections[index].start - self.sections[index - 1].end < SAME

    def check(self) -> Plan:
        """Check that the plan can be played, and return it.

        Raises:
            PlanError: if a value cannot be used.
        """
        _check_piece(self)
        for index, section in enumerate(self.sections):
            _check_section(section, index, self)
        for index, (before, after) in enumerate(pairwise(self.sections), 1):
            if after.start < before.end - SAME:
                raise PlanError("section", index, "start", "the section before it ends later; move its start")
        for index, hit in enumerate(self.hits):
            _number("hit", index, "time", hit.time, 0.0, self.duration)
            _number("hit", index, "strength", hit.strength, 0.0, 1.0)
        _check_mix(self.mix)
        return self


class PlanError(D2MError):
    """A value of a plan that cannot be used.

    Args:
        table: name of the table, such as ``"section"``, or "" for the top.
        index: number in an array of tables, from 0, or None.
        key: the key, or "".
        what: what is wrong and what to do.
    """

    def __init__(self, table: str, index: int | None, key: str, what: str) -> None:
        self.table, self.index, self.key, self.what = table, index, key, what
        place = table if index is None else f"{table} {index + 1}"
        super().__init__(f"{place + ', ' if place else ''}{key + ': ' if key else ''}{what}")


def _number(table: str, index: int | None, key: str, value: float, low: float, high: float) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise PlanError(table, index, key, f"{value!r} is not usable; give a number from {low:g} to {high:g}")


def _choice(table: str, index: int | None, key: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise PlanError(table, index, key, f"{value!r} does not exist; choose {', '.join(choices)}")


def _check_piece(plan: Plan) -> None:
    _number("", None, "duration", plan.duration, 0.01, 24 * 3600.0)
    beats, downbeats = np.asarray(plan.beats), np.asarray(plan.downbeats)
    if beats.ndim != 1 or len(beats) < 2 or not np.isfinite(beats).all() or (np.diff(beats) <= 0.01).any():
        raise PlanError("tempo", None, "beats", "beats are two or more rising times in seconds")
    spacing = float(np.median(np.diff(beats)))
    if beats[0] > plan.duration + MOST_REACH * spacing or beats[-1] < -MOST_REACH * spacing:
        raise PlanError("tempo", None, "beats", f"the beats lie far from the music of {plan.duration:g} s; move them")
    if spacing > SLOWEST_BEAT:
        raise PlanError("tempo", None, "beats", f"most beats are more than {SLOWEST_BEAT:g} s apart; give more of them")
    if plan.duration / spacing > MOST_BEATS:
        raise PlanError("tempo", None, "beats", f"that is more than {MOST_BEATS} beats in the music; give fewer")
    if not ((downbeats >= 0) & (downbeats < len(beats))).all() or (np.diff(downbeats) <= 0).any():
        raise PlanError("tempo", None, "downbeats", f"downbeats are rising numbers of beats, 0 to {len(beats) - 1}")
    energy = np.asarray(plan.energy)
    if energy.shape != beats.shape or not ((energy >= 0) & (energy <= 1)).all():
        raise PlanError("tempo", None, "energy", "energy has one number from 0 to 1 for each beat")
    _number("tempo", None, "bpm", plan.tempo, 10.0, 1000.0)
    _number("tempo", None, "confidence", plan.confidence, 0.0, 1.0)
    _number("tempo", None, "beats_per_bar", plan.beats_per_bar, 1, 32)
    if plan.beats_per_bar != int(plan.beats_per_bar):
        raise PlanError("tempo", None, "beats_per_bar", f"{plan.beats_per_bar!r} is not a whole number")
    _choice("tempo", None, "source", plan.source, BEAT_SOURCES)
    _choice("", None, "subject", plan.subject, SUBJECTS)
    for key in ("fade_in", "fade_out"):
        _number("", None, key, getattr(plan, key), 0.0, plan.duration)
    if not plan.sections:
        raise PlanError("", None, "section", "the plan has no section; add one with start and end")
    if plan.loop and (plan.sections[0].start > SAME or plan.sections[-1].end < plan.duration - SAME):
        raise PlanError("", None, "loop", "music that loops fills the whole duration; extend the sections")
    if plan.loop and (plan.fade_in or plan.fade_out):
        raise PlanError("", None, "loop", "fades would be a seam of music that loops; set them to 0, or loop to false")
    if plan.loop and not _is_round(plan):
        what = "music that loops has a bar line at its beginning and end; make its plan with 'd2m generate --loop'"
        raise PlanError("", None, "loop", what)


def _is_round(plan: Plan) -> bool:
    """Tell whether there is a bar line at both ends of the music."""
    grid = plan.grid.covering(plan.duration)
    lines = grid.beats[grid.downbeats]
    return bool(len(lines)) and all(np.abs(lines - time).min() <= LINE for time in (0.0, plan.duration))


def _check_section(section: Section, index: int, plan: Plan) -> None:
    from d2m.engines.arrangers import ARRANGERS, is_arranger
    from d2m.symbolic.keys import read_key

    def fail(key: str, what: str) -> None:
        raise PlanError("section", index, key, what)

    _number("section", index, "start", section.start, 0.0, plan.duration)
    _number("section", index, "end", section.end, 0.0, plan.duration + SAME)
    if section.end - section.start < 0.2:
        fail("end", "a section lasts 0.2 s or more; move its end, or its start")
    try:
        genre_code(section.genre)
    except ValueError:
        fail("genre", f"{section.genre!r} does not exist; choose {', '.join(genre_names())}")
    _choice("section", index, "role", section.role, ROLES)
    _choice("section", index, "transition", section.transition, TRANSITIONS)
    if not is_arranger(section.arranger) and not section.arranger.lower().endswith((".mid", ".midi")):
        fail("arranger", f"{section.arranger!r} does not exist; choose {', '.join(ARRANGERS)}")
    _number("section", index, "energy", section.energy, 0.0, 1.0)
    _number("section", index, "seed", section.seed, 0, 2**63 - 1)
    for key, read in (("key", read_key), ("mood", read_mood)):
        if value := getattr(section, key):
            try:
                read(value)
            except D2MError as error:
                fail(key, str(error))
    if plan.follows(index):
        lines = plan.grid.beats[plan.grid.downbeats]
        if len(lines) and np.abs(lines - section.start).min() > LINE:
            near = float(lines[np.abs(lines - section.start).argmin()])
            fail("start", f"sections meet at bar lines; the nearest to {section.start:g} s is at {near:.3f} s")


def read_mood(text: str) -> object:
    """Read a mood.

    Args:
        text: such as ``"gloomy:0.6"``.

    Raises:
        D2MError: if there is no such mood.
    """
    from d2m.symbolic.emotion.mood import Mood

    return Mood.read(text)


def _check_mix(mix: Mix) -> None:
    for name in mix.without:
        _choice("mix", None, "without", name, (*PARTS, VOCALS))
    if set(PARTS) <= set(mix.without):
        raise PlanError("mix", None, "without", "all tracks are left out; keep one of them")
    for name, gain in mix.gains.items():
        _choice("mix", None, name, name, PARTS)
        _number("mix", None, name, gain, -MOST_GAIN, MOST_GAIN)
    for name, instrument in mix.instruments.items():
        _choice("mix", None, name, name, TRACKS)
        check_instrument(name, instrument)


def check_instrument(track: str, instrument: str) -> None:
    """Check that an instrument exists and belongs to a track.

    Args:
        track: one of :data:`d2m.types.TRACKS`.
        instrument: General MIDI program, 0 to 127, or name of a patch of the sound library.

    Raises:
        PlanError: if it does not.
    """
    from d2m.sounds.patches import patches

    if instrument.isdecimal():
        if len(instrument) > 3 or int(instrument) > 127:
            raise PlanError("mix", None, track, f"General MIDI has programs 0 to 127, not {instrument}")
        return
    if instrument not in patches() or instrument.startswith("fx."):
        raise PlanError(
            "mix",
            None,
            track,
            f"no patch '{instrument}'; docs/sounds.md lists them; or give a program, 0-127",
        )
    if instrument.startswith("kit.") != (track == "drums"):
        raise PlanError("mix", None, track, f"the patch '{instrument}' does not fit this track; choose another")
