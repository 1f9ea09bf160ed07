"""Published results, with their sources.

Only values read in a source that is named are included; percentages are converted to shares. The tables of D2M-GAN's
own paper (arXiv:2204.00604) and of LORIS's (arXiv:2305.01319) were not available, so the values of the first are those
quoted by UniMuMo's authors under the same protocol, and those of the second are reported by GACA-DiT's authors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from d2m.datasets import dance_data

UNIMUMO = (
    "UniMuMo (Yang et al., AAAI 2025, arXiv:2410.04534), table 2, as transcribed in github.com/ZeyuLing/Motius, "
    "docs/leaderboards/hf_space_dance_to_music/dance_to_music_results.json: 86 segments of 2 s, D2M-GAN's script"
)
GACA = (
    "GACA-DiT (Wang et al., Interspeech 2026, doi:10.21437/Interspeech.2026-2348), main table, as quoted in two public "
    "reviews of it: 5 s at 44.1 kHz, LORIS's scores"
)


@dataclass(frozen=True)
class Published:
    """Row of a published table.

    Attributes:
        title: title of the method.
        data: name of the data set in :data:`d2m.datasets.DATA_SETS`.
        seconds: length of the segments that were scored in seconds.
        scores: keys as in :func:`d2m.evaluation.beat_report.mean_scores`, shares.
        source: where they stand.
    """

    title: str
    data: str
    seconds: float
    scores: dict[str, float]
    source: str

    def plain(self) -> dict[str, Any]:
        """Return the values for the JSON report."""
        return {
            "title": self.title, "data": self.data, "seconds": self.seconds, "scores": self.scores,
            "source": self.source, "as_published": True,
        }  # fmt: skip


def _unimumo(title: str, coverage: float, hit: float) -> Published:
    return Published(title, "aist", 2.0, {"d2m_coverage": coverage, "d2m_hit": hit}, UNIMUMO)


def _gaca(title: str, data: str, bcs: float, bhs: float, f1: float, csd: float | None = None) -> Published:
    scores = {"bcs": bcs, "bhs": bhs, "f1": f1} | ({} if csd is None else {"csd": csd})
    return Published(title, data, 5.0, scores, GACA)


PUBLISHED: tuple[Published, ...] = (
    _unimumo("Foley Music", 0.741, 0.694),
    _unimumo("Dance2Music", 0.835, 0.824),
    _unimumo("CMT", 0.855, 0.835),
    _unimumo("D2M-GAN", 0.882, 0.847),
    _unimumo("CDCD", 0.939, 0.907),
    _unimumo("UniMuMo", 0.930, 0.884),
    _gaca("D2M-GAN", "aist", 0.8909, 0.8895, 0.8884, 0.1405),
    _gaca("CDCD", "aist", 0.9218, 0.8050, 0.8495),
    _gaca("LORIS", "aist", 0.9213, 0.9171, 0.9205),
    _gaca("MotionComposer", "aist", 0.9584, 0.9509, 0.9645, 0.0989),
    _gaca("GACA-DiT", "aist", 0.9813, 0.9872, 0.9847, 0.0815),
    _gaca("D2M-GAN", "tiktok", 0.8255, 0.8707, 0.8422),
    _gaca("MotionComposer", "tiktok", 0.8909, 0.9002, 0.8950),
    _gaca("GACA-DiT", "tiktok", 0.9155, 0.9173, 0.9121),
)


def published_for(kind: str) -> tuple[Published, ...]:
    """Return the published results for a data set: TikTok's for TikTok, AIST++'s for AIST++ and studios.

    Args:
        kind: name of the data set.
    """
    data_set = dance_data(kind)
    return tuple(row for row in PUBLISHED if row.data == (data_set.published_as or data_set.name))
