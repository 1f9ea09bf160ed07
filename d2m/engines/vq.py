"""VQ engine: a score on the dancer's beats, rendered by the generator through a neural codec."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from d2m import codec as codecs
from d2m import generator as generators
from d2m.audio.mastering import master
from d2m.audio.presets import preset
from d2m.codec.base import Codec
from d2m.engines.arrangers import Arranger, RuleArranger, load_arranger
from d2m.engines.base import Progress, ScoreEngine
from d2m.engines.options import VqOptions
from d2m.engines.score import ATTACK
from d2m.engines.vq_library import with_library
from d2m.errors import D2MError
from d2m.generator.band import playable
from d2m.generator.conditions import motion_rows, rhythm_rows
from d2m.generator.sketch import PATCH_PROGRAM, sketch
from d2m.generator.temporal import Conditions, TemporalGenerator
from d2m.nn.device import device_of, on_device
from d2m.symbolic.sound.player import RATE
from d2m.types import GENRES, Dance, Score, Soundtrack

if TYPE_CHECKING:
    from d2m.jukebox.codec import JukeboxCodec

#: The codec that the generators are trained on.
CODEC = "studio-codec"
#: Frames generated at once; memory grows with this, not with the video.
_WINDOW = 1024


@dataclass
class VqEngine(ScoreEngine):
    """VQ engine; see the module's docstring.

    Attributes:
        codec: makes the sound.
        generator: trained on that codec.
        weights: names of all in use.
        arranger: writes the music.
        has_library: whether the sound library plays effects and voices beside a generator that has not learned them,
            in stereo.
    """

    codec: Codec
    generator: TemporalGenerator
    weights: tuple[str, ...]
    arranger: Arranger = field(default_factory=RuleArranger)
    has_library: bool = True
    name: str = "vq"

    @property
    def mixes(self) -> bool:
        """Whether the engine plays channels one by one: it makes the whole band at once."""
        return False

    @property
    def patched(self) -> bool:
        """Whether the generator knows the patches of the sound library."""
        return self.generator.config.programs > PATCH_PROGRAM

    @torch.no_grad()
    def perform(
        self,
        score: Score,
        dance: Dance,
        *,
        seed: int = 0,
        stems: bool = False,
        progress: Progress | None = None,
    ) -> Soundtrack:
        """Play a score; see :meth:`ScoreEngine.perform`.

        Args:
            score: what to play.
            dance: what the music follows.
            seed: random seed of the generator's noise.
            stems: not possible with this engine.
            progress: called with the share done.

        Raises:
            D2MError: if stems are asked for.
        """
        if stems:
            raise D2MError("the vq engine makes the whole band at once; use --engine symbolic for stems")
        played = score if self.patched else playable(score)
        total = math.ceil(dance.duration * self.codec.frame_rate)
        waveforms, codes = [], []
        for begin in range(0, total, _WINDOW):
            wave, code = self._window(dance, played, seed, begin, min(total, begin + _WINDOW), total)
            waveforms.append(wave)
            codes.append(code)
            if progress:
                progress(min(1.0, (begin + _WINDOW) / total))
        waveform, rate = torch.cat(waveforms, -1).cpu().numpy(), self.codec.sample_rate
        if self.has_library and not self.patched:
            waveform, rate = with_library(waveform, rate, score), RATE
        return Soundtrack(
            master(waveform, rate, dance.duration, preset(score.genre, score.character).bus.crest),
            rate,
            score.grid,
            score,
            torch.cat(codes, 1).cpu().numpy(),
            {
                "engine": self.name,
                "weights": list(self.weights),
                "seed": seed,
                "genre": score.genre,
                "details": {"codec": "spectral", "arranger": self.arranger.name},
            },
        )

    def _window(self, dance: Dance, score: Score, seed: int, begin: int, end: int, total: int) -> tuple[Tensor, Tensor]:
        """Samples and codes of the frames ``begin`` to ``end``.

        Both networks see all the neighbouring frames that reach into the window, so windows meet without a seam: the
        samples are those that one pass over the whole piece would have made.
        """
        around = self.codec.context
        first, last = max(0, begin - around), min(total, end + around)
        left, right = max(0, first - self.generator.context), min(total, last + self.generator.context)
        conditions = self._conditions(dance, score, seed, left, right).to(device_of(self.generator))
        features = self.generator(conditions)[:, :, first - left : last - left]
        codes, vectors = self.codec.quantise(features)
        wave = self.codec.decode_features(vectors, first * self.codec.hop)
        wave = wave.reshape(self.codec.channels, -1)
        wave = wave[:, (begin - first) * self.codec.hop : (end - first) * self.codec.hop]
        return wave, codes[0, :, begin - first : end - first]

    def _conditions(self, dance: Dance, score: Score, seed: int, left: int, right: int) -> Conditions:
        rate, frames = self.codec.frame_rate, right - left
        drawn = sketch(score, rate, left / rate + ATTACK, frames, patches=self.patched)
        sounding = np.flatnonzero(drawn.rows.any((1, 2)))
        motion = motion_rows(dance.motion, rate, left / rate, frames) if dance.motion is not None else None
        genre = list(GENRES).index(score.genre) if score.genre in GENRES else None
        visual = None
        if dance.visual is not None:
            segment = np.arange(left, right) / rate * len(dance.visual.features) / dance.duration
            visual = dance.visual.features[np.clip(segment.astype(int), 0, len(dance.visual.features) - 1)]
        return Conditions(
            frames=frames,
            rows=torch.from_numpy(drawn.rows[sounding])[None] if len(sounding) else None,
            programs=torch.from_numpy(drawn.programs[sounding])[None] if len(sounding) else None,
            motion=torch.from_numpy(motion)[None] if motion is not None else None,
            rhythm=torch.from_numpy(rhythm_rows(dance, rate, left / rate, frames))[None],
            visual=torch.from_numpy(visual)[None] if visual is not None else None,
            genre=torch.tensor([genre]) if genre is not None else None,
            noise=torch.from_numpy(_noise(seed, left, right, self.generator.config.noise_size))[None],
        )


def _noise(seed: int, left: int, right: int, size: int, block: int = 256) -> np.ndarray:
    """Noise of frames ``left`` to ``right``, the same for a frame whichever window asks: drawn in blocks by number."""
    blocks = range(left // block, -(-right // block))
    drawn = [np.random.default_rng([seed, 7, number]).standard_normal((block, size)) for number in blocks]
    offset = left - blocks[0] * block
    return np.concatenate(drawn)[offset : offset + right - left].astype(np.float32)


@dataclass
class JukeboxEngine(ScoreEngine):
    """VQ engine with a JukeBox VQ-VAE: its codes and its decoder.

    JukeBox's codes hold the phase of the waveform, which no feed-forward generator that sees a score can know: aimed
    at directly, their mean is near silence. So the spectral generator plays, the VQ-VAE encodes what it played, and the
    codes are looked up and decoded as D2M-GAN does.

    Attributes:
        player: makes the performance.
        codec: one level of a JukeBox VQ-VAE.
        level: its name, ``"high"`` or ``"low"``.
        weights: names of all the weights in use.
    """

    player: VqEngine
    codec: JukeboxCodec
    level: str
    weights: tuple[str, ...]
    name: str = "vq"
    arranger: Arranger = field(init=False)

    def __post_init__(self) -> None:
        self.arranger = self.player.arranger

    @property
    def mixes(self) -> bool:
        """Whether the engine plays channels one by one: it makes the whole band at once."""
        return False

    @torch.no_grad()
    def perform(
        self,
        score: Score,
        dance: Dance,
        *,
        seed: int = 0,
        stems: bool = False,
        progress: Progress | None = None,
    ) -> Soundtrack:
        """Play a score; see :meth:`VqEngine.perform`.

        Args:
            score: what to play.
            dance: analysis of a video.
            seed: random seed of the generator's noise.
            stems: not possible with this engine.
            progress: called with the share done, from 0 to 1.
        """
        played = self.player.perform(score, dance, seed=seed, stems=stems, progress=progress)
        hop = self.codec.hop
        samples = torch.from_numpy(_mono(played.waveform, played.sample_rate, self.codec.sample_rate))
        samples = nn.functional.pad(samples, (0, -samples.shape[1] % hop))
        codes = self.codec.encode(samples.to(device_of(self.codec)))
        waveform = self.codec.decode(codes).double().cpu().numpy()
        return replace(
            played,
            waveform=master(waveform, self.codec.sample_rate, dance.duration),
            sample_rate=self.codec.sample_rate,
            codes=codes[0].cpu().numpy(),
            provenance=played.provenance
            | {
                "weights": list(self.weights),
                "details": {"codec": "jukebox", "level": self.level, "arranger": self.player.arranger.name},
            },
        )


def _mono(waveform: np.ndarray, sample_rate: int, wanted: int) -> np.ndarray:
    """Mix (channels, n) to float32 (1, m) at another rate."""
    from scipy.signal import resample_poly

    common = math.gcd(sample_rate, wanted)
    mono = waveform.mean(axis=0, keepdims=True)
    return resample_poly(mono, wanted // common, sample_rate // common, axis=1).astype(np.float32)


def load_engine(options: VqOptions, weights: str | None) -> VqEngine | JukeboxEngine:
    """Load the engine with the shipped weights or another generator.

    Args:
        options: codec, level and arranger of the engine.
        weights: generator (name or file), or None for the shipped one.

    Raises:
        D2MError: if there is no such arranger or MIDI file, or the weights do not fit.
    """
    name = weights or "studio-generator"
    generator, trained_on = generators.load(name)
    sound = codecs.load(trained_on or CODEC)
    if generator.config.feature_size != sound.feature_size:
        raise D2MError(f"{name} was not trained on the codec '{trained_on or CODEC}'; choose other weights")
    arranger = load_arranger(options.arranger, options.sketch)
    player = VqEngine(
        on_device(sound), on_device(generator), (trained_on or CODEC, str(name), *arranger.weights), arranger
    )
    if options.codec == "spectral":
        return player
    # The codes of the VQ-VAE are those of the generator's sound.
    player = replace(player, has_library=False)
    return JukeboxEngine(player, _jukebox(options.level), options.level, (*player.weights, "studio-vqvae"))


def _jukebox(level: str) -> JukeboxCodec:
    from d2m import jukebox
    from d2m import weights as shipped
    from d2m.jukebox.codec import JukeboxCodec

    path, _ = shipped.find("studio-vqvae", "jukebox-vqvae")
    try:
        return on_device(JukeboxCodec(jukebox.load(path).eval().requires_grad_(False), level))
    except ValueError as error:
        raise D2MError(str(error)) from error
