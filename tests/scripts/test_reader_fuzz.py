"""Damaged playlists, arrays, weights, cards and videos are read or refused in one line."""

from __future__ import annotations

import importlib
import sys

import pytest
from repository import SCRIPTS

from d2m.errors import D2MError

pytestmark = pytest.mark.slow

pytest.importorskip("hypothesis")
if not (SCRIPTS / "reader_cases.py").is_file():
    pytest.skip("needs the scripts of the repository", allow_module_level=True)
sys.path.insert(0, str(SCRIPTS))
cases = importlib.import_module("reader_cases")
sys.path.remove(str(SCRIPTS))

from hypothesis import HealthCheck, given, settings  # noqa: E402


@pytest.mark.parametrize(
    ("kind", "count"), [("playlist", 80), ("arrays", 60), ("weights", 60), ("card", 40), ("video", 25)]
)
def test_damaged_files_are_read_or_refused_in_one_line(kind: str, count: int) -> None:
    make, check = cases.KINDS[kind]

    @settings(
        max_examples=count, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(make())
    def attempt(data: bytes) -> None:
        check(data)

    attempt()


@pytest.mark.parametrize("kind", ["arrays", "weights", "card"])
def test_whole_files_are_accepted_and_cut_ones_refused(kind: str, monkeypatch) -> None:
    samples = {"arrays": cases.array_files, "weights": cases.weight_files, "card": cases.card_files}[kind]()
    found: list[bool] = []
    real = cases.refused_in_one_line
    monkeypatch.setattr(cases, "refused_in_one_line", lambda read: found.append(real(read)) or found[-1])
    for data in samples:
        cases.KINDS[kind][1](data)
        cases.KINDS[kind][1](data[:20])
    assert found[::2] == [False] * len(samples)
    assert found[1::2] == [True] * len(samples)


def test_whole_videos_are_watched(monkeypatch) -> None:
    found: list[bool] = []
    real = cases.refused_in_one_line
    monkeypatch.setattr(cases, "refused_in_one_line", lambda read: found.append(real(read)) or found[-1])
    for data in cases.video_files():
        cases.check_video(data)
    assert found == [False] * 7


def test_a_reader_that_fails_otherwise_is_noticed(tmp_path) -> None:
    def many_lines() -> None:
        raise D2MError("one\ntwo")

    def crash() -> None:
        raise KeyError("x")

    with pytest.raises(AssertionError, match="one line"):
        cases.refused_in_one_line(many_lines)
    with pytest.raises(KeyError):
        cases.refused_in_one_line(crash)
    with pytest.raises(AssertionError, match="left"):
        cases._with_file(b"x", "a.bin", lambda path: (path.parent / "more").write_bytes(b""))
