"""Processes that work through tasks, though some tasks kill them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from d2m.features.workers import Crash, Done, Workers

pytestmark = pytest.mark.slow


def square_or_die(task: int, tell: Callable[[float], None]) -> int:
    for step in range(101):
        tell(step / 100)
    if task % 4 == 3:
        os.abort()
    return task * task


def test_every_task_is_answered_and_a_crash_takes_one_task_only() -> None:
    told: dict[int, list[float]] = {}
    taken: list[int] = []

    def tasks():
        for task in range(7):
            taken.append(task)
            yield task

    with Workers(2, square_or_die) as workers:
        running = workers.run(tasks(), lambda task, share: told.setdefault(task, []).append(share))
        first = next(running)
        # Tasks are taken as they are needed, not all at once.
        assert len(taken) <= 3
        results = dict([first, *running])
    assert {task for task, result in results.items() if isinstance(result, Crash)} == {3}
    assert results[3].code == -6
    assert [results[task] for task in (0, 1, 2, 4, 5, 6)] == [0, 1, 4, 16, 25, 36]
    assert all(shares == sorted(shares) and 40 <= len(shares) <= 51 for shares in told.values())


def test_what_is_done_already_needs_no_process() -> None:
    with Workers(1, square_or_die) as workers:
        results = [result for _, result in workers.run([Done("a"), Done("b")], lambda task, share: None)]
        assert results == ["a", "b"]
        assert not workers._idle


def test_a_process_that_cannot_start_is_no_fault_of_the_task(tmp_path) -> None:
    (tmp_path / "script.py").write_text(
        "from d2m.features.workers import Workers\n"
        "with Workers(1, print) as workers:\n    list(workers.run([1], lambda task, share: None))\n"
    )
    done = subprocess.run([sys.executable, str(tmp_path / "script.py")], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith("in a script, call this under if __name__ == '__main__'")


def test_processes_end_with_the_block() -> None:
    with Workers(1, square_or_die) as workers:
        assert next(workers.run([5], lambda task, share: None)) == (5, 25)
        process = workers._idle[0].process if workers._idle else next(iter(workers._busy.values())).process
        assert process.is_alive()
    assert not process.is_alive()
