"""Processes that work through jobs and tasks, though some kill them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from tasks import square_or_die, work

from d2m.errors import D2MError
from d2m.parallel import Crash, Done, Workers, each


@pytest.mark.slow
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
        "from d2m.parallel import Workers\n"
        "with Workers(1, print) as workers:\n    list(workers.run([1], lambda task, share: None))\n"
    )
    done = subprocess.run([sys.executable, str(tmp_path / "script.py")], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith("in a script, call this under if __name__ == '__main__'")


@pytest.mark.slow
def test_processes_end_with_the_block() -> None:
    with Workers(1, square_or_die) as workers:
        assert next(workers.run([5], lambda task, share: None)) == (5, 25)
        process = workers._idle[0].process if workers._idle else next(iter(workers._busy.values())).process
        assert process.is_alive()
    assert not process.is_alive()


def test_one_process_works_in_order_and_here() -> None:
    assert [(square, pid) for square, pid, _ in each(work, [(n,) for n in range(4)])] == [
        (n * n, os.getpid()) for n in range(4)
    ]
    assert list(each(work, [], 3)) == []


@pytest.mark.slow
def test_several_processes_give_the_same_and_share_the_cores(monkeypatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    found = list(each(work, [(n,) for n in range(6)], 2))
    assert sorted(square for square, _, _ in found) == [n * n for n in range(6)]
    assert os.getpid() not in {pid for _, pid, _ in found}
    assert {threads for _, _, threads in found} == {str(max(1, (os.cpu_count() or 1) // 2))}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        ("refuse", D2MError, "^2 cannot be used$"),
        ("odd", RuntimeError, "Odd: 2 and 1"),
        ("closure", Exception, "pickle"),
        ("die", D2MError, "a process was killed, perhaps because memory ran out; use fewer processes"),
    ],
)
def test_what_a_job_raises_is_raised_here(how, error, message) -> None:
    with pytest.raises(error, match=message):
        list(each(work, [(1,), (2, how)], 2))


def test_an_interrupt_ends_the_processes_and_removes_unfinished_files(tmp_path) -> None:
    (tmp_path / "slow_jobs.py").write_text(
        "import os, signal, time\n"
        "from d2m.parallel import each\n"
        "from d2m.files.atomic import atomic_write\n"
        "def slow(path):\n"
        "    with atomic_write(path) as part:\n"
        "        part.write_text('half')\n"
        # One write: two processes share the pipe.
        "        os.write(1, b'writing\\n')\n"
        "        time.sleep(60)\n"
        "if __name__ == '__main__':\n"
        # A shell ignores it for what it starts in the background.
        "    signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "    list(each(slow, [('a.txt',), ('b.txt',), ('c.txt',)], 2))\n"
    )
    with subprocess.Popen(
        [sys.executable, "slow_jobs.py"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as running:
        assert running.stdout is not None
        for _ in range(2):
            assert running.stdout.readline() == "writing\n"
        began = time.monotonic()
        os.killpg(running.pid, signal.SIGINT)
        _, told = running.communicate(timeout=60)
    assert time.monotonic() - began < 30
    assert "KeyboardInterrupt" in told
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".py" and path.name != "__pycache__"] == []
