"""Embeddings in which sets of recordings are compared: chosen by name, including external ones.

An embedding converts a recording to one vector per window. Distances of sets (:mod:`d2m.evaluation.distances`) depend
on it, so every report contains the name and version of the embedding.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Protocol, runtime_checkable

import numpy as np

from d2m.errors import D2MError
from d2m.registry import Registry

from .fidelity import EMBEDDING_FRAMES, EMBEDDING_SIZE, SHORTEST_EMBEDDING, embed
from .recordings import SAMPLE_RATE

#: What makes an embedding, by name. Other packages add one in the group ``d2m.embeddings`` (:mod:`d2m.registry`).
EMBEDDINGS: Registry[Callable[..., Embedding]] = Registry(
    "embedding",
    "d2m.embeddings",
    {
        "log-mel": "d2m.evaluation.embeddings:LogMelStatistics",
        "genre": "d2m.evaluation.genre_embedding:GenreFeatures",
        "musicnn": "d2m.evaluation.package_embeddings:MusicnnFeatures",
        "basic-pitch": "d2m.evaluation.package_embeddings:BasicPitchActivations",
        "vggish": "d2m.evaluation.user_embeddings:Vggish",
        "panns": "d2m.evaluation.user_embeddings:Panns",
        "clap": "d2m.evaluation.user_embeddings:Clap",
        "encodec": "d2m.evaluation.user_embeddings:Encodec",
    },
)


@runtime_checkable
class Embedding(Protocol):
    """Embedding of recordings as vectors.

    It is made by a class or function that takes the keyword ``window`` (seconds, or None for its own choice).

    Attributes:
        name, version: which it is; the version changes whenever a figure would.
        size: values of a vector.
        sample_rate: hertz of the waveforms it takes.
        window: seconds of a window, which is also the shortest recording it takes.
        standardise: whether distances are to be taken in units of each value's standard deviation over the reference
            set (statistics of mixed units), or as the values are (the features of a network).
    """

    name: str
    version: str
    size: int
    sample_rate: int
    window: float
    standardise: bool

    def embed(self, waveform: np.ndarray) -> np.ndarray:
        """Embed a waveform that is at least one window long.

        Args:
            waveform: float32 (samples,).

        Returns:
            float (windows, size).
        """
        ...


class LogMelStatistics:
    """:func:`d2m.evaluation.fidelity.embed`: timbre, rhythm and pulse from log-mel statistics; no network, no training.

    Args:
        window: seconds of a window, 2 to 30; the next starts half a window later.

    Raises:
        D2MError: if the window is shorter or longer.
    """

    name, version, size, sample_rate, standardise = "log-mel", "1", EMBEDDING_SIZE, SAMPLE_RATE, True

    def __init__(self, window: float | None = None) -> None:
        self._frames = EMBEDDING_FRAMES if window is None else int(window * SAMPLE_RATE / 256)
        if not SHORTEST_EMBEDDING <= self._frames <= 30 * SAMPLE_RATE / 256:
            raise D2MError(f"a window of {window} s cannot be described; choose 2 to 30 s")
        self.window = self._frames * 256 / SAMPLE_RATE

    def embed(self, waveform: np.ndarray) -> np.ndarray:
        """Embed a waveform.

        Args:
            waveform: float32 (samples,).

        Returns:
            float (windows, size).
        """
        return embed(waveform, SAMPLE_RATE, self._frames)


@lru_cache(maxsize=16)
def load(name: str, window: float | None = None) -> Embedding:
    """Load an embedding.

    Args:
        name: name of the embedding, or ``package.module:attribute`` of a callable that makes one.
        window: seconds, or None for the embedding's own.

    Raises:
        D2MError: if there is none, or what is made is no embedding.
    """
    maker: Any
    module, colon, attribute = name.partition(":")
    if name in EMBEDDINGS:
        maker = EMBEDDINGS.get(name)
    elif not colon:
        raise D2MError(f"no embedding '{name}'; choose {', '.join(EMBEDDINGS)} or write package.module:name")
    else:
        try:
            maker = getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise D2MError(f"the embedding '{name}' cannot be loaded: {error}") from None
    try:
        made = maker(window=window)
    except TypeError as error:
        raise D2MError(f"'{name}' cannot be made with window={window}: {error}") from None
    if not isinstance(made, Embedding):
        raise D2MError(f"'{name}' is not an embedding; see d2m.evaluation.embeddings.Embedding for what it must have")
    return made


#: Packages of the embeddings that need some: import name and what ``pip install`` takes.
PACKAGES: dict[str, tuple[tuple[str, str], ...]] = {
    "musicnn": (("musicnn", "--no-deps musicnn"),),
    "basic-pitch": (("basic_pitch", "--no-deps basic-pitch"), ("onnxruntime", "onnxruntime")),
    "vggish": (("torchvggish", "torchvggish resampy"),),
    "panns": (("panns_inference", "panns-inference torchlibrosa"),),
    "clap": (("transformers", "transformers"),),
    "encodec": (("encodec", "encodec"),),
}


def availability() -> dict[str, str]:
    """Return the embeddings by name, each with what has to be installed for it, or ``""``."""
    found = {}
    for name in EMBEDDINGS:
        missing = [install for module, install in PACKAGES.get(name, ()) if importlib.util.find_spec(module) is None]
        found[name] = "; ".join(f"pip install {install}" for install in missing)
    return found


def embed_checked(embedding: Embedding, waveform: np.ndarray) -> np.ndarray:
    """Embed a recording and check the result.

    Args:
        embedding: the embedding.
        waveform: float32 (samples,).

    Returns:
        float64 (windows, size).

    Raises:
        D2MError: if it is too short, or the embedding gives another shape or values that are not numbers.
    """
    seconds = len(waveform) / embedding.sample_rate
    if seconds < embedding.window - 1e-9:
        raise D2MError(
            f"{seconds:.2f} s are too short for the embedding, whose window has {embedding.window:.2f} s; "
            "choose a shorter --window"
        )
    vectors = np.asarray(embedding.embed(waveform), dtype=np.float64)
    if vectors.ndim != 2 or vectors.shape[1] != embedding.size or not len(vectors) or not np.isfinite(vectors).all():
        raise D2MError(f"the embedding {embedding.name} {embedding.version} gave {vectors.shape} or values not finite")
    return vectors
