"""Neural audio codecs: waveform to codebook indices and back.

:class:`~d2m.codec.base.Codec` is the interface, :class:`~d2m.codec.spectral.SpectralCodec` the shipped codec,
:class:`~d2m.codec.stereo.StereoCodec` its successor in stereo at 44.1 kHz, and :class:`d2m.jukebox.codec.JukeboxCodec`
the codec of D2M-GAN. Another package adds a kind of codec with an entry point of the group ``d2m.codecs``
(:mod:`d2m.registry`): its name is the kind that the weights files declare, its object builds the codec from the sizes
in their header.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from d2m.registry import Registry

if TYPE_CHECKING:
    from d2m.codec.base import Codec

#: Builds an untrained codec from its sizes, by the kind of its weights files.
CODECS: Registry[Callable[[Mapping[str, Any]], Codec]] = Registry(
    "codec",
    "d2m.codecs",
    {"spectral-codec": "d2m.codec.spectral:build", "stereo-codec": "d2m.codec.stereo:build"},
)
#: The weights that are loaded unless others are named.
DEFAULT = "studio-codec"


def load(name_or_path: str | Path = DEFAULT) -> Codec:
    """Load a codec with the weights of that name or file, for inference.

    Args:
        name_or_path: name of weights, or a file, of any kind in :data:`CODECS`.

    Raises:
        D2MError: if there are no such weights, or they are another model's.
    """
    from d2m import weights
    from d2m.errors import D2MError
    from d2m.weights.files import read_safetensors, wrong_model
    from d2m.weights.rebuild import rebuild

    path, _ = weights.find(name_or_path)
    tensors, metadata = read_safetensors(path)
    kind = metadata.get("kind", "")
    if kind not in CODECS:
        raise D2MError(wrong_model(path, kind or None, tensors, "codec"))
    tensors, config = weights.load_state(path, kind)
    return rebuild(CODECS.get(kind), config, tensors, path)
