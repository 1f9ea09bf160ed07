"""The import graph: packages lie on floors and import from the floors below, with few exceptions that may only go."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from repository import ROOT

TOP = {"d2m": "d2m", "symbolic": "d2m.symbolic", "datasets": "d2m.datasets", "evaluation": "d2m.evaluation"}

#: Packages and modules from the ground up. Each may import from the floors below its own, none from its own or above.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("errors", "version", "memory", "files.cache_folder"),
    ("registry", "options", "extras", "files.time_list"),
    ("genres",),
    ("types",),
    (
        "d2m",
        "beat_options",
        "files",
        "time_left",
    ),
    ("parallel",),
    ("load_librosa", "report", "audio", "sounds", "web"),
    ("media", "nn"),
    ("weights", "symbolic", "markers", "candidate_sheet"),
    ("codec", "features", "symbolic.composer", "symbolic.bridge", "symbolic.sound"),
    ("jukebox", "music_genre", "symbolic.musegan", "symbolic.stream"),
    ("generator", "symbolic.emotion"),
    ("datasets",),
    ("engines", "training", "evaluation"),
    ("plans", "evaluation.benchmark", "evaluation.listening"),
    ("generate_options",),
    ("results",),
    ("pipeline",),
    ("candidate_distance", "candidate_wishes"),
    ("candidate_pieces",),
    ("candidates", "generate_all"),
    ("web.app", "live"),
    ("cli",),
)
#: Imports that no package may have, whatever the floors say, but for the modules of :data:`ALLOWED`.
FORBIDDEN: tuple[tuple[str, str], ...] = (
    *((a, b) for a in ("training", "engines") for b in ("training", "engines", "evaluation") if a != b),
    *(("evaluation", name) for name in ("training", "engines")),
    *(("evaluation.benchmark", name) for name in ("training",)),
    *(
        (f"symbolic.{a}", f"symbolic.{b}")
        for a in ("composer", "musegan", "bridge", "emotion", "stream")
        for b in ("composer", "musegan", "bridge", "emotion", "stream")
        if a != b
    ),
)
#: Modules that still import what is forbidden. The list may only shrink.
ALLOWED: dict[str, str] = {
    # The ablations of D2M-GAN train what they measure.
    "d2m.evaluation.benchmark.ablation": "training",
    # The arranger that plays MuseGAN's phrases has the composer's rhythm section and chords.
    "d2m.symbolic.musegan.band": "symbolic.composer",
    "d2m.symbolic.musegan.players": "symbolic.composer",
    # The accompaniment of a rewritten melody is MuseGAN's.
    "d2m.symbolic.emotion.band": "symbolic.musegan",
    # The endless stream joins songs by bridges.
    "d2m.symbolic.stream.memory": "symbolic.bridge",
    "d2m.symbolic.stream.planning": "symbolic.bridge",
    "d2m.symbolic.stream.sections": "symbolic.bridge",
}


def modules() -> dict[str, Path]:
    """Every module of the installed packages with its file."""
    found = {}
    for folder, package in TOP.items():
        for path in (ROOT / folder).rglob("*.py"):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            found[".".join([package, *(parts[:-1] if parts[-1] == "__init__" else parts)])] = path
    return found


STATEMENTS = (ast.stmt, ast.excepthandler, ast.match_case)
MODULES = modules()


def unit(module: str) -> str:
    """The package or module of :data:`FLOORS` that a module belongs to."""
    known = {name for floor in FLOORS for name in floor}
    name = module.removeprefix("d2m.")
    if name.split(".")[0].startswith("music_genre"):
        return "music_genre"
    while name not in known and "." in name:
        name = name.rpartition(".")[0]
    return name


def imported(module: str, path: Path) -> Iterator[str]:
    """Modules of the packages that a module imports anywhere in it, but for types only."""
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        waiting.extend(
            child for child in ast.iter_child_nodes(node) if isinstance(child, (ast.stmt, ast.excepthandler))
        )
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom):
            origin = node.module or ""
            if node.level:
                parts = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
                origin = ".".join([*parts[: len(parts) - node.level + 1], *([node.module] if node.module else [])])
            for alias in node.names:
                inner = f"{origin}.{alias.name}"
                if inner in MODULES or origin in MODULES:
                    yield inner if inner in MODULES else origin


@pytest.fixture(scope="module")
def arrows() -> set[tuple[str, str]]:
    """Every import of one module by another."""
    return {(module, target) for module, path in MODULES.items() for target in imported(module, path)}


def test_every_module_has_a_floor():
    known = {name for floor in FLOORS for name in floor}
    missing = {unit(module) for module in MODULES if module != "d2m.__main__"} - known
    assert not missing, f"put these on a floor in {Path(__file__).name}: {sorted(missing)}"
    assert len(known) == sum(map(len, FLOORS))


def test_packages_import_from_the_floors_below(arrows):
    floor = {name: number for number, names in enumerate(FLOORS) for name in names}
    wrong = []
    for module, target in sorted(arrows):
        a, b = unit(module), unit(target)
        if module != "d2m.__main__" and a != b and floor[b] >= floor[a] and ALLOWED.get(module) != b:
            wrong.append(f"{module} imports {target}: move what it needs to a floor below '{a}'")
    assert not wrong, "\n".join(wrong)


def test_forbidden_imports_are_those_that_are_listed_and_no_others(arrows):
    found = {(module, unit(target)) for module, target in arrows if (unit(module), unit(target)) in FORBIDDEN}
    assert found == set(ALLOWED.items()), "a new forbidden import, or one that is gone and must leave the list"


def test_no_packages_import_each_other(arrows):
    graph: dict[str, set[str]] = {}
    for module, target in arrows:
        if unit(module) != unit(target):
            graph.setdefault(unit(module), set()).add(unit(target))
    done: set[str] = set()

    def follow(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join([*path[path.index(name) :], name])
        if name not in done:
            for target in sorted(graph.get(name, ())):
                follow(target, (*path, name))
            done.add(name)

    for name in sorted(graph):
        follow(name, ())


def test_the_graph_is_read_from_the_source(arrows):
    assert ("d2m.pipeline", "d2m.files.staging") in arrows
    assert ("d2m.evaluation.benchmark.run", "d2m.evaluation.benchmark.report") in arrows
    assert ("d2m.codec", "d2m.weights.rebuild") in arrows
    assert ("d2m.codec", "d2m.codec.base") not in arrows
