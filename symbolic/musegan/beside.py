"""Add new tracks to the music in a MIDI file, or replace some of its tracks; all other events are kept unchanged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from d2m.errors import D2MError
from d2m.symbolic.fit_notes import chords_of
from d2m.symbolic.five_tracks import five_tracks, homes_of
from d2m.symbolic.instrument_names import instrument_name
from d2m.symbolic.midi import MOST_BYTES, file_bytes, load_bytes, score_of
from d2m.symbolic.midi_chunks import MOST_TRACKS
from d2m.symbolic.midi_events import Event, Events, charset_of, free_channels, only, read_events
from d2m.symbolic.midi_file import Instrument, MidiFile
from d2m.symbolic.midi_write import DRUM_CHANNEL, in_order, meta, note_events
from d2m.symbolic.musegan.accompaniment import accompany_roll, played, solo_roll
from d2m.symbolic.musegan.files import load
from d2m.symbolic.musegan.sampler import MuseGan
from d2m.symbolic.musegan.under import chords_as_track
from d2m.symbolic.pianoroll import PianoRoll, beat_steps, to_score
from d2m.symbolic.pianoroll_file import load_npz
from d2m.symbolic.pianoroll_midi import roll_bytes
from d2m.symbolic.shape import Words
from d2m.symbolic.tracks import DRUMS, lpd_track
from d2m.types import TRACKS, Part, Score

_STEPS_PER_BEAT = 24
#: Controllers of a channel that the file speaks of without playing on it: reset, volume, expression, bank.
_RESETS = ((121, 0), (7, 100), (11, 127), (0, 0), (32, 0))


@dataclass(frozen=True)
class Accompanied:
    """A MIDI file with new tracks.

    Attributes:
        data: the file to write.
        score: all of it.
        added: the tracks that are new, as in :data:`d2m.types.TRACKS`.
    """

    data: bytes
    score: Score
    added: tuple[str, ...]


def accompany_file(
    muse: MuseGan,
    path: str | Path,
    seed: int = 0,
    binarise: str = "threshold",
    anew: bool = False,
    words: Words | None = None,
    scratch: str | Path = "studio-musegan",
) -> Accompanied:
    """Add those of the five tracks to a MIDI file that it does not play, or replace tracks of it.

    The model is given the instruments whose names, or else programs, mean its given track. Every event of the file
    stays where it is: notes, velocities, pedals, programs, names, words.

    Where tracks are replaced, the new ones have names and programs of the old ones. If the file has no given track
    beside them, the model is given the chords of the rest; a new given track is taken from new phrases, moved onto
    these chords.

    Args:
        muse: a model with a given track.
        path: MIDI file, or piano-roll (``.npz``).
        seed, binarise: as of :meth:`~d2m.symbolic.musegan.sampler.MuseGan.accompany`.
        anew: leave out everything but the given track, and make the four others.
        words: key, chords and swing of the new tracks, tracks that are not added, and tracks that are replaced; None
            for nothing.
        scratch: weights of a model that needs no given track, for a new given track.

    Raises:
        D2MError: as :func:`~d2m.symbolic.musegan.accompaniment.accompany_roll`, or if the file cannot be read, has no
            channels left, or does not have the tracks that are to be replaced.
    """
    path, words = Path(path), words or Words()
    data = roll_bytes(load_npz(path)) if path.suffix.lower() == ".npz" else file_bytes(path)
    file = load_bytes(data, path)
    given = muse.config.condition
    homes = homes_of(file)
    if given not in homes.values():
        homes = {source: lpd_track(source.program, source.drums) for source in file.notes}
    try:
        old = _replaced(file, homes, words.regenerate)
        gone = {source for sources in old.values() for source in sources}
        kept = {source: None if source in gone else home for source, home in homes.items()}
        if gone and all(home is None for home in kept.values()):
            raise D2MError("no track is left that the new ones could follow; give --regenerate fewer tracks")
        roll = five_tracks(file, _STEPS_PER_BEAT, path.stem, kept)
        made, new = _made(muse, roll, seed, binarise, anew, words, set(old), scratch)
        _check_left_out(words, roll, anew)
    except D2MError as error:
        raise D2MError(f"{path}: {error}") from None
    events = read_events(data)
    charset = charset_of(events)
    if anew:
        events = only(events, file, [source for source, home in homes.items() if home == given])
    elif gone:
        events = only(events, file, [source for source in file.notes if source not in gone])
    channels = _channels(events, [TRACKS.index(part.track) for part in new], path)
    for part in new:
        track = TRACKS.index(part.track)
        like = max(old.get(track, ()), key=lambda source: len(file.notes[source]), default=None)
        events.tracks.append(_track(part, made, channels[track], file, events, like, charset))
    whole = events.to_bytes()
    if len(events.tracks) > MOST_TRACKS or len(whole) > MOST_BYTES:
        raise D2MError(f"{path} is too long for another track; cut it first")
    return Accompanied(whole, score_of(load_bytes(whole, path), path), tuple(part.track for part in new))


def _replaced(
    file: MidiFile, homes: dict[Instrument, int | None], names: Sequence[str]
) -> dict[int, tuple[Instrument, ...]]:
    """Instruments that are replaced by their track: those of a name, or else those of one of the five tracks."""
    found: dict[int, tuple[Instrument, ...]] = {}
    for name in names:
        called = [source for source in file.notes if file.name_of(source).casefold() == name.casefold()]
        home = TRACKS.index(name) if name in TRACKS else None
        chosen = called or [source for source, own in homes.items() if home is not None and own == home]
        tracks = {homes[source] for source in chosen}
        if not chosen:
            raise D2MError(f"--regenerate: it has no track '{name}'; choose from {', '.join(_choices(file, homes))}")
        if len(tracks) != 1 or (track := next(iter(tracks))) is None:
            raise D2MError(f"--regenerate: '{name}' is no one of {', '.join(TRACKS)}, so no model can play it")
        if track in found and set(found[track]) != set(chosen):
            raise D2MError(
                f"--regenerate: '{name}' is a second {TRACKS[track]} track; replace one of them at a time, or give "
                f"--regenerate {TRACKS[track]} for one track in place of all"
            )
        found[track] = tuple(chosen)
    return found


def _choices(file: MidiFile, homes: dict[Instrument, int | None]) -> list[str]:
    tracks = [name for number, name in enumerate(TRACKS) if number in homes.values()]
    own = dict.fromkeys(name for source in file.notes if (name := file.name_of(source)) and name not in tracks)
    return [*tracks, *own]


def _check_left_out(words: Words, roll: PianoRoll, anew: bool) -> None:
    """Refuse to leave out tracks that are kept."""
    words.check_tracks()
    for name in words.without:
        if not anew and roll.held[TRACKS.index(name)].any():
            raise D2MError(
                f"--without {name}: the file plays {name} itself and keeps it; leave it out of what is played with "
                f"'d2m symbolic render --without {name}'"
            )


def _made(
    muse: MuseGan,
    roll: PianoRoll,
    seed: int,
    binarise: str,
    anew: bool,
    words: Words,
    replaced: set[int],
    scratch: str | Path,
) -> tuple[PianoRoll, list[Part]]:
    """The piece with new tracks as a roll, and the new tracks in beats, as they are asked for."""
    given = muse.config.condition
    if replaced and anew:
        raise D2MError("--anew replaces all tracks but one; leave out --anew or --regenerate")
    chords = chords_of(to_score(roll)) if replaced else []
    source, follows = roll, bool(roll.held[given].any())
    if replaced and not follows:
        under = words.shape.lay_out(to_score(roll)) or chords
        source = chords_as_track(roll, under, given)
    made = accompany_roll(muse, source, seed, binarise, anew or bool(replaced))
    if given in replaced:
        solo = solo_roll(load(scratch), roll, given, seed, binarise)
        held, onsets = made.held.copy(), made.onsets.copy()
        held[given], onsets[given] = solo.held[given], solo.onsets[given]
        made = replace(made, held=held, onsets=onsets)
    wanted = replaced or {track for track in played(made) if track != given and (anew or not roll.held[track].any())}
    names = [TRACKS[track] for track in sorted(wanted) if TRACKS[track] not in words.without]
    score = to_score(made)
    score = words.shape.fit(score, names, () if follows else chords)
    if given in replaced and not words.shape.moves_notes and follows:
        score = words.shape.fit(score, [TRACKS[given]], chords)
    score = words.shape.swung(score, names)
    return made, [part for part in score.parts if part.track in names]


def _channels(events: Events, new: list[int], path: Path) -> dict[int, int]:
    """A channel for each new track."""
    pitched, drums = free_channels(events)
    wanted = [track for track in new if track != DRUMS]
    if len(wanted) > len(pitched) or (DRUMS in new and not drums):
        raise D2MError(f"{path} has no free channel for a new track; remove tracks, or give --anew")
    return dict(zip(wanted, pitched, strict=False)) | {DRUMS: DRUM_CHANNEL}


def _track(
    part: Part,
    roll: PianoRoll,
    channel: int,
    file: MidiFile,
    events: Events,
    like: Instrument | None,
    charset: str,
) -> list[Event]:
    """A new track as events in the file's ticks, called and played like the instrument that it replaces."""
    scale = file.resolution / roll.steps_per_beat
    beats = beat_steps(roll)
    starts, stops = (
        np.floor(np.interp(at, np.arange(len(beats)), beats) * scale + 0.5).astype(np.int64)
        for at in (part.starts, part.ends)
    )
    loud = np.clip(part.velocities, 1, 127)
    table = np.column_stack([starts, np.maximum(stops, starts + 1), part.pitches, loud])
    said = any(event[0] < 0xF0 and event[0] & 15 == channel for row in events.tracks for _, event in row)
    setup = [bytes([0xB0 | channel, *move]) for move in _RESETS] if said else []
    program = part.program if like is None else like.program
    setup.append(bytes([0xC0 | channel, int(program)]))
    name = (file.name_of(like) if like is not None else "") or _name(instrument_name(part.track, program), file)
    first = [(0, -2, meta(0x03, name.encode(charset, "replace"))), *((0, -1, event) for event in setup)]
    return in_order(first + note_events(table, channel))


def _name(instrument: str, file: MidiFile) -> str:
    """The name of an instrument, with a number if the file has one of that name."""
    taken = {name.casefold() for name in (*file.names.values(), *file.channel_names.values())}
    names = (instrument, *(f"{instrument} {number}" for number in range(2, 1000)))
    return next((name for name in names if name not in taken), instrument)
