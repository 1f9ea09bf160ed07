"""Downloads against a server on this machine that stalls, breaks off, lies and forgets."""

from __future__ import annotations

import hashlib
import shutil
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from filelock import FileLock

from d2m.errors import D2MError
from d2m.files import download as downloading
from d2m.files.download import Patience, download, file_name

QUICK = Patience(timeout=0.4, attempts=3, wait=0.01)
CONTENT = bytes(range(256)) * 4000
SHA = hashlib.sha256(CONTENT).hexdigest()


class _Site:
    """What the server does; a test sets it, and reads what it was asked.

    Attributes:
        content, etag: the file.
        cuts: for each answer in turn, the number of body bytes after which the connection ends; then whole ones.
        stalls: as ``cuts``, but the connection stays open without a byte.
        ranges: whether Range is honoured.
        statuses: for each answer in turn, an error to give instead.
        location: where to send on to, or None.
        headers: others to send.
        length: whether Content-Length is told.
    """

    def __init__(self) -> None:
        self.content, self.etag = CONTENT, '"one"'
        self.cuts: list[int] = []
        self.stalls: list[int] = []
        self.statuses: list[int] = []
        self.ranges, self.length = True, True
        self.location: str | None = None
        self.headers: dict[str, str] = {}
        self.asked: list[dict[str, str]] = []
        self.url = ""


