"""Measure the studio (`d2m app`): time to the first music, many visitors at once, killed workers and servers.

    python scripts/measure_app.py CLIP first [--times 5]
    python scripts/measure_app.py CLIP crowd [--visitors 10] [--minutes 10]
    python scripts/measure_app.py CLIP kills

Each starts a server of its own in a temporary folder and talks to it like a program.

- ``first``: seconds from the first byte of an upload to the moment at which the first music can be fetched, and how
  they are divided among the stages; the processor's seconds of the worker beside them.
- ``crowd``: visitors who upload, hear a candidate, change its plan, download the files and remove the clip, again and
  again: how often each of them got music and how long they waited for it, the largest memory of all processes, the
  largest folder, and what is left of files and processes at the end.
- ``kills``: a worker and the server are killed while a clip is watched and while music is made: what the API says, and
  whether the job can be run again.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import http.client
import http.cookiejar
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil

OVER = ("done", "failed", "cancelled", "interrupted")
#: Seconds after which a visitor counts as starved.
PATIENCE = 1800.0


@dataclass
class Running:
    """A server in a process of its own."""

    folder: Path
    options: tuple[str, ...] = ()
    port: int = 0
    process: Any = None
    url: str = ""

    def start(self) -> float:
        """Start the server; the seconds until a worker is ready."""
        began = time.perf_counter()
        command = [sys.executable, "-P", "-m", "d2m", "app", "--port", str(self.port), "--folder", str(self.folder)]
        self.process = subprocess.Popen([*command, *self.options], stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().split(" at ")[1].partition("/;")[0]
        self.port = int(self.url.rpartition(":")[2])
        while not self.healthy():
            time.sleep(0.1)
        return time.perf_counter() - began

    def healthy(self) -> bool:
        """Whether a worker is ready."""
        with contextlib.suppress(OSError):
            return json.load(urllib.request.urlopen(f"{self.url}/health"))["status"] == "ok"
        return False

    def processes(self) -> list[psutil.Process]:
        """The server and its workers."""
        with contextlib.suppress(psutil.Error):
            server = psutil.Process(self.process.pid)
            return [server, *server.children(recursive=True)]
        return []

    def workers(self) -> list[psutil.Process]:
        """Its workers, the largest first."""
        found = [each for each in self.processes()[1:] if memory([each]) > 100]
        return sorted(found, key=lambda each: -memory([each]))


class _From(urllib.request.HTTPHandler):
    """Connects from a loopback address, so that the limits for one address hold for each visitor alone.

    Args:
        address: the address, such as 127.0.0.2.
    """

    def __init__(self, address: str) -> None:
        super().__init__()
        self._address = address

    def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        connection = functools.partial(http.client.HTTPConnection, source_address=(self._address, 0))
        return self.do_open(connection, request)  # type: ignore[arg-type]


@dataclass
class Client:
    """A visitor.

    Attributes:
        url: address of the server.
        address: loopback address of the visitor.
        waits: seconds until the first music, of each clip.
        pieces: pieces of music that were made.
        refused: requests that were refused as too many.
        failures: what went wrong.
    """

    url: str
    address: str = "127.0.0.1"
    waits: list[float] = field(default_factory=list)
    pieces: int = 0
    refused: int = 0
    failures: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        jar = http.cookiejar.CookieJar()
        self._open = urllib.request.build_opener(_From(self.address), urllib.request.HTTPCookieProcessor(jar)).open

    def ask(self, path: str, method: str = "GET", content: Any = None) -> Any:
        """The JSON that a request is answered."""
        body = None if content is None else json.dumps(content).encode()
        headers = {"Content-Type": "application/json"} if body else {}
        with self._open(urllib.request.Request(self.url + path, body, headers, method=method), timeout=120) as answer:
            return json.loads(answer.read() or b"null")

    def read(self, path: str) -> int:
        """Fetch a file; its bytes."""
        with self._open(self.url + path, timeout=120) as answer:
            return len(answer.read())

    def upload(self, clip: Path, wish: dict[str, Any]) -> dict[str, Any]:
        """Upload a clip with a wish."""
        query = f"name={quote(clip.name)}&make={quote(json.dumps(wish))}"
        headers = {"Content-Type": "application/octet-stream"}
        request = urllib.request.Request(f"{self.url}/api/clips?{query}", clip.read_bytes(), headers)
        with self._open(request, timeout=120) as answer:
            return json.load(answer)

    def until(self, path: str, done: Callable[[Any], Any], pause: float = 0.05) -> Any:
        """Ask until the answer is as wanted."""
        end = time.perf_counter() + PATIENCE
        while time.perf_counter() < end:
            shown = self.ask(path)
            if done(shown):
                return shown
            time.sleep(pause)
        raise TimeoutError(path)

    def over(self, job: dict[str, Any], pause: float = 0.2) -> dict[str, Any]:
        """A job that is over."""
        return self.until(job["url"], lambda each: each["state"] in OVER, pause)


@contextlib.contextmanager
def server(*options: str) -> Iterator[Running]:
    """A server in a temporary folder, which is ended at last."""
    with tempfile.TemporaryDirectory() as folder:
        running = Running(Path(folder) / "studio", options)
        running.start()
        try:
            yield running
        finally:
            running.process.terminate()
            running.process.wait(60)


def memory(processes: list[psutil.Process]) -> float:
    """Megabytes of several processes, what they share counted once for each."""
    total = 0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            total += process.memory_info().rss
    return total / 1e6


def worked(processes: list[psutil.Process]) -> float:
    """Seconds of processor that several processes have used."""
    total = 0.0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def measure_first(clip: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Seconds to the first music, once for each of several uploads."""
    rows = []
    with server() as running:
        # Both workers.
        Client(running.url).until("/health", lambda health: health["workers"] >= 2)
        for number in range(args.times):
            client = Client(running.url)
            before, began = worked(running.processes()), time.perf_counter()
            shown = client.upload(clip, {"kind": "compose", "count": 1, "options": {"seed": number}})
            marks = {"upload": time.perf_counter() - began}
            while not shown["pieces"]:
                shown = client.ask(shown["urls"]["self"])
                for job in shown["jobs"]:
                    if job["state"] == "failed":
                        raise RuntimeError(job["message"])
                    if job["stage"] and job["state"] == "running":
                        marks[job["stage"]] = time.perf_counter() - began
                time.sleep(0.01)
            client.read(shown["pieces"][0]["sound"])
            whole = time.perf_counter() - began
            marks["compose"] = whole
            client.over(shown["jobs"][1])
            order = [name for name in ("upload", "open", "watch", "beats", "compose") if name in marks]
            spans = {b: marks[b] - marks[a] for a, b in zip(order, order[1:], strict=False)}
            rows.append({"first sound": whole} | spans | {"processor": worked(running.processes()) - before})
            client.ask("/api/session", "DELETE")
    names = rows[0]
    return {name: round(statistics.median(row.get(name, 0.0) for row in rows), 2) for name in names} | {
        "slowest": round(max(row["first sound"] for row in rows), 2),
        "load": round(os.getloadavg()[0], 1),
    }


