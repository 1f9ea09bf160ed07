"""Drum parts: a groove with variations, fills before section boundaries, crashes after them, and accents on strong
moves.
"""

from __future__ import annotations

import numpy as np

from d2m.symbolic.composer.form import Bar, Form
from d2m.symbolic.composer.lines import Line, steps
from d2m.symbolic.composer.style import Groove, Style

KICK, SNARE, RIM, CLAP, CLOSED, PEDAL, OPEN, CRASH, CRASH_TWO = 36, 38, 37, 39, 42, 44, 46, 49, 57

#: Velocity of each sign.
_TOUCH = {"X": 118.0, "x": 104.0, "o": 84.0, "g": 46.0}
#: Loudness of keys against the kick, in the standard kit of a General MIDI soundfont.
_TRIM = {
    KICK: 1.0, SNARE: 0.98, 40: 1.0, RIM: 0.8, CLAP: 0.86, CLOSED: 0.86, PEDAL: 0.7, OPEN: 0.84, 51: 0.84, 59: 0.8,
    54: 0.66, 56: 0.52, 62: 0.66, 63: 0.66, 64: 0.66, 70: 0.6, 82: 0.6, CRASH: 0.7, CRASH_TWO: 0.68,
}  # fmt: skip

#: Fills over four beats; rows of the kit from high to low. The last beats of one are taken where there is less time.
_FILLS: dict[str, tuple[dict[int, str], ...]] = {
    "snare": (
        {SNARE: "x.g. x.gx xoxx xxXX", KICK: "x... x... x... x..."},
        {SNARE: "..x. .gx. xgxg xxxX", KICK: "x... ..x. x... x..."},
    ),
    "toms": (
        {SNARE: "x.xx .... .... ....", 50: ".... xx.. .... ....", 47: ".... ..xx x... ....", 45: ".... .... .xxx ....",
         43: ".... .... .... xxXx", KICK: "x... x... x... x..."},
        {48: "x..x .... .... ....", 47: "...x ..x. .... ....", 43: ".... .... x.x. ....", SNARE: ".... .... ..xx X.XX",
         KICK: "x... ..x. x..x ...."},
    ),
    "mixed": (
        {SNARE: "..x. X..g .xx. X.xX", KICK: "x..x ..x. x..x ..x.", 43: ".... .... .... .x.."},
        {SNARE: "X.gX .gX. gX.. ....", 48: ".... .... ..x. ....", 45: ".... .... ...x x...", 43: ".... .... .... .xXx",
         KICK: "x... x... x... x..."},
    ),
    "syncopated": (
        {SNARE: "...x ..X. ..x. X...", KICK: "x... x..x x... ..xx", OPEN: ".... ...x .... ..x."},
        {SNARE: "X..X ..X. .X.. X.X.", KICK: "..x. x..x x.x. .x.."},
    ),
    "electro": (
        {SNARE: "x... x... x.x. xxxx", CLAP: "x... x... x.x. x.x.", KICK: "x... x... x... ...."},
        {SNARE: ".... X..x ..x. X.xx", CLOSED: "xxxx xxxx xxxx ....", KICK: "x..x .... x... x..."},
        {50: ".... ..x. x... ....", 47: ".... .... ..x. x...", 43: ".... .... .... ..xx", SNARE: "x... X... .... X...",
         KICK: "x... ..x. ...x ...x"},
    ),
    "brush": (
        {SNARE: "o.o. o.oo x.o. x.x.", KICK: "x... .... x... ...."},
        {SNARE: "..o. x... ..oo x...", PEDAL: "x... x... x... x...", KICK: "x... .... x... ..o."},
    ),
}  # fmt: skip


