"""Data sets of the catalogue: terms, unpacking into the layout, and a second run."""

from __future__ import annotations

import functools
import io
import json
import threading
import zipfile
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from d2m.cli.main import main
from d2m.datasets import download as downloading
from d2m.datasets.catalogue import Offer, Part, offer, offers
from d2m.datasets.download import fetch, place, videos_of
from d2m.errors import D2MError
from d2m.files.download import Patience

QUICK = Patience(timeout=1.0, attempts=2, wait=0.01)
NAME = "gBR_sBM_c01_d04_mBR0_ch01"


def packed(files: dict[str, str]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder that is served, the requests for it, and its address."""
    monkeypatch.setenv("no_proxy", "*")
    folder = tmp_path / "site"
    folder.mkdir()
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            asked.append(self.path)

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield folder, asked, f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def offer_of(url: str, agree: bool = False) -> Offer:
    parts = (
        Part("motions", f"{url}motions.zip", "motions"),
        Part("list", f"{url}ignore_list.txt", "ignore_list.txt", packed=False),
        Part("cameras", f"{url}cameras.zip", "cameras", needed=False),
    )
    return Offer("small", "a small data set", "house rules", f"{url}terms", agree, url, parts)


def serve(folder) -> None:
    (folder / "motions.zip").write_bytes(packed({"release/motions/a.pkl": "1", "release/read.me": "2"}))
    (folder / "ignore_list.txt").write_text("a\n")
    (folder / "cameras.zip").write_bytes(packed({"mapping.txt": "x", "setting1.json": "[]"}))


def tree(root) -> list[str]:
    return sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file())


def test_parts_are_unpacked_into_the_layout_and_not_fetched_twice(site, tmp_path) -> None:
    folder, asked, url = site
    serve(folder)
    told = []
    root = tmp_path / "data"
    assert fetch(offer_of(url), root, progress=lambda *n: told.append(n[0]), patience=QUICK) == ["motions", "list"]
    assert tree(root) == ["downloaded.json", "ignore_list.txt", "motions/a.pkl"]
    assert {"motions", "unpack motions", "list"} <= set(told)
    record = json.loads((root / "downloaded.json").read_text())["small"]
    assert record["motions"]["url"] == f"{url}motions.zip"
    assert record["motions"]["licence"] == "house rules"
    asked.clear()
    fetch(offer_of(url), root, ["all"], patience=QUICK)
    assert asked == ["/cameras.zip"]
    assert "cameras/mapping.txt" in tree(root)


def test_terms_must_be_agreed_to(site, tmp_path) -> None:
    folder, asked, url = site
    serve(folder)
    with pytest.raises(D2MError, match=r"house rules; read .*/terms and, if you agree, run again with --yes"):
        fetch(offer_of(url, agree=True), tmp_path / "data", patience=QUICK)
    assert asked == []
    assert not (tmp_path / "data").exists()
    fetch(offer_of(url, agree=True), tmp_path / "data", accept=True, patience=QUICK)


def test_a_damaged_archive_is_fetched_anew_the_next_time(site, tmp_path) -> None:
    folder, _, url = site
    serve(folder)
    (folder / "motions.zip").write_bytes(packed({"../../evil": "1"}))
    with pytest.raises(D2MError, match="written elsewhere"):
        fetch(offer_of(url), tmp_path / "data", patience=QUICK)
    assert tree(tmp_path / "data") == []
    serve(folder)
    fetch(offer_of(url), tmp_path / "data", patience=QUICK)
    assert "motions/a.pkl" in tree(tmp_path / "data")


def test_nothing_of_the_user_is_overwritten(site, tmp_path) -> None:
    folder, _, url = site
    serve(folder)
    (tmp_path / "data" / "motions").mkdir(parents=True)
    with pytest.raises(D2MError, match="was not downloaded by d2m"):
        fetch(offer_of(url), tmp_path / "data", patience=QUICK)
    assert fetch(offer_of(url), tmp_path / "data", ["list"], patience=QUICK) == ["list"]
    with pytest.raises(D2MError, match="no part 'x'; choose all or of motions, list, cameras"):
        fetch(offer_of(url), tmp_path / "data", ["x"], patience=QUICK)


@pytest.mark.parametrize(
    "files",
    [{"motions/a": "1"}, {"a": "1"}, {"x/y/motions/a": "1", "x/z": "2"}, {"other/a": "1", "__MACOSX/._a": "2"}],
)
def test_however_it_was_packed_the_content_ends_up_in_its_folder(tmp_path, files) -> None:
    (tmp_path / "x.zip").write_bytes(packed(files))
    place(tmp_path / "x.zip", tmp_path / "motions")
    assert tree(tmp_path / "motions") == ["a"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["motions", "x.zip"]


def test_the_videos_of_one_camera_are_fetched(site, tmp_path, monkeypatch) -> None:
    folder, asked, url = site
    names = [NAME, NAME.replace("ch01", "ch02")]
    lines = [*names, NAME.replace("c01", "c02"), "../../etc/passwd", ""]
    (folder / "list.txt").write_text("\n".join(lines))
    (folder / f"{names[0]}.mp4").write_bytes(b"picture")
    monkeypatch.setattr(downloading, "VIDEO_LIST", f"{url}list.txt")
    monkeypatch.setattr(downloading, "VIDEO_FOLDER", url)
    with pytest.raises(D2MError, match=r"1 of 2 videos are missing, the first because: .*ch02\.mp4"):
        fetch(offer("aist-videos"), tmp_path / "data", accept=True, patience=QUICK)
    (folder / f"{names[1]}.mp4").write_bytes(b"picture")
    asked.clear()
    assert fetch(offer("aist-videos"), tmp_path / "data", accept=True, patience=QUICK) == names
    assert asked == [f"/{names[1]}.mp4"]
    assert tree(tmp_path / "data") == ["video_list.txt", *[f"videos/{name}.mp4" for name in names]]
    with pytest.raises(D2MError, match="no camera 10"):
        fetch(offer("aist-videos"), tmp_path / "data", accept=True, camera=10)
    with pytest.raises(D2MError, match="none of camera 3"):
        videos_of("\n".join(lines), 3)


def test_the_catalogue_is_sound() -> None:
    for name, found in offers().items():
        assert name == found.name
        assert found.licence
        assert found.terms.startswith("https://")
        assert found.views or found.chosen(None)
        assert len({part.into for part in found.parts}) == len({part.name for part in found.parts}) == len(found.parts)
        for part in found.parts:
            assert part.url.startswith("https://")
            assert ".." not in part.into
            assert not part.into.startswith("/")


def test_the_command_lists_refuses_and_fetches(site, tmp_path, capfd, monkeypatch) -> None:
    folder, _, url = site
    assert main(["data", "download", "--list"]) == 0
    listed = capfd.readouterr().out
    assert "licence: CC BY 4.0 (Google LLC)" in listed
    assert main(["data", "download", "--list", "--json"]) == 0
    assert {o["name"] for o in json.loads(capfd.readouterr().out)["data_sets"]} == set(offers())
    assert main(["data", "download", "aist-music", "-o", str(tmp_path / "x")]) == 1
    assert "run again with --yes" in capfd.readouterr().err
    assert main(["data", "download", "nothing", "-o", str(tmp_path / "x")]) == 1
    assert "choose one of aist, " in capfd.readouterr().err
    (folder / "one.bin").write_bytes(b"x" * 1000)
    monkeypatch.chdir(tmp_path)
    assert main(["data", "download", f"{url}one.bin"]) == 0
    assert (tmp_path / "one.bin").read_bytes() == b"x" * 1000
    (tmp_path / "folder").mkdir()
    assert main(["data", "download", f"{url}one.bin", "-o", "folder"]) == 0
    assert (tmp_path / "folder" / "one.bin").is_file()
    assert main(["data", "download", f"{url}one.bin", "--sha256", "0" * 64, "-o", "two.bin"]) == 1
    assert "checksum is wrong" in capfd.readouterr().err
    assert not (tmp_path / "two.bin").exists()