def visit(client: Client, clip: Path, end: float, seed: int) -> None:
    """What one visitor does until the time is over."""
    while time.perf_counter() < end:
        began = time.perf_counter()
        seed += 1
        try:
            shown = client.upload(clip, {"kind": "compose", "count": 1, "options": {"seed": seed}})
            url = shown["urls"]["self"]
            job = client.over(shown["jobs"][1], 0.5)
            if job["state"] != "done":
                client.failures.append(f"compose {job['state']}: {job['message']}")
                continue
            client.waits.append(time.perf_counter() - began)
            client.pieces += 1
            piece = client.ask(url)["pieces"][0]
            client.read(piece["sound"])
            plan = client.ask(piece["plan"])
            plan["section"][0]["mood"] = "bright:0.4"
            played = client.over(client.ask(f"{url}/jobs", "POST", {"kind": "play", "plan": plan}), 0.5)
            if played["state"] == "done":
                client.pieces += 1
                written = client.ask(f"{url}/jobs", "POST", {"kind": "export", "piece": played["pieces"][0]})
                written = client.over(written, 0.5)
                files = client.ask(f"{url}/pieces/{played['pieces'][0]}")["files"]
                client.read(files["mp4"]["url"])
            client.failures += [f"{each['kind']}: {each['message']}" for each in (played,) if each["state"] != "done"]
            client.ask(url, "DELETE")
        except urllib.error.HTTPError as error:
            if error.code != 429:
                client.failures.append(f"{error.code} {error.read()[:200]!r}")
            client.refused += error.code == 429
            time.sleep(1.0)
        except OSError as error:
            client.failures.append(str(error))
            time.sleep(1.0)


