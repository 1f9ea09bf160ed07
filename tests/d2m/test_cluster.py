"""Units on a Ray cluster of two processes on this machine: results, crashes, refusals, the same files as locally."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from tasks import negative

from d2m.errors import D2MError
from d2m.parallel import Crash, Done, ProcessPool, Serial, each

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ray = pytest.importorskip("ray", reason="needs the extra 'cluster'")


def square(task: int, tell: Callable[[float], None]) -> int:
    if task == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return task * task


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    from ray.cluster_utils import Cluster

    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
    # The nodes do not find this file by its name.
    for module in (__name__, "tasks"):
        ray.cloudpickle.register_pickle_by_value(sys.modules[module])
    # Ray waits some seconds only for ports that its parts find themselves, too few for a busy machine.
    names = ("metrics_agent_port", "metrics_export_port", "dashboard_agent_listen_port", "runtime_env_agent_port")
    sockets = [socket.socket() for _ in names]
    for each_socket in sockets:
        each_socket.bind(("", 0))
    head = {name: each_socket.getsockname()[1] for name, each_socket in zip(names, sockets, strict=True)}
    for each_socket in sockets:
        each_socket.close()
    head |= {"num_cpus": 2, "include_dashboard": False, "object_store_memory": 80_000_000}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    yield cluster.address
    cluster.shutdown()


@pytest.fixture
def cluster(address):
    from d2m.parallel.ray_cluster import RayCluster

    with RayCluster(address) as cluster:
        yield cluster


def test_every_unit_is_answered_and_one_that_kills_its_process_is_a_crash(cluster) -> None:
    done = []
    tasks = [0, 1, Done("there"), 2, 3, 4]
    results = list(cluster.run(square, tasks, lambda task, share: done.append((task, share))))
    crashes = {task: result for task, result in results if isinstance(result, Crash)}
    assert crashes == {3: Crash(None, 3)}
    assert crashes[3].in_words == "died in each of 3 attempts"
    assert {task: result for task, result in results if not isinstance(task, Done) and task != 3} == {
        0: 0, 1: 1, 2: 4, 4: 16,
    }  # fmt: skip
    assert [result for task, result in results if isinstance(task, Done)] == ["there"]
    assert sorted(done) == [(task, 1.0) for task in range(5)]


def test_the_calls_are_those_of_local_runs(cluster) -> None:
    jobs = [(1,), (3,), (5,)]
    for executor in (1, 2, Serial(), ProcessPool(2), cluster):
        assert sorted(each(negative, jobs, executor)) == [-5, -3, -1]
    for executor in (1, cluster):
        with pytest.raises(D2MError, match="two cannot be used"):
            list(each(negative, [(1,), (2,)], executor))


def test_a_node_must_see_the_output_folder_and_have_the_same_version(cluster, tmp_path, monkeypatch) -> None:
    from d2m.parallel import ray_cluster

    cluster._shared = (tmp_path / "out",)
    assert [result for _, result in cluster.run(square, [5], lambda task, share: None)] == [25]
    assert not list((tmp_path / "out").iterdir())
    monkeypatch.setattr(ray_cluster, "__version__", "0.0.1")
    with pytest.raises(D2MError, match="install the same version on every node"):
        list(cluster.run(square, [5], lambda task, share: None))
    away = ray_cluster._Home("0.0.1", str(tmp_path), (str(tmp_path / "out" / ".d2m-mark"),), "cpu")
    assert "does not see" in str(ray_cluster._trouble(away))


def test_features_on_the_cluster_are_those_of_a_local_run(clip, tmp_path, address, capsys) -> None:
    from d2m.cli.main import main
    from d2m.files.manifest import Manifest
    from d2m.files.store import FolderStore

    (tmp_path / "in").mkdir()
    for name, seconds in (("a", 0.5), ("b", 0.7)):
        clip(tmp_path / "in" / f"{name}.mp4", duration=seconds)
    (tmp_path / "in" / "broken.mp4").write_bytes(b"no video")
    command = ["features", str(tmp_path / "in"), "--keep-empty", "-o"]
    assert main([*command, str(tmp_path / "here"), "--cache", str(tmp_path / "c1")]) == 1
    there = [*command, str(tmp_path / "there"), "--cache", str(tmp_path / "c2"), "--ray", address]
    assert main(there) == 1
    for name in ("a.npz", "b.npz"):
        with np.load(tmp_path / "here" / name) as here, np.load(tmp_path / "there" / name) as other:
            assert {k: v.tobytes() for k, v in here.items()} == {k: v.tobytes() for k, v in other.items()}
    assert (tmp_path / "there" / "failed.json").read_text() == (tmp_path / "here" / "failed.json").read_text()
    capsys.readouterr()
    assert main(there) == 1
    assert "2 unchanged, 1 failed" in capsys.readouterr().err
    records = list(Manifest(FolderStore(str(tmp_path / "there"))).records())
    assert sorted((record.outcome, Path(record.input).name) for record in records if record.outcome == "made") == [
        ("made", "a.mp4"),
        ("made", "b.mp4"),
    ]


def test_no_cluster_is_an_error_of_one_line(capsys, tmp_path) -> None:
    from d2m.parallel.ray_cluster import RayCluster

    with pytest.raises(D2MError, match="start one with 'ray start --head'"):
        RayCluster("127.0.0.1:1")
