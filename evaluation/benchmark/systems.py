"""Generate the music of a row for an item."""

from __future__ import annotations

import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np

from d2m.errors import D2MError
from d2m.evaluation.recordings import SAMPLE_RATE
from d2m.evaluation.rhythm_features import RhythmFeatures
from d2m.nn.device import on_device

from .baselines import QUIET_NOISE, fitted, metronome, noise, scrambled
from .inputs import Inputs, read_music, steady
from .items import Item
from .outside import play_outside
from .rows import SYSTEMS, Row


@dataclass(frozen=True)
class Played:
    """Music for an item.

    Attributes:
        waveform: float32 (channels, T).
        sample_rate: hertz.
        seconds: seconds of processor time that making it took, all cores together, without loading weights; None for
            what is no system. (A clock on the wall would tell how busy the machine is otherwise.)
        details: where it comes from: plain values.
    """

    waveform: np.ndarray
    sample_rate: int
    seconds: float | None = None
    details: dict[str, Any] = field(default_factory=dict)


def play(row: Row, inputs: Inputs, heard: RhythmFeatures | None, others: Sequence[Item], seed: int) -> Played:
    """Return the row's music.

    Args:
        row: which.
        inputs: the item.
        heard: the original as a listener hears it, or None where there is none.
        others: items to other music, the first of which that can be read stands in for a shuffled original.
        seed: random seed of the music and of the noise.

    Raises:
        D2MError: if it cannot be made.
    """
    if row.kind == "reference":
        return Played(inputs.original[None], SAMPLE_RATE)
    if row.kind == "reconstruction":
        return _reconstruct(row.key, inputs.original)
    if row.source != "engine":
        began = time.process_time()
        waveform, rate, details = play_outside(row, inputs.item, inputs.dance, seed)
        took = time.process_time() - began if row.source == "function" else None
        return Played(waveform, rate, took, details)
    if row.kind == "system":
        return _compose(row.weights, inputs, seed)
    return _baseline(row.key, inputs, heard, others, seed)


def _baseline(key: str, inputs: Inputs, heard: RhythmFeatures | None, others: Sequence[Item], seed: int) -> Played:
    samples = inputs.samples
    if key == "silence":
        return Played(np.zeros((1, samples), np.float32), SAMPLE_RATE)
    if key == "noise":
        rng = np.random.default_rng([seed, zlib.crc32(inputs.item.name.encode())])
        power = np.full(samples, QUIET_NOISE, np.float32) if inputs.music is None else inputs.music
        return Played(noise(power, rng)[None], SAMPLE_RATE)
    if key == "scrambled":
        rng = np.random.default_rng([seed, 11, zlib.crc32(inputs.item.name.encode())])
        return Played(scrambled(inputs.original, rng)[None], SAMPLE_RATE)
    if key == "shuffled":
        return _shuffled(inputs, others)
    if inputs.true_beats is not None:
        beats, origin = inputs.true_beats, "those the music was written on"
    elif heard is not None:
        beats, origin = heard.beats, "tracked in the original"
    else:
        raise D2MError(f"{inputs.item.name}: without original music there are no beats for a metronome")
    return Played(metronome(beats, samples, key)[None], SAMPLE_RATE, None, {"beats": origin})


def _shuffled(inputs: Inputs, others: Sequence[Item]) -> Played:
    trouble = "the data hold no other music"
    for other in others:
        try:
            music = read_music(other)
        except D2MError as error:
            trouble = str(error)
            continue
        return Played(fitted(music, inputs.samples)[None], SAMPLE_RATE, None, {"music": other.name})
    raise D2MError(f"no other music to play: {trouble}")


def _compose(weights: tuple[str, ...], inputs: Inputs, seed: int) -> Played:
    from d2m.engines.d2m_gan import D2MGanEngine

    engine, dance = _engine(weights), inputs.dance
    if isinstance(engine, D2MGanEngine):
        if inputs.keypoints is not None:
            dance = replace(dance, motion=inputs.keypoints)
        if engine.model.config.modality != "motion" and dance.visual is None:
            raise D2MError("this D2M-GAN needs visual features of the data; give their folder with --visual")
    began = time.process_time()
    music = engine.compose(dance, seed=seed)
    took = time.process_time() - began
    details = {"genre": dance.genre, "grid": steady(dance.grid), "weights": list(engine.weights)}
    return Played(np.asarray(music.waveform, np.float32), music.sample_rate, took, details)


@lru_cache(maxsize=8)
def _engine(weights: tuple[str, ...]):
    from d2m import engines

    if len(weights) == 1 and weights[0] in SYSTEMS:
        return engines.load(**SYSTEMS[weights[0]][1])
    return engines.load("vq", weights=list(weights))


def _reconstruct(key: str, music: np.ndarray) -> Played:
    from d2m.codec.reconstruct import reconstruct

    codec = _codec(key)
    began = time.process_time()
    return Played(reconstruct(codec, music[None], SAMPLE_RATE), SAMPLE_RATE, time.process_time() - began)


@lru_cache(maxsize=3)
def _codec(key: str):
    """A codec of :data:`~d2m.evaluation.benchmark.rows.RECONSTRUCTIONS`, with the shipped weights."""
    if key == "vq-spectral":
        from d2m import codec

        return on_device(codec.load())
    from d2m import jukebox, weights

    vqvae = jukebox.load(weights.find("studio-vqvae", "jukebox-vqvae")[0])
    return on_device(jukebox.JukeboxCodec(vqvae, key.rpartition("-")[2]).eval())