@pytest.fixture
def site(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    state = _Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append({"path": self.path, **dict(self.headers)})
            if state.statuses:
                self.send_error(state.statuses.pop(0))
            elif state.location and self.path != "/new/data.zip":
                self.send_response(302)
                self.send_header("Location", state.location)
                self.send_header("Content-Length", "0")
                self.end_headers()
            else:
                self._file()

        def _file(self) -> None:
            body, start = state.content, 0
            wanted = self.headers.get("Range")
            if wanted and state.ranges and self.headers.get("If-Range", state.etag) == state.etag:
                start = int(wanted.removeprefix("bytes=").rstrip("-"))
                if start >= len(body):
                    self.send_error(416)
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            else:
                self.send_response(200)
            if state.length:
                self.send_header("Content-Length", str(len(body) - start))
            if state.etag:
                self.send_header("ETag", state.etag)
            for name, value in {"Content-Type": "application/zip", **state.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if state.cuts:
                self.wfile.write(body[start : start + state.cuts.pop(0)])
            elif state.stalls:
                self.wfile.write(body[start : start + state.stalls.pop(0)])
                self.wfile.flush()
                time.sleep(1.2)
            else:
                self.wfile.write(body[start:])

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_port}/data.zip"
    yield state
    server.shutdown()
    server.server_close()


def only(folder) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_a_file_arrives_whole_and_is_not_fetched_twice(site, tmp_path) -> None:
    told: list[tuple[int, int | None]] = []
    path = tmp_path / "deep" / "data.zip"
    assert download(site.url, path, sha256=SHA.upper(), size=len(CONTENT), progress=lambda *n: told.append(n)) == path
    assert path.read_bytes() == CONTENT
    assert told[0] == (0, len(CONTENT))
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert only(path.parent) == ["data.zip"]
    download(site.url, path, sha256=SHA)
    assert len(site.asked) == 1


def test_a_connection_that_breaks_off_goes_on_from_there(site, tmp_path) -> None:
    site.cuts = [300_000, 200_000]
    download(site.url, tmp_path / "data.zip", patience=QUICK)
    assert (tmp_path / "data.zip").read_bytes() == CONTENT
    assert [r.get("Range") for r in site.asked] == [None, "bytes=300000-", "bytes=500000-"]
    assert site.asked[1]["If-Range"] == '"one"'
    assert only(tmp_path) == ["data.zip"]


def test_a_stalled_connection_is_given_up_and_resumed(site, tmp_path) -> None:
    site.stalls = [100_000]
    began = time.monotonic()
    download(site.url, tmp_path / "data.zip", sha256=SHA, patience=QUICK)
    assert time.monotonic() - began < 1.1
    assert (tmp_path / "data.zip").read_bytes() == CONTENT
    assert site.asked[1]["Range"] == "bytes=100000-"


def test_what_came_in_is_kept_for_the_next_run(site, tmp_path) -> None:
    site.cuts = [400_000, 0, 0, 0]
    with pytest.raises(D2MError, match=r"400\.0 kB are kept; run again"):
        download(site.url, tmp_path / "data.zip", patience=QUICK)
    assert not (tmp_path / "data.zip").exists()
    assert (tmp_path / "data.zip.part").stat().st_size == 400_000
    site.cuts, site.asked = [], []
    download(site.url, tmp_path / "data.zip", patience=QUICK)
    assert [r["Range"] for r in site.asked] == ["bytes=400000-"]
    assert (tmp_path / "data.zip").read_bytes() == CONTENT


def test_a_new_version_is_never_mixed_with_the_old(site, tmp_path) -> None:
    site.cuts = [400_000, 0, 0]
    with pytest.raises(D2MError):
        download(site.url, tmp_path / "data.zip", patience=QUICK)
    site.cuts, site.content, site.etag = [], CONTENT[::-1], '"two"'
    download(site.url, tmp_path / "data.zip", patience=QUICK)
    assert (tmp_path / "data.zip").read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize("etag", ["", 'W/"weak"'])
def test_without_a_sure_mark_it_starts_again(site, tmp_path, etag) -> None:
    site.etag, site.cuts = etag, [400_000]
    download(site.url, tmp_path / "data.zip", patience=QUICK)
    assert (tmp_path / "data.zip").read_bytes() == CONTENT
    assert "Range" not in site.asked[1]


def test_a_resumed_file_that_is_wrong_is_fetched_once_more_from_the_start(site, tmp_path) -> None:
    # no mark, but a checksum: resuming is worth a try
    site.etag, site.cuts, site.content = "", [400_000, 0, 0], CONTENT[::-1]
    with pytest.raises(D2MError):
        download(site.url, tmp_path / "data.zip", sha256=SHA, patience=QUICK)
    site.content, site.asked = CONTENT, []
    download(site.url, tmp_path / "data.zip", sha256=SHA, patience=QUICK)
    assert (tmp_path / "data.zip").read_bytes() == CONTENT
    assert [r.get("Range") for r in site.asked] == ["bytes=400000-", None]


def test_a_server_that_ignores_ranges_sends_it_all_again(site, tmp_path) -> None:
    site.cuts, site.ranges = [300_000], False
    download(site.url, tmp_path / "data.zip", patience=QUICK)
    assert (tmp_path / "data.zip").read_bytes() == CONTENT


def test_a_part_file_that_is_too_long_is_thrown_away(site, tmp_path) -> None:
    site.cuts = [400_000, 0, 0]
    with pytest.raises(D2MError):
        download(site.url, tmp_path / "data.zip", patience=QUICK)
    with (tmp_path / "data.zip.part").open("ab") as part:
        part.write(bytes(2_000_000))
    download(site.url, tmp_path / "data.zip", patience=QUICK)
    assert (tmp_path / "data.zip").read_bytes() == CONTENT


def test_a_wrong_checksum_leaves_nothing(site, tmp_path) -> None:
    with pytest.raises(D2MError, match="checksum is wrong"):
        download(site.url, tmp_path / "data.zip", sha256="0" * 64, patience=QUICK)
    assert len(site.asked) == 1
    assert only(tmp_path) == []


def test_a_wrong_length_is_noticed_before_the_body(site, tmp_path) -> None:
    with pytest.raises(D2MError, match="1024000 bytes instead of 5"):
        download(site.url, tmp_path / "data.zip", size=5, patience=QUICK)
    assert only(tmp_path) == []


def test_a_body_without_end_is_cut(site, tmp_path) -> None:
    site.length = False
    with pytest.raises(D2MError, match="is longer than the expected 1000 bytes"):
        download(site.url, tmp_path / "data.zip", size=1000, patience=QUICK)
    assert only(tmp_path) == []


def test_a_body_of_untold_length_leaves_room_on_the_disk(site, tmp_path, monkeypatch) -> None:
    site.length = False
    now = shutil.disk_usage(tmp_path)._replace(free=downloading._LEFT_FREE + 100_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: now)
    with pytest.raises(D2MError, match="is longer than the expected 100000 bytes"):
        download(site.url, tmp_path / "data.zip", patience=QUICK)
    assert only(tmp_path) == []


def test_a_folder_in_the_place_of_the_file_is_told(site, tmp_path) -> None:
    with pytest.raises(D2MError, match="is a folder"):
        download(site.url, tmp_path, patience=QUICK)


def test_a_file_larger_than_the_disk_is_not_begun(site, tmp_path, monkeypatch) -> None:
    small = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: small)
    with pytest.raises(D2MError, match=r"needs 1\.0 MB but only 1\.0 kB are free"):
        download(site.url, tmp_path / "data.zip", patience=QUICK)


