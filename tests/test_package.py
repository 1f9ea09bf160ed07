"""The installed package is whole: every folder is listed, and importing it is light."""

from __future__ import annotations

import configparser
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOP = {"d2m": "d2m", "symbolic": "d2m.symbolic", "datasets": "d2m.datasets", "evaluation": "d2m.evaluation"}


def test_setup_lists_every_package_in_the_tree():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    listed = set(config["options"]["packages"].split())
    found = set()
    for folder, package in TOP.items():
        for init in (ROOT / folder).rglob("__init__.py"):
            found.add(".".join([package, *init.parent.relative_to(ROOT / folder).parts]))
    assert listed == found


def test_importing_d2m_loads_no_heavy_library():
    code = "import d2m, sys; print([m for m in ('torch', 'numpy', 'av', 'mediapipe', 'librosa') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_training_modules_need_only_torch_numpy_safetensors_and_lightning():
    blocked = ("librosa", "mediapipe", "soundfile", "av", "symusic", "cv2", "typer", "pretty_midi")
    code = (
        f"import sys\nfor name in {blocked}: sys.modules[name] = None\n"
        "import d2m.training.codec, d2m.training.generator, d2m.training.vqvae, d2m.training.export"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
