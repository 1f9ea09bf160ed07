"""Write the sound of a score: the mix, and its stems by track."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from d2m.errors import D2MError

if TYPE_CHECKING:
    from d2m.symbolic.sound.render import Rendered
    from d2m.types import Score

#: Seconds for which the last notes ring on.
RINGS_ON = 2.0
_RATE = 44100
#: Channel of the mixer -> track; effects are a track of their own.
_TRACKS = {
    "kick": "drums", "snare": "drums", "hats": "drums", "percussion": "drums", "keys": "piano", "pad": "strings",
    "lead": "strings",
}  # fmt: skip


def check_stems(folder: str | None) -> None:
    """Refuse a file in place of the folder of the stems, before anything is written.

    Args:
        folder: value of ``--stems``.

    Raises:
        D2MError: if it is a file.
    """
    if folder is not None and Path(folder).exists() and not Path(folder).is_dir():
        raise D2MError(f"{folder} is a file; give --stems a folder, which is created if it is missing")


def play(score: Score, font: str | Path | None = None, stems: bool = False, before_bus: bool = False) -> Rendered:
    """Render a score in stereo at 44.1 kHz, with the ring of its last notes.

    Args:
        score: the score.
        font: SoundFont, or None for the sound library.
        stems: render each channel of the mixer alone, too.
        before_bus: stems before reverberation and master bus processing.
    """
    from d2m.symbolic.sound import render, render_stems
    from d2m.symbolic.sound.render import Rendered

    played = replace(score, duration=score.duration + RINGS_ON)
    if stems:
        return render_stems(played, _RATE, font, before_bus=before_bus)
    return Rendered(render(played, _RATE, font, stereo=True), {}, _RATE)


def by_track(stems: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Add the stems of the mixer's channels up by track.

    Args:
        stems: float32 (2, samples) by channel.

    Returns:
        float32 (2, samples) by track; tracks that are silent are left out.
    """
    found: dict[str, np.ndarray] = {}
    for channel, stem in stems.items():
        if stem.any():
            track = _TRACKS.get(channel, channel)
            found[track] = found[track] + stem if track in found else stem
    return found


def write_sound(score: Score, path: Path, stems: str | Path | None = None) -> list[Path]:
    """Write the mix of a score, and its stems by track.

    Args:
        score: the score.
        path: the output file of the mix.
        stems: folder of the stems, or None for none.

    Returns:
        The files that were written.
    """
    from d2m.media.write import write_wav

    made = play(score, stems=stems is not None)
    write_wav(path, made.mix, made.sample_rate)
    files = [path]
    for track, stem in by_track(made.stems).items():
        files.append(Path(stems or "") / f"{track}.wav")
        write_wav(files[-1], stem, made.sample_rate)
    return files
