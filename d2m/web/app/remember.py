"""Engine that keeps the sound of each section on disk, so that a changed plan plays only what changed.

The sections of a plan are performed one by one (:mod:`d2m.plans.play`), and the same score gives the same sound. Each
sound is stored under a hash of its score; an edited plan gives the same scores for the sections that did not change.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from d2m.engines.base import Progress, ScoreEngine
from d2m.features.store import read_arrays, write_arrays
from d2m.types import Dance, Score, Soundtrack
from d2m.version import __version__


class RememberingEngine(ScoreEngine):
    """Engine that performs each score once. Sounds are kept with their stems, so those without are not kept.

    Args:
        engine: the engine that performs; its music depends on the score and its length alone.
        folder: folder of the sounds.
        most: bytes that they may take; those that were not used for longest are removed.

    Attributes:
        reused: for each section that was performed since :meth:`begin`, whether its sound was there.
    """

    def __init__(self, engine: ScoreEngine, folder: Path, most: int) -> None:
        if engine.sees:
            raise ValueError(f"the music of the engine {engine.name} depends on more than the score")
        self.engine, self.folder, self.most = engine, folder, most
        self.name, self.weights, self.arranger = engine.name, engine.weights, engine.arranger
        self.reused: list[bool] = []
        self._section: Dance | None = None

    @property
    def sees(self) -> bool:
        """Whether the music depends on more of a dance than a plan says: it does not."""
        return False

    @property
    def mixes(self) -> bool:
        """Whether the engine plays channels one by one."""
        return self.engine.mixes

    def check(self) -> None:
        """Check the engine; see :meth:`d2m.engines.base.Engine.check`."""
        self.engine.check()

    def begin(self) -> None:
        """Forget which sections were performed."""
        self.reused, self._section = [], None

    def perform(
        self,
        score: Score,
        dance: Dance,
        *,
        seed: int = 0,
        stems: bool = False,
        progress: Progress | None = None,
    ) -> Soundtrack:
        """Perform a score, or return the sound that it had before; see :meth:`ScoreEngine.perform`.

        Args:
            score: what to play.
            dance: what the music follows.
            seed: of the score.
            stems: give the channels of the mixer, too.
            progress: called with the share done.
        """
        path = self.folder / f"{key_of(score, dance.duration, seed)}.npz"
        kept = self._kept(path, score, stems)
        # A section with a transition is performed twice, with and without it.
        if dance is self._section and self.reused:
            self.reused[-1] = self.reused[-1] and kept is not None
        else:
            self.reused.append(kept is not None)
        self._section = dance
        if kept is not None:
            if progress:
                progress(1.0)
            return kept
        made = self.engine.perform(score, dance, seed=seed, stems=stems, progress=progress)
        if stems:
            self._keep(path, made)
        return made

    def _kept(self, path: Path, score: Score, stems: bool) -> Soundtrack | None:
        data = read_arrays(path, lambda name: stems or not name.startswith("stem "))
        if data is None:
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        alone = {name.removeprefix("stem "): value for name, value in data.items() if name.startswith("stem ")}
        provenance = json.loads(str(data["provenance"]))
        return Soundtrack(data["mix"], int(data["rate"]), score.grid, score, None, provenance, alone)

    def _keep(self, path: Path, made: Soundtrack) -> None:
        arrays: dict[str, Any] = {f"stem {name}": stem for name, stem in made.stems.items()}
        arrays |= {"mix": made.waveform, "rate": made.sample_rate, "provenance": json.dumps(made.provenance)}
        arrays = {name: np.asarray(value) for name, value in arrays.items()}
        size = sum(value.nbytes for value in arrays.values())
        if size > self.most:
            return
        self._make_room(size)
        write_arrays(path, arrays)

    def _make_room(self, size: int) -> None:
        files = sorted(self.folder.glob("*.npz"), key=lambda file: file.stat().st_mtime) if self.folder.is_dir() else []
        total = size + sum(file.stat().st_size for file in files)
        for file in files:
            if total <= self.most:
                return
            total -= file.stat().st_size
            file.unlink(missing_ok=True)


def key_of(score: Score, duration: float, seed: int) -> str:
    """Return a name for the sound of a score.

    Args:
        score: the score.
        duration: seconds of the music.
        seed: random seed, which the provenance of the music names.
    """
    digest = hashlib.sha256(f"{__version__} {duration!r} {seed}".encode())
    _feed(score, digest.update)
    return digest.hexdigest()


def _feed(value: object, update: Callable[[bytes], None]) -> None:
    """Give every value of a record to a hash, with its kind and shape."""
    if is_dataclass(value):
        update(type(value).__name__.encode())
        for each in fields(value):
            update(each.name.encode())
            _feed(getattr(value, each.name), update)
    elif isinstance(value, np.ndarray):
        update(f"{value.dtype} {value.shape}".encode())
        update(np.ascontiguousarray(value).tobytes())
    elif isinstance(value, (tuple, list)):
        update(f"{len(value)}[".encode())
        for each in value:
            _feed(each, update)
    elif isinstance(value, (str, int, float, bool, np.generic)) or value is None:
        update(f"{value!r};".encode())
    else:
        raise TypeError(f"a score cannot hold a {type(value).__name__}")