def measure_crowd(clip: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Many visitors at once."""
    with tempfile.TemporaryDirectory() as folder:
        running = Running(Path(folder) / "studio", ("--most-jobs", "8"))
        running.start()
        clients = [Client(running.url, f"127.0.1.{1 + number}") for number in range(args.visitors)]
        end = time.perf_counter() + 60 * args.minutes
        threads = [
            threading.Thread(target=visit, args=(client, clip, end, 1000 * number))
            for number, client in enumerate(clients)
        ]
        for thread in threads:
            thread.start()
        peak, stored, slow, count = 0.0, 0.0, 0.0, 0
        while any(thread.is_alive() for thread in threads):
            peak = max(peak, memory(running.processes()))
            files = [path for path in running.folder.rglob("*") if path.is_file()]
            stored = max(stored, sum(size(path) for path in files) / 1e6)
            asked = time.perf_counter()
            Client(running.url).ask("/api/options")
            slow, count = max(slow, time.perf_counter() - asked), count + 1
            time.sleep(1.0)
        for client in clients:
            client.ask("/api/session", "DELETE")
        left = [path for path in (running.folder / "visitors").rglob("*") if path.is_file()]
        children = running.processes()
        running.process.terminate()
        running.process.wait(60)
        _, alive = psutil.wait_procs(children, timeout=10)
        pieces = [client.pieces for client in clients]
        waits = [wait for client in clients for wait in client.waits]
        return {
            "visitors": args.visitors,
            "minutes": args.minutes,
            "pieces": sum(pieces),
            "fewest of a visitor": min(pieces),
            "most of a visitor": max(pieces),
            "first sound, median s": round(statistics.median(waits), 1) if waits else None,
            "first sound, slowest s": round(max(waits), 1) if waits else None,
            "refused as too many": sum(client.refused for client in clients),
            "failures": sum(len(client.failures) for client in clients),
            "which": sorted({failure for client in clients for failure in client.failures})[:5],
            "most memory MB": round(peak),
            "most on disk MB": round(stored),
            "slowest answer s": round(slow, 2),
            "files left": len(left),
            "processes left": [" ".join(each.cmdline()) for each in alive],
            "load": round(os.getloadavg()[0], 1),
        }


def size(path: Path) -> int:
    """Bytes of a file, 0 if it is gone."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def measure_kills(clip: Path, args: argparse.Namespace) -> dict[str, Any]:
    """A worker and the server are killed in each stage."""
    results: dict[str, Any] = {}
    wish = {"kind": "compose", "count": 2}
    with tempfile.TemporaryDirectory() as folder:
        running = Running(Path(folder) / "studio", ("--workers", "1"))
        running.start()
        for what in ("worker", "server"):
            for stage in ("watch", "compose"):
                client = Client(running.url)
                shown = client.upload(clip, wish)
                client.until(shown["urls"]["self"], lambda each, s=stage: any(j["stage"] == s for j in each["jobs"]))
                if what == "worker":
                    running.workers()[0].send_signal(signal.SIGKILL)
                else:
                    children = running.processes()[1:]
                    running.process.kill()
                    running.process.wait()
                    psutil.wait_procs(children, timeout=20)
                    results["processes after the server's death"] = sum(each.is_running() for each in children)
                    running.start()
                jobs = client.until(
                    shown["urls"]["self"], lambda each: any(j["state"] == "interrupted" for j in each["jobs"])
                )["jobs"]
                said = next(job for job in jobs if job["state"] == "interrupted")
                job = client.ask(f"{jobs[1]['url']}/retry", "POST")
                job = client.over(job)
                clip_ = client.ask(shown["urls"]["self"])
                results[f"{what} killed in {stage}"] = {
                    "said": said["message"],
                    "run again": job["state"],
                    "pieces": len(clip_["pieces"]),
                    "with stems": sum(piece["stems"] is not None for piece in clip_["pieces"]),
                }
                client.ask("/api/session", "DELETE")
        results["files left"] = len([p for p in (running.folder / "visitors").rglob("*") if p.is_file()])
        running.process.terminate()
        running.process.wait(60)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path, help="a video")
    parser.add_argument("what", choices=("first", "crowd", "kills"))
    parser.add_argument("--times", type=int, default=5, help="uploads of first")
    parser.add_argument("--visitors", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=10.0)
    args = parser.parse_args()
    measure = {"first": measure_first, "crowd": measure_crowd, "kills": measure_kills}[args.what]
    print(json.dumps(measure(args.clip, args), indent=1, ensure_ascii=False))


if __name__ == "__main__":
    from one_line import run_main

    run_main(main)
