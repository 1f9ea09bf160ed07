"""Hooks of mkdocs: pages that are made from other files, and the packages laid out for mkdocstrings.

README, CONTRIBUTING, CHANGELOG and NOTICE become pages, with links that fit; notebooks become pages without outputs;
the pages of the reference list commands and modules of the checkout.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from check_types import package_folders  # noqa: E402
from check_wheel import installed_files, packages  # noqa: E402
from make_command_reference import reference  # noqa: E402

#: Where mkdocs.yml lets mkdocstrings look for packages.
TREE = ROOT / "build" / "docs-tree"
#: Page of the reference -> its first line, and the modules that it lists (* for any name).
REFERENCE: dict[str, tuple[str, tuple[str, ...]]] = {
    "d2m": (
        "Music for a video in one call, the records that are passed between the parts, and errors.",
        ("d2m", "d2m.pipeline", "d2m.types", "d2m.errors", "d2m.media", "d2m.beat_options", "d2m.registry"),
    ),
    "features": (
        "From an opened video to the motion of its dancers and a beat grid.",
        ("d2m.features", "d2m.features.[abefpr]*", "d2m.features.causal", "d2m.features.s[ckmt]*",
         "d2m.features.sound_beats", "d2m.features.[tv]*"),
    ),
    "plans": (
        "Plans of the music, candidates and markers.",
        ("d2m.plans", "d2m.plans.*", "d2m.candidates", "d2m.markers"),
    ),
    "codec": (
        "Neural audio codecs: waveform to codebook indices and back.",
        ("d2m.codec", "d2m.codec.[bqrs]*", "d2m.jukebox", "d2m.jukebox.co*"),
    ),
    "engines": ("From a dance to a soundtrack.", ("d2m.engines", "d2m.engines.*")),
    "weights": ("Weights files and their cards.", ("d2m.weights", "d2m.weights.[cf]a*", "d2m.weights.files")),
    "symbolic": ("Scores, piano-rolls and MIDI files.", ("d2m.symbolic", "d2m.symbolic.[a-z]*")),
    "sound": ("Soundfonts, the player and the mixer.", ("d2m.symbolic.sound", "d2m.symbolic.sound.*", "d2m.audio.*")),
    "models": (
        "The composer, MuseGAN, bridges, streams and melodies with an emotion.",
        ("d2m.symbolic.composer", "d2m.symbolic.musegan", "d2m.symbolic.bridge", "d2m.symbolic.stream",
         "d2m.symbolic.emotion", "d2m.symbolic.*.musicvae", "d2m.symbolic.*.actor_critic", "d2m.symbolic.*.mood",
         "d2m.symbolic.*.accompaniment"),
    ),
    "datasets": (
        "AIST++, TikTok Dance-Music, POP909, LPD and the studio.",
        ("d2m.datasets", "d2m.datasets.[a-z]*", "d2m.datasets.*.data_set"),
    ),
    "evaluation": (
        "Metrics, each with its definition and source.",
        ("d2m.evaluation", "d2m.evaluation.[a-z]*", "d2m.evaluation.metrics", "d2m.evaluation.metrics.*"),
    ),
    "training": ("The training loop and its data.", ("d2m.training", "d2m.training.[adelmps]*")),
}  # fmt: skip
_LOADED = re.compile(
    r"""<(?:script|img|iframe|audio|video|source)\b[^>]*\bsrc="((?:https?:)?//[^"]+)"""
    r"""|<link\b(?=[^>]*\brel="(?:stylesheet|preload|preconnect|icon)")[^>]*\bhref="((?:https?:)?//[^"]+)"""
)
#: Link to a notebook, which has a page of the same name; but for the link to the file itself.
_NOTEBOOK = re.compile(r"(?<!Download this notebook)\]\(((?:\.\./)?(?:notebooks/)?[a-z-]+)\.ipynb")
#: Files of the checkout that are pages: page -> file.
COPIED = {"index.md": "README.md", "contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}


def on_startup(**_: Any) -> None:
    """Copy the modules to the places where they are installed, before griffe looks for them."""
    shutil.rmtree(TREE, ignore_errors=True)
    for name, path in installed_files(ROOT, package_folders(), packages()).items():
        if path.suffix == ".py":
            (TREE / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, TREE / name)


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are no files of the folder docs/."""
    pages = {page: at_root((ROOT / name).read_text(encoding="utf-8")) for page, name in COPIED.items()}
    pages["notice.md"] = f"# Included works\n\n```text\n{(ROOT / 'NOTICE').read_text(encoding='utf-8')}```\n"
    pages["reference/commands.md"] = reference()
    modules = modules_of(ROOT)
    pages |= {f"reference/{name}.md": module_page(name, modules) for name in REFERENCE}
    notebooks = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
    pages |= {f"notebooks/{path.stem}.md": notebook_page(path) for path in notebooks}
    for page, text in pages.items():
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turn links to files of the checkout into links to their pages."""
    for target, name in COPIED.items():
        markdown = markdown.replace(f"](../{name}", f"]({target}")
    return _NOTEBOOK.sub(r"](\1.md", markdown)


def on_post_page(output: str, page: Any, **_: Any) -> None:
    """Check that a page loads nothing from another host.

    Raises:
        PluginError: if it does.
    """
    loaded = _LOADED.search(output)
    if loaded:
        raise PluginError(
            f"{page.file.src_uri} loads {loaded[1] or loaded[2]} from another host; put the file into docs/"
        )


def at_root(text: str) -> str:
    """Return a text of the checkout's folder with the links that it needs in the folder of the pages."""
    text = text.replace("](docs/", "](").replace("](NOTICE)", "](notice.md)")
    for target, name in COPIED.items():
        text = text.replace(f"]({name}", f"]({target}")
    return text


def modules_of(root: Path) -> list[str]:
    """Return the names of all public modules of the installed packages, but not of the packages themselves."""
    files = installed_files(root, package_folders(), packages())
    names = [name.removesuffix(".py").replace("/", ".") for name in files if name.endswith(".py") and "/_" not in name]
    return sorted(names)


def module_page(name: str, modules: list[str]) -> str:
    """Return a page of the reference.

    Args:
        name: a name in :data:`REFERENCE`.
        modules: all modules.

    Raises:
        ValueError: if a pattern fits no module.
    """
    head, patterns = REFERENCE[name]
    listed: list[str] = []
    for pattern in patterns:
        # A * stands for a name without a dot.
        fitting = [module for module in modules if fnmatch(module, pattern) and module.count(".") == pattern.count(".")]
        if pattern in packages():
            fitting = [pattern]
        if not fitting:
            raise ValueError(f"reference/{name}.md: no module fits '{pattern}'; correct REFERENCE in {__file__}")
        listed += [module for module in fitting if module not in listed]
    title = patterns[0] if patterns[0].endswith(name) else f"Music {name}"
    return f"# {title}\n\n{head}\n\n" + "\n".join(
        f"::: {module}\n    options:\n      heading_level: 2\n" for module in listed
    )


def notebook_page(path: Path) -> str:
    """Return the text and the code of a notebook, with a link to the file."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    parts = []
    for cell in cells:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
    parts.insert(1, f"[Download this notebook]({path.name})")
    return "\n\n".join(parts) + "\n"
