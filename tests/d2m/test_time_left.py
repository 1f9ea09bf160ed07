"""Time that is left, in words, and in the log of training."""

from __future__ import annotations

import pytest

from d2m.time_left import TimeLeft, duration_text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "0 s"),
        (59.6, "60 s"),
        (99.4, "99 s"),
        (120, "2 min"),
        (5940, "99 min"),
        (7200, "2 h"),
        (12_000, "3 h 20 min"),
        (48 * 3600, "2 days"),
        (50.2 * 3600, "2 days 2 h"),
    ],
)
def test_durations_are_short_words(seconds, text):
    assert duration_text(seconds) == text


def test_time_left_counts_only_what_was_done_since_the_start():
    now = [0.0]
    left = TimeLeft(40, lambda: now[0])
    assert left.text(40, 100) == ""
    now[0] = 30.0
    assert left.seconds(50, 100) == pytest.approx(150.0)
    assert left.text(50, 100) == "2 min left"
    assert left.text(100, 100) == "0 s left"
