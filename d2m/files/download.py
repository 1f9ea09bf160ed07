"""Downloads that are complete or absent: resumed, retried, checked.

This module depends on nothing of d2m but its errors and a lock, so that data sets (:mod:`d2m.datasets.download`) and
weights share it. During a download the file is called ``NAME.part``, with ``NAME.part.json`` beside it: the URL and the
server's validator of that version (RFC 9110: ``ETag``, ``Last-Modified``). The next run requests the rest if the
validator has not changed (``If-Range``), so that two versions are never mixed. A complete file with a correct checksum
is renamed.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from d2m.errors import D2MError
from d2m.files.download_lock import locked
from d2m.version import __version__

#: A file of unknown length may grow to this many bytes, and leaves as many free on the disk.
MOST_BYTES = 200_000_000_000
_LEFT_FREE = 500_000_000
_BLOCK = 1 << 18
#: Answers after which another try may help.
_PASSING = (408, 425, 429, 500, 502, 503, 504)
_REASONS = {
    401: "it asks for a password",
    403: "it does not give it to everyone",
    404: "it is not there",
    410: "it is no longer there",
}
Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Patience:
    """Timeouts and number of attempts.

    Attributes:
        timeout: seconds without a byte, or at less than ``slowest``, after which the connection is given up.
        attempts: tries in a row without a new byte.
        wait: seconds before the second try; doubled each time, at most a minute.
        slowest: bytes a second.
    """

    timeout: float = 30.0
    attempts: int = 6
    wait: float = 1.0
    slowest: float = 200.0


def download(
    url: str,
    path: str | Path,
    *,
    sha256: str | None = None,
    size: int | None = None,
    progress: Progress | None = None,
    patience: Patience | None = None,
) -> Path:
    """Download a file; a file that exists and is as expected is kept.

    Args:
        url: ``http://`` or ``https://``; redirects are followed, but not from https to http.
        path: output file; its folder is created if missing.
        sha256: expected SHA-256 checksum in hexadecimal, if known.
        size: expected length in bytes, if known.
        progress: called with the number of bytes received and of all bytes (None while unknown).
        patience: see :class:`Patience`.

    Returns:
        ``path``.

    Raises:
        D2MError: if the file cannot be downloaded, is not the expected one, or cannot be written. An incomplete file
            is kept for the next run, unless it is wrong.
    """
    path = Path(path)
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or not url.isascii() or " " in url:
        raise D2MError(f"{url[:200]} is not a URL; it should begin with https://")
    if sha256 is not None and (len(sha256) != 64 or set(sha256.lower()) - set("0123456789abcdef")):
        raise D2MError(f"'{sha256[:80]}' is not a SHA-256 checksum; it should have 64 hexadecimal digits")
    expected = Expected(None if sha256 is None else sha256.lower(), size)
    if path.is_dir():
        raise D2MError(f"{path} is a folder; give the name of a file")
    if path.exists():
        if problem := expected.problem_of(path):
            raise D2MError(f"{path} is there already, but {problem}; move it away and run again")
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(path):
            _Transfer(url, path, expected, progress or (lambda done, total: None), patience or Patience()).run()
    except OSError as error:
        raise D2MError(f"cannot write {path}: {error.strerror or error}; choose a folder with space") from error
    return path


@dataclass(frozen=True)
class Expected:
    """Expected properties of a file."""

    sha256: str | None
    size: int | None

    def problem_of(self, path: Path) -> str | None:
        """Compare a file with what is expected.

        Args:
            path: an existing file.

        Returns:
            What is wrong, as the end of a sentence, or None.
        """
        if self.size is not None and path.stat().st_size != self.size:
            return f"it has {path.stat().st_size} bytes instead of {self.size}"
        if self.sha256 is not None and sha256_of(path) != self.sha256:
            return "its checksum is wrong"
        return None


def sha256_of(path: str | Path) -> str:
    """Compute the SHA-256 checksum of a file.

    Args:
        path: the file.

    Returns:
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def file_name(url: str) -> str:
    """Return the last part of a URL as a safe file name.

    Args:
        url: the URL.

    Raises:
        D2MError: if the URL ends without a name.
    """
    name = unquote(urlsplit(url).path).rsplit("/", 1)[-1]
    name = "".join(c if c.isalnum() or c in "._-+ " else "_" for c in name).strip(". ")[-150:]
    if not name:
        raise D2MError(f"the URL {url[:200]} ends without a file name; give the name with -o")
    return name


