"""Requests that the studio refuses: other sites, other names, no token, wrong types, too much, too slow."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from app_studio import MP4, staged, upload
from starlette.testclient import TestClient

from d2m.cli.main import main
from d2m.web import serving
from d2m.web.app.pool import Pool
from d2m.web.app.server import AppServer
from d2m.web.app.settings import Limits, Settings

TOKEN = "a token of some length"


@contextlib.contextmanager
def running(folder: Path, monkeypatch: pytest.MonkeyPatch, host: str = "127.0.0.1", **limits) -> Iterator[AppServer]:
    """A server without workers."""
    monkeypatch.setattr(Pool, "_start", lambda self, number: None)
    with AppServer(Settings(folder, True, 1, limits=Limits(**limits)), host, 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        until = time.monotonic() + 20
        while server._inner.studio.disk is None and time.monotonic() < until:
            time.sleep(0.02)
        yield server
        server.shutdown()
        thread.join(20)


def said(server: AppServer, request: bytes, patience: float = 20.0) -> bytes:
    """All that the server says until it closes the connection."""
    with socket.create_connection(server.bound, timeout=patience) as line:
        line.sendall(request)
        answer = b""
        with contextlib.suppress(ConnectionError):
            while got := line.recv(65536):
                answer += got
        return answer


def test_pages_of_other_sites_can_do_nothing(tmp_path, monkeypatch):
    with staged(tmp_path, monkeypatch) as stage:
        for headers in (
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
        ):
            answer = stage.client.post("/api/clips?name=a.mp4", content=MP4, headers=headers)
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
        for host in ("evil.example", "127.0.0.1.evil.example", "[", ""):
            assert stage.client.get("/api/session", headers={"Host": host}).status_code == 403
        for host in ("localhost", "127.0.0.1:8070", "[::1]:80"):
            assert stage.client.get("/api/session", headers={"Host": host}).status_code == 200
        fine = {"Origin": "http://127.0.0.1", "Content-Type": "video/mp4"}
        assert stage.client.post("/api/clips?name=a.mp4", content=MP4, headers=fine).status_code == 201
        assert list((tmp_path / "visitors").glob("*/c_*/source/*"))


def test_every_answer_has_the_headers_that_keep_browsers_safe(tmp_path, monkeypatch):
    with staged(tmp_path, monkeypatch) as stage:
        for path in ("/", "/api/session", "/none", "/api/clips/c_none", "/health"):
            answer = stage.client.get(path)
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'self'" in policy
            assert "unsafe" not in policy
            assert "http" not in policy
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert "access-control-allow-origin" not in answer.headers
            assert "server" not in answer.headers
        other = TestClient(stage.app, base_url="http://127.0.0.1")
        cookie = other.get("/api/session").headers["Set-Cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie


def test_the_page_comes_with_all_its_files_and_nothing_from_elsewhere(tmp_path, monkeypatch):
    with staged(tmp_path, monkeypatch) as stage:
        page = stage.client.get("/")
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        named = re.findall(r'(?:src|href)="([^"#]+)"', page.text)
        assert named
        for name in named:
            assert "//" not in name
            answer = stage.client.get(f"/{name.lstrip('./')}")
            assert answer.status_code == 200
            assert answer.headers["Content-Type"].partition(";")[0] in ("text/css", "text/javascript", "image/svg+xml")


def test_the_token_is_asked_for_everywhere_and_leaves_the_address(tmp_path, monkeypatch):
    with staged(tmp_path, monkeypatch, token=TOKEN) as stage:
        client = stage.client
        for path in ("/", "/api/session", "/api/openapi.json", "/metrics"):
            assert client.get(path).status_code == 401
        assert client.get("/health").status_code == 200
        for wrong in ("", "wrong", TOKEN + "x", "é"):
            assert client.get("/", params={"token": wrong}, follow_redirects=False).status_code == 401
        assert client.get("/api/session", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
        assert client.get("/api/session", headers={"Authorization": f"Basic {TOKEN}"}).status_code == 401
        welcome = client.get("/", params={"token": TOKEN}, follow_redirects=False)
        assert (welcome.status_code, welcome.headers["Location"]) == (303, "/")
        assert "httponly" in welcome.headers["Set-Cookie"].lower()
        assert client.get("/api/session").status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "content", "kind", "status"),
    [
        ("a.exe", MP4, "video/mp4", 415),
        ("a", MP4, "video/mp4", 415),
        ("a.mp4", MP4, "text/html", 415),
        ("a.mp4", MP4, "multipart/form-data; boundary=x", 415),
        ("a.mp4", MP4, "image/svg+xml", 415),
        ("a.mp4", b"PK\x03\x04" + bytes(3000), "video/mp4", 415),
        ("a.mp4", b"<script>alert(1)</script>" * 100, "video/mp4", 415),
        ("a.mp4", b"#EXTM3U\nhttp://127.0.0.1/secret\n" * 50, "video/mp4", 415),
        ("a.mp4", b"ffconcat version 1.0\nfile /etc/passwd\n" * 50, "video/mp4", 415),
        ("a.mp4", b"", "video/mp4", 400),
        ("a.mp4", b"x", "application/octet-stream", 415),
        ("a" * 400 + ".mp4", MP4, "video/mp4", 422),
    ],
)
def test_uploads_that_are_no_videos_leave_nothing(tmp_path, monkeypatch, name, content, kind, status):
    with staged(tmp_path, monkeypatch) as stage:
        headers = {"Content-Type": kind}
        answer = stage.client.post("/api/clips", params={"name": name}, content=content, headers=headers)
        assert answer.status_code == status
        message = answer.json()["error"]["message"]
        assert message
        assert "\n" not in message
        assert list((tmp_path / "visitors").rglob("*.mp4")) == []
        assert stage.client.get("/api/session").json()["clips"] == []


@pytest.mark.parametrize(
    "name", ["../../../../x.mp4", "..\\..\\x.mp4", "/etc/x.mp4", "a\x00b.mp4", "a\r\nX-Evil: 1.mp4"]
)
def test_names_of_uploads_lead_nowhere(tmp_path, monkeypatch, name):
    with staged(tmp_path / "studio", monkeypatch) as stage:
        clip = upload(stage.client, name=name)
        (path,) = (tmp_path / "studio").rglob("source/*.mp4")
        assert path.parent.parent.name == clip["id"]
        assert path.name == clip["name"]
        assert path.stat().st_mode & 0o777 == 0o600
        answer = stage.client.get(clip["urls"]["video"])
        assert answer.content == MP4
        assert "x-evil" not in answer.headers
    assert {each.name for each in tmp_path.iterdir()} == {"studio"}


@pytest.mark.parametrize(
    "path",
    [
        "/../setup.cfg", "/%2e%2e/%2e%2e/etc/passwd", "/..%2fapp/routes.py", "/app/routes.py",
        "/api/clips/../session", "/api/clips/{id}/pieces/../clip.json",
        "/api/clips/{id}/pieces/p_1/..%2f..%2fclip.json",
        "/api/clips/{id}/pieces/p_1/piece.json", "/api/clips/{id}/clip.json", "/api/clips/{id}/source/dance.mp4",
        "/api/clips/{id}/pieces/p_1/files/../../plan.toml", "/api/clips/{id}/pieces/p_1/files/%2e%2e%2fplan.toml",
        "/api/clips/%00",
    ],
)  # fmt: skip
def test_paths_lead_to_nothing_else(tmp_path, monkeypatch, path):
    with staged(tmp_path, monkeypatch) as stage:
        make = json.dumps({"kind": "compose"})
        clip = stage.watched(upload(stage.client, make=make))
        stage.piece(stage.busy(), 1)
        answer = stage.client.get(path.format(id=clip["id"]))
        assert answer.status_code == 404 or answer.json().keys() == {"clips", "limits", "expires", "queue"}


def test_bodies_are_json_of_limited_size(tmp_path, monkeypatch):
    with staged(tmp_path, monkeypatch) as stage:
        url = f"{upload(stage.client)['urls']['self']}/jobs"
        for content, kind, status in (
            (b'{"kind": "compose"}', "text/plain", 415),
            (b'{"kind": "compose"}', "application/x-www-form-urlencoded", 415),
            (b"[" * 100_000, "application/json", 400),
            (b"{}", "application/json", 422),
            (b'{"kind": "compose", "count": 1e400}', "application/json", 422),
            (b'{"kind": "compose", "count": NaN}', "application/json", 422),
            (b'{"kind": "compose", "evil": 1}', "application/json", 422),
            (b'{"kind": "watch"}', "application/json", 422),
            (b"\xff\xfe", "application/json", 422),
            (b" " * 2_100_000, "application/json", 413),
        ):
            answer = stage.client.post(url, content=content, headers={"Content-Type": kind})
            assert answer.status_code == status, (content[:40], answer.text)
            assert set(answer.json()) == {"error"}
        for method in ("PUT", "PATCH", "TRACE", "OPTIONS"):
            assert stage.client.request(method, url).status_code == 405


def clips_in(folder: Path) -> list[str]:
    """The names of the clips in a folder whose folders may be removed meanwhile."""
    return [name for _, _, names in os.walk(folder) for name in names if name.endswith(".mp4")]


@pytest.mark.slow
def test_bad_requests_to_a_real_server_get_one_answer_and_it_lives_on(tmp_path, monkeypatch):
    with running(tmp_path, monkeypatch) as server:
        host = b"Host: 127.0.0.1\r\n"
        for request, status in (
            (b"NONSENSE\r\n\r\n", b" 400 "),
            (b"GET / HTTP/1.1\r\n" + host + b"X: " + b"a" * 700_000 + b"\r\n\r\n", b" 400 "),
            (b"GET / HTTP/1.1\r\n" + host + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", b" 400 "),
            (b"GET /none HTTP/1.1\r\n" + host + b"Content-Length: 5\r\n\r\nhello", b" 415 "),
            (b"POST /api/clips?name=a.mp4 HTTP/1.1\r\n" + host + b"Content-Length: 99999999999\r\n\r\n", b" 413 "),
            (b"POST /api/clips?name=a.mp4 HTTP/1.1\r\n" + host + b"Content-Length: -5\r\n\r\n", b" 400 "),
        ):
            answer = said(server, request)
            assert status in answer.partition(b"\r\n")[0], (request[:80], answer[:200])
            assert answer.count(b"HTTP/1.1 ") == 1
        # An upload that breaks off leaves nothing.
        head = b"POST /api/clips?name=a.mp4 HTTP/1.1\r\n" + host + b"Content-Length: 90000\r\n\r\n" + MP4
        with socket.create_connection(server.bound, timeout=10) as line:
            line.sendall(head)
            time.sleep(0.3)
        until = time.monotonic() + 10
        while (left := clips_in(tmp_path / "visitors")) and time.monotonic() < until:
            time.sleep(0.05)
        assert left == []
        with pytest.raises(urllib.error.HTTPError, match="503"):
            urllib.request.urlopen(server.url + "health")


@pytest.mark.slow
def test_a_refused_upload_is_read_so_that_the_client_sees_the_answer(tmp_path, monkeypatch):
    with running(tmp_path, monkeypatch) as server:
        request = urllib.request.Request(f"{server.url}api/clips?name=notes.txt", bytes(30_000_000), method="POST")
        request.add_header("Content-Type", "application/octet-stream")
        for _ in range(3):
            with pytest.raises(urllib.error.HTTPError, match="415"):
                urllib.request.urlopen(request, timeout=30)


@pytest.mark.slow
def test_slow_requests_are_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(serving, "HEAD_SECONDS", 0.5)
    monkeypatch.setattr("d2m.web.app.upload._SILENCE", 0.5)
    with running(tmp_path, monkeypatch) as server:
        began = time.monotonic()
        assert said(server, b"GET / HTTP/1.1\r\nHost: 127.0") == b""
        assert said(server, b"") == b""
        head = b"POST /api/clips?name=a.mp4 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 90000\r\n\r\n"
        assert b" 408 " in said(server, head + MP4)
        assert time.monotonic() - began < 15
        assert list((tmp_path / "visitors").rglob("*.mp4")) == []


def test_where_other_machines_can_connect_a_token_is_made(tmp_path, monkeypatch):
    with running(tmp_path, monkeypatch, host="0.0.0.0") as server:
        assert len(server.settings.token) >= 20
        assert server.settings.token in server.entrance
        port = server.bound[1]
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api/session")
        asked = urllib.request.Request(
            f"http://127.0.0.1:{port}/api/session",
            headers={"Authorization": f"Bearer {server.settings.token}", "Host": "studio.example"},
        )
        assert json.load(urllib.request.urlopen(asked))["clips"] == []


def test_the_command_line_says_what_is_missing_or_wrong(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    for words, message in (
        (["--folder", str(tmp_path / "file")], "choose another --folder"),
        (["--folder", str(tmp_path / "a"), "--token", "short"], "longer one"),
        (["--folder", str(tmp_path / "a"), "--host", "203.0.113.7"], "choose another --host"),
    ):
        assert main(["app", *words]) == 1
        assert message in capsys.readouterr().err
    monkeypatch.setattr("d2m.extras.find_spec", lambda name: None)
    assert main(["app"]) == 1
    assert "[web]" in capsys.readouterr().err
