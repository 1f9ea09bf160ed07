"""Make the plan of a piece from the analysis of a video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from d2m.errors import D2MError
from d2m.genres import genre_title
from d2m.plans.types import Hit, Plan, Section
from d2m.types import BeatGrid, Dance, genre_code

#: Genre of a dance of which none is known.
FALLBACK = "middle-hip-hop"
#: Seconds that a hit may be beside the cut that it belongs to.
NEAR_CUT = 0.08


@dataclass(frozen=True)
class Cut:
    """Beginning of a section.

    Attributes:
        time: seconds.
        cause: why it begins here.
        genre, mood: of the section, or "" for those of the piece.
    """

    time: float
    cause: str
    genre: str = ""
    mood: str = ""


def plan_for(
    dance: Dance,
    *,
    seed: int = 0,
    arranger: str = "composer",
    cuts: Sequence[Cut] = (),
    genres: Sequence[str] = (),
    moods: Sequence[str] = (),
    key: str = "",
    begin: float = 0.0,
    end: float | None = None,
    hits: Sequence[float] | None = None,
    subject: str = "dance",
    reason: str = "",
    film_cuts: Sequence[float] = (),
) -> Plan:
    """Plan music for a dance.

    Args:
        dance: analysis of a video.
        seed: random seed of all sections.
        arranger: name of the arranger of all sections.
        cuts: beginnings of sections after the first; each is moved to the nearest bar line.
        genres: names of genres, one for each section in order; the last one goes on. Empty for the dance's.
        moods: moods in the same way; empty for none.
        key: key of all sections, or "".
        begin, end: seconds between which there is music; None for the end of the dance.
        hits: seconds of the moves that the band plays, in place of those that the dance suggests.
        subject, reason: what the video shows, and why that was decided. In one of speech all sections are beds.
        film_cuts: seconds of the cuts of the film, which the band plays if the video shows pictures without a dancer.

    Raises:
        D2MError: if a value cannot be used, or there are more genres or moods than sections.
    """
    duration = float(dance.duration)
    stop = duration if end is None else float(end)
    if not 0.0 <= begin < stop <= duration + 1e-6:
        raise D2MError(f"no music fits between {begin:g} s and {stop:g} s; the clip has {duration:.2f} s")
    grid = _rounded(dance.grid)
    times, causes = _edges(grid, begin, min(stop, duration), cuts)
    for what, given in (("genres", genres), ("moods", moods)):
        if len(given) > len(causes):
            few = "one section" if len(causes) == 1 else f"{len(causes)} sections"
            raise D2MError(f"{len(given)} {what} for {few}; give as many or fewer, or more --scenes")
    known = [genre_title(genre_code(name)) for name in genres] or [
        genre_title(dance.genre) if dance.genre else FALLBACK
    ]
    sections = []
    for index, cut in enumerate(causes):
        start, finish = times[index], times[index + 1]
        sections.append(
            Section(
                start=start,
                end=finish,
                genre=genre_title(genre_code(cut.genre)) if cut.genre else known[min(index, len(known) - 1)],
                mood=cut.mood or (moods[min(index, len(moods) - 1)] if moods else ""),
                energy=_mean_energy(grid, np.asarray(dance.energy), start, finish),
                key=key,
                arranger=arranger,
                seed=int(seed),
                cause=cut.cause,
            )
        )
    _give_roles(sections, 60.0 / grid.tempo * grid.beats_per_bar)
    if subject == "speech":
        for section in sections:
            section.role = "bed"
    chosen = hits_on(grid, film_cuts) if subject == "picture" else _hits(dance, grid, duration)
    return Plan(
        duration=duration,
        beats=grid.beats,
        downbeats=grid.downbeats,
        tempo=grid.tempo,
        energy=np.round(np.clip(np.asarray(dance.energy, np.float64), 0.0, 1.0), 4),
        sections=sections,
        hits=chosen if hits is None else [Hit(float(time), 0.8, "given") for time in hits],
        source=grid.source,
        confidence=grid.confidence,
        beats_per_bar=grid.beats_per_bar,
        forgiving=dance.forgiving,
        subject=subject,
        reason=reason,
    ).check()


def _give_roles(sections: list[Section], bar: float) -> None:
    """Give sections of at most ten bars a role by their energy; longer ones keep a form of their own."""
    if len(sections) < 2:
        return
    mean = float(np.average([each.energy for each in sections], weights=[each.end - each.start for each in sections]))
    for index, section in enumerate(sections):
        if section.end - section.start > 10.5 * bar:
            continue
        if section.energy >= mean + 0.04:
            section.role = "chorus"
        elif section.energy <= mean - 0.12:
            section.role = "intro" if index == 0 else "break"
        else:
            section.role = "verse"


def _rounded(grid: BeatGrid) -> BeatGrid:
    """Return the grid with values as they are written to a file."""
    return replace(
        grid,
        beats=np.round(np.asarray(grid.beats, np.float64), 6),
        tempo=round(float(grid.tempo), 3),
        confidence=round(float(np.clip(grid.confidence, 0.0, 1.0)), 3),
    )


def _edges(grid: BeatGrid, begin: float, stop: float, cuts: Sequence[Cut]) -> tuple[list[float], list[Cut]]:
    """Return the times at which sections begin and end, and why each begins; later cuts on one bar line are dropped."""
    lines = grid.beats[grid.downbeats]
    bar = grid.beats_per_bar * float(np.median(np.diff(grid.beats)))
    times, causes = [round(begin, 6)], [Cut(begin, "start")]
    for cut in sorted(cuts, key=lambda each: each.time):
        if not len(lines):
            break
        time = float(lines[np.abs(lines - cut.time).argmin()])
        if time - times[-1] >= 0.9 * bar and stop - time >= 0.9 * bar:
            times.append(time)
            causes.append(cut)
        elif time <= times[-1] + 0.5 * bar and (cut.genre or cut.mood):
            causes[-1] = replace(causes[-1], genre=cut.genre, mood=cut.mood)
    return [*times, round(stop, 6)], causes


def _mean_energy(grid: BeatGrid, energy: np.ndarray, start: float, end: float) -> float:
    """Return the mean of the energy of the beats of a section."""
    inside = (grid.beats >= start - 1e-6) & (grid.beats < end - 1e-6)
    values = energy[: len(inside)][inside[: len(energy)]]
    return round(float(np.clip(values.mean(), 0.0, 1.0)), 4) if len(values) else 0.5


def _hits(dance: Dance, grid: BeatGrid, duration: float) -> list[Hit]:
    """Return the moves that the dance suggests."""
    from d2m.symbolic.composer.form import choose_hits

    if dance.forgiving:
        return []
    chosen = choose_hits(grid, duration, dance.accents)
    return [Hit(round(float(grid.time_of(position)), 6), round(strength, 4)) for position, strength in chosen]


def hits_on(grid: BeatGrid, cuts: Sequence[float]) -> list[Hit]:
    """Return the cuts that lie on beats or halfway between two, at least a beat apart.

    Args:
        grid: the beats.
        cuts: times of the cuts in seconds.
    """
    hits: list[Hit] = []
    lines = set(grid.downbeats.tolist())
    for cut in sorted(cuts):
        position = round(2.0 * float(grid.position_of(cut))) / 2.0
        time = float(grid.time_of(position))
        if abs(time - cut) > NEAR_CUT or time < 0.0:
            continue
        if hits and position - float(grid.position_of(hits[-1].time)) < 1.0 - 1e-6:
            continue
        hits.append(Hit(round(time, 6), 0.9 if position in lines else 0.75, "cut"))
    return hits


def retimed(dance: Dance, factor: float) -> Dance:
    """Return a dance with half or double the tempo.

    Args:
        dance: analysis of a video.
        factor: 0.5 (every other beat, from bar lines) or 2 (a beat between every two).
    """
    grid, energy, accents = dance.grid, np.asarray(dance.energy), np.asarray(dance.accents)
    if factor == 2.0:
        between = (grid.beats[:-1] + grid.beats[1:]) / 2
        beats = np.empty(2 * len(grid.beats) - 1)
        beats[::2], beats[1::2] = grid.beats, between
        energy, accents = np.repeat(energy, 2)[: len(beats)], np.repeat(accents, 2)[: len(beats)]
        accents = np.where(np.arange(len(beats)) % 2, 0.5 * accents, accents)
        lines = np.arange(2 * int(grid.downbeats[0]) % grid.beats_per_bar, len(beats), grid.beats_per_bar)
    else:
        first = int(grid.downbeats[0]) % 2 if len(grid.downbeats) else 0
        beats, energy, accents = grid.beats[first::2], energy[first::2], accents[first::2]
        start = (int(grid.downbeats[0]) - first) // 2 if len(grid.downbeats) else 0
        lines = np.arange(start % grid.beats_per_bar, len(beats), grid.beats_per_bar)
    slower = replace(grid, beats=beats, downbeats=lines.astype(np.int64), tempo=grid.tempo * factor)
    return on_grid(dance, slower.covering(dance.duration), slower, energy, accents)


def on_grid(dance: Dance, wanted: BeatGrid, grid: BeatGrid, energy: np.ndarray, accents: np.ndarray) -> Dance:
    """Return a dance on a grid that reaches further than the one its values belong to.

    Args:
        dance: analysis of a video.
        wanted: the new grid.
        grid: grid of the values.
        energy, accents: (N,) per beat of ``grid``.
    """
    at = np.clip(np.round(grid.position_of(wanted.beats)).astype(int), 0, len(energy) - 1)
    return replace(dance, grid=wanted, energy=energy[at], accents=accents[np.clip(at, 0, len(accents) - 1)])


def lasting(dance: Dance, duration: float) -> Dance:
    """Return a dance of another length: cut, or going on with its mean energy.

    Args:
        dance: analysis of a video.
        duration: seconds.
    """
    grid = dance.grid.covering(duration)
    longer = on_grid(dance, grid, dance.grid, np.asarray(dance.energy), np.asarray(dance.accents))
    beyond = grid.beats >= dance.duration
    energy = np.where(beyond, float(np.mean(dance.energy)), longer.energy).astype(np.float32)
    return replace(longer, duration=duration, energy=energy, accents=np.where(beyond, 0.0, longer.accents))


def looping(dance: Dance) -> Dance:
    """Return a dance whose bars fill its duration: a steady tempo near its own, with a bar line at both ends.

    Args:
        dance: analysis of a video.
    """
    usual = max(int(dance.grid.beats_per_bar), 1)
    count = max(round(dance.duration * dance.grid.tempo / 60.0 / usual), 1) * usual
    beats = np.arange(count + 1) * dance.duration / count
    steady = replace(
        dance.grid,
        beats=beats,
        downbeats=np.arange(0, count + 1, usual),
        tempo=60.0 * count / dance.duration,
        confidence=0.0,
    )
    return on_grid(dance, steady, dance.grid, np.asarray(dance.energy), np.asarray(dance.accents))
