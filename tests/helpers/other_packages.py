"""Packages that add parts to d2m, installed for a test."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, module: str, points: str) -> None:
    """Install a package of one module, with the metadata that an installer writes.

    Args:
        folder: an empty folder, put on the search path for the duration of the test.
        monkeypatch: pytest's fixture.
        name: name of the module.
        module: its text.
        points: content of ``entry_points.txt``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.py").write_text(module, encoding="utf-8")
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(points, encoding="utf-8")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, name, raising=False)
