"""Add production to composed scores: effects, automation of the mix, and a character of the mix.

Effects (risers, impacts, one-shots, record noise) are parts of their own that play the ``fx.*`` patches of the sound
library. Automation is stored in :attr:`d2m.types.Score.lanes`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from d2m.audio.presets import characters
from d2m.errors import D2MError
from d2m.genres import added_genre
from d2m.sounds.patches import drawn, genre_sound, patches
from d2m.symbolic.composer.form import Bar, Form
from d2m.types import Lane, Part, Score

#: The key that plays an effect as it is.
KEY = 60
#: Uses of effects, besides those that lead to a beat: on the first beat of a section, on strong moves, from
#: where the music gets thinner, under everything.
_LAND = ("fx.impact", "fx.sub-drop", "fx.boom", "fx.cineboom", "fx.drop")
_SHOTS = (
    "fx.scratch-a", "fx.scratch-b", "fx.scratch-recorded", "fx.backspin", "fx.zap", "fx.horn", "fx.siren",
)  # fmt: skip
_UNDER = ("fx.vinyl", "fx.hiss")


@dataclass(frozen=True)
class Taste:
    """Production style of a genre.

    Attributes:
        opening: whether a filter opens over an introduction and over what leads to a chorus.
        pause: how often drums and bass rest on the last beat before a fuller section.
        strength: velocity of the effects.
    """

    opening: bool = True
    pause: float = 0.35
    strength: int = 92


#: AIST code -> taste.
TASTES: dict[str, Taste] = {
    "gBR": Taste(pause=0.4),
    "gPO": Taste(pause=0.4),
    "gLO": Taste(pause=0.3, strength=80),
    "gMH": Taste(pause=0.5, strength=84),
    "gLH": Taste(pause=0.5),
    "gHO": Taste(),
    "gWA": Taste(pause=0.2, strength=84),
    "gKR": Taste(pause=0.6, strength=100),
    "gJS": Taste(strength=84),
    "gJB": Taste(opening=False, pause=0.1, strength=64),
}
_OPEN = 20000.0
#: Channels that the filter closes: drums and bass keep the floor.
_FILTERED = ("keys", "guitar", "pad", "lead")
#: Gain (dB) of the mix per unit of a bar's level, the level at which it is 0, and its limits.
_SWELL, _USUAL_LEVEL, _SWELL_LIMITS = 9.0, 0.6, (-3.0, 1.5)
#: At most one one-shot in so many beats.
_SHOT_EVERY = 4.0


def taste_of(genre: str) -> Taste:
    """Return the production style of a genre.

    Args:
        genre: AIST code, or name of a genre that another package adds (:mod:`d2m.genres`).

    Raises:
        D2MError: if an added genre has values that do not exist.
    """
    added = added_genre(genre)
    if added is None:
        return TASTES[genre]
    try:
        return replace(TASTES[added.like], **added.production)
    except TypeError as error:
        raise D2MError(f"the production of the genre '{genre}' has an unknown field ({error})") from error


class _Effects:
    """Draws the effects of a genre by their weights."""

    def __init__(self, genre: str, rng: np.random.Generator) -> None:
        self._weights, self._rng = genre_sound(genre).weights["effects"], rng
        self.leads = [name for name in self._weights if patches()[name].leads]

    def draw(self, names: Sequence[str]) -> str:
        return drawn({name: self._weights[name] for name in names}, self._rng)

    def add(
        self,
        events: dict[str, list[tuple[float, float, int]]],
        kind: tuple[str, ...],
        start: float,
        end: float,
        velocity: int,
    ) -> None:
        """Add one of the genre's effects of a kind, if it has any."""
        names = [name for name in self._weights if name in kind]
        if names:
            events.setdefault(self.draw(names), []).append((start, end, velocity))


def produce(score: Score, form: Form, rng: np.random.Generator, character: str | None = None) -> Score:
    """Add effects, movements and a character of the mix to a score.

    Args:
        score: score with a genre.
        form: that it was written on.
        rng: makes the choices.
        character: character of the mix, or None to choose one of the genre.
    """
    genre = score.genre or ""
    taste, effects = taste_of(genre), _Effects(genre, rng)
    events: dict[str, list[tuple[float, float, int]]] = {}
    lanes: list[Lane] = []
    for before, after in _rises(form):
        _lead_into(score, form, taste, before, after, rng, effects, events, lanes)
    if not form.forgiving:
        for position in _shots(form):
            effects.add(events, _SHOTS, position, position + 1.0, taste.strength - 12)
        if form.final > form.first:
            effects.add(events, _LAND, form.final, form.last, taste.strength)
    effects.add(events, _UNDER, form.first, form.last, 72)
    if taste.opening:
        lanes += _opening(form)
    lanes += _swell(form)
    parts = tuple(effect_part(name, notes) for name, notes in sorted(events.items()))
    if character is None:
        character = drawn(characters(genre), rng)
    return replace(score, parts=score.parts + parts, lanes=score.lanes + tuple(lanes), character=character)


