"""Add an accompaniment to the music in a MIDI file, whose events are kept unchanged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from d2m.errors import D2MError
from d2m.symbolic.five_tracks import five_tracks, homes_of
from d2m.symbolic.midi import MOST_BYTES, file_bytes, load_bytes
from d2m.symbolic.midi_chunks import MOST_TRACKS
from d2m.symbolic.midi_events import Event, Events, free_channels, only, read_events
from d2m.symbolic.midi_file import MidiFile
from d2m.symbolic.midi_write import DRUM_CHANNEL, in_order, meta, note_events
from d2m.symbolic.musegan.accompaniment import accompany_roll, played
from d2m.symbolic.musegan.sampler import MuseGan
from d2m.symbolic.pianoroll import VELOCITIES, PianoRoll, accents
from d2m.symbolic.tracks import DRUMS, lpd_track
from d2m.types import TRACKS

_STEPS_PER_BEAT = 24
#: Controllers of a channel that the file speaks of without playing on it: reset, volume, expression, bank.
_RESETS = ((121, 0), (7, 100), (11, 127), (0, 0), (32, 0))


@dataclass(frozen=True)
class Accompanied:
    """A MIDI file with a band.

    Attributes:
        data: the file to write.
        roll: all of it as five tracks.
        added: the tracks that are new, as in :data:`d2m.types.TRACKS`.
    """

    data: bytes
    roll: PianoRoll
    added: tuple[str, ...]


def accompany_file(
    muse: MuseGan, path: str | Path, seed: int = 0, binarise: str = "threshold", anew: bool = False
) -> Accompanied:
    """Add those of the five tracks to a MIDI file that it does not play.

    The model hears the instruments whose names, or else programs, mean its given track. Every event of the file stays
    where it is: notes, velocities, pedals, programs, names, words.

    Args:
        muse: a model with a given track.
        path: the file.
        seed, binarise: as of :meth:`~d2m.symbolic.musegan.sampler.MuseGan.accompany`.
        anew: leave out everything but the given track, and make the four others.

    Raises:
        D2MError: as :func:`~d2m.symbolic.musegan.accompaniment.accompany_roll`, or if the file cannot be read, or has
            no channels left.
    """
    path = Path(path)
    data = file_bytes(path)
    file = load_bytes(data, path)
    given = muse.config.condition
    homes = homes_of(file)
    if given not in homes.values():
        homes = {source: lpd_track(source.program, source.drums) for source in file.notes}
    try:
        roll = five_tracks(file, _STEPS_PER_BEAT, path.stem, homes)
        made = accompany_roll(muse, roll, seed, binarise, anew)
    except D2MError as error:
        raise D2MError(f"{path}: {error}") from None
    events = read_events(data)
    if anew:
        events = only(events, file, [source for source, home in homes.items() if home == given])
    new = [track for track in played(made) if track != given and (anew or not roll.held[track].any())]
    channels = _channels(events, new, path)
    for track in new:
        events.tracks.append(_track(made, track, channels[track], file, events))
    whole = events.to_bytes()
    if len(events.tracks) > MOST_TRACKS or len(whole) > MOST_BYTES:
        raise D2MError(f"{path} is too long for another track; cut it first")
    return Accompanied(whole, made, tuple(TRACKS[track] for track in new))


def _channels(events: Events, new: list[int], path: Path) -> dict[int, int]:
    """A channel for each new track."""
    pitched, drums = free_channels(events)
    wanted = [track for track in new if track != DRUMS]
    if len(wanted) > len(pitched) or (DRUMS in new and not drums):
        raise D2MError(f"{path} has no free channel for a new track; remove tracks, or give --anew")
    return dict(zip(wanted, pitched, strict=False)) | {DRUMS: DRUM_CHANNEL}


def _track(roll: PianoRoll, track: int, channel: int, file: MidiFile, events: Events) -> list[Event]:
    """A track of a roll as events in the file's ticks."""
    scale = file.resolution / roll.steps_per_beat
    notes = roll.notes(track)
    loud = np.clip(VELOCITIES[track] + accents(roll, notes[:, 0]), 1, 127)
    starts, stops = (np.floor(notes[:, side] * scale + 0.5).astype(np.int64) for side in (0, 1))
    table = np.column_stack([starts, np.maximum(stops, starts + 1), notes[:, 2], loud])
    said = any(event[0] < 0xF0 and event[0] & 15 == channel for row in events.tracks for _, event in row)
    setup = [bytes([0xB0 | channel, *move]) for move in _RESETS] if said else []
    setup.append(bytes([0xC0 | channel, int(roll.programs[track])]))
    first = [(0, -2, meta(0x03, _name(TRACKS[track], file).encode())), *((0, -1, event) for event in setup)]
    return in_order(first + note_events(table, channel))


def _name(track: str, file: MidiFile) -> str:
    """The track's name, with a number if the file has one of that name."""
    taken = {name.casefold() for name in (*file.names.values(), *file.channel_names.values())}
    names = (track, *(f"{track} {number}" for number in range(2, 1000)))
    return next((name for name in names if name not in taken), track)
