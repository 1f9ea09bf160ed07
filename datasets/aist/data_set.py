"""AIST++ as a data set: downloads, names, folder, and what the benchmark reads of it.

Addresses, sizes and terms are those that the makers give: google/aistplusplus_dataset (download.html,
factsfigures.html), google/aistplusplus_api (downloader.py), the terms of use of the AIST Dance Video Database, and
README.md and ``dataset/`` of L-YeZhu/D2M-GAN. That the release holds the splits and the ignore list as files of their
own is what users of it say; the address of the music is the one that they give, since the database's own page hands it
out after agreement. None of them publishes checksums.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from d2m.datasets.aist.files import SPLITS, Aist, AistName
from d2m.datasets.aist.pickles import FPS
from d2m.datasets.base import DanceData, Item, Source, Take, whole_name
from d2m.datasets.offers import Offer, Part
from d2m.datasets.pieces import D2M_GAN, PiecesSource, drive, is_pieces, piece_lists
from d2m.errors import D2MError
from d2m.types import GENRES

_RELEASE = "https://github.com/google/aistplusplus_dataset/releases/download/v1.0/"
_AIST_TERMS = "https://aistdancedb.ongaaccel.jp/terms_of_use/"
#: Height in pixels of AIST's pictures.
_HEIGHT = 1080

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
        _AIST_TERMS, True, D2M_GAN,
        (
            Part("motion", drive("138rM85CDbSRTsHaLOEXdqqzDyS0vt_sT"), "motion_s2"),
            Part("vision", drive("1Wb5HVJW3oP9Q2WTu_rqaTIOAFoxPoLTI"), "video_s2"),
            Part("audio", drive("1YVDvHqg3Tw7gxzdt8fSNtuDPFru9rgxa"), "audio_s2"),
            *piece_lists("aist"),
        ),
        note="6,632 pieces to train, 86 to test; cite Zhu et al., ECCV 2022",
    ),
)  # fmt: skip


class AistData(DanceData):
    """AIST++ (Li et al., ICCV 2021): SMPL parameters at 60 frames a second, genre from the name, music from the wav."""

    name, title = "aist", "AIST++"
    offers: tuple[Offer, ...] = _OFFERS
    motion_fps, motion_size = FPS, 219
    protocols = ("crossmodal", "pose")
    shared_music = (("val", "test"),)

    def recognises(self, folder: Path) -> bool:
        """Return whether a folder has annotations of AIST++, or the pieces of D2M-GAN's authors.

        Args:
            folder: an existing folder.
        """
        if is_pieces(folder):
            return (folder / "aist_motion_train_segment.txt").is_file()
        if (folder / "keypoints").is_dir() or (folder / "manifest.json").is_file():
            return False
        try:
            Aist(folder)
        except D2MError:
            return False
        return True

    def source(self, folder: Path, visual: Path | None = None, protocol: str = "crossmodal") -> Source:
        """Open a folder of annotations, or of the pieces of D2M-GAN's authors.

        Args:
            folder: the folder.
            visual: folder of visual features of the videos, or None.
            protocol: ``"crossmodal"`` (music of the test split unseen) or ``"pose"`` (dancers unseen); ignored for
                pieces.

        Raises:
            D2MError: if it is not such a folder.
        """
        from d2m.datasets.aist.source import AistSource

        return PiecesSource(folder, self.name) if is_pieces(folder) else AistSource(folder, visual, protocol)

    def genre(self, name: str) -> int:
        """Return the genre of a sequence, which its name tells.

        Args:
            name: name of a sequence.

        Returns:
            Index into :data:`d2m.types.GENRES`.

        Raises:
            D2MError: for a name of another form.
        """
        return list(GENRES).index(AistName.parse(name).genre)

    def check_name(self, name: str) -> None:
        """Check the form of a sequence's name.

        Args:
            name: the name.

        Raises:
            D2MError: for a name of another form.
        """
        AistName.parse(name)

    def song(self, music: str) -> str:
        """Return the song of a piece of music: ``mBR0`` of ``gBR_sBM_c01_d04_mBR0_ch01_seg1``.

        Args:
            music: id of a piece of music, or ``""``.

        Raises:
            D2MError: for an id of another form.
        """
        whole = whole_name(music)
        if not music or (whole == music and "_" not in music):
            return whole
        return f"m{AistName.parse(whole).music}"

    def take(self, frames: np.ndarray, name: str) -> Take:
        """Convert SMPL frames to joints in space and a front view of them, which is the engines' input.

        Args:
            frames: float32 (T, 219) at 60 frames per second.
            name: name of the sequence, for error messages.

        Raises:
            D2MError: if the frames cannot be used.
        """
        from d2m.datasets.studio.skeleton import joints_of
        from d2m.features.rhythm import POSE_LAG
        from d2m.features.smpl import smpl_motion
        from d2m.features.to_mediapipe import front_view

        try:
            # Metres become AIST++'s centimetres; the scale cancels where models read them.
            smpl = smpl_motion(frames, self.motion_fps, 100.0)
        except ValueError as error:
            raise D2MError(f"{name}: {error}") from error
        joints = joints_of(smpl.poses, smpl.translation, smpl.scale)
        told = "24 SMPL joints in space on an average skeleton; the engines see a front view of them"
        return Take(front_view(joints, smpl.fps), POSE_LAG, joints, smpl.fps, "space", told, smpl)

    def items(self, root: Path, split: str) -> list[Item]:
        """Return the dances of a split, without those in ``ignore_list.txt``.

        Args:
            root: the folder.
            split: ``"train"``, ``"val"`` or ``"test"``.

        Raises:
            D2MError: if the folder cannot be used.
        """
        if split not in SPLITS:
            return []
        names = [AistName.parse(name) for name in Aist(root).names(split)]
        return [Item(str(name), f"m{name.music}", self.name, root, name.genre) for name in names]

    def item_files(self, item: Item) -> list[Path]:
        """Return the files of the annotations, beats and music of an item; some may not exist.

        Args:
            item: an item of a raw folder.
        """
        root, data = item.root, Aist(item.root)
        parts = [data.annotations / part / f"{item.name}.pkl" for part in ("keypoints2d", "keypoints3d", "motions")]
        folders = ("wav", "all_musics", "music")
        music = [base / folder / f"{item.music}.wav" for base in {root, data.annotations} for folder in folders]
        return [*parts, self.beats_file(item), *music]

    def item_take(self, item: Item) -> Take:
        """Read the keypoints of an item: of the first camera as the engines' input, and in space to judge the music by.

        Args:
            item: an item of a raw folder.

        Raises:
            D2MError: if they cannot be read.
        """
        from d2m.features.rhythm import POSE_LAG
        from d2m.features.to_mediapipe import tidied, to_mediapipe33

        data = Aist(item.root)
        view = data.keypoints2d(item.name).points[0]
        try:
            motion = tidied(view[..., :2] / _HEIGHT, view[..., 2], FPS, "coco17")
            world = data.landmarks(item.name)
            space = tidied(world.joints, world.confidence, FPS, "coco17")
        except ValueError as error:
            raise D2MError(f"{item.name}: {error}") from error
        smpl = data.motion(item.name) if (data.annotations / "motions" / f"{item.name}.pkl").is_file() else None
        # The rhythm is moved forward by MediaPipe's lag, which these keypoints do not have.
        told = "AIST++'s 17 keypoints in space"
        return Take(to_mediapipe33(motion), POSE_LAG, space.joints, FPS, "space", told, smpl)

    def item_music(self, item: Item) -> Path:
        """Return the wav file of an item's song.

        Args:
            item: an item of a raw folder.

        Raises:
            D2MError: if it does not exist.
        """
        return Aist(item.root).wav_file(item.music)

    def music_offset(self, item: Item) -> int:
        """Return 0: motion and music both begin with the video.

        Args:
            item: an item of a raw folder.
        """
        return 0

    def beats_file(self, item: Item) -> Path:
        """Return the file of a song's beats, which only studios have.

        Args:
            item: an item of a raw or prepared folder.
        """
        return item.root / "beats" / f"{item.name if item.prepared else item.music}.txt"

    def picture_name(self, item: Item) -> str:
        """Return the name of the video of an item's first camera.

        Args:
            item: an item of a raw folder.
        """
        return str(AistName.parse(item.name).view(1))


AIST = AistData()
