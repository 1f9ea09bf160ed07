"""The plain install generates music; a command whose extra is not installed says which one."""

from __future__ import annotations

import ast
import configparser
import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest
from repository import ROOT

import d2m.datasets
import d2m.symbolic
from d2m.cli.main import main
from d2m.errors import D2MError
from d2m.extras import DISTRIBUTION, require

pytestmark = pytest.mark.slow

#: What d2m/ imports only behind `require`; torchvision is imported by pytorchvideo alone.
EXTRAS = ("train", "evaluate", "d2m-gan", "live", "smpl", "pypianoroll", "web", "cluster")
#: tensorboard: torch imports it, and training goes on without event files where it is missing.
UNGUARDED = {"torchvision", "tensorboard"}


def config() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def packages(extra: str) -> set[str]:
    lines = config()["options.extras_require"][extra].split("\n")
    return {re.split(r"[>=<;\[ ]", line)[0] for line in lines if line and not line.startswith("#")}


def modules(extra: str) -> set[str]:
    return {name.replace("-", "_") for name in packages(extra)}


OPTIONAL = sorted(set().union(*map(modules, EXTRAS)))


def sources() -> list[Path]:
    return [path for top in ("d2m", "symbolic", "datasets", "evaluation") for path in (ROOT / top).rglob("*.py")]


def without_extras(code: str, *args: object) -> subprocess.CompletedProcess:
    blocked = f"import sys\nsys.modules.update(dict.fromkeys({OPTIONAL}))\n"
    return subprocess.run([sys.executable, "-c", blocked + code, *map(str, args)], capture_output=True, text=True)


COMMAND = "from d2m.cli.main import main\nsys.exit(main())"


def test_every_requirement_names_a_package_of_its_extra():
    calls = []
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "require":
                calls.append([argument.value for argument in node.args])
    for module, extra, _ in calls:
        assert module in modules(extra), (module, extra)
    assert {module for module, *_ in calls} == set(OPTIONAL) - UNGUARDED


def test_optional_packages_are_imported_only_where_they_are_required():
    for path in sources():
        if path.is_relative_to(ROOT / "d2m" / "training") or path.is_relative_to(ROOT / "d2m" / "web"):
            continue  # d2m/training/__init__.py, d2m/web/serving.py and d2m/cli/app.py require the extras
        text = path.read_text(encoding="utf-8")
        served = "from d2m.web." in text  # d2m/web/serving.py requires the extra
        for module in set(OPTIONAL) - UNGUARDED - (set(modules("web")) if served else set()):
            if re.search(rf"^\s*(from|import) {module}\b", text, re.MULTILINE):
                assert f'require("{module}"' in text, f"{path} imports {module}"


def test_all_and_test_contain_every_extra():
    assert packages("all") == {DISTRIBUTION} == {config()["metadata"]["name"]}
    assert f"{DISTRIBUTION}[{','.join(EXTRAS)}]" in config()["options.extras_require"]["all"]
    assert f"{DISTRIBUTION}[all,docs]" in config()["options.extras_require"]["test"]


def test_everything_but_training_and_evaluation_imports_without_the_extras():
    names = [
        module.name
        for package in (d2m, d2m.symbolic, d2m.datasets)
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        if not module.name.startswith(("d2m.training", "d2m.evaluation", "d2m.web", "d2m.__main__"))
    ]
    assert {"d2m.pipeline", "d2m.cli.evaluate", "d2m.symbolic.stream.station"} <= set(names)
    run = without_extras(f"import importlib\nfor name in {names}: importlib.import_module(name)")
    assert run.returncode == 0, run.stderr


def test_music_is_generated_without_the_extras(clip, tone, tmp_path):
    clip(tmp_path / "a.mp4", duration=2.0, sound=tone(2.0, 300))
    run = without_extras(COMMAND, "generate", tmp_path / "a.mp4", "-o", tmp_path / "out")
    assert run.returncode == 0, run.stderr
    assert {".json", ".mp4", ".png", ".wav"} <= {path.suffix for path in (tmp_path / "out").iterdir()}


@pytest.mark.parametrize("command", ["", "generate", "symbolic", "train", "train codec", "evaluate", "evaluate beats"])
def test_help_needs_no_extra(command):
    assert without_extras(COMMAND, *command.split(), "--help").returncode == 0


@pytest.mark.parametrize(
    ("command", "line"),
    [
        ("train codec --data {0} --run {0}/run", "training needs the packages of the extra 'train'"),
        ("evaluate beats --reference {0} --generated {0}", "evaluation of beats needs the packages of the extra"),
        ("features {0}/a.mp4 -o {0}/out --visual i3d", "I3D needs the packages of the extra 'd2m-gan'"),
        ("generate {0}/a.mp4 -o {0}/out --ray auto", "a run on a Ray cluster needs the packages of the extra 'clus"),
        ("generate {0}/a.mp4 -o s3://a/b", "a file at a URL needs the packages of the extra 'cluster'"),
    ],
)
def test_a_missing_extra_is_one_line(command, line, clip, tmp_path):
    clip(tmp_path / "a.mp4", duration=0.5)
    run = without_extras(COMMAND, *command.format(tmp_path).split())
    assert (run.returncode, run.stdout) == (1, "")
    assert len(run.stderr.splitlines()) == 1
    assert run.stderr.startswith(f"error: {line}")


def test_noise_reduction_is_checked_before_the_video_is_read(monkeypatch):
    from d2m.engines.d2m_gan import D2MGanEngine

    monkeypatch.setitem(sys.modules, "noisereduce", None)
    engine = D2MGanEngine(model=None, codec=None, weights=(), denoise=True)  # no part of the model is used before
    with pytest.raises(D2MError, match="--denoise needs the packages of the extra 'd2m-gan'"):
        engine.check()


def test_the_line_contains_the_command_that_installs_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "lightning", None)
    with pytest.raises(D2MError) as caught:
        require("lightning", "train", "training")
    said = "training needs the packages of the extra 'train'; install with pip install "
    assert str(caught.value) == said + '-e ".[train]"'
    monkeypatch.setattr("d2m.extras.__file__", str(tmp_path / "d2m" / "extras.py"))
    with pytest.raises(D2MError) as caught:
        require("lightning", "train", "training")
    assert str(caught.value) == said + f'"{DISTRIBUTION}[train]"'


def test_a_package_that_is_installed_is_no_error():
    require("lightning", "train", "training")
    assert importlib.import_module("d2m.training")
    assert main(["train", "--help"]) == 0
