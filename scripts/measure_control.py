"""Measure whether generated music is in the key, on the chords and at the places that are asked for.

    python scripts/measure_control.py [--seeds 20] [--render 20]

For each seed MuseGAN generates twelve bars. Printed are the share of sounding pitched notes on beats 1 and 3 that
belong to the chord of the bar, per track, as generated and with ``--chords``; how often the key that is asked for is
the one found in the notes (:mod:`d2m.symbolic.keys`) and in the chroma of the rendered sound, where a key is found by
correlation with the profiles of Krumhansl and Kessler (1982); and where the second of two eighths lies in the MIDI file
with ``--swing``.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from d2m.load_librosa import load_librosa
from d2m.symbolic.chords import Chord, chord_at, read_chords
from d2m.symbolic.fit_notes import main_key
from d2m.symbolic.keys import fifths_apart, key_number, scale
from d2m.symbolic.midi import read_midi, write_midi
from d2m.symbolic.musegan.accompaniment import generate_roll
from d2m.symbolic.musegan.files import load
from d2m.symbolic.pianoroll import to_score
from d2m.symbolic.shape import Shape
from d2m.symbolic.sound import render
from d2m.types import Score

PROGRESSIONS = (
    "Am F C G", "Dm7 G7 Cmaj7 A7", "C/E F G7sus4 C", "F#m7b5:2 B7:2 Em", "Bbmaj7 Eb:2 F:2 Gm", "Csus2 Gdim Abaug F",
)  # fmt: skip
KEYS = ("Am", "Eb", "F#m", "C", "Gm", "D")
_MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)


def on_chords(score: Score, chords: list[Chord]) -> tuple[Counter[str], Counter[str]]:
    """Count the notes that sound on beats 1 and 3, and those of them that belong to the chord, by track."""
    good: Counter[str] = Counter()
    every: Counter[str] = Counter()
    for part in score.parts:
        for beat in range(0, int(part.ends.max()) + 1, 2) if not part.is_drum else ():
            sounds = (part.starts <= beat + 0.06) & (part.ends > beat + 0.06)
            chord = chord_at(chords, beat + 0.06)
            good[part.track] += int(np.isin(part.pitches[sounds] % 12, [*chord.tones, chord.bass]).sum())
            every[part.track] += int(sounds.sum())
    return good, every


def heard_key(score: Score) -> int:
    """Find the key in the chroma of the rendered pitched tracks."""
    librosa = load_librosa()
    pitched = tuple(part for part in score.parts if not part.is_drum)
    sound = render(replace(score, parts=pitched), 22050, room=False)[0]
    chroma = librosa.feature.chroma_cqt(y=librosa.effects.harmonic(sound), sr=22050).mean(axis=1)
    profiles = [np.roll(profile, tonic) for profile in (_MAJOR, _MINOR) for tonic in range(12)]
    return int(np.argmax([np.corrcoef(chroma, profile)[0, 1] for profile in profiles]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--render", type=int, default=20, help="Seeds whose music is rendered and listened to.")
    arguments = parser.parse_args()
    muse = load()
    before: list[Counter[str]] = [Counter(), Counter()]
    after: list[Counter[str]] = [Counter(), Counter()]
    found = inside = notes = asked = heard = heard_scale = rendered = 0
    places: Counter[float] = Counter()
    for seed in range(arguments.seeds):
        made = to_score(generate_roll(muse, 3, seed))
        shape = Shape(chords=read_chords(PROGRESSIONS[seed % len(PROGRESSIONS)]))
        chords = shape.lay_out(made)
        for counts, score in ((before, made), (after, shape.fit(made))):
            for total, more in zip(counts, on_chords(score, chords), strict=True):
                total.update(more)
        for number, name in enumerate(KEYS):
            key = key_number(name)
            moved = Shape(key=key).fit(made)
            asked, found = asked + 1, found + (main_key(moved) == key)
            for part in moved.parts:
                if not part.is_drum:
                    inside, notes = inside + int(scale(key)[part.pitches % 12].sum()), notes + len(part.pitches)
            if seed < arguments.render and number == seed % len(KEYS):
                listened = heard_key(moved)
                rendered, heard = rendered + 1, heard + (listened == key)
                heard_scale += int(fifths_apart(listened, key)) == 0
        with tempfile.TemporaryDirectory() as folder:
            path = write_midi(Shape(swing=0.62).swung(made), Path(folder) / "a.mid")
            for part in read_midi(path).parts:
                here = part.starts % 1
                places.update(np.round(here[(here > 0.45) & (here < 0.7)], 3).tolist())
    for title, (good, every) in (("as generated", before), ("with --chords", after)):
        shares = "  ".join(f"{track} {good[track] / every[track]:.3f}" for track in sorted(every))
        print(f"{title}: {sum(good.values()) / sum(every.values()):.3f} of {sum(every.values())} notes ({shares})")
    print(f"--key: {found} of {asked} keys found in the notes; {inside / notes:.4f} of {notes} notes in the scale")
    print(f"--key, rendered: {heard} of {rendered} keys, {heard_scale} of {rendered} scales found in the sound")
    print(f"--swing 62: second eighths at {places.most_common(3)}")


if __name__ == "__main__":
    main()
