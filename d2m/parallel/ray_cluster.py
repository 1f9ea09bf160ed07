"""Units on a Ray cluster: Ray places them, runs them again after the loss of a process or node, and spills results.

Every node has this version of d2m and sees the inputs and outputs under the same names: in a shared folder, or as URLs.
Ray's documentation: https://docs.ray.io/en/latest/ray-core/fault_tolerance/tasks.html
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import platform
import secrets
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from d2m.errors import D2MError
from d2m.extras import require
from d2m.parallel.executor import Function
from d2m.parallel.workers import Crash, Done
from d2m.version import __version__

#: Processes that may die of a unit before it is reported as a crash. The loss of a node counts as one of them.
ATTEMPTS = 3
#: Units that are handed to the cluster for each that can run, so that no process waits for this one.
_AHEAD = 2
#: Seconds without a result after which the head is asked whether it is there, and seconds that it may be silent. A head
#: that keeps its state in Redis can be restarted in this time; after 60 s Ray ends the process.
_LOOK, _PATIENCE = 5.0, 40.0
#: Environment variable that holds the device of the networks (d2m.nn.device), which the nodes must use, too.
_DEVICE = "D2M_DEVICE"


@dataclass(frozen=True)
class _Home:
    """What the nodes must have in common with the machine where the run was started.

    Attributes:
        version: version of d2m.
        folder: current folder.
        marks: files in shared folders that each node must see.
        device: device of the networks.
    """

    version: str
    folder: str
    marks: tuple[str, ...]
    device: str


class RayCluster:
    """Run units on a Ray cluster."""

    remote = True

    def __init__(self, address: str, limit: int | None = None, shared: Sequence[str | Path] = ()) -> None:
        """Connect to a cluster.

        Args:
            address: ``"auto"`` for the cluster that this machine belongs to, or its address (``HOST:PORT`` of the head,
                or ``ray://HOST:PORT``).
            limit: maximum number of units at the same time; None for the number of processors of the cluster.
            shared: output folders that all nodes must see; it is checked on each node before its first unit.

        Raises:
            D2MError: if Ray is not installed or the cluster cannot be reached.
        """
        require("ray", "cluster", "a run on a Ray cluster")
        import ray

        self._limit, self._shared, self._own = limit, tuple(map(Path, shared)), not ray.is_initialized()
        self._silent_since = 0.0
        if not self._own:
            return
        try:
            _knock(address)
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except (OSError, ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise D2MError(
                f"no Ray cluster at '{address}' ({reason}); start one with 'ray start --head', or give its address"
            ) from None

    @property
    def count(self) -> int:
        """Number of units that run at the same time."""
        import ray

        processors = int(ray.cluster_resources().get("CPU", 1))
        return max(1, processors if self._limit is None else min(self._limit, processors))

    def close(self) -> None:
        """Leave the cluster, unless the connection existed before."""
        import ray

        if self._own and ray.is_initialized():
            ray.shutdown()

    def __enter__(self) -> RayCluster:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def run(
        self, function: Function, tasks: Iterable[Any], tell: Callable[[Any, float], None]
    ) -> Iterator[tuple[Any, Any]]:
        """Run tasks; see :meth:`d2m.parallel.Executor.run`.

        Args:
            function: function that every node can import; it must not raise.
            tasks: tasks, whose content travels between nodes.
            tell: called with a task and 1.0 when it is done.

        Yields:
            Each task with its result or :class:`~d2m.parallel.Crash`, in the order in which they are finished.

        Raises:
            D2MError: if a node has another version or does not see a shared folder, or the cluster is lost.
        """
        import ray

        rest, left = iter(tasks), True
        waiting: dict[Any, Any] = {}
        with self._marked() as marks:
            device = os.environ.get(_DEVICE, "auto")
            home = ray.put(_Home(__version__, os.getcwd(), marks, device))
            serve = ray.remote(_serve).options(
                num_cpus=1, num_gpus=1 if device == "cuda" else None, max_retries=ATTEMPTS - 1
            )
            try:
                while left or waiting:
                    while left and len(waiting) < self._window:
                        task = next(rest, self)
                        left = task is not self
                        if isinstance(task, Done):
                            yield task, task.result
                        elif left:
                            waiting[serve.remote(function, task, home)] = task
                    for reference in self._finished(list(waiting)):
                        task = waiting.pop(reference)
                        result = self._result(reference)
                        tell(task, 1.0)
                        yield task, result
            finally:
                for reference in waiting:
                    with contextlib.suppress(Exception):
                        ray.cancel(reference, force=True)

    @property
    def _window(self) -> int:
        return self.count if self._limit is not None else _AHEAD * self.count

    @contextlib.contextmanager
    def _marked(self) -> Iterator[tuple[str, ...]]:
        """Put a file into each shared folder for the time of a run."""
        from d2m.files.atomic import atomic_write_bytes

        marks = [folder.resolve() / f".d2m-{secrets.token_hex(8)}" for folder in self._shared]
        try:
            for mark in marks:
                atomic_write_bytes(mark, b"")
            yield tuple(map(str, marks))
        finally:
            for mark in marks:
                with contextlib.suppress(OSError):
                    mark.unlink(missing_ok=True)

    def _finished(self, references: list[Any]) -> list[Any]:
        """Wait for at least one unit and return all that are finished."""
        import ray

        if not references:
            return []
        try:
            ready, _ = ray.wait(references, num_returns=len(references), timeout=0, fetch_local=False)
            while not ready:
                ready, _ = ray.wait(references, num_returns=1, timeout=_LOOK, fetch_local=False)
                if not ready:
                    self._check_head()
            return ready
        except (ray.exceptions.RaySystemError, ConnectionError) as error:
            raise _lost(error) from None

    def _check_head(self) -> None:
        """Raise an error if the head has been silent for long; Ray would end the process without a word."""
        import ray

        try:
            _knock(ray.get_runtime_context().gcs_address)
        except (OSError, ValueError) as error:
            self._silent_since = self._silent_since or time.monotonic()
            if time.monotonic() - self._silent_since > _PATIENCE:
                # Leaving the cluster in order would wait for the head.
                self._own = False
                raise _lost(error) from None
        else:
            self._silent_since = 0.0

    def _result(self, reference: Any) -> Any:
        """Return the result of a finished unit, or how it crashed."""
        import ray

        try:
            result = ray.get(reference)
        except (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError):
            return Crash(None, ATTEMPTS)
        except (ray.exceptions.NodeDiedError, ray.exceptions.ObjectLostError):
            return Crash(None, ATTEMPTS)
        except ray.exceptions.RayTaskError as error:
            last = str(error).strip().splitlines()[-1]
            raise D2MError(
                f"a node of the Ray cluster cannot run d2m ({last}); install d2m {__version__} there"
            ) from None
        except (ray.exceptions.RaySystemError, ConnectionError) as error:
            raise _lost(error) from None
        if isinstance(result, _Unfit):
            raise D2MError(result.reason)
        return result


@dataclass(frozen=True)
class _Unfit:
    """Why a node cannot take part."""

    reason: str


def _lost(error: Exception) -> D2MError:
    reason = " ".join(str(error).split())[:200]
    return D2MError(
        f"the connection to the Ray cluster was lost ({reason}); start the cluster and run the same command again"
    )


@functools.lru_cache(maxsize=4)
def _knock(address: str) -> None:
    """Connect to the head of a cluster for a moment; Ray itself would try for minutes.

    Args:
        address: ``HOST:PORT`` or ``ray://HOST:PORT``; other addresses are left to Ray.

    Raises:
        OSError: if nothing answers.
        ValueError: if the port is no number.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_LOOK).close()


def _trouble(home: _Home) -> str | None:
    """Check a node once for each process and run; return what is wrong with it."""
    node = platform.node()
    if home.version != __version__:
        return f"{node} has d2m {__version__} and this machine {home.version}; install the same version on every node"
    with contextlib.suppress(OSError):
        os.chdir(home.folder)
    missing = [mark for mark in home.marks if not Path(mark).is_file()]
    if missing:
        folder = Path(missing[0]).parent
        return f"{node} does not see {folder}; use a folder that all nodes share, or a URL such as s3://bucket/folder"
    return None


def _serve(function: Function, task: Any, home: _Home) -> Any:
    """Run one unit in a process of a node."""
    reason = _trouble(home)
    os.environ[_DEVICE] = home.device
    return _Unfit(reason) if reason is not None else function(task, lambda share: None)
