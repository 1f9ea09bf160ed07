"""Measure runs on a Ray cluster: the same files as a local run, losses of processes, nodes and the head, and the cost.

    python scripts/measure_cluster.py                              # 200 clips of 1.5 s; prints a table, in some minutes
    python scripts/measure_cluster.py --clips 20 --command features --only same,faults

The cluster is on this machine: a head and two nodes, each a group of processes with one processor of its own
(``ray.cluster_utils.Cluster``). The command is called as a user calls it. Parts (``--only``):

same      a run in one local process, and on the cluster with one and with two units at a time: same files, seconds
faults    a process that works on a unit is killed, then a node with all its processes; the command goes on by itself
head      the head is killed, a new cluster is started, and the same command is given again
overhead  seconds per unit for units that do nothing, and for units that wait half a second, with one and two at a time
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil

# Ray sends no statistics and leaves its workers at the priority of other processes.
os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}

from d2m.files.manifest import Manifest  # noqa: E402
from d2m.files.store import FolderStore  # noqa: E402
from d2m.parallel import Executor, ProcessPool  # noqa: E402

OPTIONS = {"generate": ["--no-video", "--skip-existing"], "features": ["--keep-empty"]}
PROOF = {"generate": ".d2m.json", "features": ".npz"}
PARTS = ("same", "faults", "head", "overhead")


def make_clips(folder: Path, count: int, seconds: float, contents: int) -> None:
    """Write small clips: a bright shape that bounces at a tempo of its own; after some, copies of them."""
    import av

    folder.mkdir(parents=True)
    for number in range(min(count, contents)):
        rng = np.random.default_rng([7, number])
        period, colour = rng.uniform(0.4, 0.7), rng.integers(80, 255, 3)
        with av.open(str(folder / f"clip{number:04d}.mp4"), "w") as out:
            stream = out.add_stream("libx264", rate=15, options={"preset": "ultrafast"})
            stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
            for index in range(round(seconds * 15)):
                picture = np.zeros((96, 160, 3), np.uint8)
                top = int(30 + 25 * abs(np.sin(np.pi * index / 15 / period)))
                picture[top : top + 30, 60:100] = colour
                out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            out.mux(stream.encode())
    for number in range(contents, count):
        shutil.copyfile(folder / f"clip{number % contents:04d}.mp4", folder / f"clip{number:04d}.mp4")


def patiently(start: Callable[[], Any]) -> Any:
    """Call a function that starts a node, again if Ray gave up, which it does after some seconds on a busy machine."""
    for _ in range(4):
        with contextlib.suppress(Exception):
            return start()
    return start()


def small_node() -> dict[str, Any]:
    """Return the settings of a node that runs one unit at a time, with its ports, which need not be waited for."""
    names = ("metrics_agent_port", "metrics_export_port", "dashboard_agent_listen_port", "runtime_env_agent_port")
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in names]
        for each in sockets:
            each.bind(("", 0))
        ports = [each.getsockname()[1] for each in sockets]
    return {"num_cpus": 1, "object_store_memory": 80_000_000, **dict(zip(names, ports, strict=True))}


class Nodes:
    """A Ray cluster on this machine: a head that runs one unit, and nodes that run one each."""

    def __init__(self, nodes: int) -> None:
        """Start a head and nodes.

        Args:
            nodes: number of nodes besides the head.
        """
        from ray.cluster_utils import Cluster

        self.cluster = patiently(
            lambda: Cluster(initialize_head=True, head_node_args={**small_node(), "include_dashboard": False})
        )
        self.others = [patiently(lambda: self.cluster.add_node(**small_node())) for _ in range(nodes)]

    def __enter__(self) -> Nodes:
        return self

    def __exit__(self, *exc: object) -> None:
        with contextlib.suppress(Exception):
            self.cluster.shutdown()

    def kill_node(self) -> None:
        """Kill the processes of the last node."""
        self.cluster.remove_node(self.others.pop(), allow_graceful=False)

    def kill_head(self) -> None:
        """Kill the processes of the head, which ends the cluster."""
        self.cluster.remove_node(self.cluster.head_node, allow_graceful=False)


def kill_worker() -> int:
    """Kill a process that works on a unit, and return its id."""
    while True:
        for process in psutil.process_iter(["cmdline"]):
            if "ray::_serve" in " ".join(process.info["cmdline"] or []):
                process.kill()
                return process.pid
        time.sleep(0.05)


class Run:
    """The command, running."""

    def __init__(self, options: argparse.Namespace, clips: Path, output: Path, *words: str) -> None:
        """Start the command.

        Args:
            options: of this script.
            clips: folder of the clips.
            output: output folder.
            words: more options of the command.
        """
        self.output, self.proof, self.began = output, PROOF[options.command], time.monotonic()
        place = output.with_name("cache" if options.cached else f"{output.name}-cache")
        cache = ["--cache", str(place)] if options.command == "features" else []
        command = [sys.executable, "-m", "d2m", options.command, str(clips), "-o", str(output)]
        with open(output.with_name(f"{output.name}.log"), "a") as log:
            self.process = subprocess.Popen(
                [*command, *OPTIONS[options.command], *cache, *words], stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )

    def wait_for(self, results: int) -> None:
        """Wait until there are this many results.

        Args:
            results: number of results.
        """
        while len(list(self.output.glob(f"*{self.proof}"))) < results:
            if self.process.poll() is not None:
                raise SystemExit(f"the command ended early; see {self.output}.log")
            time.sleep(0.05)

    def end(self) -> tuple[int, float]:
        """Wait for the end of the command.

        Returns:
            Exit status and seconds since the start.
        """
        return self.process.wait(), time.monotonic() - self.began


def content_of(folder: Path) -> dict[str, str]:
    """Return a hash of each result; reports without the seconds that they took, tables without the zip's times."""
    found = {}
    for path in sorted(folder.iterdir()):
        if path.is_dir() or path.name.startswith(".") or path.name in ("features.log", "failed.json"):
            continue
        content = path.read_bytes()
        if path.suffix == ".json":
            content = json.dumps({k: v for k, v in json.loads(content).items() if k != "seconds"}).encode()
        elif path.suffix == ".npz":
            with np.load(path) as data:
                content = b"".join(name.encode() + data[name].tobytes() for name in sorted(data.files))
        found[path.name] = hashlib.sha256(content).hexdigest()
    return found


