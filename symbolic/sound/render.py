"""Render a whole score through the player, the mixer and the mastering.

The times of notes follow the grid of the score in seconds, so any tempo curve is rendered exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from d2m.audio.mastering import TARGET_LUFS, finish
from d2m.audio.mixer import BLOCK, LARGE_BLOCK, Mixed, Mixer, SampleLane
from d2m.audio.presets import CHANNELS, Preset, preset
from d2m.errors import D2MError
from d2m.symbolic.sound.fonts import find_soundfont, open_soundfont, pans
from d2m.symbolic.sound.notes import FixedNotes, Notes, notes_of
from d2m.symbolic.sound.player import RATE, Player
from d2m.types import Part, Score

#: What still rings at the end of a score fades out over so many seconds.
_END_FADE = 0.04


@dataclass(frozen=True)
class Rendered:
    """A finished mix and its stems.

    Attributes:
        mix: float32 (2, samples).
        stems: float32 (2, samples) by channel of the mixer; they add up to the mix.
        sample_rate: sample rate in hertz.
    """

    mix: np.ndarray
    stems: dict[str, np.ndarray]
    sample_rate: int


def render(
    score: Score,
    sample_rate: int = 22050,
    soundfont: str | Path | None = None,
    stereo: bool = False,
    *,
    room: bool = True,
) -> np.ndarray:
    """Render a score.

    Args:
        score: what to play; notes that begin before 0 or after its duration are left out. Its genre sets the mix.
        sample_rate: sample rate in hertz, 8000 to 96000.
        soundfont: see :func:`~d2m.symbolic.sound.fonts.find_soundfont`.
        stereo: two channels; otherwise their mean.
        room: with the mixer's processing and spaces; otherwise the dry sum of the instruments.

    Returns:
        float32 (channels, round(duration * sample_rate)), -14 LUFS as far as its peaks allow, under -1 dBTP. Silence
        for a score without notes.

    Raises:
        D2MError: if the rate is out of range or the soundfont cannot be used.
    """
    _check_rate(sample_rate)
    mix = finished(mix_down(score, soundfont, mixed=room), score).mix
    return _at_rate(mix if stereo else mix.mean(axis=0, keepdims=True), sample_rate, score.duration)


def render_stems(
    score: Score, sample_rate: int = 44100, soundfont: str | Path | None = None, *, before_bus: bool = False
) -> Rendered:
    """Render a score in stereo with each channel of the mixer alone; see :func:`render`.

    Args:
        score, sample_rate, soundfont: as of :func:`render`.
        before_bus: give the channels as they go into rooms and sum, all at one level, instead of stems that add up to
            the mix.
    """
    _check_rate(sample_rate)
    made = mix_down(score, soundfont, stems="channels" if before_bus else "finished")
    if before_bus:
        loudest = max((float(np.abs(stem).max(initial=0.0)) for stem in made.stems.values()), default=0.0)
        level = np.float32(10 ** (-1 / 20) / max(loudest, 1e-6))
        mix = finished(Rendered(made.mix, {}, RATE), score).mix
        made = Rendered(mix, {name: level * stem for name, stem in made.stems.items()}, RATE)
    else:
        made = finished(made, score)
    stems = {name: _at_rate(stem, sample_rate, score.duration) for name, stem in made.stems.items()}
    return Rendered(_at_rate(made.mix, sample_rate, score.duration), stems, sample_rate)


def render_parts(
    score: Score, sample_rate: int = 22050, soundfont: str | Path | None = None, stereo: bool = False
) -> list[np.ndarray]:
    """Render each part alone at its stereo position, before the mixer. All parts have the same scale, so their powers
    can be compared.

    The parts of a score share one scale, so their powers may be compared.

    Args:
        score: the score.
        sample_rate: hertz.
        soundfont: name or file, or None for the sound library.
        stereo: two channels instead of one.

    Returns:
        float32 (channels, samples) for each part.
    """
    _check_rate(sample_rate)
    font = open_soundfont(find_soundfont(soundfont))
    count = int(np.ceil(score.duration * RATE)) + 1
    alone = []
    for part, pan in zip(score.parts, pans(score.parts), strict=True):
        notes = FixedNotes(_notes(score, [(part, pan if stereo else 0.0)]))
        sound = Player(font, notes, plain=True).read(count)
        alone.append(_at_rate(sound if stereo else sound.mean(axis=0, keepdims=True), sample_rate, score.duration))
    return alone


def mix_down(
    score: Score,
    soundfont: str | Path | None = None,
    *,
    mixed: bool = True,
    stems: Literal["", "channels", "finished"] = "",
    mix: Preset | None = None,
) -> Rendered:
    """Mix a score at the player's rate, without mastering.

    Args:
        score: what to play.
        soundfont: see :func:`~d2m.symbolic.sound.fonts.find_soundfont`.
        mixed: through the mixer; otherwise the dry sum of the instruments.
        stems: whether each channel is also given alone: as it goes into rooms and sum (``"channels"``), or with its
            part of them (``"finished"``).
        mix: settings; None for those of the score's genre.
    """
    font = open_soundfont(find_soundfont(soundfont))
    settings = mix or preset(score.genre, score.character)
    mixer = None
    if mixed:
        size = block_size(score.duration)
        mixer = Mixer(settings, score.grid.tempo, RATE, _lanes(score), stems == "finished", size)
    spread = [settings.strips[name].spread for name in CHANNELS]
    notes = FixedNotes(_notes(score, zip(score.parts, pans(score.parts), strict=True), spread))
    player = Player(font, notes, mixer=mixer, limited=False, plain=not mixed)
    count = int(np.ceil(score.duration * RATE)) + 1
    total = np.zeros((2, count), np.float32)
    alone = {name: np.zeros((2, count), np.float32) for name in CHANNELS} if stems else {}
    for at, block in _blocks(player, count) if score.parts else ():
        given = (block.channels if stems == "channels" else block.stems) if stems else {}
        for target, sound in ((total, block.mix), *((alone[name], stem) for name, stem in given.items())):
            target[:, at : at + sound.shape[1]] = sound[:, : count - at]
    return Rendered(total, alone, RATE)


def block_size(duration: float) -> int:
    """Return the samples that the mixer processes at a time.

    Args:
        duration: seconds of the score.
    """
    # A short piece would mostly fill one large block with silence.
    return LARGE_BLOCK if duration * RATE > 8 * LARGE_BLOCK else BLOCK


def _blocks(player: Player, count: int) -> Iterator[tuple[int, Mixed]]:
    """Yield position and sound of blocks up to ``count`` samples; while one is mixed, the next is played."""
    from concurrent.futures import Future, ThreadPoolExecutor

    with ThreadPoolExecutor(1) as mixing:
        waiting: tuple[int, Future[Mixed]] | None = None
        while player.mixed < count:
            channels = player.next_channels()
            if waiting is not None:
                yield waiting[0], waiting[1].result()
            waiting = channels.position, mixing.submit(player.mix, channels)
        if waiting is not None:
            yield waiting[0], waiting[1].result()


def finished(made: Rendered, score: Score) -> Rendered:
    """Master the mix of a score and its stems: loudness, peaks, and a fade over the last 40 ms.

    Args:
        made: mix and stems.
        score: the score.
    """
    crest, target = preset(score.genre, score.character).bus.crest, TARGET_LUFS + score.loudness
    gains = finish(made.mix, made.sample_rate, crest, target=target)
    fade = _fade_out(made.mix.shape[1])
    stems = {name: gains.apply(stem) * fade for name, stem in made.stems.items()}
    return Rendered(gains.apply(made.mix) * fade, stems, made.sample_rate)


def _notes(score: Score, parts: Iterable[tuple[Part, float]], spread: Sequence[float] | None = None) -> Notes:
    """Place parts of a score, each with its stereo place, at the player's rate; see :func:`notes_of`."""

    def sample_of(beats: np.ndarray) -> np.ndarray:
        return np.round(score.grid.time_of(beats) * RATE).astype(np.int64)

    found = notes_of(parts, sample_of, lambda beats: np.zeros(len(beats)), RATE, spread)
    found = found.chosen((found.starts > -2) & (found.starts < score.duration * RATE))
    np.maximum(found.starts, 0, out=found.starts)
    return found


