"""Tell whose parameters these are from their names, for files that do not say."""

from __future__ import annotations

import re
from collections.abc import Iterable

#: A name that only this model has.
_SIGNS: tuple[tuple[str, str], ...] = (
    ("jukebox-vqvae", r"(encoders|decoders)\.\d+\.level_blocks\.\d+\.|bottleneck\.level_blocks\.\d+\.k$"),
    ("discriminator", r"model\.disc_\d+\."),
    ("d2m-gan-motion-encoder", r"lin2\."),
    ("d2m-gan-generator", r"genre_embed\.|(lin|fc)\.weight$"),
)


def recognise(names: Iterable[str]) -> str | None:
    """The kind of model that has parameters of these names, or None."""
    names = [re.sub(r"^module\.", "", str(name)) for name in names]
    for kind, sign in _SIGNS:
        if any(re.match(sign, name) for name in names):
            return kind
    return None