def made_twice(output: Path) -> tuple[int, int, int]:
    """Read the manifest; return the clips that are listed, made more than once, and in the list without a result."""
    records = list(Manifest(FolderStore(str(output))).records())
    made = Counter(record.input for record in records if record.outcome == "made")
    lost = [record for record in records if record.output and not (output / record.output).is_file()]
    return len({record.input for record in records}), sum(count > 1 for count in made.values()), len(lost)


def same(options: argparse.Namespace, clips: Path, folder: Path) -> None:
    """Compare runs on the cluster with a local one."""
    status, alone = Run(options, clips, folder / "local").end()
    print(
        f"same: one local process: status {status}, {alone:.1f} s, {alone / options.clips:.2f} s per clip", flush=True
    )
    local = content_of(folder / "local")
    with Nodes(2) as nodes:
        for units in (1, 2):
            output = folder / f"ray{units}"
            run = Run(options, clips, output, "--ray", nodes.cluster.address, "--processes", str(units))
            status, took = run.end()
            differ = {name for name, value in content_of(output).items() if local.get(name) != value}
            missing = local.keys() - content_of(output).keys()
            print(
                f"same: Ray, {units} at a time: status {status}, {took:.1f} s, {took / options.clips:.2f} s per clip; "
                f"{len(local)} files, {len(differ)} differ {sorted(differ)[:3]}, {len(missing)} missing",
                flush=True,
            )
        status, took = Run(options, clips, output, "--ray", nodes.cluster.address).end()
        print(f"same: the same command again: status {status}, {took:.1f} s", flush=True)


def faults(options: argparse.Namespace, clips: Path, folder: Path) -> None:
    """Kill a process and a node during a run."""
    output, third = folder / "faults", options.clips // 3
    with Nodes(2) as nodes:
        run = Run(options, clips, output, "--ray", nodes.cluster.address)
        run.wait_for(third)
        kill_worker()
        run.wait_for(2 * third)
        nodes.kill_node()
        status, took = run.end()
    report("faults: a process and a node killed", options, output, status, took, folder)


