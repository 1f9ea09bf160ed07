"""The cache of features: what was put in comes out, work is done once, and nothing damaged is believed."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from d2m.errors import D2MError
from d2m.features.store import StopRun, Store, content_of, default_folder, key_of, read_arrays

KEY = key_of(part="test", content="x", fps=30.0)


def test_a_key_changes_with_every_part_and_with_nothing_else() -> None:
    assert key_of(fps=30.0, content="x", part="test") == KEY
    assert len({KEY, key_of(part="test", content="y", fps=30.0), key_of(part="test", content="x", fps=25.0)}) == 3


def test_content_counts_not_the_name(tmp_path) -> None:
    for name, text in (("a", "same"), ("b", "same"), ("c", "other")):
        (tmp_path / name).write_text(text)
    assert content_of(tmp_path / "a") == content_of(tmp_path / "b") != content_of(tmp_path / "c")
    with pytest.raises(D2MError, match="no such file"):
        content_of(tmp_path / "d")


def test_an_entry_is_made_once_and_then_found(tmp_path) -> None:
    store, calls = Store(tmp_path / "cache"), []

    def make() -> dict[str, np.ndarray]:
        calls.append(1)
        return {"a": np.arange(5.0), "text": np.array(["one", "two"]), "none": np.array([], dtype=np.str_)}

    assert store.get(KEY) is None
    assert not store.has(KEY)
    first, made = store.get_or_make(KEY, make)
    second, again = store.get_or_make(KEY, make)
    assert (made, again, len(calls)) == (True, False, 1)
    assert np.array_equal(first["a"], second["a"])
    assert second["text"].tolist() == ["one", "two"]
    assert store.get_or_make(KEY, make, anew=True)[1]
    assert len(calls) == 2
    assert [p.name for p in (tmp_path / "cache").rglob("*") if p.is_file()] == [f"{KEY}.npz"]


def test_a_damaged_entry_is_made_anew(tmp_path) -> None:
    store = Store(tmp_path)
    store.put(KEY, {"a": np.arange(1000.0)})
    path = next(tmp_path.rglob("*.npz"))
    whole = path.read_bytes()
    for content in (b"", b"hello", whole[: len(whole) // 2], whole[:200] + b"\0" * 200 + whole[400:]):
        path.write_bytes(content)
        found, made = store.get_or_make(KEY, lambda: {"a": np.arange(3.0)})
        assert made
        assert found["a"].tolist() == [0, 1, 2]


def test_a_packed_or_pickled_archive_is_not_read(tmp_path) -> None:
    np.savez_compressed(tmp_path / "packed.npz", a=np.zeros(10_000_000, np.uint8))
    np.savez(tmp_path / "objects.npz", a=np.array([{}], dtype=object))
    assert read_arrays(tmp_path / "packed.npz") is None
    assert read_arrays(tmp_path / "objects.npz") is None


def test_if_the_work_fails_nothing_is_left_and_the_next_may_try(tmp_path) -> None:
    store = Store(tmp_path)

    def fail() -> dict[str, np.ndarray]:
        raise D2MError("no dancer")

    for _ in range(2):
        with pytest.raises(D2MError, match="no dancer"):
            store.get_or_make(KEY, fail)
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]
    assert store.get_or_make(KEY, lambda: {"a": np.zeros(1)})[1]


RACE = """
import sys, time, numpy as np
from d2m.features.store import Store
def make():
    open(sys.argv[2], "a").write("made\\n")
    time.sleep(0.5)
    return {"a": np.arange(3.0)}
print(Store(sys.argv[1]).get_or_make(sys.argv[3], make)[0]["a"].tolist())
"""


@pytest.mark.slow
def test_several_processes_do_the_work_once(tmp_path) -> None:
    command = [sys.executable, "-c", RACE, str(tmp_path / "cache"), str(tmp_path / "made"), KEY]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = [process.communicate(timeout=60)[0].strip() for process in running]
    assert said == ["[0.0, 1.0, 2.0]"] * 3
    assert (tmp_path / "made").read_text() == "made\n"


def test_a_process_that_is_killed_leaves_its_work_to_others(tmp_path) -> None:
    code = RACE.replace("time.sleep(0.5)", "time.sleep(600)")
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "cache"), str(tmp_path / "made"), KEY])
    try:
        while not (tmp_path / "made").exists():
            time.sleep(0.02)
        process.kill()
    finally:
        process.kill()
        process.wait()
    assert Store(tmp_path / "cache").get_or_make(KEY, lambda: {"a": np.zeros(1)})[1]


def test_a_cache_that_cannot_be_written_is_one_line(tmp_path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StopRun, match="cache") as caught:
        Store(tmp_path / "file").get_or_make(KEY, lambda: {"a": np.zeros(1)})
    assert "\n" not in str(caught.value)


def test_the_cache_is_where_the_platform_keeps_caches(monkeypatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert default_folder() == Path("/somewhere/d2m/features")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_folder() == Path.home() / ".cache/d2m/features"
