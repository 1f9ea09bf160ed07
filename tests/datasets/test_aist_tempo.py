"""Tempos of AIST's music."""

from __future__ import annotations

import numpy as np
import pytest

from d2m.datasets.aist.tempo import grid_of, tempo_of
from d2m.errors import D2MError


@pytest.mark.parametrize(("music", "tempo"), [("mBR0", 80), ("mPO3", 110), ("mWA5", 130), ("mHO0", 110), ("mHO4", 130)])
def test_tempos_are_those_of_the_data_base(music: str, tempo: float) -> None:
    assert tempo_of(music) == tempo
    grid = grid_of(music, 9.0)
    assert grid.beats[0] == 0.0
    assert np.diff(grid.beats) == pytest.approx(60.0 / tempo)
    assert grid.downbeats[0] == 0


@pytest.mark.parametrize("music", ["mBR6", "BR0", "mXX0", "mBR"])
def test_other_names_are_refused(music: str) -> None:
    with pytest.raises(D2MError, match="AIST has no music"):
        tempo_of(music)