def head(options: argparse.Namespace, clips: Path, folder: Path) -> None:
    """Kill the head during a run, and give the same command again."""
    output = folder / "head"
    with Nodes(2) as nodes:
        run = Run(options, clips, output, "--ray", nodes.cluster.address)
        run.wait_for(options.clips // 2)
        nodes.kill_head()
        began = time.monotonic()
        status, _ = run.end()
        print(f"head: killed; the command ended after {time.monotonic() - began:.0f} s, status {status}", flush=True)
    had = len(list(output.glob(f"*{PROOF[options.command]}")))
    with Nodes(2) as nodes:
        status, took = Run(options, clips, output, "--ray", nodes.cluster.address).end()
    report(f"head: the same command again, {had} results were there", options, output, status, took, folder)


def report(title: str, options: argparse.Namespace, output: Path, status: int, took: float, folder: Path) -> None:
    """Print what a run with faults left."""
    results = len(list(output.glob(f"*{PROOF[options.command]}")))
    left = [path.name for path in output.iterdir() if path.name.startswith(".")]
    units, twice, lost = made_twice(output)
    text = (
        f"{title}: status {status}, {took:.1f} s; {results} of {options.clips} results, {units} clips in the manifest, "
    )
    text += f"{twice} made twice, {lost} lost, {len(left)} unfinished files left"
    if (folder / "local").is_dir():
        wrong = sum(content_of(folder / "local").get(name) != value for name, value in content_of(output).items())
        text += f", {wrong} files differ from the local run"
    print(text, flush=True)


def nothing(task: Any, tell: Callable[[float], None]) -> int:
    """Do nothing."""
    return int(task)


def waiting(task: Any, tell: Callable[[float], None]) -> int:
    """Wait half a second."""
    time.sleep(0.5)
    return int(task)


def overhead(options: argparse.Namespace, clips: Path, folder: Path) -> None:
    """Time units without work."""
    from d2m.parallel.ray_cluster import RayCluster

    def timed(title: str, executor: Executor) -> None:
        list(executor.run(nothing, range(20), lambda task, share: None))  # starts the processes
        for function, units in ((nothing, 500), (waiting, 40)):
            began, used = time.monotonic(), sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
            count = sum(1 for _ in executor.run(function, range(units), lambda task, share: None))
            took, used = time.monotonic() - began, sum(resource.getrusage(resource.RUSAGE_SELF)[:2]) - used
            print(
                f"overhead: {title}, {function.__name__}: {count} units in {took:.2f} s, {1000 * took / units:.1f} ms "
                f"each, with {1000 * used / units:.1f} ms of processor time in the driver",
                flush=True,
            )

    for count in (1, 2):
        timed(f"{count} local processes", ProcessPool(count))
    with Nodes(1) as nodes:
        for count in (1, 2):
            with RayCluster(nodes.cluster.address, count) as cluster:
                timed(f"Ray, {count} at a time", cluster)


def main() -> None:
    """Run the parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=1.5, help="length of a clip")
    parser.add_argument("--contents", type=int, help="different clips; the others are copies; else all are different")
    parser.add_argument(
        "--cached", action="store_true", help="d2m features: all runs share a cache, so that units are short"
    )
    parser.add_argument("--command", choices=sorted(OPTIONS), default="generate")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, separated by commas")
    parser.add_argument("--folder", type=Path, help="folder for the files, which are kept; else a temporary one")
    options = parser.parse_args()
    parts = {"same": same, "faults": faults, "head": head, "overhead": overhead}
    with contextlib.ExitStack() as stack:
        folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="d2m-cluster-")))
        clips = folder / f"clips-{options.clips}-{options.seconds:g}"
        if not clips.is_dir():
            make_clips(clips, options.clips, options.seconds, options.contents or options.clips)
        print(f"{options.clips} clips of {options.seconds:g} s, d2m {options.command}; {os.cpu_count()} processors")
        for name in options.only.split(","):
            print(f"load {os.getloadavg()[0]:.1f}", flush=True)
            parts[name](options, clips, folder)


if __name__ == "__main__":
    main()
