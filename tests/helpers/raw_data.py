"""Small data sets in the layouts of AIST++ and TikTok, made on the spot."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

from d2m.datasets import aist
from d2m.types import SmplMotion

#: Sequences of the small AIST++ folder by split.
AIST = {
    "train": ("gBR_sBM_cAll_d04_mBR0_ch01", "gBR_sBM_cAll_d05_mBR0_ch02", "gHO_sFM_cAll_d19_mHO1_ch03"),
    "val": ("gLO_sBM_cAll_d13_mLO2_ch01",),
    "test": ("gLO_sBM_cAll_d14_mLO2_ch02",),
}
TIKTOK = {"train": ("000000_0_0", "000000_0_1"), "test": ("000007_7_188",)}


def write_wav(path: Path, seconds: float, hertz: float = 220.0, rate: int = 22050) -> None:
    """A sine, 16 bits, one channel."""
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(round(seconds * rate)) / rate
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.round(16000 * np.sin(2 * np.pi * hertz * time)).astype("<i2").tobytes())


def smpl(frames: int, seed: int = 0) -> SmplMotion:
    """A body that moves at random."""
    rng = np.random.default_rng(seed)
    poses = rng.normal(0, 0.3, (frames, 24, 3)).astype(np.float32)
    return SmplMotion(poses, rng.normal(0, 50, (frames, 3)).astype(np.float32), 93.5, 60.0)


def make_aist(root: Path, seconds: float = 5.0, splits: dict[str, tuple[str, ...]] = AIST) -> Path:
    """An AIST++ folder: motions, music, splits."""
    for number, name in enumerate(n for names in splits.values() for n in names):
        aist.write_motion(root / "motions" / f"{name}.pkl", smpl(round(60 * seconds), number))
        write_wav(root / "wav" / f"m{aist.AistName.parse(name).music}.wav", seconds + 1)
    for split, names in splits.items():
        aist.write_text(root / "splits" / f"crossmodal_{split}.txt", "".join(f"{n}\n" for n in names))
    aist.write_text(root / "ignore_list.txt", "")
    return root


def make_tiktok(root: Path, seconds: float = 5.0) -> Path:
    """A TikTok folder: keypoints, sound, lists."""
    rng = np.random.default_rng(1)
    (root / "keypoints").mkdir(parents=True)
    for split, names in TIKTOK.items():
        for name in names:
            np.save(root / "keypoints" / f"{name}.npy", rng.uniform(0, 700, (round(30 * seconds), 75)).astype("f4"))
            write_wav(root / "wav" / f"{name}.wav", seconds)
        aist.write_text(root / f"{split}.txt", "".join(f"{n}\n" for n in names))
    return root


def make_pieces(root: Path, kind: str, shape: tuple[int, ...], samples: int = 44100) -> Path:
    """The authors' layout with two pieces to train and one to test."""
    name = "gPO_sBM_c01_d11_mPO1_ch02" if kind == "aist" else "000007_23_207"
    for split, numbers in (("train", (1, 2)), ("test", (3,))):
        inner = split if kind == "aist" else ""
        for number in numbers:
            piece = f"{name}_seg{number}"
            for folder, values in (("motion_s2", np.full(shape, number)), ("video_s2", np.full(2048, number))):
                (root / folder / inner).mkdir(parents=True, exist_ok=True)
                np.save(root / folder / inner / f"{piece}.npy", values.astype(np.float32))
            write_wav(root / "audio_s2" / inner / f"{piece}.wav", samples / 22050)
        for what in ("motion", "audio", "video"):
            lines = [f"./data/{what}_s2/{inner}/{name}_seg{number}.npy\n" for number in numbers]
            (root / f"{kind}_{what}_{split}_segment.txt").write_text("".join(lines))
    return root
