"""Published results, with source and protocol, from ``published.toml``.

Only values that were read in a source that is named are there. The tables of D2M-GAN's own paper (arXiv:2204.00604) and
of LORIS's (arXiv:2305.01319) were not available; their values are those that other papers give. V2M-Zero
(arXiv:2603.11042) gives its beat alignment on AIST++ relative to others in its abstract only, so it has no row.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from d2m.datasets import dance_data

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_FILE = Path(__file__).with_name("published.toml")


@dataclass(frozen=True)
class Published:
    """Row of a published table.

    Attributes:
        title: title of the method.
        data: name of the data set in :data:`d2m.datasets.DATA_SETS`.
        seconds: length of the segments that were scored in seconds.
        scores: keys as in :func:`d2m.evaluation.beat_report.mean_scores`, shares.
        source: where they stand.
        table: the table in few words, which tells rows of the same method apart.
        protocol: how they were measured.
    """

    title: str
    data: str
    seconds: float
    scores: dict[str, float]
    source: str
    table: str
    protocol: str

    def plain(self) -> dict[str, Any]:
        """Return the values for the JSON report."""
        return {
            "title": self.title, "data": self.data, "seconds": self.seconds, "scores": self.scores,
            "source": f"{self.source}: {self.protocol}", "table": self.table, "protocol": self.protocol,
            "as_published": True,
        }  # fmt: skip


@lru_cache(maxsize=1)
def published() -> tuple[Published, ...]:
    """Return all published results."""
    content = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    found = []
    for row in content["row"]:
        source = content["source"][row["source"]]
        scores = {name: float(value) for name, value in row["scores"].items()}
        where = (source["text"], source["short"], source["protocol"])
        found.append(Published(row["title"], row["data"], float(source["seconds"]), scores, *where))
    return tuple(found)


def published_for(kind: str) -> tuple[Published, ...]:
    """Return the published results for a data set: TikTok's for TikTok, AIST++'s for AIST++ and studios.

    Args:
        kind: name of the data set.
    """
    data_set = dance_data(kind)
    return tuple(row for row in published() if row.data == (data_set.published_as or data_set.name))
