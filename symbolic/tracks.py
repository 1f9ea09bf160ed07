"""Which of the five tracks an instrument belongs to.

Two rules exist. :func:`lpd_track` is that of LPD-5 (Dong et al., AAAI 2018; the data set's ``merger_5.py``): pianos,
guitars and basses by their General MIDI families, everything else that has a pitch to strings, percussive and effect
sounds to nobody. Whatever meets a model trained on phrases goes by it. :func:`d2m.symbolic.midi.track_of` serves
playing: it loses no note, and keeps organs and mallets among the keys.
"""

from __future__ import annotations

from d2m.types import TRACKS

DRUMS, PIANO, GUITAR, BASS, STRINGS = range(len(TRACKS))

#: General MIDI program of each track in LPD-5, in the order of :data:`d2m.types.TRACKS`; for drums the kit's.
PROGRAMS: tuple[int, ...] = (0, 0, 24, 32, 48)

_FIRST_EFFECT, _FIRST_ETHNIC, _FIRST_PERCUSSIVE = 96, 104, 112


def lpd_track(program: int, is_drum: bool = False) -> int | None:
    """Return the number of the LPD-5 track of a program, or None for programs that LPD-5 leaves out.

    Args:
        program: 0 to 127.
        is_drum: whether it is a drum kit.
    """
    if is_drum:
        return DRUMS
    family = {0: PIANO, 3: GUITAR, 4: BASS}.get(program // 8)
    if family is not None:
        return family
    left_out = _FIRST_EFFECT <= program < _FIRST_ETHNIC or program >= _FIRST_PERCUSSIVE
    return None if left_out else STRINGS


def playing_track(program: int, is_drum: bool = False) -> int:
    """Return the number of the track that plays a program when no note may be lost
    (:func:`d2m.symbolic.midi.track_of`).

    Args:
        program: 0 to 127.
        is_drum: whether it is a drum kit.
    """
    from d2m.symbolic.midi import track_of

    return DRUMS if is_drum else TRACKS.index(track_of(program))
