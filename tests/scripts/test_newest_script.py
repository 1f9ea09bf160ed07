"""Which packages are newer than the tested versions."""

from __future__ import annotations

import runpy
from types import SimpleNamespace

import pytest
from repository import ROOT

from d2m.errors import D2MError


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return runpy.run_path(str(ROOT / "scripts" / "try_newest.py"))


def test_every_pinned_version_is_known_by_its_normalised_name(script, tmp_path):
    path = tmp_path / "constraints.txt"
    path.write_text("# tested\nMarkdown_It-Py==4.3.0\nnumpy==2.2.6 ; python_full_version < '3.11'\nnumpy==2.4.6\n")
    assert script["pinned"](path) == {"markdown-it-py": {"4.3.0"}, "numpy": {"2.2.6", "2.4.6"}}


def test_only_changed_packages_are_named(script):
    tested = {"numpy": {"2.2.6", "2.4.6"}, "av": {"18.1.0"}}
    assert script["newer"]({"numpy": "2.4.6", "av": "19.0.2", "other": "1"}, tested) == ["av 19.0.2 (tested: 18.1.0)"]


def test_the_constraints_cover_what_is_installed_and_leave_pytorch_out(script):
    tested = script["pinned"](ROOT / "constraints.txt")
    assert {"numpy", "mediapipe", "opencv-contrib-python", "soxr", "pytest"} <= tested.keys()
    assert [name for name in tested if name.startswith(("torch", "nvidia-", "cuda-", "triton"))] == []


def test_versions_that_cannot_be_installed_end_in_one_line(script, tmp_path, monkeypatch):
    calls = [0, 1]  # the environment is made, the installation fails
    monkeypatch.setattr("subprocess.run", lambda *_, **__: SimpleNamespace(returncode=calls.pop(0)))
    with pytest.raises(D2MError, match="cannot be installed together"):
        script["make_environment"](tmp_path)
