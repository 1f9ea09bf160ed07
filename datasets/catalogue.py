"""Catalogue of data sets that can be downloaded: sources, parts and terms of use.

Addresses, sizes and terms are those that their makers give:

- AIST++: google/aistplusplus_dataset (download.html, factsfigures.html) and google/aistplusplus_api (downloader.py);
  that its release holds the splits and the ignore list as files of their own is what users of it say;
- AIST Dance Video Database: its terms of use; the address of the music is the one that AIST++ users give, since the
  database's own page hands it out after agreement;
- D2M-GAN's 2 s pieces of both data sets: README.md and ``dataset/`` of L-YeZhu/D2M-GAN;
- POP909: music-x-lab/POP909-Dataset.

None of them publishes checksums.
"""

from __future__ import annotations

from dataclasses import dataclass

from d2m.errors import D2MError


@dataclass(frozen=True)
class Part:
    """One file of a data set.

    Attributes:
        name: what it is called here.
        url: where from.
        into: folder, or for a single file its name, in the data set's folder. ``"."`` is that folder itself.
        size: about how many bytes, as its makers say; 0 where they do not.
        packed: whether it is an archive.
        needed: whether it is downloaded unless other parts are asked for.
        sha256: its checksum, where one is published.
    """

    name: str
    url: str
    into: str
    size: int = 0
    packed: bool = True
    needed: bool = True
    sha256: str | None = None


@dataclass(frozen=True)
class Offer:
    """A data set.

    Attributes:
        name, title: what it is called.
        licence: its licence or terms in a few words.
        terms: where they can be read.
        agree: whether they must be agreed to.
        home: the makers' page.
        parts: its files.
        views: whether there are videos besides, listed at :data:`VIDEO_LIST`.
        note: what else to know.
    """

    name: str
    title: str
    licence: str
    terms: str
    agree: bool
    home: str
    parts: tuple[Part, ...] = ()
    views: bool = False
    note: str = ""

    def chosen(self, names: list[str] | None) -> list[Part]:
        """Return the parts to download.

        Args:
            names: names of parts, ``["all"]``, or None for the required ones.

        Raises:
            D2MError: for a name that is not there.
        """
        if not names:
            return [part for part in self.parts if part.needed]
        if names == ["all"]:
            return list(self.parts)
        known = {part.name: part for part in self.parts}
        for name in names:
            if name not in known:
                raise D2MError(f"{self.name} has no part '{name}'; choose all or of {', '.join(known)}")
        return [known[name] for name in dict.fromkeys(names)]


#: Names of the videos that AIST++ annotates, nine views of each sequence, and where they are.
VIDEO_LIST = "https://storage.googleapis.com/aist_plusplus_public/20121228/video_list.txt"
VIDEO_FOLDER = "https://aistdancedb.ongaaccel.jp/v1.0.0/video/10M/"

_RELEASE = "https://github.com/google/aistplusplus_dataset/releases/download/v1.0/"
_D2M_GAN = "https://github.com/L-YeZhu/D2M-GAN"
_LISTS = "https://raw.githubusercontent.com/L-YeZhu/D2M-GAN/main/dataset/"
_AIST_TERMS = "https://aistdancedb.ongaaccel.jp/terms_of_use/"


def _drive(number: str) -> str:
    return f"https://drive.usercontent.google.com/download?id={number}&export=download&confirm=t"


def _lists(kind: str) -> tuple[Part, ...]:
    names = [f"{kind}_{what}_{split}" for what in ("motion", "audio", "video") for split in ("train", "test")]
    return tuple(Part(n, f"{_LISTS}{n}_segment.txt", f"{n}_segment.txt", packed=False) for n in names)


