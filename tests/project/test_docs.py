"""Pages that are made from the commands, the packages and other files of the checkout."""

from __future__ import annotations

import importlib
import json
import re
from types import SimpleNamespace

import pytest
from repository import ROOT

from d2m.cli.main import COMMANDS

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return importlib.import_module


def test_the_reference_describes_every_command_in_plain_placeholders(script):
    commands = script("make_command_reference")
    page = commands.reference()
    headings = re.findall(r"^##+ d2m (.*)$", page, re.MULTILINE)
    for name, (module, _) in COMMANDS.items():
        command = commands.typer.main.get_command(importlib.import_module(module).app)
        assert {" ".join(path) for path, _ in commands.leaves(command, (name,))} <= set(headings)
    assert "| `--seed N` | Random seed." in page
    assert "| `-o, --output DIR` |" in page
    assert re.search(r"^\| `[^`]*<", page, re.MULTILINE) is None
    assert "completion" not in page


def test_links_of_the_readme_fit_its_place_among_the_pages(script):
    pages = script("docs_pages")
    text = "[a](docs/rhythm.md) ![b](docs/mix.png) [c](CONTRIBUTING.md) [d](NOTICE)"
    assert pages.at_root(text) == "[a](rhythm.md) ![b](mix.png) [c](contributing.md) [d](notice.md)"
    assert pages.on_page_markdown("[e](../README.md)", None) == "[e](index.md)"
    assert pages.on_page_markdown("[f](../notebooks/train.ipynb)", None) == "[f](../notebooks/train.md)"
    assert pages.on_page_markdown("[Download this notebook](n.ipynb)", None) == "[Download this notebook](n.ipynb)"


@pytest.mark.slow
def test_the_reference_lists_modules_once_and_refuses_a_name_that_is_gone(script, monkeypatch):
    pages = script("docs_pages")
    for name in pages.REFERENCE:
        listed = re.findall(r"^::: (\S+)$", pages.module_page(name, pages.modules_of(ROOT)), re.MULTILINE)
        assert len(listed) == len(set(listed)) > 1
    monkeypatch.setitem(pages.REFERENCE, "codec", ("", ("d2m.codec", "d2m.codec.gone")))
    with pytest.raises(ValueError, match=r"no module fits 'd2m\.codec\.gone'"):
        pages.module_page("codec", pages.modules_of(ROOT))


@pytest.mark.parametrize(
    ("html", "host"),
    [
        ('<script async src="https://cdn.example/x.js"></script>', "cdn.example"),
        ('<link href="//fonts.example/a.css" rel="stylesheet">', "fonts.example"),
        ('<img alt="" src="http://img.example/a.png">', "img.example"),
    ],
)
def test_a_page_that_loads_from_another_host_is_refused(script, html, host):
    pages = script("docs_pages")
    page = SimpleNamespace(file=SimpleNamespace(src_uri="a.md"))
    pages.on_post_page('<a href="https://example.org">x</a><script src="a.js"></script>', page)
    with pytest.raises(pages.PluginError, match=host):
        pages.on_post_page(html, page)


def test_docstrings_become_markdown(script, tmp_path):
    griffe, roles = pytest.importorskip("griffe"), script("docs_roles")
    (tmp_path / "band.py").write_text(
        '#: Beats a bar, see :func:`play`.\nBEATS = 4\n\n\ndef play():\n'
        '    """Play like :class:`~d2m.types.Score`, as in::\n\n        play()\n\n    Twice.\n    """\n'
    )  # fmt: skip
    extensions = griffe.load_extensions(roles.Roles)
    loader = griffe.GriffeLoader(extensions=extensions, search_paths=[str(tmp_path)])
    module = loader.load("band", try_relative_path=False)
    assert module["BEATS"].docstring.value == (
        'Beats a bar, see <autoref optional identifier="band.play"><code>play</code></autoref>.'
    )
    assert module["play"].docstring.value == (
        'Play like <autoref optional identifier="d2m.types.Score"><code>Score</code></autoref>, as in:\n\n    play()'
        "\n\nTwice."
    )


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_kept_without_outputs(path):
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        assert cell["cell_type"] == "markdown" or (cell["outputs"], cell["execution_count"]) == ([], None)


def test_a_notebook_becomes_a_page_with_its_code(script, tmp_path):
    cells = [{"cell_type": "markdown", "source": ["# Title\n", "Text."]}, {"cell_type": "code", "source": ["x = 1"]}]
    (tmp_path / "n.ipynb").write_text(json.dumps({"cells": cells}))
    page = script("docs_pages").notebook_page(tmp_path / "n.ipynb")
    assert page == "# Title\nText.\n\n[Download this notebook](n.ipynb)\n\n```python\nx = 1\n```\n"
