"""Answers that the web pages of d2m share: files of a fixed list, errors as JSON, and bodies of limited size."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

#: Content types of what is served, by the ending of the file.
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mid": "audio/midi",
    ".mkv": "video/x-matroska",
    ".mov": "video/quicktime",
    ".mp4": "video/mp4",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".toml": "text/plain; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".wav": "audio/wav",
    ".webm": "video/webm",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
    ".zip": "application/zip",
}


class TooLarge(Exception):
    """A body that is larger than allowed."""


def error_answer(status: int, code: str, message: str, **more: Any) -> Response:
    """Return an error as JSON.

    Args:
        status: HTTP status.
        code: short name of the error.
        message: what is wrong and what to do, in one line.
        more: further fields of the error; ``retry_after`` also becomes a header.
    """
    from starlette.responses import JSONResponse

    headers = {"Cache-Control": "no-store"}
    if "retry_after" in more:
        headers["Retry-After"] = str(more["retry_after"])
    return JSONResponse({"error": {"message": message, "code": code, **more}}, status, headers)


def file_answer(path: Path, name: str | None = None, cache: str = "no-cache") -> Response:
    """Return a file, or the part of it that a browser asks for.

    Args:
        path: the file; the caller has made sure that it may be read.
        name: name under which a browser saves it; None to show it.
        cache: value of ``Cache-Control``.
    """
    from starlette.responses import FileResponse

    kind = TYPES.get(path.suffix.lower(), "application/octet-stream")
    return FileResponse(path, media_type=kind, filename=name, headers={"Cache-Control": cache})


def page_files(folder: Path) -> dict[str, Path]:
    """Return the files of a page by their paths in addresses. Nothing else of the disk can be read through them.

    Args:
        folder: folder of the page.
    """
    found = {f"/{p.relative_to(folder).as_posix()}": p for p in folder.rglob("*") if p.is_file() and p.suffix in TYPES}
    if "/index.html" in found:
        found["/"] = found["/index.html"]
    return found


async def limited_body(request: Request, most: int) -> bytes:
    """Read the body of a request.

    Args:
        request: the request.
        most: bytes that it may have.

    Raises:
        TooLarge: if it has more, or says so.
    """
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > most:
        raise TooLarge
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > most:
            raise TooLarge
    return bytes(body)