def test_a_body_of_untold_length_must_have_the_size_expected(site, tmp_path) -> None:
    site.length, site.cuts = False, [1000, 1000]
    download(site.url, tmp_path / "data.zip", size=len(CONTENT), patience=QUICK)
    assert (tmp_path / "data.zip").read_bytes() == CONTENT


def test_passing_errors_are_retried_and_final_ones_told(site, tmp_path) -> None:
    site.statuses = [503, 429]
    download(site.url, tmp_path / "data.zip", patience=QUICK)
    assert len(site.asked) == 3
    site.statuses = [404]
    with pytest.raises(D2MError, match="404, it is not there"):
        download(site.url, tmp_path / "other.zip", patience=QUICK)
    assert len(site.asked) == 4
    site.statuses = [500] * 9
    with pytest.raises(D2MError, match="the server answers 500"):
        download(site.url, tmp_path / "other.zip", patience=QUICK)
    assert len(site.asked) == 7


def test_redirects_are_followed_on_the_web_only(site, tmp_path) -> None:
    site.location = site.url.replace("/data.zip", "/new/data.zip")
    site.cuts = [300_000]
    download(site.url, tmp_path / "data.zip", patience=QUICK)
    assert (tmp_path / "data.zip").read_bytes() == CONTENT
    assert [r["path"] for r in site.asked] == ["/data.zip", "/new/data.zip"] * 2
    site.location = "file:///etc/passwd"
    with pytest.raises(D2MError):
        download(site.url, tmp_path / "other.zip", patience=QUICK)
    site.location = site.url
    with pytest.raises(D2MError) as caught:
        download(site.url, tmp_path / "other.zip", patience=QUICK)
    assert "\n" not in str(caught.value)


def test_a_web_page_in_the_place_of_the_file_is_told(site, tmp_path) -> None:
    site.headers = {"Content-Type": "text/html; charset=utf-8"}
    with pytest.raises(D2MError, match="web page instead of the file"):
        download(site.url, tmp_path / "data.zip", patience=QUICK)
    assert only(tmp_path) == []


def test_a_compressed_body_is_refused(site, tmp_path) -> None:
    site.headers = {"Content-Encoding": "gzip"}
    with pytest.raises(D2MError, match="compressed form"):
        download(site.url, tmp_path / "data.zip", patience=QUICK)


def test_nothing_that_is_there_is_overwritten(site, tmp_path) -> None:
    (tmp_path / "data.zip").write_bytes(b"mine")
    with pytest.raises(D2MError, match="there already, but its checksum is wrong"):
        download(site.url, tmp_path / "data.zip", sha256=SHA)
    assert (tmp_path / "data.zip").read_bytes() == b"mine"
    assert site.asked == []


@pytest.mark.parametrize(
    "url", ["", "data.zip", "file:///etc/passwd", "ftp://example.org/x", "http://", "http://a b/c"]
)
def test_what_is_no_web_address_is_refused(url, tmp_path) -> None:
    with pytest.raises(D2MError, match="not a URL"):
        download(url, tmp_path / "x")


def test_a_server_that_is_not_there_is_told(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    with pytest.raises(D2MError, match=r"no answer \(.*[Rr]efused"):
        download("http://127.0.0.1:9/x.zip", tmp_path / "x.zip", patience=QUICK)
    with pytest.raises(D2MError, match="64 hexadecimal"):
        download("http://127.0.0.1:9/x.zip", tmp_path / "x.zip", sha256="abc")


def test_two_processes_do_not_fetch_the_same_file_at_once(site, tmp_path) -> None:
    with FileLock(tmp_path / "data.zip.part.lock"), pytest.raises(D2MError, match="another process"):
        download(site.url, tmp_path / "data.zip", patience=QUICK)


def test_a_folder_that_cannot_be_written_is_told(site, tmp_path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(D2MError, match="cannot write"):
        download(site.url, tmp_path / "file" / "data.zip", patience=QUICK)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://a.org/x/data.zip?download=1", "data.zip"),
        ("https://a.org/..%2F..%2Fetc%2Fpasswd", "passwd"),
        ("https://a.org/a%00b", "a_b"),
    ],
)
def test_a_name_from_an_address_stays_in_its_folder(url, name) -> None:
    assert file_name(url) == name


def test_an_address_without_a_name_is_refused() -> None:
    with pytest.raises(D2MError, match="ends without a file name"):
        file_name("https://example.org/")
