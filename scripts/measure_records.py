"""Measure how well recordings are fitted to dances by `d2m generate --sketch RECORDING`.

    python scripts/measure_records.py MUSIC... --dances FOLDER [--seconds 30] [-o WAVS]

MUSIC are sound files, FOLDER holds landmarks of dances (`d2m evaluate rhythm --help` says in which format). A recording
whose beat is not clear is named and left out. Each other one is fitted to each dance, at a tempo that differs from its
own by -10 to +10 %: its beats are estimated from the movement at that tempo. Printed are, for each recording: the
F-measure at 70 ms of the beats of the result against the dancer's, as found by d2m's tracker and by librosa's, both
also for the recording before the change; clicks per minute before and after; and the tuning before and after in
cents, from the spectrum (librosa).

With -o the results are written, with the dancer's beats in `.json` files beside them, for other trackers.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import soundfile

from d2m.engines.record import RATE, RecordEngine
from d2m.errors import D2MError
from d2m.evaluation.beats import beat_f_measure, track_beats
from d2m.evaluation.faults import clicks
from d2m.evaluation.rhythm import DanceClip, read_clip
from d2m.features.beat_source import at_tempo
from d2m.features.group import together
from d2m.features.sound_beats import track_sound
from d2m.load_librosa import load_librosa
from d2m.media.sound import read_audio
from d2m.types import Dance

#: Change of tempo of the recording, for one dance after the other.
CHANGES = (-0.1, -0.06, -0.02, 0.02, 0.06, 0.1)


def dance_of(clip: DanceClip, tempo: float, seconds: float) -> Dance:
    """Return the dance at a tempo, with its beats estimated from the movement."""
    duration = min(clip.duration, seconds)
    moving = together(clip.motion, clip.world, clip.others, clip.other_worlds)
    rhythm = at_tempo(tempo, moving, duration, clip.world)
    return Dance(duration, clip.motion, rhythm.grid, rhythm.energy, rhythm.accents)


def tuning(sound: np.ndarray) -> float:
    """Return the deviation from 440 Hz in cents."""
    mono = np.asarray(sound, np.float32).mean(0)
    return 100.0 * float(load_librosa().estimate_tuning(y=mono, sr=RATE, n_fft=16384, resolution=0.005))


def listen(sound: np.ndarray, wanted: np.ndarray) -> dict[str, float]:
    """Return F-measures of the tracked beats against the wanted ones, clicks per minute and tuning."""
    mono = np.asarray(sound, np.float32).mean(0)
    own = track_sound(sound, RATE).beats
    other = track_beats(mono, RATE)[1]
    minutes = sound.shape[1] / RATE / 60
    return {
        "f d2m": beat_f_measure(wanted, own),
        "f librosa": beat_f_measure(wanted, other),
        "clicks": len(clicks(sound, RATE)) / minutes,
        "tuning": tuning(sound),
    }


def measure(path: Path, dances: list[DanceClip], seconds: float, folder: Path | None) -> list[dict[str, float]]:
    """Fit a recording to each dance, and listen to the recording and to the results."""
    engine = RecordEngine(path)
    original = read_audio(path, RATE, mono=False)
    rows = [listen(original, engine.beats)]
    for number, (clip, change) in enumerate(zip(dances, CHANGES, strict=True)):
        dance = dance_of(clip, engine.tempo * (1 + change), seconds)
        made = engine.compose(dance)
        wanted = dance.grid.beats[(dance.grid.beats >= 0) & (dance.grid.beats < dance.duration)]
        rows.append(listen(made.waveform, wanted))
        if folder is not None:
            name = folder / f"{path.parent.name}-{path.stem}-{number}".replace(" ", "_")
            soundfile.write(f"{name}.wav", made.waveform.T, RATE, subtype="PCM_16")
            Path(f"{name}.json").write_text(json.dumps({"beats": wanted.round(4).tolist()}))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("music", nargs="+", type=Path)
    parser.add_argument("--dances", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=30.0, help="Longest part of a dance.")
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    found = [read_clip(path) for path in sorted(arguments.dances.glob("*.npz"))]
    dances = sorted(found, key=lambda clip: -clip.duration)[: len(CHANGES)]
    if len(dances) < len(CHANGES):
        parser.error(f"{arguments.dances} holds {len(dances)} dances; {len(CHANGES)} are needed")
    if arguments.output is not None:
        arguments.output.mkdir(parents=True, exist_ok=True)
    for path in arguments.music:
        try:
            rows = measure(path, dances, arguments.seconds, arguments.output)
        except D2MError as error:
            print(error, flush=True)
            continue
        print(path, flush=True)
        for name in rows[0]:
            values = "  ".join(f"{row[name]:7.2f}" for row in rows[1:])
            print(f"  {name:10} before {rows[0][name]:7.2f}  after {values}", flush=True)


if __name__ == "__main__":
    main()