@dataclass(frozen=True)
class _Mark:
    """Version of the file of which the part file holds the beginning."""

    url: str
    etag: str | None
    modified: str | None
    total: int | None

    @property
    def condition(self) -> str | None:
        """Return the value of the header ``If-Range``; a weak ETag does not guarantee the same bytes."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.modified


class _Again(Exception):
    """Error after which another attempt may succeed.

    Args:
        reason: as the end of a sentence.
        wait: time that the server asks to wait, in seconds.
    """

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


class _Transfer:
    """Download of one file; see :func:`download` for the arguments."""

    def __init__(self, url: str, path: Path, expected: Expected, progress: Progress, patience: Patience) -> None:
        self.url, self.path, self.expected = url, path, expected
        self.progress, self.patience = progress, patience
        self.part = path.with_name(path.name + ".part")
        self.note = path.with_name(path.name + ".part.json")
        self.opener = urllib.request.build_opener(_Redirects())
        self.total = expected.size
        self.patched = False

    def run(self) -> None:
        for fresh in (False, True):
            self._fetch_all(fresh)
            problem = self.expected.problem_of(self.part)
            if problem is None:
                os.replace(self.part, self.path)
                self.note.unlink(missing_ok=True)
                return
            self._drop()
            # pieces of two versions may have been put together: once more from the start
            if not self.patched:
                break
        raise D2MError(
            f"{self.url} did not give the file that was expected: {problem}. It was deleted; the file on the server "
            "may have been changed"
        )

    def _fetch_all(self, fresh: bool) -> None:
        if fresh:
            self._drop()
        self.patched = False
        failures, before = 0, self._done()
        while True:
            try:
                self._fetch()
                return
            except _Again as trouble:
                failures = 1 if self._done() > before else failures + 1
                before = self._done()
                if failures >= self.patience.attempts:
                    kept = f"; {_size(before)} are kept" if before else ""
                    raise D2MError(f"cannot download {self.url}: {trouble}{kept}; run again later to go on") from None
                time.sleep(min(60.0, max(trouble.wait, self.patience.wait * 2 ** (failures - 1))))

    def _fetch(self) -> None:
        """Open one connection and receive the rest of the file."""
        mark, done = self._read_mark(), self._done()
        if done and (mark is None or (mark.condition is None and self.expected.sha256 is None)):
            self._drop()
            mark, done = None, 0
        if mark is not None and mark.total is not None and done >= mark.total > 0:
            self.total = mark.total
            self.patched = True
            if done == mark.total:
                return
            self._drop()
            mark, done = None, 0
        headers = {"User-Agent": f"d2m/{__version__}", "Accept-Encoding": "identity"}
        if done:
            headers["Range"] = f"bytes={done}-"
            if mark is not None and mark.condition is not None:
                headers["If-Range"] = mark.condition
        with self._open(headers) as answer:
            done = self._accept(answer, done)
            self._receive(answer, done)

    @contextlib.contextmanager
    def _open(self, headers: dict[str, str]) -> Iterator[http.client.HTTPResponse]:
        try:
            request = urllib.request.Request(self.url, headers=headers)
            answer = self.opener.open(request, timeout=self.patience.timeout)
        except urllib.error.HTTPError as error:
            self._refused(error)
        except (urllib.error.URLError, OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise _Again(f"no answer ({getattr(reason, 'strerror', None) or reason})") from None
        with answer:
            yield answer

    def _refused(self, error: urllib.error.HTTPError) -> None:
        with error:
            if error.code == 416:
                # more is here than there: another version
                self._drop()
                raise _Again("the file has been changed on the server")
            if error.code in _PASSING:
                wait = error.headers.get("Retry-After", "")
                raise _Again(f"the server answers {error.code}", float(wait) if wait.isdigit() else 0.0)
            reason = " ".join(str(_REASONS.get(error.code, error.reason)).split())
            raise D2MError(f"{self.url} cannot be downloaded: the server answers {error.code}, {reason}") from None

    def _accept(self, answer: http.client.HTTPResponse, done: int) -> int:
        """Check the headers of a response, note the file's version, and return the first byte that the body holds."""
        head = answer.headers
        if head.get("Content-Encoding", "identity") != "identity":
            raise D2MError(f"{self.url} is sent in a compressed form that was not requested; use a browser")
        kind = head.get_content_type() if head.get("Content-Type") else ""
        if kind == "text/html" and self.path.suffix.lower() not in (".html", ".htm"):
            raise D2MError(
                f"{self.url} gave a web page instead of the file; open it in a browser and save the file as {self.path}"
            )
        stated = head.get("Content-Length", "")
        length = int(stated) if stated.isdigit() else None
        if answer.status == 206:
            first, self.total = _content_range(head.get("Content-Range", ""))
            if first != done:
                self._drop()
                raise _Again("the server sent another part than was asked for")
        else:
            self._drop()
            done, self.total = 0, length
        if self.expected.size is not None and self.total not in (None, self.expected.size):
            self._drop()
            raise D2MError(
                f"{self.url} has {self.total} bytes instead of {self.expected.size}; the file was changed on the server"
            )
        self._check_room(done)
        mark = _Mark(self.url, head.get("ETag"), head.get("Last-Modified"), self.total)
        self.note.write_text(json.dumps(asdict(mark)), encoding="utf-8")
        return done

    def _receive(self, answer: http.client.HTTPResponse, done: int) -> None:
        self.patched = self.patched or done > 0
        wanted = self.expected.size if self.total is None else self.total
        # a body without end must not fill the disk
        room = done + shutil.disk_usage(self.path.parent).free - _LEFT_FREE
        limit = min(MOST_BYTES, max(room, 0)) if wanted is None else wanted
        since, then = time.monotonic(), done
        with self.part.open("ab" if done else "wb") as file:
            while True:
                self.progress(done, self.total)
                try:
                    block = answer.read1(_BLOCK)
                except (OSError, http.client.HTTPException):
                    file.flush()
                    raise _Again("the connection broke off") from None
                done += len(block)
                if not block or done > limit:
                    break
                file.write(block)
                elapsed = time.monotonic() - since
                if elapsed > self.patience.timeout:
                    if done - then < self.patience.slowest * elapsed:
                        raise _Again("the connection has become too slow")
                    since, then = time.monotonic(), done
        if done > limit:
            self._drop()
            raise D2MError(f"{self.url} is longer than the expected {limit} bytes; it is not the file expected")
        if wanted is not None and done < wanted:
            raise _Again(f"the connection ended after {_size(done)} of {_size(wanted)}")

    def _check_room(self, done: int) -> None:
        free = shutil.disk_usage(self.path.parent).free
        if self.total is not None and self.total - done > free:
            needed = f"{_size(self.total - done)} but only {_size(free)} are free"
            raise D2MError(f"{self.path.name} needs {needed} in {self.path.parent}; choose another folder")

    def _read_mark(self) -> _Mark | None:
        try:
            mark = _Mark(**json.loads(self.note.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, RecursionError):
            return None
        texts = (mark.etag, mark.modified)
        sound = all(t is None or (isinstance(t, str) and t.isprintable() and t.isascii()) for t in texts)
        return mark if sound and mark.url == self.url and isinstance(mark.total, int | None) else None

    def _done(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _drop(self) -> None:
        self.part.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Handler that follows redirects to http and https only, and never from https to http."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        before, after = urlsplit(req.full_url).scheme, urlsplit(newurl).scheme
        if after != "https" and after != before:
            raise D2MError(f"{req.full_url} redirects to {newurl[:200]}, which is not safe; download it with a browser")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _content_range(text: str) -> tuple[int | None, int | None]:
    """Parse the first byte and the total length of ``bytes 100-199/200``; None for what is not told."""
    unit, _, rest = text.partition(" ")
    span, _, total = rest.partition("/")
    first = span.partition("-")[0]
    if unit != "bytes" or not first.isdigit():
        return None, None
    return int(first), int(total) if total.isdigit() else None


def _size(count: int) -> str:
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} bytes"
