"""Sources of sounds: Debian packages, authors and licences."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

#: Set by ``--root``: where the packages' files lie (``/`` when they are installed).
ROOT = Path("/")

PACKAGES = ("musescore-general-soundfont-lossless", "sonic-pi-samples", "fluidsynth")


@dataclass(frozen=True)
class Source:
    """Attributes: title, makers, licence (its SPDX name), link, package of Debian or ""."""

    title: str
    makers: str
    licence: str
    link: str
    package: str = ""


SOURCES: dict[str, Source] = {
    "d2m": Source("computed by scripts/sound_library", "The d2m authors", "MIT", "scripts/sound_library"),
    "musescore": Source(
        "MuseScore General HQ", "S. Christian Collins, Frank Wen, Michael Cowgill, Ethan Winer and contributors", "MIT",
        "https://packages.debian.org/bookworm/musescore-general-soundfont-lossless",
        "musescore-general-soundfont-lossless",
    ),
    "splendid": Source(
        "Splendid Grand, in MuseScore General HQ", "AKAI, edited by S. Christian Collins", "public domain",
        "https://packages.debian.org/bookworm/musescore-general-soundfont-lossless",
        "musescore-general-soundfont-lossless",
    ),
    "vsco": Source(
        "Versilian Studios Chamber Orchestra 2.1.1 CE, in MuseScore General HQ",
        "Sam Gossner, Simon Dalzell, Elan Hickler; adapted by S. Christian Collins", "CC0-1.0",
        "https://packages.debian.org/bookworm/musescore-general-soundfont-lossless",
        "musescore-general-soundfont-lossless",
    ),
    "sonic-pi": Source(
        "samples of Sonic Pi, each from freesound.org", "see the list of samples", "CC0-1.0",
        "https://packages.debian.org/bookworm/sonic-pi-samples", "sonic-pi-samples",
    ),
}  # fmt: skip


def soundfont(name: str) -> Path:
    """Return a soundfont of the packages, by the name of its source."""
    return _needed(Path("usr/share/sounds/sf2") / {"musescore": "MuseScore_General_Full.sf2"}[name])


def one_shot(name: str) -> tuple[Path, str, str]:
    """Return a recording of the Sonic Pi samples, who made it, and where it was published.

    Raises:
        SystemExit: if the package's copyright file does not place it under CC0.
    """
    text = _needed(Path("usr/share/doc/sonic-pi-samples/copyright")).read_text(encoding="utf-8")
    for stanza in text.split("\n\n"):
        if f"etc/samples/{name}.flac" in stanza:
            fields = dict(re.findall(r"^(\w+): *(.*)$", stanza, re.MULTILINE))
            if fields.get("License") != "CC0":
                break
            maker = re.sub(r"^[\d, -]+|<.*>", "", fields.get("Copyright", "")).strip()
            link = urlsplit(fields["Source"].strip())
            return _flac(name), maker, f"https://{link.netloc}{link.path}"
    raise SystemExit(f"{name} is not stated to be CC0 by sonic-pi-samples; leave it out")


def _flac(name: str) -> Path:
    found = sorted((ROOT / "usr/share").rglob(f"samples/{name}.flac"))
    if not found:
        raise SystemExit("sonic-pi-samples is missing; run the apt-get line in the script's head")
    return found[0]


def _needed(path: Path) -> Path:
    if not (ROOT / path).is_file():
        packages = " ".join(PACKAGES)
        raise SystemExit(f"{ROOT / path} is missing; apt-get install {packages}")
    return ROOT / path
