"""AIST++: its files, its folder as a source of prepared data, and its entry in the registry."""

from d2m.datasets.aist.files import SPLITS, VIEWS, Aist, AistName, write_text
from d2m.datasets.aist.pickles import (
    FPS,
    Keypoints2d,
    read_keypoints2d,
    read_keypoints3d,
    read_motion,
    write_keypoints2d,
    write_keypoints3d,
    write_motion,
)

__all__ = [
    "FPS",
    "SPLITS",
    "VIEWS",
    "Aist",
    "AistName",
    "Keypoints2d",
    "read_keypoints2d",
    "read_keypoints3d",
    "read_motion",
    "write_keypoints2d",
    "write_keypoints3d",
    "write_motion",
    "write_text",
]
