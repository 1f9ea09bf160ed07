"""D2M-GAN engine: from motion and visual features to music as in the paper (Zhu et al. 2022, section 3).

Motion and visual features -> VQ features, window by window -> the nearest entries of JukeBox's codebook -> JukeBox's
decoder. The models are the published ones or those trained by ``d2m train``; they use no beat grid and no score, and
the result for a dance does not depend on the seed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import Tensor

from d2m.audio.mastering import master
from d2m.engines.base import Engine, Progress
from d2m.engines.d2m_gan_inputs import Keypoints
from d2m.errors import D2MError
from d2m.extras import require
from d2m.generator.d2m_gan import D2MGAN
from d2m.generator.windows import stream
from d2m.jukebox.blocks import decoder_reach
from d2m.jukebox.chunks import upwards
from d2m.jukebox.codec import JukeboxCodec
from d2m.nn.device import device_of
from d2m.types import GENRES, Dance, SmplMotion, Soundtrack, Visual

if TYPE_CHECKING:
    from d2m.media import Video

#: Seconds of picture to a row of :class:`~d2m.types.Visual`.
SEGMENT = 2.0
#: Seconds that a motion file may be shorter or longer than the video.
TOLERANCE = 0.5


@dataclass
class D2MGanEngine(Engine):
    """D2M-GAN engine; see the module's docstring.

    Attributes:
        model: motion encoder and VQ generator.
        codec: the level of the VQ-VAE that the model aims at.
        weights: names of the files in use.
        files: the same with their checksums, for the report.
        motion: the dance from a file, or None to take it from the video.
        visual: visual features from a file, or None to take them from the video.
        visual_weights: weights of I3D, which makes them.
        denoise: take steady noise out of the music (spectral gating, as the authors do).
    """

    model: D2MGAN
    codec: JukeboxCodec
    weights: tuple[str, ...]
    files: tuple[dict[str, str], ...] = ()
    motion: SmplMotion | Keypoints | None = None
    visual: Visual | None = None
    visual_weights: Path | None = None
    denoise: bool = False
    name: str = field(default="d2m-gan", init=False)
    follows_beats: ClassVar[bool] = False

    def check(self) -> None:
        """Check that the files are there without which :meth:`prepare` fails.

        Raises:
            D2MError: if a file or a package is missing.
        """
        if self.denoise:
            require("noisereduce", "d2m-gan", "--denoise")
        config = self.model.config
        if config.modality != "vision":
            wants_smpl = config.dataset == "aist"
            if self.motion is None and wants_smpl:
                raise D2MError(
                    "this D2M-GAN was trained on SMPL motion (AIST++), which a video alone does not give; add --motion "
                    "FILE.pkl, an AIST++ motion file of this dance"
                )
            if self.motion is not None and isinstance(self.motion, SmplMotion) != wants_smpl:
                needed = "SMPL motion (an AIST++ .pkl)" if wants_smpl else "keypoints (an .npz of d2m features)"
                raise D2MError(f"--motion holds another kind of motion than this D2M-GAN reads: it needs {needed}")
        if config.modality == "motion" or self.visual is not None:
            return
        require("pytorchvideo", "d2m-gan", "I3D")
        if self.visual_weights is None:
            raise D2MError(
                "this D2M-GAN needs visual features of I3D: run 'd2m models fetch i3d-r50-k400' once, or add its "
                "weights with --weights I3D_8x8_R50.pyth, or give the features with --visual FILE"
            )

    def prepare(self, video: Video, dance: Dance, *, progress: Progress | None = None) -> Dance:
        """Add SMPL motion or keypoints, and visual features, to a dance.

        Args:
            video: the video.
            dance: its analysis.
            progress: called with the share done, from 0 to 1.

        Returns:
            The extended dance.

        Raises:
            D2MError: if something is missing that the video does not give, or a file is not of this video.
        """
        self.check()
        config = self.model.config
        if config.modality != "vision":
            dance = self._with_motion(dance, video.height)
        if config.modality == "motion":
            return dance
        visual = self.visual
        if visual is None:
            from d2m.features.i3d import i3d_features

            visual = i3d_features(video, self.visual_weights, SEGMENT, progress)
        _seen_from_to(visual, dance.duration)
        return replace(dance, visual=visual)

    def _with_motion(self, dance: Dance, height: float) -> Dance:
        if self.motion is None:
            if dance.motion is None:
                raise D2MError("nobody was found in the video, and this D2M-GAN follows a dancer; use another video")
            return dance
        if isinstance(self.motion, SmplMotion):
            seconds = len(self.motion.poses) / self.motion.fps
            seen = replace(dance, smpl=self.motion)
        else:
            seconds = self.motion.duration
            seen = replace(dance, motion=self.motion.motion(height))
        if abs(seconds - dance.duration) > TOLERANCE:
            raise D2MError(
                f"--motion lasts {seconds:.2f} s and the video {dance.duration:.2f} s; give the motion of this video"
            )
        return seen

    @torch.no_grad()
    def compose(self, dance: Dance, *, seed: int = 0, progress: Progress | None = None) -> Soundtrack:
        """Return music for ``dance``, which :meth:`prepare` has completed.

        Args:
            dance: what the music follows.
            seed: goes into the provenance only: these models have no noise.
            progress: called with the share done.

        Raises:
            D2MError: if the dance lacks what the models need.
        """
        config = self.model.config
        total = math.ceil(dance.duration * config.sample_rate / config.hop)
        frames = max(1, round(dance.duration * config.data.motion_rate))
        motion = self._rows(dance, frames)
        visual = _seen_from_to(dance.visual, dance.duration) if config.modality != "motion" else None
        genre = self._genre(dance)
        codes: list[Tensor] = []
        done = 0
        for features in stream(self.model, motion, visual, genre, frames, total):
            codes.append(self.codec.quantise(features[None].to(device_of(self.codec)))[0][0])
            done += features.shape[1]
            if progress:
                progress(0.9 * done / total)
        played = torch.cat(codes, 1)
        waveform = self._sound(played).double().cpu().numpy()
        if self.denoise:
            waveform = _denoised(waveform, config.sample_rate)
        if progress:
            progress(1.0)
        waveform = master(waveform, config.sample_rate, dance.duration)
        return Soundtrack(
            waveform, config.sample_rate, dance.grid, None, played.cpu().numpy(), self._provenance(dance, seed)
        )

    def _rows(self, dance: Dance, frames: int) -> np.ndarray | None:
        """Motion (frames, D) at the model's rate; its last frame is held, or cut, to the video's length."""
        config = self.model.config
        if config.modality == "vision":
            return None
        if config.dataset == "aist":
            from d2m.features.smpl import smpl_frames

            if dance.smpl is None:
                raise D2MError("this D2M-GAN was trained on SMPL motion (AIST++); the dance has none")
            if dance.smpl.fps != config.data.motion_rate:
                raise D2MError(
                    f"SMPL motion at {dance.smpl.fps:g} frames a second; this D2M-GAN reads {config.data.motion_rate}"
                )
            rows = smpl_frames(dance.smpl)[:frames]
            return np.concatenate([rows, np.repeat(rows[-1:], frames - len(rows), 0)])
        from d2m.features.skeletons import at_rate, body25_frames

        if dance.motion is None or dance.motion.skeleton not in ("body25", "mediapipe33"):
            raise D2MError("this D2M-GAN follows keypoints, of which the dance has none")
        return body25_frames(at_rate(dance.motion, config.data.motion_rate, frames))

    def _genre(self, dance: Dance) -> int | None:
        if not self.model.config.data.genres:
            return None
        if dance.genre not in GENRES:
            raise D2MError(f"this D2M-GAN needs a genre; choose one of {', '.join(GENRES.values())}")
        return list(GENRES).index(dance.genre)

    def _sound(self, codes: Tensor) -> Tensor:
        """The waveform (1, T) of codes (1, F), decoded in pieces with the neighbours that the decoder hears."""
        reach = decoder_reach(self.codec.vqvae.config, self.codec.level)

        def decode(part: Tensor) -> Tensor:
            return self.codec.decode_features(self.codec.lookup(part[:, None]))

        # The decoder works in chunks of its own; here they only bound how many codes are looked up at a time.
        return upwards(decode, codes, self.codec.hop, reach, 8 * self.codec.vqvae.chunk)

    def _provenance(self, dance: Dance, seed: int) -> dict[str, object]:
        config = self.model.config
        looked = config.modality != "motion" and dance.visual is not None
        return {
            "engine": self.name,
            "weights": list(self.weights),
            "seed": seed,
            "genre": dance.genre,
            "details": {
                "engine": self.name,
                "codec": "jukebox",
                "level": config.level,
                "dataset": config.dataset,
                "modality": config.modality,
                "visual": dance.visual.model if looked and dance.visual is not None else None,
                "denoised": self.denoise,
                "inputs": [dict(file) for file in self.files],
            },
        }


def _seen_from_to(visual: Visual | None, duration: float) -> Callable[[float, float], np.ndarray]:
    """Features (2048,) of the picture from one second to another: the segments' mean, weighted by what they share.

    Raises:
        D2MError: if there are none, or they are not of a video of this length.
    """
    from d2m.features.i3d import segments

    if visual is None:
        raise D2MError("this D2M-GAN needs visual features, of which the dance has none")
    spans = segments(duration, SEGMENT)
    if len(spans) != len(visual.features):
        raise D2MError(
            f"{visual.model} has {len(visual.features)} rows of visual features, but a video of {duration:.2f} s has "
            f"{len(spans)} segments of {SEGMENT:g} s; give those of this video"
        )

    def seen(begin: float, end: float) -> np.ndarray:
        shared = np.minimum(spans[:, 1], end) - np.maximum(spans[:, 0], begin)
        weights = np.maximum(shared, 0)
        if weights.sum() <= 0:
            weights = (np.arange(len(spans)) == len(spans) - 1).astype(float)
        return (weights / weights.sum()) @ visual.features

    return seen


def _denoised(waveform: np.ndarray, sample_rate: int) -> np.ndarray:
    """(channels, samples) without steady noise; noisereduce's defaults, as in the authors' generation."""
    from noisereduce import reduce_noise

    return np.asarray(reduce_noise(y=waveform, sr=sample_rate), np.float64)
