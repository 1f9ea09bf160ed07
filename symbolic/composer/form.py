"""Form of a piece: bars from the dancer's grid, sections of four or eight bars, density of each bar, and the ending."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from d2m.types import BeatGrid, Brief

#: How full each kind of section is when nothing is known about the dancer's energy.
_FULLNESS = {
    "main": 0.82, "intro": 0.5, "verse": 0.62, "lift": 0.74, "chorus": 0.92, "break": 0.4, "outro": 0.6, "bed": 0.35,
}  # fmt: skip
#: Order of sections in a longer piece, taken round again from the first verse as long as there are bars left.
_COURSE = (("verse", 8), ("lift", 4), ("chorus", 8), ("break", 4), ("verse", 8), ("chorus", 8))
#: What a section leads to, by its role; a verse otherwise.
_FOLLOWS = {"main": "verse", "intro": "verse", "verse": "chorus", "lift": "chorus", "break": "chorus", "bed": "bed"}

#: For beats that may be wrong: bars at the beginning without drums and bass, and how full they are; the share of its
#: fullness that the rest keeps.
SOFT_BARS, SOFT_LEVEL = 2, 0.15
FULLEST_FORGIVING = 0.7


@dataclass(frozen=True)
class Bar:
    """One bar of the piece.

    Attributes:
        start: position of its first beat on the grid; negative or fractional only beyond the grid's ends.
        beats: how many beats it has.
        section: number of its section.
        role: ``main``, ``intro``, ``verse``, ``lift``, ``chorus``, ``break`` or ``outro``.
        place, length: its number in the section, and the bars of the section.
        level: 0..1, how full the arrangement is here.
    """

    start: float
    beats: int
    section: int
    role: str
    place: int
    length: int
    level: float

    @property
    def end(self) -> float:
        return self.start + self.beats


@dataclass(frozen=True)
class Form:
    """The plan of a piece, in positions on the grid.

    Attributes:
        bars: they cover everything from time 0 to the duration; the first may begin before.
        first, last: positions of time 0 and of the duration.
        entry: where the band comes in: the first beat, unless that is late. Out of silence, whatever comes first is
            heard as a beat, so before there is only what was already sounding.
        final: position of the last hit, where everything arrives.
        hits: (position, strength 0..1) of strong moves that the band plays together.
        drum_breaks: sections whose break leaves the drums alone; in other breaks it is they who leave.
        slow: 0 at 112 beats a minute and above, 1 at 90 and below. What falls between slow beats is easily taken
            for beats itself, so everybody plays it more lightly there.
        drums_from: position from which drums and bass play.
        forgiving: whether the music avoids to insist on beats that may be wrong: no hits of the band, no crashes.
    """

    bars: list[Bar]
    first: float
    last: float
    entry: float
    final: float
    hits: list[tuple[float, float]]
    drum_breaks: frozenset[int]
    slow: float
    drums_from: float = -np.inf
    forgiving: bool = False


def plan(
    grid: BeatGrid,
    duration: float,
    rng: np.random.Generator,
    energy: np.ndarray | None,
    accents: np.ndarray | None,
    forgiving: bool = False,
    brief: Brief | None = None,
) -> Form:
    """Lay out ``duration`` seconds.

    Args:
        grid, duration, rng: as of :func:`d2m.symbolic.composer.compose`.
        energy, accents: (N,) in 0..1, one per beat of the grid, or None.
        forgiving: lay out a piece with fewer instruments that begins without drums and bass and has no hits of the
            whole band, for beats that may be wrong.
        brief: what is asked besides; of a section the bars after its end are laid out, too, as what it leads to.
    """
    brief = brief or Brief()
    first, last = float(grid.position_of(brief.begin)), float(grid.position_of(duration))
    if brief.begin > 0:
        first = round(first, 3)
    spans = _bar_spans(grid, first, last)
    end = last if brief.end is None else float(grid.position_of(brief.end))
    own = max(sum(start < end - 1e-3 for start, _ in spans), 1)
    weights = _bar_energy(spans[:own], energy)
    sections = _sections(own, weights, rng) if brief.role == "auto" else [(brief.role, own)]
    if len(spans) > own:
        sections.append((_FOLLOWS.get(sections[-1][0], "verse"), len(spans) - own))
        weights = None if weights is None else np.pad(weights, (0, len(spans) - own), mode="edge")
    bars: list[Bar] = []
    spread = 0.0 if weights is None else float(np.ptp(weights))
    for number, (role, length) in enumerate(sections):
        for place in range(length):
            start, beats = spans[len(bars)]
            level = _FULLNESS[role]
            if role in ("intro", "lift") and length > 1:
                level += 0.16 * place / (length - 1)
            if weights is not None:
                share = 0.35 + min(spread, 0.4)
                level = (1 - share) * level + share * (0.15 + 0.85 * weights[len(bars)])
            bars.append(Bar(start, beats, number, role, place, length, float(np.clip(level, 0.08, 1.0))))
    alone = frozenset(i for i, (role, _) in enumerate(sections) if role == "break" and rng.random() < 0.5)
    final = _final_position(grid, duration, bars) if brief.end is None else bars[own].end
    slow = float(np.clip((112.0 - grid.tempo) / 22.0, 0.0, 1.0))
    entry = float(np.ceil(first - 1e-6))
    if float(grid.time_of(entry)) > min(0.9, 0.3 * duration):
        entry = first
    hits = _hits(accents, first, final) if brief.hits is None else _given(brief.hits, grid, first, end)
    form = Form(bars, first, last, entry, final, hits, alone, slow)
    return _softened(form, brief.begin == 0) if forgiving else form


def choose_hits(grid: BeatGrid, duration: float, accents: np.ndarray | None) -> list[tuple[float, float]]:
    """Choose the moves that the whole band plays in a piece of this length.

    Args:
        grid: beats of the dance.
        duration: seconds.
        accents: (N,) in 0..1 per beat of the grid, or None.

    Returns:
        (position in beats, strength) of each.
    """
    first, last = float(grid.position_of(0.0)), float(grid.position_of(duration))
    bars = [Bar(start, beats, 0, "main", 0, 1, 1.0) for start, beats in _bar_spans(grid, first, last)]
    return _hits(accents, first, _final_position(grid, duration, bars))


def _given(
    hits: tuple[tuple[float, float], ...], grid: BeatGrid, first: float, end: float
) -> list[tuple[float, float]]:
    """Place hits given in seconds on the grid; what lies within 10 ms of a beat is on it."""
    placed = []
    for time, strength in sorted(hits):
        position = float(grid.position_of(time))
        if abs(time - float(grid.time_of(round(position)))) < 0.01:
            position = float(round(position))
        if first - 1e-6 <= position < end - 1e-3:
            placed.append((position, float(strength)))
    return placed


def _softened(form: Form, opening: bool) -> Form:
    """The form for beats that may be wrong: see :func:`plan`."""
    bars = [replace(bar, level=FULLEST_FORGIVING * bar.level) for bar in form.bars]
    if not opening:
        return replace(form, bars=bars, hits=[], drum_breaks=frozenset(), forgiving=True)
    # A clip of a few seconds has no bar to spare: there drums and bass rest for half a bar.
    count = SOFT_BARS if len(form.bars) >= 4 * SOFT_BARS else int(len(form.bars) > 3)
    bars[:count] = [replace(bar, level=SOFT_LEVEL) for bar in bars[:count]]
    start = bars[count].start if count else form.entry + 0.5 * bars[0].beats
    drums_from = min(start, form.final)
    return replace(form, bars=bars, hits=[], drum_breaks=frozenset(), drums_from=drums_from, forgiving=True)


def _bar_spans(grid: BeatGrid, first: float, last: float) -> list[tuple[float, int]]:
    """(start, beats) of the bars from the one that holds ``first`` to the one that holds ``last``."""
    usual = max(int(grid.beats_per_bar), 1)
    lines = [float(d) for d in np.unique(np.asarray(grid.downbeats, dtype=np.int64))] or [0.0]
    while lines[0] > first + 1e-6:
        lines.insert(0, lines[0] - usual)
    while lines[-1] <= last + 1e-6:
        lines.append(lines[-1] + usual)
    spans = [(a, int(round(b - a))) for a, b in zip(lines, lines[1:], strict=False)]
    return [(a, n) for a, n in spans if a + n > first + 1e-6 and a < last - 1e-6] or spans[:1]


def _bar_energy(spans: list[tuple[float, int]], energy: np.ndarray | None) -> np.ndarray | None:
    """Mean energy of each bar, smoothed with its neighbours so that layers do not flicker."""
    if energy is None or len(energy) == 0:
        return None
    values = np.clip(np.nan_to_num(np.asarray(energy, dtype=np.float64)), 0.0, 1.0)
    means = []
    for start, beats in spans:
        at = np.clip(np.arange(int(round(start)), int(round(start)) + beats), 0, len(values) - 1)
        means.append(values[at].mean())
    padded = np.pad(np.array(means), 1, mode="edge")
    return 0.25 * padded[:-2] + 0.5 * padded[1:-1] + 0.25 * padded[2:]


def _sections(count: int, weights: np.ndarray | None, rng: np.random.Generator) -> list[tuple[str, int]]:
    """(role, bars) of every section; a short clip is one full section from its first beat."""
    if count <= 6:
        return [("main", count)]
    if count <= 12:
        return [("verse", 4), ("chorus", count - 4)]
    if weights is not None and np.ptp(weights) > 0.25:
        return _follow(weights)
    sections = [("intro", 4 if count >= 24 else 2)]
    left = count - sections[0][1]
    outro = 4 if count >= 32 else 0
    turn = int(rng.integers(0, 2)) * 4 if count < 32 else 0
    while left - outro > 0:
        role, length = _COURSE[turn % len(_COURSE)]
        if left - outro - length < 4:
            length = left - outro
            role = "chorus" if length >= 4 and role in ("break", "lift") else role
        sections.append((role, length))
        left -= length
        turn += 1
    return sections + ([("outro", outro)] if outro else [])


def _follow(weights: np.ndarray) -> list[tuple[str, int]]:
    """Sections of four bars by how much the dancer moves: still is a break, most is the chorus."""
    count = len(weights)
    cuts = [*range(0, count - 3, 4)] or [0]
    means = np.array([weights[a : (b if b else count)].mean() for a, b in zip(cuts, [*cuts[1:], 0], strict=True)])
    low, high = np.quantile(means, [0.25, 0.65])
    sections: list[tuple[str, int]] = []
    for i, mean in enumerate(means):
        length = (cuts[i + 1] if i + 1 < len(cuts) else count) - cuts[i]
        rising = i + 1 < len(means) and means[i + 1] > mean + 0.12
        if mean <= low and mean < 0.4:
            role = "intro" if i == 0 else "break"
        elif mean >= high:
            role = "chorus"
        else:
            role = "lift" if rising else "verse"
        if sections and sections[-1][0] == role and sections[-1][1] < 8:
            sections[-1] = (role, sections[-1][1] + length)
        else:
            sections.append((role, length))
    return sections


def _final_position(grid: BeatGrid, duration: float, bars: list[Bar]) -> float:
    """The last hit: a bar line 0.3 to 1.6 s before the end if there is one, else a strong beat, else any.

    What follows it is one held sound, so in a short clip, where it would take a large part of the dance, the last beat
    is taken.
    """
    inside = np.arange(np.ceil(float(grid.position_of(0.0)) - 1e-6), float(grid.position_of(duration)) + 1e-6)
    left = duration - grid.time_of(inside)
    room = max(min(0.3, 0.25 * duration), 0.05)
    strong = {round(b.start) for b in bars}
    middle = {round(b.start + b.beats / 2) for b in bars}
    most = max(0.12 * duration, 2.0 * room)
    for wanted, longest in ((strong, min(1.6, most)), (middle, min(1.2, most))):
        for at, rest in zip(inside[::-1], left[::-1], strict=True):
            if round(at) in wanted and room <= rest <= longest:
                return float(at)
    usable = inside[left >= room]
    return float(usable[-1]) if len(usable) else float(grid.position_of(duration * 0.7))


def _hits(accents: np.ndarray | None, first: float, final: float) -> list[tuple[float, float]]:
    """The strongest moves, at least two beats apart, at most one beat in five."""
    if accents is None or len(accents) == 0:
        return []
    values = np.clip(np.nan_to_num(np.asarray(accents, dtype=np.float64)), 0.0, 1.0)
    floor = max(0.5, float(np.quantile(values, 0.7)))
    chosen: list[int] = []
    most = max(int((final - first) / 5), 1)
    for i in np.argsort(-values, kind="stable"):
        if values[i] < floor or len(chosen) >= most:
            break
        if first - 1e-6 <= i < final - 0.5 and all(abs(i - c) >= 2 for c in chosen):
            chosen.append(int(i))
    return [(float(i), float(values[i])) for i in sorted(chosen)]
