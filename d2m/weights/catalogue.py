"""Catalogue of weights that others published: description, licence, source, and place on this machine.

They are stored as ``NAME/FILE`` under ``$D2M_HOME/weights``, or ``d2m/weights`` in the user's data folder (XDG Base
Directory Specification: ``$XDG_DATA_HOME``, otherwise ``~/.local/share``). Every option for weights takes a name or a
file. None of the publishers gives a sha256; where a git repository contains the file, its object name is known.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from d2m.errors import D2MError


@dataclass(frozen=True)
class Entry:
    """File of the catalogue.

    Attributes:
        name: how it is asked for.
        kind: as in :data:`d2m.weights.files.KINDS`.
        file: its name, as its makers call it.
        what: the model in a sentence.
        licence: the terms in a sentence.
        terms: where they are written down; "" where they are not.
        source: the page it is described on.
        url: where a program gets it; "" if only a person can.
        by_hand: how a person gets it, where a program cannot.
        loader: ``module:function`` that loads it strictly from a path, or "" if nothing in d2m reads it.
        size: bytes, or None if not published.
        sha256: lower-case hexadecimal, or None if not published.
        git_object: name of the file's git object, 40 hexadecimal digits, or None.
    """

    name: str
    kind: str
    file: str
    what: str
    licence: str
    terms: str
    source: str
    url: str = ""
    by_hand: str = ""
    loader: str = ""
    size: int | None = None
    sha256: str | None = None
    git_object: str | None = None

    @property
    def path(self) -> Path:
        """Place of the file, whether it exists or not."""
        return home() / "weights" / self.name / self.file

    @property
    def present(self) -> bool:
        """Whether it is there."""
        return self.path.is_file()

    def how_to_get(self) -> str:
        """Return instructions for obtaining the file, as part of a sentence."""
        if self.url:
            return f"get it with 'd2m models fetch {self.name}'"
        return f"get it by hand: {self.by_hand}, and put it at {self.path}"


def home() -> Path:
    """Return the folder for fetched files."""
    if own := os.environ.get("D2M_HOME"):
        return Path(own).expanduser()
    data = os.environ.get("XDG_DATA_HOME", "")
    # The specification wants relative paths ignored.
    return (Path(data) if Path(data).is_absolute() else Path.home() / ".local" / "share") / "d2m"


def find_entry(name: str | os.PathLike[str]) -> Entry | None:
    """Find an entry of the catalogue.

    Args:
        name: name of the weights.

    Returns:
        The entry, or None.
    """
    return next((entry for entry in ENTRIES if entry.name == str(name)), None)


def path_of(entry: Entry) -> Path:
    """Return the file of an entry.

    Args:
        entry: entry of the catalogue.

    Raises:
        D2MError: if it is not there; the message says how to get it.
    """
    if not entry.present:
        raise D2MError(f"the weights '{entry.name}' are not on this machine; {entry.how_to_get()}")
    return entry.path


_D2M_GAN = "https://github.com/L-YeZhu/D2M-GAN"
_REVISION = "5dc5bbf3f83054107069f8625739c9d6b5c70705"
_RAW = f"https://raw.githubusercontent.com/L-YeZhu/D2M-GAN/{_REVISION}/models"
_UNSAID = "none stated by its authors: all rights reserved, ask them before any use beyond private study"
_JUKEBOX_TERMS = "https://github.com/openai/jukebox/blob/master/LICENSE"


def _drive(number: str) -> str:
    return f"download https://drive.google.com/file/d/{number}/view in a browser (Google Drive asks questions)"


def _d2m_gan(level: str, part: str, drive: str) -> Entry:
    encoder = part == "mencoder"
    return Entry(
        name=f"d2m-gan-aist-{level}-{part.lower()}",
        kind="d2m-gan-motion-encoder" if encoder else "d2m-gan-generator",
        file=f"{part}.pt",
        what=f"D2M-GAN's {'motion encoder' if encoder else 'VQ generator'} for AIST++, {level} level (Zhu et al. 2022)",
        licence=_UNSAID,
        terms="",
        source=_D2M_GAN,
        by_hand=_drive(drive),
        loader="d2m.generator.d2m_gan_checkpoint:check_part",
    )


def _vqvae(level: str, git_object: str) -> Entry:
    return Entry(
        name=f"d2m-gan-vqvae-{level}",
        kind="jukebox-vqvae",
        file=f"vqvae_{level}.pt",
        what=f"JukeBox VQ-VAE, its decoder fine-tuned for D2M-GAN's {level} level (Zhu et al. 2022)",
        licence="derived from JukeBox, so under its Noncommercial Use License: no commercial use, nor of what it makes",
        terms=_JUKEBOX_TERMS,
        source=_D2M_GAN,
        url=f"{_RAW}/vqvae_{level}.pt",
        loader="d2m.jukebox:load",
        git_object=git_object,
    )


#: Everything that is known. D2M-GAN's models for TikTok have not been published.
ENTRIES: tuple[Entry, ...] = (
    Entry(
        name="jukebox-5b",
        kind="jukebox-vqvae",
        file="vqvae.pth.tar",
        what="OpenAI's JukeBox VQ-VAE, of the 5b models, three levels (Dhariwal et al. 2020)",
        licence="Noncommercial Use License of OpenAI: no commercial use of the weights or of anything made with them",
        terms=_JUKEBOX_TERMS,
        source="https://github.com/openai/jukebox",
        url="https://openaipublic.azureedge.net/jukebox/models/5b/vqvae.pth.tar",
        loader="d2m.jukebox:load",
    ),
    _vqvae("high", "c396e753a21f20c88440c548ecaa9f896a176e82"),
    _vqvae("low", "e67ad014500b7c7a3ebc9cb40ff1495fb201fe24"),
    _d2m_gan("high", "mencoder", "1TWe1AGMbldfRWFBLnaE5d8GYzeHMlg4o"),
    _d2m_gan("high", "netG", "1z-jc_Hn_c39bqGov7mzEYxSmc_104NYY"),
    _d2m_gan("low", "mencoder", "1Wg0H8RxogjrOd2ey95NqFEyvEjUDSIFP"),
    _d2m_gan("low", "netG", "1aYorY23XfGumBwro58dm6jMqZ_j-4fEy"),
    Entry(
        name="i3d-r50-k400",
        kind="i3d",
        file="I3D_8x8_R50.pyth",
        what="I3D R50 8x8 of pytorchvideo, trained on Kinetics-400: 2048 features of the picture",
        licence="Apache-2.0, as pytorchvideo; trained on videos whose rights are their uploaders'",
        terms="https://github.com/facebookresearch/pytorchvideo/blob/main/LICENSE",
        source="https://github.com/facebookresearch/pytorchvideo/blob/main/docs/source/model_zoo.md",
        url="https://dl.fbaipublicfiles.com/pytorchvideo/model_zoo/kinetics/I3D_8x8_R50.pyth",
        loader="d2m.features.i3d:load_i3d",
    ),
    Entry(
        name="smpl-male",
        kind="smpl",
        file="SMPL_MALE.pkl",
        what="SMPL body model, male, that AIST++ was fitted with: joints in space from motion (Loper et al. 2015)",
        licence="SMPL Model License of the Max Planck Society: non-commercial scientific research only",
        terms="https://smpl.is.tue.mpg.de/modellicense.html",
        source="https://smpl.is.tue.mpg.de",
        by_hand="register at https://smpl.is.tue.mpg.de, download SMPL for Python, unpack the male model",
        loader="d2m.features.smpl:read_body",
    ),
    Entry(
        name="hierdec-mel_16bar",
        kind="musicvae",
        file="hierdec-mel_16bar.tar",
        what="Magenta's MusicVAE of 16-bar melodies with a hierarchical decoder (Roberts et al. 2018)",
        licence="Apache-2.0, as Magenta",
        terms="https://github.com/magenta/magenta/blob/main/LICENSE",
        source="https://github.com/magenta/magenta/tree/main/magenta/models/music_vae",
        url="https://storage.googleapis.com/magentadata/models/music_vae/checkpoints/hierdec-mel_16bar.tar",
        loader="d2m.symbolic.emotion.magenta:load_published",
    ),
)
