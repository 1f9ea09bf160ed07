"""Recognise a model by the names of its parameters, for files without a description."""

from __future__ import annotations

import re
from collections.abc import Iterable

#: For each kind of model what its names start with: a file is of the first kind all of whose patterns are met.
_SIGNS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("jukebox-vqvae", (r"(encoders|decoders)\.\d+\.level_blocks\.\d+\.|bottleneck\.level_blocks\.\d+\.k$",)),
    ("emotion", (r"actor\.net\.", r"critic\.heard\.")),
    ("musicvae", (r"decoder\.conductor_start\.",)),
    ("bridge", (r"copies\.ask\.", r"middle\.same_beat\.")),
    ("bridge", (r"stretch\.0\.", r"rhythms\.\d+\.")),
    ("musegan", (r"bars\.\d+\.semitones\.",)),
    ("discriminator", (r"model\.disc_\d+\.",)),
    ("d2m-gan-motion-encoder", (r"lin1\.", r"lin2\.", r"model\.\d+\.")),
    ("d2m-gan-generator", (r"genre_embed\.",)),
    ("d2m-gan-generator", (r"(lin|fc)\.weight$", r"model\.\d+\.")),
    ("i3d", (r"blocks\.0\.conv\.", r"blocks\.\d+\.res_blocks\.")),
    ("image-network", (r"conv1\.weight$", r"layer1\.0\.", r"fc\.")),
)


def recognise(names: Iterable[str]) -> str | None:
    """Recognise the kind of a model by the names of its parameters.

    Args:
        names: names of the parameters.

    Returns:
        The kind, or None.
    """
    names = [re.sub(r"^module\.", "", str(name)) for name in names]
    for kind, signs in _SIGNS:
        if all(any(re.match(sign, name) for name in names) for sign in signs):
            return kind
    return None
