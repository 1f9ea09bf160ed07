"""Neural audio codecs: waveform to codebook indices and back.

:class:`~d2m.codec.base.Codec` is the interface, :class:`~d2m.codec.spectral.SpectralCodec` the shipped codec,
:class:`d2m.jukebox.codec.JukeboxCodec` the codec of D2M-GAN.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from d2m.codec.spectral import SpectralCodec
    from d2m.codec.stereo import StereoCodec


def load(name_or_path: str | Path = "studio-codec") -> SpectralCodec:
    """Load a mono spectral codec with the weights of that name or file.

    Args:
        name_or_path: name of weights, or a file.

    Raises:
        D2MError: if there are no such weights, or they are another model's.
    """
    from d2m import weights
    from d2m.codec.spectral import SpectralCodec, SpectralConfig
    from d2m.weights.rebuild import rebuild

    path, _ = weights.find(name_or_path, "spectral-codec")
    tensors, config = weights.load_state(path, "spectral-codec")
    return rebuild(lambda sizes: SpectralCodec(SpectralConfig(**sizes)), config, tensors, path)


def load_stereo(name_or_path: str | Path) -> StereoCodec:
    """Load a stereo codec with the weights of that name or file.

    Args:
        name_or_path: name of weights, or a file.

    Raises:
        D2MError: if there are no such weights, or they are another model's.
    """
    from d2m import weights
    from d2m.codec.stereo import StereoCodec, StereoConfig
    from d2m.weights.rebuild import rebuild

    path, _ = weights.find(name_or_path, "stereo-codec")
    tensors, config = weights.load_state(path, "stereo-codec")
    return rebuild(lambda sizes: StereoCodec(StereoConfig(**sizes)), config, tensors, path)


def load_spectral(name_or_path: str | Path) -> SpectralCodec | StereoCodec:
    """Load a spectral codec, mono or stereo as its file says.

    Args:
        name_or_path: name of weights, or a file.

    Raises:
        D2MError: if there are no such weights, or they are another model's.
    """
    from d2m import weights
    from d2m.weights.files import read_safetensors

    path, _ = weights.find(name_or_path)
    if read_safetensors(path)[1].get("kind") == "stereo-codec":
        return load_stereo(path)
    return load(path)