def _lanes(score: Score) -> tuple[SampleLane, ...]:
    return tuple(
        SampleLane(lane.target, lane.parameter, score.grid.time_of(lane.beats) * RATE, lane.values)
        for lane in score.lanes
    )


def _fade_out(count: int) -> np.ndarray:
    fade = min(int(_END_FADE * RATE), count)
    curve = np.ones(count, np.float32)
    curve[count - fade :] = 0.5 + 0.5 * np.cos(np.pi * np.arange(1, fade + 1) / fade)
    return curve


def _check_rate(sample_rate: int) -> None:
    """Refuse rates that nothing is played at, before anything is rendered."""
    if not 8000 <= sample_rate <= 96000:
        raise D2MError(f"cannot render at {sample_rate} Hz; choose 8000 to 96000")


def _at_rate(sound: np.ndarray, sample_rate: int, duration: float) -> np.ndarray:
    """Resample (channels, n) from the player's rate, exactly ``round(duration * sample_rate)`` samples."""
    if sample_rate != RATE:
        from scipy.signal import resample_poly

        common = int(np.gcd(RATE, sample_rate))
        sound = resample_poly(sound, sample_rate // common, RATE // common, axis=1).astype(np.float32)
    total = int(round(duration * sample_rate))
    out = np.zeros((len(sound), total), np.float32)
    out[:, : sound.shape[1]] = sound[:, :total]
    return out
