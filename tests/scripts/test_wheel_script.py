"""The check of a wheel finds files that the build left out, changed files, and sizes above PyPI's limit."""

from __future__ import annotations

import runpy
import zipfile
from pathlib import Path

import pytest
from repository import ROOT

from d2m.errors import D2MError


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return runpy.run_path(str(ROOT / "scripts" / "check_wheel.py"))


@pytest.fixture
def tree(tmp_path):
    """A checkout whose package ``d2m.tunes`` is kept in the folder ``tunes``."""
    for name, text in {
        "d2m/__init__.py": "1",
        "d2m/nets/__init__.py": "2",
        "d2m/nets/a.safetensors": "3",
        "tunes/__init__.py": "4",
        "tunes/page/index.html": "5",
        "tunes/__pycache__/x.pyc": "6",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path, {"d2m": Path("d2m"), "d2m.tunes": Path("tunes")}, ["d2m", "d2m.nets", "d2m.tunes"]


def write_wheel(path: Path, files: dict[str, Path], **changed: str | None) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, source in files.items():
            text = changed.get(Path(name).name.split(".")[0], source.read_text())
            if text is not None:
                archive.writestr(name, text)
    return path


def test_every_file_of_every_package_belongs_in_the_wheel(script, tree):
    assert sorted(script["installed_files"](*tree)) == [
        "d2m/__init__.py",
        "d2m/nets/__init__.py",
        "d2m/nets/a.safetensors",
        "d2m/tunes/__init__.py",
        "d2m/tunes/page/index.html",
    ]


def test_a_whole_wheel_passes(script, tree, tmp_path):
    files = script["installed_files"](*tree)
    assert script["check_content"](write_wheel(tmp_path / "a.whl", files), files) == 5


@pytest.mark.parametrize(
    ("text", "said"), [(None, "lacks d2m/nets/a.safetensors"), ("x", "another version of d2m/nets")]
)
def test_missing_and_changed_weights_are_named(script, tree, tmp_path, text, said):
    files = script["installed_files"](*tree)
    with pytest.raises(D2MError, match=said):
        script["check_content"](write_wheel(tmp_path / "a.whl", files, a=text), files)


def test_a_file_above_the_limit_of_pypi_is_refused(script, tmp_path):
    path = tmp_path / "a.whl"
    with path.open("wb") as file:
        file.truncate(script["MOST_BYTES"])
    script["check_size"](path)
    with path.open("ab") as file:
        file.write(b"x")
    with pytest.raises(D2MError, match=r"a\.whl has 95\.0 MB"):
        script["check_size"](path)


def test_two_wheels_in_a_folder_are_refused(script, tmp_path):
    for name in ("a.whl", "b.whl"):
        (tmp_path / name).touch()
    with pytest.raises(D2MError, match="2 files"):
        script["only"](tmp_path, "*.whl")


def test_the_packages_of_the_checkout_hold_the_weights(script):
    files = script["installed_files"](ROOT, script["package_folders"](), script["packages"]())
    assert {
        "d2m/weights/studio-codec.safetensors",
        "d2m/features/pose_landmarker_full.task",
        "d2m/sounds/studio.sf3",
        "d2m/symbolic/stream/page/index.html",
    } <= files.keys()
