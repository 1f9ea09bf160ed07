"""Join the sections of a plan: each fades out under the next, and peaks of the sum are limited."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from d2m.audio.dynamics import needed_gain, recover
from d2m.audio.mastering import CEILING_DB, Excerpt, Finish, true_peaks
from d2m.plans.cut import Piece
from d2m.plans.merge import merged
from d2m.plans.types import Plan
from d2m.types import Soundtrack

#: Level of a section in dB by its role; louder and softer sections keep their contrast after mastering.
LEVELS = {"intro": -2.0, "verse": -0.5, "lift": -0.5, "break": -2.5, "outro": -1.0, "bed": -8.0}


def joined(plan: Plan, pieces: Sequence[Piece], played: Iterable[Soundtrack]) -> tuple[Soundtrack, list[Soundtrack]]:
    """Join the sections. They are added up one by one as they come, so that a long piece is held only once.

    Args:
        plan: the plan.
        pieces: pieces of the sections.
        played: the music of each, which may still have to be played.

    Returns:
        The whole piece, and the sections without their sound.
    """
    total, stems, sections = np.zeros((0, 0), np.float32), dict[str, np.ndarray](), list[Soundtrack]()
    rate = 0
    for index, sound in enumerate(played):
        if not sections:
            rate = sound.sample_rate
            total = np.zeros((len(sound.waveform), round(plan.duration * rate)), np.float32)
        lay(total, sound.waveform, plan, pieces, index, rate)
        for name, stem in sound.stems.items():
            if name not in stems:
                stems[name] = np.zeros_like(total)
            lay(stems[name], stem, plan, pieces, index, rate)
        sections.append(replace(sound, waveform=np.zeros((len(total), 0), np.float32), stems={}))
        del sound
    gain = _safe(total, rate)
    finished = {name: _finished(gain, stems.pop(name), plan, rate) for name in sorted(stems)}
    whole = replace(sections[0], waveform=_finished(gain, total, plan, rate), stems=finished, grid=plan.grid)
    codes = [each.codes for each in sections if each.codes is not None]
    whole = replace(whole, codes=np.concatenate(codes, axis=1) if len(codes) == len(sections) else None)
    scores = [(each.score, piece.begin) for each, piece in zip(sections, pieces, strict=True) if each.score is not None]
    return replace(whole, score=merged(plan, scores) if scores else None), sections


def lay(total: np.ndarray, sound: np.ndarray, plan: Plan, pieces: Sequence[Piece], index: int, rate: int) -> None:
    """Add the sound of a section to the whole piece at its place.

    Args:
        total: sound of the whole piece, float32 (channels, samples).
        sound: sound of the section.
        plan: the plan.
        pieces: pieces of all sections.
        index: number of the section.
        rate: sample rate in hertz.
    """
    piece, limit, count = pieces[index], _silences(plan, rate)[index], total.shape[1]
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
