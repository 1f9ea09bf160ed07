"""Play a plan: each section is written, mixed and mastered alone, and the sections are joined.

A section therefore depends on its own lines of the plan, and on the beats and hits within it, alone. Two bars after its
end it has faded out under the next one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from d2m.engines.arrangers import Arranger, is_arranger, make_arranger
from d2m.engines.base import Progress, ScoreEngine
from d2m.errors import D2MError
from d2m.plans.cut import TAIL_SECONDS, Piece, pieces_of
from d2m.plans.edit import edited, edited_mix
from d2m.plans.join import joined
from d2m.plans.transition import blend, bridged, differs, level_of
from d2m.plans.types import SAME, Plan
from d2m.types import Dance, Score, Soundtrack


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
    pieces = list(pieces_of(plan, dance))
    scores: list[Score] = []
    arrangers: dict[str, Arranger] = {name_in_plan(engine.arranger): engine.arranger}
    for section, piece in zip(plan.sections, pieces, strict=True):
        if section.arranger not in arrangers:
            arrangers[section.arranger] = _arranger(section.arranger)
        scores.append(edited(arrangers[section.arranger].write(piece.dance, section.seed), section, plan.mix))
    changed = _transitions(plan, pieces, scores)
    played = _performed(pieces, scores, changed, engine, stems, progress)
    whole = len(pieces) == 1 and pieces[0].begin == 0.0 and abs(pieces[0].dance.duration - plan.duration) < SAME
    if whole and not (plan.loop or plan.fade_in or plan.fade_out or plan.sections[0].role == "bed"):
        sound = next(played)
        sections = [sound]
    else:
        sound, sections = joined(plan, pieces, played)
    return _named(sound, plan, sections, {index + 1 for index in changed})


def _performed(
    pieces: list[Piece],
    scores: list[Score],
    changed: dict[int, Score],
    engine: ScoreEngine,
    stems: bool,
    progress: Progress | None,
) -> Iterator[Soundtrack]:
    """Play the scores of the sections one after another; those in ``changed`` lead to the next one."""
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

    for index, (piece, score) in enumerate(zip(pieces, scores, strict=True)):
        done = index + sum(other < index for other in changed)
        sound = perform(score, piece, done)
        if index in changed:
            sound = _with_transition(sound, perform(changed[index], piece, done + 1), piece)
        yield sound


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
