"""Processes that help this one with its jobs."""

from __future__ import annotations

import os
import time

import pytest
from tasks import fail_or_work, work

from d2m.parallel import Helpers


def here(number: int) -> tuple[int, int, str]:
    """Do the job of the helpers in this process."""
    time.sleep(0.05)
    return number * number, os.getpid(), ""


def test_without_helpers_all_jobs_are_done_here() -> None:
    with Helpers(0, work, (0,)) as helpers:
        done = list(helpers.share([(number,) for number in range(4)], here))
    assert done == [(number, (number * number, os.getpid(), "")) for number in range(4)]


@pytest.mark.slow
def test_helpers_and_this_process_share_the_jobs() -> None:
    with Helpers(1, work, (0,)) as helpers:
        # The process is started with the block, long before there are jobs.
        deadline = time.monotonic() + 30
        pids: set[int] = set()
        while len(pids) < 2 and time.monotonic() < deadline:
            done = dict(helpers.share([(number,) for number in range(6)], here))
            assert {index: result[0] for index, result in done.items()} == {n: n * n for n in range(6)}
            pids |= {result[1] for result in done.values()}
        assert os.getpid() in pids
        assert len(pids) == 2


@pytest.mark.slow
@pytest.mark.parametrize("fatal", [-1, 3])
def test_the_job_of_a_helper_that_dies_is_done_here(fatal: int) -> None:
    with Helpers(1, fail_or_work, (fatal, -1)) as helpers:
        time.sleep(2.0)
        done = dict(helpers.share([(fatal, number) for number in range(6)], lambda _, number: here(number)))
    assert {index: result[0] for index, result in done.items()} == {n: n * n for n in range(6)}


@pytest.mark.slow
def test_what_a_job_raises_in_a_helper_is_raised_here() -> None:
    def repeat() -> None:
        while True:
            jobs = [(99, 4)] * 2
            list(helpers.share(jobs, lambda _, number: here(number)))

    with Helpers(1, fail_or_work, (99, -2)) as helpers, pytest.raises(ValueError, match="number 4"):
        repeat()


@pytest.mark.slow
def test_the_block_ends_while_a_helper_works() -> None:
    begin = time.monotonic()
    with Helpers(2, time.sleep, (60.0,)):
        time.sleep(1.0)
    assert time.monotonic() - begin < 20
