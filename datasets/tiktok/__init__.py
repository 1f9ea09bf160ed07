"""TikTok Dance-Music: its files, its folder as a source of prepared data, and its entry in the registry."""

from d2m.datasets.base import whole_name
from d2m.datasets.lists import read_list
from d2m.datasets.tiktok.files import (
    FPS,
    SPLITS,
    VALUES,
    TikTok,
    TikTokName,
    find_list,
    read_frames,
    read_openpose,
)

__all__ = [
    "FPS",
    "SPLITS",
    "VALUES",
    "TikTok",
    "TikTokName",
    "find_list",
    "read_frames",
    "read_list",
    "read_openpose",
    "whole_name",
]
