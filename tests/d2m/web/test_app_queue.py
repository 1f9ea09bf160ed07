"""Order of the studio's jobs, and names and files of clips."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from d2m.errors import D2MError
from d2m.web.app.queue import LONG, Entry, Estimates, FairQueue
from d2m.web.app.store import Disk, looks_like_video, safe_name, size_of, sweep


def run(queue: FairQueue, count: int) -> list[str]:
    """Names of the jobs in the order in which they run one by one."""
    order = []
    for _ in range(count):
        entry = queue.next((), True, lambda each: True)
        assert entry is not None
        order.append(entry.job)
    return order


def test_a_visitor_with_many_jobs_does_not_hold_up_the_others():
    queue = FairQueue()
    for number in range(8):
        queue.add(Entry("greedy", f"clip{number}", f"greedy{number}", 10.0))
    queue.add(Entry("modest", "other", "modest", 10.0))
    order = run(queue, 9)
    assert order.index("modest") == 1
    assert [name for name in order if name != "modest"] == [f"greedy{number}" for number in range(8)]


def test_whoever_comes_late_gets_no_credit_for_the_time_before():
    queue = FairQueue()
    for number in range(4):
        queue.add(Entry("first", f"clip{number}", f"first{number}", 10.0))
    run(queue, 3)
    for number in range(3):
        queue.add(Entry("late", f"late clip{number}", f"late{number}", 10.0))
    assert run(queue, 4) == ["late0", "first3", "late1", "late2"]


def test_jobs_of_one_clip_run_in_their_order_and_never_two_at_once():
    queue = FairQueue()
    queue.add(Entry("a", "clip", "one", 1.0))
    queue.add(Entry("a", "clip", "two", 1.0))
    assert queue.next(["clip"], True, lambda each: True) is None
    # The first one cannot run: the second must not overtake it.
    assert queue.next((), True, lambda each: each.job == "two") is None
    assert run(queue, 2) == ["one", "two"]


def test_a_long_job_leaves_a_worker_to_the_others():
    queue = FairQueue()
    queue.add(Entry("a", "long", "long", LONG + 1))
    queue.add(Entry("b", "short", "short", 1.0))
    entry = queue.next((), False, lambda each: True)
    assert entry is not None
    assert entry.job == "short"
    assert queue.next((), False, lambda each: True) is None
    assert len(queue) == 1


def test_a_job_that_goes_on_lets_others_who_waited_come_first():
    queue = FairQueue()
    queue.add(Entry("a", "clip", "many", 5.0))
    queue.add(Entry("b", "other", "one", 5.0))
    entry = queue.next((), True, lambda each: True)
    assert entry is not None
    assert entry.job == "many"
    entry.start += entry.cost
    queue.add(entry, again=True)
    assert run(queue, 2) == ["one", "many"]


def test_estimates_follow_what_was_measured():
    estimates = Estimates()
    for _ in range(30):
        estimates.learn("watch", 10.0, 51.0)
    assert estimates.of("watch", 10.0) == pytest.approx(51.0, rel=0.05)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("dance.mp4", "dance.mp4"),
        ("../../etc/passwd.mp4", "passwd.mp4"),
        ("..\\..\\evil.MOV", "evil.mov"),
        ("춤 영상.webm", "춤 영상.webm"),
        ('a"b\r\nSet-Cookie: x.mp4', "a_b__Set-Cookie_ x.mp4"),
        (".mp4", "clip.mp4"),
        ("-rf.mkv", "rf.mkv"),
        ("dance.mp4.exe", None),
        ("dance", None),
        ("x.html", None),
        ("a" * 300 + ".mp4", "a" * 60 + ".mp4"),
        ("\u202egnp.mp4", "gnp.mp4"),
        ("nul\x00.mp4", "nul.mp4"),
    ],
)
def test_names_of_uploads_are_kept_in_a_form_that_no_shell_or_header_minds(given, kept):
    assert safe_name(given) == kept


def test_what_does_not_begin_like_a_video_is_not_taken_for_one():
    for begin in (b"\x00\x00\x00\x18ftypmp42", b"\x1aE\xdf\xa3", b"RIFF\x00\x00\x00\x00AVI LIST", b"OggS"):
        assert looks_like_video(begin + bytes(600))
    for begin in (b"PK\x03\x04", b"<!doctype html>", b"#!/bin/sh", b"#EXTM3U", b"%PDF", b"\x7fELF", b"RIFF    WAVE"):
        assert not looks_like_video(begin + bytes(600))


def test_what_a_dead_worker_left_is_swept_away_and_the_rest_stays(tmp_path):
    for name in ("pieces/p_1/sound.wav", "pieces/.p_2/sound.wav", ".tracking.ab12.npz", "pieces/p_1/.export-x/a"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")
    sweep(tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / "pieces/p_1/sound.wav"]
    assert size_of(tmp_path) == 5


def test_two_servers_do_not_share_a_folder(tmp_path):
    disk = Disk(tmp_path / "studio")
    with pytest.raises(D2MError, match="choose another folder with --folder"):
        Disk(tmp_path / "studio")
    disk.close(keep=False)
    assert list(tmp_path.iterdir()) == []
    if os.geteuid():
        (tmp_path / "locked").mkdir(mode=0o500)
        with pytest.raises(D2MError, match="permission"):
            Disk(Path(tmp_path / "locked"))