class Drummer:
    """Plays one piece.

    Args:
        style: the genre.
        program: the kit.
        tempo: beats a minute.
        rng: makes every choice.
    """

    def __init__(self, style: Style, program: int, tempo: float, rng: np.random.Generator):
        self.style, self.rng = style, rng
        self.line = Line("drums", program, steady=True)
        # At slow tempos a drummer's hand fills the sixteenths, lightly; eighths alone would sound twice as fast.
        self.filling = tempo < 104 and style.fills[0] != "brush"
        # Electric kits have thin hats and sticks, and need more of them; brushes keep time with the foot.
        self.stick = {24: 66.0, 25: 72.0, 16: 56.0}.get(program, 46.0) if style.fills[0] != "brush" else 0.0
        order = rng.permutation(len(style.grooves))
        self.grooves = [style.grooves[i] for i in order]
        self._taken: set[tuple[float, int]] = set()

    def groove(self, bar: Bar) -> Groove:
        """Return the groove of a section: one for the piece, another in lifts and breaks.

        Args:
            bar: bar of the piece.
        """
        turn = {"lift": 1, "break": 1, "chorus": 0 if len(self.grooves) < 3 else 2 * (bar.section % 4 == 3)}
        return self.grooves[turn.get(bar.role, 0) % len(self.grooves)]

    def play(self, form: Form) -> Line:
        """Write the drum part.

        Args:
            form: form of the piece.
        """
        for number, bar in enumerate(form.bars):
            if bar.end <= form.drums_from + 1e-6:
                continue
            following = form.bars[number + 1] if number + 1 < len(form.bars) else None
            fill_from = self._fill(bar, following, form)
            self._bar(bar, form, fill_from)
            greeted = (bar.place == 0 and number > 0 and bar.role != "break") or (number == 0 and bar.level > 0.6)
            if greeted and not form.forgiving:
                # A crash covers the beats after it, so it is no louder than a greeting needs; never off the beat.
                self._hit(max(bar.start, form.entry), 84.0, CRASH, form)
        for position, strength in form.hits:
            self._hit(position, 76.0 + 26.0 * strength, CRASH if int(position) % 4 == 0 else CRASH_TWO, form)
            if int(position) % 2:
                self._strike(position, SNARE, 112.0)
        self._hit(form.final, 74.0 if form.forgiving else 118.0, CRASH, None)
        if not form.forgiving and abs(form.final - round(form.final)) < 1e-6:
            self._strike(form.final, SNARE, 108.0)
        if form.drums_from > form.first:
            self.line.notes[:] = [note for note in self.line.notes if note[0] >= form.drums_from - 1e-6]
        return self.line

    def _strike(self, position: float, key: int, velocity: float) -> None:
        name = (round(position, 3), key)
        if name not in self._taken:
            self._taken.add(name)
            self.line.add(position, position + 0.2, key, min(velocity * _TRIM.get(key, 0.95), 127.0))

    def _hit(self, position: float, velocity: float, crash: int, form: Form | None) -> None:
        if form is None or position < form.final - 0.5:
            self._strike(position, KICK, 118.0)
            self._strike(position, crash, velocity)

    def _bar(self, bar: Bar, form: Form, fill_from: float) -> None:
        groove, rng, level = self.groove(bar), self.rng, bar.level
        sparse = bar.role == "break" and bar.section not in form.drum_breaks
        force = 0.86 + 0.16 * level
        stop = min(fill_from, form.final)

        def play(key: int, pattern: str, scale: float = 1.0) -> None:
            for at, sign, _ in steps(pattern, bar):
                # A stroke just before a slow beat takes its place in the ear.
                if at >= stop - 1e-6 or (form.slow > 0.5 and at % 1.0 == 0.75):
                    continue
                self._strike(at, key, _TOUCH[sign] * scale * force * _between(at, form.slow))

        if not sparse or bar.place >= bar.length // 2:
            play(KICK, groove.kick)
            self._pick_up(bar, groove, stop, force, form.slow)
        else:
            play(KICK, "x... .... x... ....", 0.9)
        soft = level < 0.34 or sparse
        play(RIM if soft and groove.snare_key != CLAP else groove.snare_key, groove.snare, 0.9 if soft else 1.0)
        self._ghosts(bar, groove, stop, force * (0.0 if soft or form.slow > 0.5 else 1.0))
        self._hats(bar, groove, stop, force, form.slow)
        self._pulse(bar, form, force)
        for i, (key, pattern) in enumerate(groove.extras.items()):
            if level >= 0.6 + 0.14 * i:
                play(key, pattern, 0.92)
        if level < 0.3 and rng.random() < 0.5:
            play(54, ".... o... .... o...")

    def _hats(self, bar: Bar, groove: Groove, stop: float, force: float, slow: float) -> None:
        busy = groove.timekeeper if groove.timekeeper and bar.level > 0.85 else CLOSED
        plain = [n[0] for n in steps(groove.hats, bar)]
        if self.filling and bar.level > 0.35:
            for i in range(4 * bar.beats):
                at = bar.start + i / 4
                if at < stop - 1e-6 and all(abs(at - p) > 1e-6 for p in plain):
                    self._strike(at, CLOSED, (50.0 - 8.0 * slow) * force)
        rolls = self.style.fills[0] == "electro" and bar.level > 0.5
        for at, sign, _ in steps(groove.hats, bar):
            if at >= stop - 1e-6:
                continue
            # The hand comes down on the beat and up between: that alone makes eighths swing.
            where = round(4 * at) % 4
            shape = (1.08, 0.62, 0.74 - 0.2 * slow, 0.62 - 0.12 * slow)[where]
            key = {"O": OPEN, "p": PEDAL}.get(sign, busy)
            touch = 98.0 if sign == "O" else _TOUCH.get(sign, 96.0)
            self._strike(at, key, touch * shape * force)
            if rolls and where == 2 and key == CLOSED and self.rng.random() < 0.06:
                for i in (1, 2, 3):
                    self._strike(at + i / 8, CLOSED, (72 + 7 * i) * force)

    def _pulse(self, bar: Bar, form: Form, force: float) -> None:
        """A side stick, just heard, on the beats that neither snare nor clap marks."""
        for at in bar.start + np.arange(bar.beats):
            marked = any((round(at, 3), key) in self._taken for key in (SNARE, 40, CLAP, RIM))
            if at < form.final - 1e-6 and not marked and self.stick:
                self._strike(at, RIM, self.stick * force)

    def _pick_up(self, bar: Bar, groove: Groove, stop: float, force: float, slow: float) -> None:
        """Now and then one more kick that leads into the next beat."""
        if bar.level > 0.5 and groove.snare_key != CLAP and self.rng.random() < 0.3:
            places = [2.25, 2.5, 3.5] if slow > 0.5 else [1.75, 2.25, 3.75, 3.5]
            at = bar.start + float(self.rng.choice(places))
            if at < min(stop, bar.end):
                self._strike(at, KICK, (88.0 - 20.0 * slow) * force)

    def _ghosts(self, bar: Bar, groove: Groove, stop: float, force: float) -> None:
        if "g" not in groove.snare or force <= 0:
            return
        for place in self.rng.permutation([1.75, 2.25, 2.75, 3.25, 3.75])[: int(self.rng.integers(0, 3))]:
            at = bar.start + float(place)
            if at < min(stop, bar.end):
                self._strike(at, SNARE, float(self.rng.uniform(34, 50)) * force)

    def _fill(self, bar: Bar, following: Bar | None, form: Form) -> float:
        """Plays the fill at the end of a bar, if any; returns where it begins."""
        before_end = bar.start < form.final - 1e-6 <= bar.end + 1e-6
        joining = bar.place == bar.length - 1 or before_end
        end = min(bar.end, form.final)
        if joining and len(form.bars) > 2 and (len(form.bars) <= 4 or form.slow == 1.0):
            beats = 1.0
        elif joining and len(form.bars) > 2:
            rise = following is not None and following.level > bar.level + 0.1
            beats = float(self.rng.choice([2, 4])) if rise or before_end else float(self.rng.choice([1, 2]))
        elif bar.place % 4 == 3 and bar.length > 4:
            beats = float(self.rng.choice([0, 1, 1, 2]))
        elif bar.place % 2 == 1 and self.rng.random() < 0.2:
            beats = 1.0
        else:
            beats = 0.0
        beats = min(beats, end - bar.start - (1.0 if bar.beats > 1 else 0.0))
        if beats <= 0:
            return bar.end
        kind = self.style.fills[int(self.rng.integers(0, len(self.style.fills)))]
        rows = _FILLS[kind][int(self.rng.integers(0, len(_FILLS[kind])))]
        begin = end - beats
        for key, row in rows.items():
            signs = row.replace(" ", "")
            for i in range(16):
                at = end - 4.0 + i / 4
                if at >= begin - 1e-6 and signs[i] != ".":
                    growth = 0.8 + 0.2 * i / 15
                    snare = self.groove(bar).snare_key if key == SNARE and kind != "electro" else key
                    touch = _TOUCH[signs[i]] * growth * _between(at, form.slow)
                    self._strike(at, SNARE if snare in (CLAP, RIM) else snare, touch)
        for at in np.arange(np.ceil(begin - 1e-6), end - 1e-6):
            # The pedal hi-hat keeps time in any pattern.
            self._strike(float(at), KICK, 96.0)
            self._strike(float(at), PEDAL, 100.0)
        return begin


def _between(at: float, slow: float) -> float:
    """How hard a stroke is played against one on the beat."""
    return 1.0 if at % 1.0 == 0 else 0.84 - 0.26 * slow - (0.04 if at % 1.0 == 0.75 else 0.0)