def _rises(form: Form) -> Iterator[tuple[list[Bar], list[Bar]]]:
    """Yield neighbouring sections of which the second is fuller."""
    sections: dict[int, list[Bar]] = {}
    for bar in form.bars:
        sections.setdefault(bar.section, []).append(bar)
    rows = list(sections.values())
    for before, after in zip(rows, rows[1:], strict=False):
        if np.mean([b.level for b in after]) > np.mean([b.level for b in before]) + 0.06:
            yield before, after


def _lead_into(
    score: Score,
    form: Form,
    taste: Taste,
    before: list[Bar],
    after: list[Bar],
    rng: np.random.Generator,
    effects: _Effects,
    events: dict[str, list[tuple[float, float, int]]],
    lanes: list[Lane],
) -> None:
    target = after[0].start
    time = float(score.grid.time_of(target))
    earliest = float(score.grid.time_of(before[0].start)) - 0.1
    fitting = [name for name in effects.leads if time - patches()[name].seconds > earliest]
    if fitting:
        name = effects.draw(fitting)
        start = float(score.grid.position_of(max(time - patches()[name].seconds, 0.0)))
        events.setdefault(name, []).append((start, target, taste.strength))
    if form.forgiving:
        return
    effects.add(events, _LAND, target, target + 4.0, taste.strength)
    if rng.random() < taste.pause and len(before) >= 2:
        # The beat before is left to the effect: silence makes what follows heavier.
        for channel in ("kick", "hats", "bass", "percussion"):
            edges = np.array([target - 1.0, target - 0.98, target - 0.04, target - 0.03])
            lanes.append(Lane(channel, "gain", edges, np.array([0.0, -60.0, -60.0, 0.0])))


def _opening(form: Form) -> list[Lane]:
    """Make the filters that open over introductions and over what lifts to a chorus."""
    knots: list[tuple[float, float]] = []
    for role, low in (("intro", 600.0), ("lift", 1200.0)):
        number = {bar.section for bar in form.bars if bar.role == role}
        for section in sorted(number):
            bars = [bar for bar in form.bars if bar.section == section]
            if len(bars) >= 2:
                knots += [(bars[0].start - 0.01, _OPEN if role == "lift" else low), (bars[0].start, low)]
                knots += [(bars[-1].end - 0.02, 9000.0), (bars[-1].end, _OPEN)]
    if not knots:
        return []
    beats, values = np.array(sorted(knots)).T
    return [Lane(channel, "lowpass", beats, values) for channel in _FILTERED]


def _swell(form: Form) -> list[Lane]:
    """Make the mix louder in full bars and softer in thin ones, so that its loudness follows the dancer's energy."""
    if len(form.bars) < 2:
        return []
    gains = np.clip(_SWELL * (np.array([bar.level for bar in form.bars]) - _USUAL_LEVEL), *_SWELL_LIMITS)
    starts = np.array([bar.start for bar in form.bars])
    # Each bar has one gain, which is reached over half a beat.
    beats = np.stack([starts, np.append(starts[1:], form.bars[-1].end) - 0.5], axis=1).ravel()
    return [Lane("mix", "gain", beats, np.repeat(gains, 2))]


def _shots(form: Form) -> list[float]:
    """Choose the strong moves that get an effect."""
    chosen: list[float] = []
    for position, strength in sorted(form.hits, key=lambda hit: -hit[1]):
        if strength > 0.6 and all(abs(position - other) >= _SHOT_EVERY for other in chosen):
            chosen.append(position)
    return sorted(chosen)


def effect_part(name: str, notes: list[tuple[float, float, int]]) -> Part:
    """Return the part of an effect.

    Args:
        name: its patch.
        notes: (start, end) in beats and velocity of each use.
    """
    starts, ends, velocities = (np.array(values) for values in zip(*sorted(notes), strict=True))
    keys = np.full(len(starts), KEY, np.int64)
    return Part(
        "strings", 0, starts.astype(float), ends.astype(float), keys, velocities.astype(np.int64),
        name=name, patch=name,
    )  # fmt: skip
