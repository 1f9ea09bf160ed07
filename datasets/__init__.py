"""Data sets: :class:`~d2m.datasets.base.DataSet` says what one is, :data:`DATA_SETS` has them by name.

Another package adds a data set with an entry point of the group ``d2m.datasets`` (:mod:`d2m.registry`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from d2m.registry import Registry

if TYPE_CHECKING:
    from d2m.datasets.base import DanceData, DataSet

#: Data sets by name.
DATA_SETS: Registry[DataSet] = Registry(
    "data set",
    "d2m.datasets",
    {
        "aist": "d2m.datasets.aist.data_set:AIST",
        "tiktok": "d2m.datasets.tiktok.data_set:TIKTOK",
        "studio": "d2m.datasets.studio.data_set:STUDIO",
        "clips": "d2m.datasets.clips:CLIPS",
        "pop909": "d2m.datasets.pop909_data:POP909",
    },
)


def dance_data(name: str) -> DanceData:
    """Return a data set of dances.

    Args:
        name: key of :data:`DATA_SETS`.

    Raises:
        D2MError: if there is none of that name.
    """
    from d2m.datasets.base import DanceData
    from d2m.errors import D2MError

    if name in DATA_SETS and isinstance(found := DATA_SETS.get(name), DanceData):
        return found
    *most, last = [data_set.name for data_set in all_dance_data()]
    raise D2MError(f"there is no data set '{name}'; choose {', '.join(most)} or {last}")


def all_dance_data() -> tuple[DanceData, ...]:
    """Return the data sets of dances in the order of the registry."""
    from d2m.datasets.base import DanceData

    found = (DATA_SETS.get(name) for name in DATA_SETS)
    return tuple(data_set for data_set in found if isinstance(data_set, DanceData))
