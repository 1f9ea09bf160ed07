"""What is asked of music besides the notes that a model writes: key, chords, swing, tempo, length and tracks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from d2m.errors import D2MError
from d2m.symbolic.chords import Chord, Progression
from d2m.symbolic.fit_notes import bar_lines, into_key, main_key, onto_chords
from d2m.symbolic.keys import key_name
from d2m.symbolic.score_edit import swung_part
from d2m.types import TRACKS, Part, Score


@dataclass(frozen=True)
class Shape:
    """Key, chords and swing.

    Attributes:
        key: number of a key (:mod:`d2m.symbolic.keys`), or None.
        chords: chords that are repeated to the length, or None.
        swing: place of the second of two eighths in its beat, 0.5 to 0.75.
    """

    key: int | None = None
    chords: Progression | None = None
    swing: float = 0.5

    @property
    def moves_notes(self) -> bool:
        """Whether notes get other pitches."""
        return self.key is not None or self.chords is not None

    @property
    def home(self) -> int | None:
        """The key, or that of the chords, or None."""
        if self.key is None and self.chords is not None:
            return self.chords.key()
        return self.key

    def lay_out(self, score: Score) -> list[Chord]:
        """Return the chords under a score; none if none are asked for.

        Args:
            score: the score.
        """
        if self.chords is None:
            return []
        return self.chords.lay_out(bar_lines(score), float(score.grid.position_of(score.duration)))

    def fit(self, score: Score, only: Collection[str] = TRACKS, chords: Sequence[Chord] = ()) -> Score:
        """Move notes into the key and onto the chords.

        Args:
            score: the score.
            only: tracks whose notes are moved.
            chords: chords of the music if none are asked for; empty to leave notes where they are.
        """
        chords = self.lay_out(score) or list(chords)
        home = self.home
        if home is None:
            if not chords:
                return score
            home = main_key(score)
        chosen = [part for part in score.parts if part.track in only]
        moved = into_key(replace(score, parts=tuple(chosen)), home)
        if chords:
            moved = onto_chords(moved, chords, home)
        new = dict(zip((id(part) for part in chosen), moved.parts, strict=True))
        return replace(score, parts=tuple(new.get(id(part), part) for part in score.parts), key=key_name(home))

    def swung(self, score: Score, only: Collection[str] = TRACKS) -> Score:
        """Swing the notes.

        Args:
            score: the score.
            only: tracks whose notes are moved.
        """
        if self.swing == 0.5:
            return score

        def swing(part: Part) -> Part:
            return swung_part(part, self.swing) if part.track in only else part

        return replace(score, parts=tuple(swing(part) for part in score.parts))


@dataclass(frozen=True)
class Words:
    """All that is asked of the music of a command under ``d2m symbolic``.

    Attributes:
        shape: key, chords and swing.
        tempo: quarter notes per minute, or None.
        bars: length in bars, or None.
        without: names of tracks that are left out.
        regenerate: names of tracks that are replaced.
    """

    shape: Shape = Shape()
    tempo: float | None = None
    bars: int | None = None
    without: tuple[str, ...] = ()
    regenerate: tuple[str, ...] = ()

    def check_tracks(self) -> None:
        """Check that the tracks that are left out are some of the five.

        Raises:
            D2MError: if one is not, or all are left out.
        """
        for name in self.without:
            if name not in TRACKS:
                raise D2MError(f"--without: no track '{name}'; choose {', '.join(TRACKS)}")
        if set(self.without) == set(TRACKS):
            raise D2MError("--without leaves out every track; keep one of them")
