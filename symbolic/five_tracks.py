"""Assign the instruments of a MIDI file to the five tracks: by name, otherwise by program and register.

Names have priority, since many files leave every program at 0. Without a known name the rule of LPD-5 decides by the
General MIDI family (:func:`d2m.symbolic.tracks.lpd_track`), and among unnamed pianos the register: a part that stays
below the middle of the bass clef is a bass.
"""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from d2m.errors import D2MError
from d2m.symbolic.instrument_names import program_called
from d2m.symbolic.midi_file import Instrument, MidiFile
from d2m.symbolic.pianoroll import PianoRoll
from d2m.symbolic.pianoroll_midi import roll_from_file
from d2m.symbolic.tracks import BASS, DRUMS, GUITAR, PIANO, PROGRAMS, STRINGS, lpd_track, playing_track
from d2m.types import TRACKS

#: Words in names of instruments, in this order, for each track.
_WORDS: tuple[tuple[str, int], ...] = (
    (r"드럼|ドラム|drum|percussion|\bkit\b|\bkick\b|snare|hi-?hat|cymbal", DRUMS),
    (r"베이스|ベース|bass(?!oon)|contrabas", BASS),
    (r"기타|ギター|guitar|\bg(i)?tr\b|strum", GUITAR),
    (r"피아노|ピアノ|piano|\bkeys?\b|keyboard|rhodes|wurli|clav", PIANO),
    (
        r"멜로디|보컬|현악|스트링|メロディ|ボーカル|ストリングス|string|violin|viola|cello|\bpad\b|choir|vocal|voice|melody|\blead\b|flute|sax|brass|trumpet|synth",
        STRINGS,
    ),
)
#: A part without a name or program of its own is a bass if nine tenths of its notes lie below this key.
_LOW = 48
_UNNAMED_PROGRAMS = range(8)
#: Programs of one file are numbered from here while it is read, so that they cannot be taken for real ones.
_FIRST_CODE = 1000


def track_for(name: str, program: int, drums: bool, keys: np.ndarray) -> int | None:
    """Return the number of the track of an instrument, or None for effects and percussion that have none.

    Args:
        name: name of the instrument in the file, or "".
        program: General MIDI program.
        drums: whether it plays on the drum channel.
        keys: keys of its notes.
    """
    if drums:
        return DRUMS
    if program_called(name) == program and lpd_track(program) is not None:
        # Named after its instrument, as d2m names tracks: organs and mallets are among the keys.
        return playing_track(program)
    for words, track in _WORDS:
        if re.search(words, name.lower()):
            # Keys of drums mean drums on their own channel only.
            return track if track != DRUMS else None
    if program in _UNNAMED_PROGRAMS and len(keys) and np.quantile(keys, 0.9) < _LOW:
        return BASS
    return lpd_track(program)


def homes_of(file: MidiFile) -> dict[Instrument, int | None]:
    """Assign every instrument of a file to a track by :func:`track_for`.

    Args:
        file: a MIDI file.

    Returns:
        Track by instrument; None for instruments without one.
    """
    return {
        instrument: track_for(
            file.name_of(instrument), instrument.program, instrument.drums, np.array([note[2] for note in found])
        )
        for instrument, found in file.notes.items()
    }


def five_tracks(
    file: MidiFile, steps_per_beat: int, name: str = "", homes: dict[Instrument, int | None] | None = None
) -> PianoRoll:
    """Return a MIDI file in five tracks; metre, bar lines and tempo are the file's own.

    Args:
        file: as read.
        steps_per_beat: steps to a quarter note.
        name: name of the piece.
        homes: the track of every instrument; by :func:`homes_of` if not given.

    Raises:
        D2MError: if it has no notes for them, or is too long.
    """
    codes: dict[int, Instrument] = {}
    notes = {}
    for number, (instrument, found) in enumerate(file.notes.items()):
        code = _FIRST_CODE + number
        codes[code] = instrument
        notes[instrument._replace(program=code)] = found
    homes = homes_of(file) if homes is None else homes
    if all(home is None for home in homes.values()):
        raise D2MError(f"it has no notes for any of {', '.join(TRACKS)}; give a MIDI file with music in it")
    roll = roll_from_file(replace(file, notes=notes), steps_per_beat, lambda code, _: homes[codes[code]], name)
    programs = [
        codes[code].program if code in codes else usual for code, usual in zip(roll.programs, PROGRAMS, strict=True)
    ]
    return replace(roll, programs=tuple(programs))
