"""Catalogue of what can be downloaded: the offers of all data sets (:data:`d2m.datasets.DATA_SETS`)."""

from __future__ import annotations

from d2m.datasets import DATA_SETS
from d2m.datasets.offers import Offer, Part
from d2m.errors import D2MError

__all__ = ["VIDEO_FOLDER", "VIDEO_LIST", "Offer", "Part", "offer", "offers"]

#: Names of the videos that AIST++ annotates, nine views of each sequence, and where they are.
VIDEO_LIST = "https://storage.googleapis.com/aist_plusplus_public/20121228/video_list.txt"
VIDEO_FOLDER = "https://aistdancedb.ongaaccel.jp/v1.0.0/video/10M/"


def offers() -> dict[str, Offer]:
    """Return what can be downloaded, by name."""
    return {offer.name: offer for name in DATA_SETS for offer in DATA_SETS.get(name).offers}


def offer(name: str) -> Offer:
    """Find an offer of the catalogue.

    Args:
        name: name of the offer.

    Raises:
        D2MError: if there is none.
    """
    known = offers()
    if name not in known:
        raise D2MError(f"there is no data set '{name}'; choose one of {', '.join(known)}, or give a web address")
    return known[name]