_OFFERS = (
    Offer(
        "aist", "AIST++ annotations of 1,408 dances", "CC BY 4.0 (Google LLC)",
        "https://google.github.io/aistplusplus_dataset/factsfigures.html", False,
        "https://google.github.io/aistplusplus_dataset/",
        (
            Part("motions", _RELEASE + "motions.zip", "motions", 306_000_000),
            Part("splits", _RELEASE + "splits.zip", "splits"),
            Part("ignore_list", _RELEASE + "ignore_list.txt", "ignore_list.txt", packed=False),
            Part("cameras", _RELEASE + "cameras.zip", "cameras", 19_000, needed=False),
            Part("keypoints2d", _RELEASE + "keypoints2d.zip", "keypoints2d", 1_200_000_000, needed=False),
            Part("keypoints3d", _RELEASE + "keypoints3d.zip", "keypoints3d", 834_000_000, needed=False),
        ),
        note="cite Li et al., ICCV 2021; the music and videos are in aist-music and aist-videos",
    ),
    Offer(
        "aist-music", "music of the AIST Dance Video Database, 60 pieces", "AIST terms of use: research only",
        _AIST_TERMS, True, "https://aistdancedb.ongaaccel.jp/database_download/",
        (Part("wav", "https://aistdancedb.ongaaccel.jp/v1.0.0/audio/wav.zip", "wav"),),
        note="download it into the same folder as aist; cite Tsuchida et al., ISMIR 2019",
    ),
    Offer(
        "aist-videos", "videos that AIST++ annotates, nine views", "AIST terms of use: research only",
        _AIST_TERMS, True, "https://aistdancedb.ongaaccel.jp/database_download/", views=True,
        note="one camera's are 1,408 files; choose it with --camera",
    ),
    Offer(
        "aist-pieces", "AIST++ in 2 s pieces, as D2M-GAN was trained on them", "none stated; AIST terms of use apply",
        _AIST_TERMS, True, _D2M_GAN,
        (
            Part("motion", _drive("138rM85CDbSRTsHaLOEXdqqzDyS0vt_sT"), "motion_s2"),
            Part("vision", _drive("1Wb5HVJW3oP9Q2WTu_rqaTIOAFoxPoLTI"), "video_s2"),
            Part("audio", _drive("1YVDvHqg3Tw7gxzdt8fSNtuDPFru9rgxa"), "audio_s2"),
            *_lists("aist"),
        ),
        note="6,632 pieces to train, 86 to test; cite Zhu et al., ECCV 2022",
    ),
    Offer(
        "tiktok", "TikTok Dance-Music in 2 s pieces, 445 videos", "none stated; the videos are their makers'",
        _D2M_GAN, True, _D2M_GAN,
        (
            Part("motion", _drive("1Zi2Ut4r6UONN-OrVhkjT2o43kqqlAUga"), "motion_s2"),
            Part("vision", _drive("1oJ9cmyKZQuSPETGZBSCwJd3J6I11Qq1c"), "video_s2"),
            Part("audio", _drive("1RPRlansMmpPtCY1zDVI5-hMC0EpbVFrh"), "audio_s2"),
            *_lists("tiktok"),
        ),
        note="2,384 pieces to train, 307 to test; links to whole videos are on its page; cite Zhu et al., ECCV 2022",
    ),
    Offer(
        "pop909", "POP909: 909 pop songs as MIDI with chords and beats", "MIT",
        "https://github.com/music-x-lab/POP909-Dataset/blob/master/LICENSE", False,
        "https://github.com/music-x-lab/POP909-Dataset",
        (
            Part(
                "songs", "https://github.com/music-x-lab/POP909-Dataset/archive/refs/heads/master.zip", "POP909",
            ),
        ),
        note="cite Wang et al., ISMIR 2020",
    ),
)  # fmt: skip
#: Data sets by name.
CATALOGUE: dict[str, Offer] = {offer.name: offer for offer in _OFFERS}


def offer(name: str) -> Offer:
    """Find a data set of the catalogue.

    Args:
        name: name of the data set.

    Raises:
        D2MError: if there is none.
    """
    if name not in CATALOGUE:
        raise D2MError(f"there is no data set '{name}'; choose one of {', '.join(CATALOGUE)}, or give a web address")
    return CATALOGUE[name]
