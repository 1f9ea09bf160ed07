"""Build the sound library ``d2m/sounds/studio.sf3``, and the list of its samples ``d2m/sounds/samples.csv``.

    apt-get install musescore-general-soundfont-lossless sonic-pi-samples fluidsynth
    python scripts/build_sound_library.py

The packages may also be unpacked (``dpkg -x``) into a folder that ``--root`` names. With the packages of Debian 12
the file is the same, byte for byte, each time it is built; docs/sounds.md tells what is in it.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

import numpy as np
from sound_library import gm_bank, kits, patches_bank, performed, phrases, sf3, sources
from sound_library.levels import settle
from sound_library.model import Preset, Sample

from d2m.symbolic.sound.soundfont import DRUM_BANK
from d2m.symbolic.sound.soundfont_file import ATTENUATION

ROOT = Path(__file__).resolve().parent.parent
#: Bass drum, snare and hats.
MAIN_DRUMS = (36, 38, 42, 46)
INFO = {
    "isng": "EMU8000",
    "INAM": "d2m studio",
    "IENG": "The d2m authors and others; see samples.csv",
    "ICOP": "MIT, CC0 and public domain; see NOTICE and samples.csv",
    "ICMT": "Built by scripts/build_sound_library.py",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=Path("/"), help="where the packages' files lie")
    parser.add_argument("--out", type=Path, default=ROOT / "d2m" / "sounds" / "studio.sf3")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "sounds", help="what is kept between builds")
    arguments = parser.parse_args()
    sources.ROOT = arguments.root
    performed.CACHE = arguments.work / "played"
    presets = gm_bank.presets() + patches_bank.presets() + kits.presets()
    for preset in presets:
        # Both takes of a kit move together: players alternate between them.
        settle(preset, min(_room(one) for one in presets if phrases.takes_of(one) == phrases.takes_of(preset)))
    draft = arguments.work / "draft.sf3"
    streams = arguments.work / "streams"
    sf3.write(draft, presets, INFO, streams)
    quiet = phrases.equalise(draft, presets)
    sizes = sf3.write(arguments.out, presets, INFO, streams)
    _list_samples(arguments.out.with_name("samples.csv"), presets, sizes)
    for line in quiet:
        print(line)
    print(f"{arguments.out}: {arguments.out.stat().st_size / 1e6:.1f} MB, {len(presets)} presets, {len(sizes)} samples")


def _room(preset: Preset) -> float:
    """Decibels by which the loudest zone of a preset may still rise (below 0: by which all must fall).

    Of a kit the drums that every beat has count, of an instrument all but its quietest samples; what is left out may
    stay quieter than it should be.
    """
    drums = [zone for zone in preset.zones if zone.keys[0] in MAIN_DRUMS]
    zones = drums if preset.bank == DRUM_BANK else preset.zones
    return 0.04 * float(
        np.quantile([zone.generators.get(ATTENUATION, 0) for zone in zones], 0.0 if preset.bank == DRUM_BANK else 0.15)
    )


def _list_samples(path: Path, presets: list[Preset], sizes: dict[str, int]) -> None:
    samples: dict[str, Sample] = {}
    for preset in presets:
        for zone in preset.zones:
            samples.setdefault(zone.sample.name, zone.sample)
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["sample", "source", "licence", "made by", "link", "part of the source", "seconds", "bytes"])
        for name, sample in samples.items():
            source = sources.SOURCES[sample.source]
            makers, link = source.makers, source.link
            if sample.source == "sonic-pi":
                _, makers, link = sources.one_shot(sample.origin)
            seconds = f"{len(sample.wave) / sample.rate:.2f}"
            rows.writerow([name, sample.source, source.licence, makers, link, sample.origin, seconds, sizes[name]])


if __name__ == "__main__":
    sys.exit(main())
