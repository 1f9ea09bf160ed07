"""The installed package is whole: every folder is listed, and importing it is light."""

from __future__ import annotations

import ast
import configparser
import re
import subprocess
import sys
from pathlib import Path

import pytest
from repository import ROOT

from d2m.version import __version__

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


def test_the_version_has_a_date_in_citation_and_changelog():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    date = re.search(r'^date-released: "(\d{4}-\d\d-\d\d)"$', citation, re.MULTILINE)
    assert f"\nversion: {__version__}\n" in citation
    sections = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert date is not None
    assert sections[0] == f"{__version__} ({date[1]})"


def test_importing_d2m_loads_no_heavy_library():
    code = "import d2m, sys; print([m for m in ('torch', 'numpy', 'av', 'mediapipe', 'librosa') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.slow
def test_training_modules_need_only_torch_numpy_safetensors_and_lightning():
    code = (
        "import sys, d2m.training.codec, d2m.training.generator, d2m.training.vqvae, d2m.training.decoder\n"
        "import d2m.training.export, d2m.training.d2m_gan\n"
        "print(*(m.__file__ for n, m in sys.modules.items() if n.split('.')[0] == 'd2m'), sep='\\n')"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    allowed = {*sys.stdlib_module_names, "d2m", "torch", "numpy", "safetensors", "lightning", "tomli"}
    needed = set()
    paths = result.stdout.split()
    # Imported where a run begins, with Lightning.
    paths.append(str(Path(next(path for path in paths if path.endswith("devices.py"))).with_name("averaging.py")))
    for path in paths:
        for node in ast.parse(Path(path).read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Import):
                needed |= {name.name.split(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                needed.add(node.module.split(".")[0])
    assert needed <= allowed, needed - allowed
