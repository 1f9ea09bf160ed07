"""Options ``--processes`` and ``--ray`` of all commands that work on many units."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Optional

import typer

from d2m.cli.options import PROCESSES, RAY
from d2m.files.url import is_url
from d2m.parallel import Parallel

Processes = Annotated[Optional[int], typer.Option("--processes", min=1, max=256, help=PROCESSES)]  # noqa: UP045
Ray = Annotated[Optional[str], typer.Option("--ray", metavar="auto|ADDRESS", help=RAY)]  # noqa: UP045


@contextlib.contextmanager
def executor(processes: int | None, ray: str | None, *outputs: str | os.PathLike[str]) -> Iterator[Parallel]:
    """Open what the options ask for.

    Args:
        processes: value of ``--processes``.
        ray: value of ``--ray``.
        outputs: output folders, which all nodes of a cluster must share; URLs are shared anyway.

    Yields:
        A number of local processes, or a Ray cluster.

    Raises:
        D2MError: if Ray is not installed or the cluster cannot be reached.
    """
    if ray is None:
        yield processes or 1
        return
    from d2m.parallel.ray_cluster import RayCluster

    folders = [Path(output) for output in outputs if not is_url(output)]
    with RayCluster(ray, processes, folders) as cluster:
        yield cluster
