"""Rows of the table: the original, reconstructions, systems, and baselines that expose weaknesses of a metric."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TypedDict

from d2m.errors import D2MError


class EngineOptions(TypedDict, total=False):
    """Arguments of :func:`d2m.engines.load` that tell the named systems apart."""

    name: str
    codec: str
    level: str
    arranger: str


#: Named systems: name -> (title, arguments of :func:`d2m.engines.load`).
SYSTEMS: dict[str, tuple[str, EngineOptions]] = {
    "studio": ("ours, vq engine, spectral codec", {"name": "vq", "codec": "spectral"}),
    "jukebox-high": ("ours, vq engine, JukeBox codec, high", {"name": "vq", "codec": "jukebox", "level": "high"}),
    "jukebox-low": ("ours, vq engine, JukeBox codec, low", {"name": "vq", "codec": "jukebox", "level": "low"}),
    "symbolic": ("ours, symbolic engine, MuseGAN", {"name": "symbolic", "arranger": "musegan"}),
    "symbolic-composer": ("ours, symbolic engine, composer", {"name": "symbolic", "arranger": "composer"}),
}
RECONSTRUCTIONS: dict[str, str] = {
    "vq-spectral": "original through the spectral codec",
    "vq-jukebox-high": "original through the JukeBox VQ-VAE, high (hop 128)",
    "vq-jukebox-low": "original through the JukeBox VQ-VAE, low (hop 32)",
}
#: Baselines: key -> (title, description).
BASELINES: dict[str, tuple[str, str]] = {
    "shuffled": ("shuffled originals", "the original music of another dance, another song, from its start"),
    "scrambled": ("originals, seconds in random order", "the seconds of the original, played in random order"),
    "metronome": ("metronome on the beat", "a click on every beat of the original: right tempo, right phase"),
    "metronome-late": (
        "metronome, half a beat late",
        "a click half-way between the beats of the original: right tempo, wrong phase",
    ),
    "metronome-wrong": (
        "metronome, wrong tempo",
        "clicks at 1.23 times the original's tempo, steady, one of them on its first beat",
    ),
    "noise": ("white noise", "Gaussian noise with the power of the original"),
    "silence": ("silence", "no sound"),
}  # fmt: skip
#: Systems measured when none is named.
DEFAULT_SYSTEMS: tuple[str, ...] = tuple(SYSTEMS)
REFERENCE = "ground-truth"


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        key: names its files; letters, digits, dots and dashes.
        title: as readers see it.
        kind: ``"reference"``, ``"reconstruction"``, ``"system"`` or ``"baseline"``.
        weights: weights of a system: its name in :data:`SYSTEMS`, or files.
        fingerprint: changes whenever the weights do.
        note: what exactly is heard.
        source: what ``weights`` are: ``"engine"`` for a system of this package, or of one from elsewhere ``"folder"``,
            ``"command"`` or ``"function"`` (:mod:`d2m.evaluation.benchmark.outside`).
    """

    key: str
    title: str
    kind: str
    weights: tuple[str, ...] = ()
    fingerprint: str = ""
    note: str = ""
    source: str = "engine"


def all_rows(
    systems: Sequence[str] = DEFAULT_SYSTEMS, only: Sequence[str] | None = None, outside: Sequence[Row] = ()
) -> tuple[Row, ...]:
    """Return the rows of a benchmark in their order.

    Args:
        systems: what ``--weights`` takes: a name of :data:`SYSTEMS`, files of weights separated by commas, or
            ``NAME=`` and files.
        only: keys of the rows wanted besides the original; None for all.
        outside: rows of systems from elsewhere.

    Raises:
        D2MError: if a system cannot be found, two have one name, or a row is asked for that does not exist.
    """
    rows = [Row(REFERENCE, "ground truth", "reference", note="the original music of the dance")]
    rows += [Row(key, title, "reconstruction", (), _codec(key)) for key, title in RECONSTRUCTIONS.items()]
    rows += [*(system_row(text) for text in systems), *outside]
    rows += [Row(key, title, "baseline", note=note) for key, (title, note) in BASELINES.items()]
    keys = [row.key for row in rows]
    if twice := sorted({key for key in keys if keys.count(key) > 1}):
        raise D2MError(f"two rows are called '{twice[0]}'; give one of them another NAME=")
    if only is None:
        return tuple(rows)
    if missing := [key for key in only if key not in keys]:
        raise D2MError(f"there is no row '{missing[0]}'; choose from {', '.join(keys)}")
    return tuple(row for row in rows if row.key in {REFERENCE, *only})


def without_original(rows: Sequence[Row]) -> tuple[Row, ...]:
    """Return the rows that dances without original music can have: systems, noise and silence.

    Args:
        rows: all rows.
    """
    kept = [row for row in rows if row.kind == "system" or row.key in ("noise", "silence")]
    return tuple(replace(row, note="Gaussian noise at -20 dBFS") if row.key == "noise" else row for row in kept)


def system_row(text: str) -> Row:
    """Return the row of one ``--weights``; see :func:`all_rows`.

    Args:
        text: value of the option.
    """
    name, equals, files = text.partition("=")
    if not equals and text in SYSTEMS:
        return Row(text, SYSTEMS[text][0], "system", (text,), _system(text))
    paths = tuple(part.strip() for part in (files if equals else text).split(",") if part.strip())
    if not paths:
        raise D2MError(f"--weights {text}: name files after the '='")
    key = re.sub(r"[^A-Za-z0-9.-]+", "-", name if equals else Path(paths[0]).stem).strip("-.")
    if not key:
        raise D2MError(f"--weights {text}: the name needs a letter or a digit")
    return files_row(key, key, paths)


def files_row(key: str, title: str, paths: Sequence[str], note: str = "") -> Row:
    """Return the row of a system with given weights.

    Args:
        key: key of the row.
        title: title of the row.
        paths: files or names of weights.
        note: on the row.

    Raises:
        D2MError: if one of them cannot be found.
    """
    told = note or ", ".join(Path(path).name for path in paths)
    return Row(key, title, "system", tuple(paths), _digest(paths), told)


def _digest(names: Sequence[str]) -> str:
    """Of the files that these names lead to."""
    from d2m import weights
    from d2m.files.download import sha256_of

    return sha256("".join(sha256_of(weights.find(name)[0]) for name in names).encode()).hexdigest()[:16]


def _codec(key: str) -> str:
    return _digest(["studio-codec" if key == "vq-spectral" else "studio-vqvae"])


def _system(name: str) -> str:
    if name.startswith("symbolic"):
        from d2m.symbolic.sound import find_soundfont

        font = find_soundfont(None)
        return f"{font.name} {font.stat().st_size}" + (_digest(["studio-musegan"]) if name == "symbolic" else "")
    used = ["studio-codec", "studio-generator"] + (["studio-vqvae"] if name.startswith("jukebox") else [])
    return _digest(used)
