"""Play a plan: each section is written, mixed and mastered alone, and the sections are joined.

A section therefore depends on its own lines of the plan, and on the beats and hits within it, alone. Two bars after its
end it has faded out under the next one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from d2m.audio.dynamics import needed_gain, recover
from d2m.audio.mastering import CEILING_DB, Excerpt, Finish, true_peaks
from d2m.engines.arrangers import Arranger, is_arranger, make_arranger
from d2m.engines.base import Progress, ScoreEngine
from d2m.errors import D2MError
from d2m.plans.edit import edited, edited_mix
from d2m.plans.merge import merged
from d2m.plans.transition import blend, bridged, differs, level_of
from d2m.plans.types import SAME, Plan, Section
from d2m.types import BeatGrid, Brief, Dance, Score, Soundtrack, genre_code

#: Seconds that a section which follows another is played before it begins: the attacks of its first notes.
LEAD = 0.1
#: Bars that the arranger knows of the next section, and seconds for which a section sounds on under it (of two bars at
#: most).
TAIL_BARS, TAIL_SECONDS = 2, 1.5
#: Level of a section in dB by its role; louder and softer sections keep their contrast after mastering.
LEVELS = {"intro": -2.0, "verse": -0.5, "lift": -0.5, "break": -2.5, "outro": -1.0, "bed": -8.0}


@dataclass(frozen=True)
class Piece:
    """A section as it is played.

    Attributes:
        section: of the plan.
        begin: seconds of the piece at which its dance begins.
        length: seconds from there to where the next section begins, or to its end.
        dance: dance of the section, with what it needs before and after.
    """

    section: Section
    begin: float
    length: float
    dance: Dance


def play(
    plan: Plan,
    engine: ScoreEngine,
    dance: Dance | None = None,
    *,
    stems: bool = False,
    progress: Progress | None = None,
) -> Soundtrack:
    """Play a plan.

    Args:
        plan: the plan.
        engine: plays the scores.
        dance: analysis of the video that the plan was made for, whose motion and picture the vq engine takes into
            account; None for the plan alone.
        stems: give the channels of the mix, too.
        progress: called with the share done.

    Raises:
        D2MError: if the plan cannot be played.
    """
    plan.check()
    pieces = list(_pieces(plan, dance))
    scores: list[Score] = []
    arrangers: dict[str, Arranger] = {name_in_plan(engine.arranger): engine.arranger}
    for section, piece in zip(plan.sections, pieces, strict=True):
        if section.arranger not in arrangers:
            arrangers[section.arranger] = _arranger(section.arranger)
        scores.append(edited(arrangers[section.arranger].write(piece.dance, section.seed), section, plan.mix))
    played, composed = _performed(plan, pieces, scores, engine, stems, progress)
    whole = len(played) == 1 and pieces[0].begin == 0.0 and abs(pieces[0].dance.duration - plan.duration) < SAME
    if whole and not (plan.loop or plan.fade_in or plan.fade_out or plan.sections[0].role == "bed"):
        return _named(played[0], plan, played, composed)
    return _named(_joined(plan, pieces, played), plan, played, composed)


def _performed(
    plan: Plan,
    pieces: list[Piece],
    scores: list[Score],
    engine: ScoreEngine,
    stems: bool,
    progress: Progress | None,
) -> tuple[list[Soundtrack], set[int]]:
    """Play the scores of the sections, with the transitions between them; also return which sections begin with one."""
    changed = _transitions(plan, pieces, scores)
    composed = {index + 1 for index in changed}
    if engine.is_causal:
        # Up to its last bar a section sounds the same with and without its transition.
        scores = [changed.get(index, score) for index, score in enumerate(scores)]
        changed = {}
    total = len(scores) + len(changed)

    def perform(score: Score, piece: Piece, done: int) -> Soundtrack:
        def tell(share: float) -> None:
            if progress:
                progress((done + share) / total)

        # The arranger knows more of the next section than what is heard under it.
        duration = min(piece.dance.duration, piece.length + TAIL_SECONDS)
        dance, score = replace(piece.dance, duration=duration), replace(score, duration=duration)
        return engine.perform(score, dance, seed=piece.section.seed, stems=stems, progress=tell)

    played: list[Soundtrack] = []
    for index, (piece, score) in enumerate(zip(pieces, scores, strict=True)):
        done = index + sum(other < index for other in changed)
        sound = perform(score, piece, done)
        if index in changed:
            sound = _with_transition(sound, perform(changed[index], piece, done + 1), piece)
        played.append(sound)
    return played, composed


def _transitions(plan: Plan, pieces: list[Piece], scores: list[Score]) -> dict[int, Score]:
    """Return the scores of the sections that lead to another genre or key, with their transition, by index."""
    changed = {}
    for index in range(len(scores) - 1):
        before, after = scores[index], scores[index + 1]
        wanted = plan.follows(index + 1) and plan.sections[index + 1].transition == "auto"
        if wanted and plan.beats_per_bar == 4 and differs(before, after):
            following = pieces[index + 1]
            begin = following.section.start - following.begin
            score = bridged(before, pieces[index].length, after, begin)
            if score is not None:
                changed[index] = edited_mix(score, plan.mix)
    return changed


def _with_transition(plain: Soundtrack, changed: Soundtrack, piece: Piece) -> Soundtrack:
    """Return the sound of a section with its transition; the notes are those with the transition."""
    grid = piece.dance.grid
    line = float(grid.time_of(round(float(grid.position_of(piece.length))) - 4))
    at = round(line * plain.sample_rate)
    gain = level_of(plain.waveform, changed.waveform, at, plain.sample_rate)
    silence = np.zeros_like(plain.waveform)
    stems = {
        name: blend(plain.stems.get(name, silence), changed.stems.get(name, silence), at, plain.sample_rate, gain)
        for name in {*plain.stems, *changed.stems}
    }
    wave = blend(plain.waveform, changed.waveform, at, plain.sample_rate, gain)
    return replace(plain, waveform=wave, stems=stems, score=changed.score)


def play_with(
    plan: Plan, engine: str | ScoreEngine = "symbolic", *, stems: bool = False, progress: Progress | None = None
) -> Soundtrack:
    """Play a plan with an engine by name; see :func:`play`.

    Args:
        plan: the plan.
        engine: name of an engine, or an engine.
        stems: give the channels of the mix, too.
        progress: called with the share done.

    Raises:
        D2MError: if the plan cannot be played, or the engine plays no score.
    """
    from d2m import engines

    loaded = engines.load(engine) if isinstance(engine, str) else engine
    if not isinstance(loaded, ScoreEngine):
        raise D2MError(f"the engine {loaded.name} plays no score; choose another one")
    return play(plan, loaded, stems=stems, progress=progress)


def name_in_plan(arranger: Arranger) -> str:
    """Return what a plan calls an arranger: its name, or the path of the user's MIDI file.

    Args:
        arranger: the arranger.
    """
    return str(getattr(arranger, "path", arranger.name))


def _arranger(name: str) -> Arranger:
    if is_arranger(name):
        return make_arranger(name)
    from pathlib import Path

    from d2m.engines.arrangers_midi import MidiArranger

    return MidiArranger(Path(name))


def _pieces(plan: Plan, dance: Dance | None) -> Iterator[Piece]:
    """Yield the sections with their dances."""
    grid = plan.grid.covering(plan.duration + 60.0 / plan.tempo * plan.beats_per_bar * (TAIL_BARS + 1))
    bar = plan.beats_per_bar * float(np.median(np.diff(plan.beats)))
    for index, section in enumerate(plan.sections):
        last = index == len(plan.sections) - 1
        followed = plan.follows(index + 1) if not last else plan.loop
        lead = LEAD if plan.follows(index) else 0.0
        begin = max(section.start - lead, 0.0)
        lead = section.start - begin if plan.follows(index) else 0.0
        begin = section.start - lead
        length = section.end - begin
        tail = (TAIL_BARS + 0.02) * bar if followed else 0.0
        brief = Brief(
            begin=lead,
            end=length if followed else None,
            role=section.role,
            key=section.key or None,
            hits=tuple(
                (hit.time - begin, hit.strength)
                for hit in plan.hits
                if section.start - 1e-6 <= hit.time < section.end - 1e-6
            ),
        )
        yield Piece(section, begin, length, _cut(plan, grid, dance, section, begin, length + tail, brief))


def _cut(
    plan: Plan, grid: BeatGrid, dance: Dance | None, section: Section, begin: float, duration: float, brief: Brief
) -> Dance:
    """Return the dance from ``begin`` on."""
    whole = begin == 0.0 and abs(duration - plan.duration) < SAME
    shifted = plan.grid if whole else replace(grid, beats=grid.beats - begin).covering(duration)
    times = shifted.beats + begin
    at = np.clip(np.round(plan.grid.position_of(times)).astype(int), 0, len(plan.beats) - 1)
    inside = (times >= section.start - 1e-3) & (times < section.end - 1e-3)
    energy = np.asarray(plan.energy, np.float64)[at]
    if inside.any():
        # What lies outside belongs to other sections, which this one must not depend on.
        energy = np.where(inside, energy, energy[inside].mean()) if not whole else energy
        moved = section.energy - round(float(energy[inside].mean()), 4)
        energy = np.clip(energy + (moved if abs(moved) > 1e-3 else 0.0), 0.0, 1.0)
    accents = np.zeros(len(at), np.float32)
    for time, strength in brief.hits or ():
        accents[int(np.abs(shifted.beats - time).argmin())] = strength
    base = dance or Dance(plan.duration, None, plan.grid, energy, accents)
    if dance is not None and whole and len(dance.accents) == len(accents):
        accents = np.asarray(dance.accents)
    return replace(
        base,
        duration=duration,
        motion=_motion(base, begin, duration),
        visual=base.visual if whole else None,
        grid=shifted,
        energy=energy.astype(np.float32),
        accents=accents,
        genre=genre_code(section.genre),
        forgiving=plan.forgiving,
        brief=brief,
    )


def _motion(dance: Dance, begin: float, duration: float) -> Any:
    """Return the motion from ``begin`` on, for as long as there is any."""
    motion = dance.motion
    if motion is None or begin == 0.0:
        return motion
    first, last = round(begin * motion.fps), round((begin + duration) * motion.fps)
    if first >= len(motion.joints) - 2:
        return None
    cuts = tuple(cut - first for cut in motion.cuts if first < cut < last)
    return replace(motion, joints=motion.joints[first:last], confidence=motion.confidence[first:last], cuts=cuts)


def _joined(plan: Plan, pieces: list[Piece], played: list[Soundtrack]) -> Soundtrack:
    """Join the sections: each fades out under the next, and peaks of the sum are limited."""
    rate = played[0].sample_rate
    names = sorted({name for sound in played for name in sound.stems})
    lengths = [sound.waveform.shape for sound in played]
    total = _laid(plan, pieces, _taken(played), rate)
    gain = _safe(total, rate)
    stems = {}
    for name in names:
        parts = (
            sound.stems.pop(name, np.zeros(shape, np.float32)) for sound, shape in zip(played, lengths, strict=True)
        )
        stems[name] = _finished(gain, _laid(plan, pieces, parts, rate), plan, rate)
    sound = replace(played[0], waveform=_finished(gain, total, plan, rate), stems=stems, grid=plan.grid)
    codes = [each.codes for each in played if each.codes is not None]
    sound = replace(sound, codes=np.concatenate(codes, axis=1) if len(codes) == len(played) else None)
    scores = [(each.score, piece.begin) for each, piece in zip(played, pieces, strict=True) if each.score is not None]
    return replace(sound, score=merged(plan, scores) if scores else None)


def _taken(played: list[Soundtrack]) -> Iterator[np.ndarray]:
    """Yield the waveforms of the sections, which then keep none, so that a long piece is not held twice."""
    for index, sound in enumerate(played):
        # Of a changing section, the stems are dropped one after another.
        played[index] = replace(sound, waveform=sound.waveform[:, :0].copy(), stems=dict(sound.stems))
        yield sound.waveform
        del sound


def _laid(plan: Plan, pieces: list[Piece], sounds: Iterable[np.ndarray], rate: int) -> np.ndarray:
    """Add the sections at their places."""
    count = round(plan.duration * rate)
    total = np.zeros((0, count), np.float32)
    limits = _silences(plan, rate)
    for piece, sound, limit in zip(pieces, sounds, limits, strict=True):
        if not len(total):
            total = np.zeros((len(sound), count), np.float32)
        at, stop = round(piece.begin * rate), round(piece.length * rate)
        level = np.float32(10 ** (LEVELS.get(piece.section.role, 0.0) / 20))
        shaped = sound[:, : max(limit - at, stop)] * level
        rest = shaped.shape[1] - stop
        if rest > 0:
            # Silence a little before the end of the bars that follow.
            fall = np.minimum(np.arange(1, rest + 1) / (0.95 * rest), 1.0)
            shaped[:, stop:] *= (0.5 + 0.5 * np.cos(np.pi * fall)).astype(np.float32)
        # What sounds on after the end of a loop is heard at its beginning, and again if it is longer than the loop.
        places = range(at, -shaped.shape[1], -count) if plan.loop else (at,)
        for place in places:
            first, last = max(place, 0), min(place + shaped.shape[1], count)
            if last > first:
                total[:, first:last] += shaped[:, first - place : last - place]
    return total


def _silences(plan: Plan, rate: int) -> list[int]:
    """Return for each section the sample at which the music next rests, the end of the piece included."""
    found: list[int] = []
    for index in reversed(range(len(plan.sections))):
        last = index == len(plan.sections) - 1
        if not last and plan.follows(index + 1):
            found.append(found[-1])
        elif last and plan.loop:
            found.append(sys.maxsize)
        else:
            found.append(round(plan.sections[index].end * rate))
    return found[::-1]


def _safe(total: np.ndarray, rate: int) -> Finish:
    """Return the gains that keep the peaks of a sum below the ceiling, for it and for its stems."""
    peaks, ceiling = true_peaks(Excerpt(total, total.shape[1])), 10 ** (CEILING_DB / 20)
    # Sections are mastered already, to a little less: only where two of them sound at once is there more.
    peaks = np.where(peaks <= ceiling, 0.0, peaks)
    return Finish(recover(needed_gain(peaks, ceiling, rate), rate))


def _finished(gain: Finish, sound: np.ndarray, plan: Plan, rate: int) -> np.ndarray:
    """Apply the gains and the fades of the piece to a sound, in its place."""
    sound = gain.apply_to(Excerpt(sound, sound.shape[1]), in_place=True)
    first, last = round(plan.sections[0].start * rate), round(min(plan.sections[-1].end, plan.duration) * rate)
    fade = min(round(plan.fade_in * rate), last - first)
    if fade > 0:
        sound[:, first : first + fade] *= (np.sin(0.5 * np.pi * np.arange(fade) / fade) ** 2).astype(np.float32)
    fade = min(round(plan.fade_out * rate), last - first)
    if fade > 0:
        sound[:, last - fade : last] *= np.cos(0.5 * np.pi * np.arange(1, fade + 1) / fade).astype(np.float32) ** 2
        sound[:, last:] = 0.0
    return sound


def _named(sound: Soundtrack, plan: Plan, played: list[Soundtrack], composed: set[int]) -> Soundtrack:
    """Add the sections to the provenance."""
    sections = []
    for index, (section, each) in enumerate(zip(plan.sections, played, strict=True)):
        score: Score | None = each.score
        sections.append(
            {
                "start": round(section.start, 4),
                "end": round(section.end, 4),
                "role": section.role,
                "genre": section.genre,
                "mood": section.mood,
                "key": score.key if score is not None else None,
                "cause": section.cause,
                "transition": index in composed,
            }
        )
    used = [str(name) for each in played for name in _listed(each.provenance.get("weights"))]
    moods = [section.mood for section in plan.sections if section.mood]
    if moods:
        from d2m.symbolic.emotion.mood import MODELS, STRONG, Mood

        used += MODELS if any(Mood.read(mood).strength > STRONG for mood in moods) else ()
    return replace(sound, provenance=sound.provenance | {"sections": sections, "weights": list(dict.fromkeys(used))})


def _listed(value: object) -> list[object]:
    return list(value) if isinstance(value, (list, tuple)) else []
