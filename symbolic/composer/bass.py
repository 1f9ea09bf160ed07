"""Bass lines: chord tones in the rhythm of the groove, with the kick doubled and the next root approached.

Signs: ``R`` root, ``8`` its octave, ``3`` third, ``5`` fifth, ``f`` the fifth below, ``7`` seventh, ``2`` ``4`` ``6``
scale tones above the root, ``b`` the flat second, ``a`` a step towards the next root, ``g`` a dead note.
"""

from __future__ import annotations

import numpy as np

from d2m.symbolic.chords import Chord, chord_at
from d2m.symbolic.composer.form import Form
from d2m.symbolic.composer.grooves import Drummer
from d2m.symbolic.composer.lines import Line, steps
from d2m.symbolic.composer.style import RANGES, Style

_ABOVE = {"b": 1, "2": 2, "4": 5, "6": 9}


def play(
    form: Form,
    chords: list[Chord],
    style: Style,
    program: int,
    drummer: Drummer,
    scale: frozenset[int],
    rng: np.random.Generator,
) -> Line:
    """Write the bass line; it rests in breaks with drums alone and where the density is lowest.

    Args:
        form: form of the piece.
        chords: chords of the piece.
        style: style of the genre.
        program: General MIDI program.
        drummer: whose kick is doubled.
        scale: pitch classes.
        rng: random generator.
    """
    line = Line("bass", program, single=True, steady=True)
    chosen: dict[tuple[str, int], str] = {}
    root_key = 36
    kicks = {round(n[0], 3) for n in drummer.line.notes if n[2] == 36}
    for bar in form.bars:
        quiet = bar.level < 0.2 or (bar.section in form.drum_breaks and bar.place < bar.length - 1)
        groove = drummer.groove(bar)
        name = (bar.role, bar.place // 8)
        if name not in chosen:
            chosen[name] = groove.bass[int(rng.integers(0, len(groove.bass)))]
        if quiet:
            continue
        notes = steps(chosen[name], bar)
        sparse = bar.level < 0.4
        for at, sign, length in notes:
            resting = at < form.drums_from - 1e-6 or at >= form.final - 1e-6
            if resting or (sparse and at % 1.0 and round(at, 3) not in kicks):
                continue
            chord = chord_at(chords, at)
            root_key = _near(chord.root, root_key)
            key = _key(sign, chord, chord_at(chords, np.floor(at) + 1.0), root_key, scale, rng)
            if at == chord.start and sign not in "R8":
                key = root_key
            if form.slow > 0.5 and at % 1.0 == 0.75:
                continue
            velocity: float = style.bass_loudness + 6 * (round(at, 3) in kicks)
            velocity -= 12 + 14 * form.slow if at % 1.0 else 0
            if sign == "g":
                line.add(at, at + 0.1, root_key, velocity * 0.55)
                continue
            end = min(at + length / 4 * style.bass_gate, form.final)
            line.add(at, end, int(np.clip(key, *RANGES["bass"])), velocity)
    played = {round(n[0], 3) for n in line.notes}
    for position, _ in form.hits:
        if round(position, 3) not in played:
            root_key = _near(chord_at(chords, position).root, root_key)
            line.add(position, position + 0.5, root_key, style.bass_loudness + 8)
    if form.entry > form.first and not form.forgiving:
        line.add(form.first - 0.1, form.entry, _near(chord_at(chords, form.entry).root, 33), style.bass_loudness - 20)
    home = chord_at(chords, form.final)
    line.add(form.final, form.last, _near(home.root, 33), style.bass_loudness + 10)
    return line


def _near(root: int, before: int) -> int:
    """The root's key between E and the E flat above, nearer to the one before where there are two."""
    low = 28 + (root - 28) % 12
    options = [k for k in (low, low + 12) if k <= 43]
    return min(options, key=lambda k: abs(k - before))


def _key(sign: str, chord: Chord, following: Chord, root: int, scale: frozenset[int], rng: np.random.Generator) -> int:
    above = {"R": 0, "g": 0, "8": 12, "f": -5}
    if sign in above:
        key = root + above[sign]
        return key + 12 if key < RANGES["bass"][0] else key
    tone = {"3": chord.third, "5": chord.fifth, "7": chord.seventh}.get(sign)
    if tone is not None:
        key = root + (tone - root) % 12
        return key if key > root else root + 12
    if sign == "a":
        target = _near(following.root, root)
        step = int(rng.choice([-1, 1])) if target == root else int(np.sign(root - target))
        return _into(target + 2 * step if (target + 2 * step) % 12 in scale else target + step, target)
    key = root + _ABOVE[sign]
    near = [key + d for d in (0, 1, -1) if (key + d) % 12 in scale or (key + d) % 12 in chord.tones]
    return near[0] if near else root


def _into(key: int, target: int) -> int:
    low, high = RANGES["bass"]
    return key if low <= key <= high else target
