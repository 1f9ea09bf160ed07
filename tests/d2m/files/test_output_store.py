"""Stores of results in folders and at URLs, manifests, and runs that are resumed from them."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from clicks import Clicks

from d2m.cli.main import main
from d2m.errors import D2MError
from d2m.files.manifest import Manifest, Record
from d2m.files.store import FolderStore, UrlStore, open_store
from d2m.files.url import files_at, identity_of, local_copy

pytest.importorskip("fsspec", reason="needs the extra 'cluster'")
pytest.importorskip("pyarrow", reason="needs the extra 'cluster'")


@pytest.fixture(params=["folder", "memory", "file"])
def store(request, tmp_path):
    place = {"folder": str(tmp_path / "out"), "memory": f"memory://{tmp_path.name}/out", "file": f"file://{tmp_path}/u"}
    return open_store(place[request.param])


def test_a_store_keeps_files(store, tmp_path) -> None:
    assert store.names() == {}
    assert store.read("a/b.txt", 10) is None
    store.put("a/b.txt", b"12345")
    (tmp_path / "x").write_bytes(b"x")
    (tmp_path / "y").write_bytes(b"yy")
    store.put_files(tmp_path, ["y", "x"])
    assert set(store.names()) == {"a/b.txt", "x", "y"}
    assert set(store.names("a")) == {"a/b.txt"}
    assert store.read("a/b.txt", 5) == b"12345"
    assert store.read("a/b.txt", 4) is None
    with local_copy(store.path("y")) as path:
        assert (path.name, path.read_bytes()) == ("y", b"yy")
    store.remove("x")
    store.remove("x")
    assert "x" not in store.names()


def test_an_upload_that_fails_leaves_nothing(tmp_path) -> None:
    store = open_store(f"file://{tmp_path}/out")
    store.put("a.txt", b"old")
    with pytest.raises(D2MError, match="cannot write"):
        store.put_files(tmp_path, ["missing.txt"])
    assert set(store.names()) == {"a.txt"}
    assert not [path for path in (tmp_path / "out").iterdir() if path.name.startswith(".")]


def test_an_unknown_protocol_and_a_missing_file_are_errors_of_one_line(tmp_path) -> None:
    with pytest.raises(D2MError, match="nosuch:// needs another package"):
        open_store("nosuch://bucket/folder")
    with pytest.raises(D2MError, match="no such file"), local_copy(f"file://{tmp_path}/none.mp4"):
        pass
    with pytest.raises(D2MError, match="nothing is there"):
        files_at(f"file://{tmp_path}/empty", frozenset((".mp4",)))
    (tmp_path / "file").write_text("x")
    with pytest.raises(D2MError, match="this is a file"):
        open_store(tmp_path / "file")


def test_a_manifest_tells_what_is_there(store) -> None:
    manifest = Manifest(store)
    record = Record("k1", "/in/a.mp4", "5-1", "s", "made", "", 1.5, output="a.json")
    for each in (record, Record("", "/in/b.mp4", "5-2", "s", "failed", "damaged", 0.1)):
        manifest.add(each)
    assert list(manifest.records()) == []
    manifest.flush()
    assert [(each.unit, each.outcome, each.error) for each in manifest.records()] == [
        ("k1", "made", ""), ("", "failed", "damaged"),
    ]  # fmt: skip
    assert manifest.known("s") == {}  # the file is gone
    store.put("a.json", b"{}")
    assert manifest.known("s") == {("/in/a.mp4", "5-1"): record}
    assert manifest.known("other settings") == {}
    manifest.add(Record("k1", "/in/a.mp4", "5-1", "s", "unchanged", "", 0.0, output="a.json"))
    manifest.flush()
    assert manifest.results() == {"k1": record}
    store.put("manifest/1.parquet", b"PAR1 no table")
    with pytest.raises(D2MError, match="is damaged"):
        list(manifest.records())


@pytest.fixture
def music(clip, tmp_path, monkeypatch):
    """A folder with two videos, and an engine that makes clicks."""
    from d2m import engines

    monkeypatch.setattr(engines, "load", lambda name, **_: Clicks())
    (tmp_path / "in").mkdir()
    for name, seconds in (("a", 0.6), ("b", 0.7)):
        clip(tmp_path / "in" / f"{name}.mp4", duration=seconds)
    return tmp_path


@pytest.mark.slow
def test_results_are_kept_if_video_and_options_are_the_same(music, clip, capsys) -> None:
    out = music / "out"
    command = ["generate", str(music / "in"), "-o", str(out), "--no-video", "--skip-existing"]
    assert main(command) == 0
    unit = json.loads((out / "a.d2m.json").read_text())["unit"]

    def times() -> dict[str, int]:
        return {path.name: path.stat().st_mtime_ns for path in out.iterdir()}

    before = times()
    assert main(command) == 0
    assert times() == before
    assert "all videos have a result" in capsys.readouterr().err
    # One file of a result is gone.
    (out / "a.d2m.wav").unlink()
    assert main(command) == 0
    assert {name for name, time in times().items() if before[name] != time} >= {"a.d2m.wav", "a.d2m.json"}
    assert times()["b.d2m.json"] == before["b.d2m.json"]
    assert json.loads((out / "a.d2m.json").read_text())["unit"] == unit
    # Another video of the same name, and another option.
    clip(music / "in" / "a.mp4", duration=0.8)
    assert main(command) == 0
    assert json.loads((out / "a.d2m.json").read_text())["unit"] != unit
    assert times()["b.d2m.json"] == before["b.d2m.json"]
    assert main([*command, "--seed", "3"]) == 0
    assert times()["b.d2m.json"] != before["b.d2m.json"]
    # A single video is the same unit.
    before = times()
    assert main(["generate", str(music / "in" / "b.mp4"), *command[2:], "--seed", "3"]) == 0
    assert times() == before


@pytest.mark.slow
def test_local_processes_make_the_same_files(clip, tmp_path) -> None:
    (tmp_path / "in").mkdir()
    for name, seconds in (("a", 0.6), ("b", 0.7)):
        clip(tmp_path / "in" / f"{name}.mp4", duration=seconds)
    for processes in ("1", "2"):
        command = ["generate", str(tmp_path / "in"), "-o", str(tmp_path / processes), "--no-video"]
        assert main([*command, "--processes", processes]) == 0
    for path in (tmp_path / "1").iterdir():
        one, two = path.read_bytes(), (tmp_path / "2" / path.name).read_bytes()
        if path.suffix == ".json":
            one, two = (json.dumps({**json.loads(each), "seconds": 0}).encode() for each in (one, two))
        assert one == two, path.name


@pytest.fixture
def bucket(monkeypatch) -> Iterator[str]:
    """A bucket of a local S3 server."""
    pytest.importorskip("s3fs", reason="needs s3fs")
    server_of = pytest.importorskip("moto.server", reason="needs moto's server")
    import s3fs

    server = server_of.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    # Servers of one process share their buckets.
    urllib.request.urlopen(urllib.request.Request(f"http://{host}:{port}/moto-api/reset", method="POST")).close()
    s3fs.S3FileSystem.clear_instance_cache()
    s3fs.S3FileSystem().mkdir("clips")
    yield "s3://clips"
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


@pytest.mark.slow
def test_videos_and_results_may_be_in_a_bucket(music, bucket, capsys, monkeypatch) -> None:
    UrlStore(f"{bucket}/in").put_files(music / "in", ["a.mp4", "b.mp4"])
    command = ["generate", f"{bucket}/in", "-o", f"{bucket}/out", "--no-video", "--skip-existing"]
    assert main(command) == 0
    out = UrlStore(f"{bucket}/out")
    names = out.names()
    assert {f"{stem}.d2m.{kind}" for stem in "ab" for kind in ("wav", "json", "png")} <= set(names)
    assert f"{bucket}/out/a.d2m.wav" in capsys.readouterr().out
    records = {record.input: record for record in Manifest(out).records()}
    assert set(records) == {f"{bucket}/in/a.mp4", f"{bucket}/in/b.mp4"}
    assert records[f"{bucket}/in/a.mp4"].identity in files_at(f"{bucket}/in", frozenset((".mp4",))).values()

    # What the manifest lists is not read again.
    from d2m import generate_all

    with monkeypatch.context() as patch:
        patch.setattr(generate_all, "unit_key", lambda *_: pytest.fail("a video was read"))
        assert main(command) == 0
    assert "all videos have a result" in capsys.readouterr().err
    # Without the manifest, a result is known by its key.
    for name in out.names("manifest"):
        out.remove(name)
    assert main(command) == 0
    assert {name: out.names()[name] for name in names if not name.startswith("manifest")} == {
        name: identity for name, identity in names.items() if not name.startswith("manifest")
    }
    assert {record.outcome for record in Manifest(out).records()} == {"unchanged"}


@pytest.mark.slow
def test_features_of_a_bucket(music, bucket, tmp_path, capsys) -> None:
    UrlStore(f"{bucket}/in").put_files(music / "in", ["a.mp4"])
    UrlStore(f"{bucket}/in").put("deep/broken.mp4", b"no video")
    command = ["features", f"{bucket}/in", "-o", f"{bucket}/npz", "--keep-empty", "--cache", str(tmp_path / "cache")]
    assert main(command) == 1
    assert "s3://clips/in/deep/broken.mp4" in capsys.readouterr().err
    out = UrlStore(f"{bucket}/npz")
    assert {name for name in out.names() if "manifest" not in name} == {"a.npz", "failed.json"}
    before = out.names()["a.npz"]
    assert main(command) == 1
    assert "1 unchanged, 1 failed" in capsys.readouterr().err
    assert out.names()["a.npz"] == before


def test_identities_change_with_the_content(tmp_path) -> None:
    path = tmp_path / "a"
    assert identity_of(path) == ""
    path.write_text("1")
    first = identity_of(path)
    path.write_text("12")
    assert identity_of(path) != first
    assert identity_of("s3://bucket/a") == ""
    assert set(FolderStore(str(tmp_path)).names()) == {"a"}
    assert Path(FolderStore(str(tmp_path)).path("a")) == path
