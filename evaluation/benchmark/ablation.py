"""Ablations of D2M-GAN's tables 3 to 6: train every variant for the same number of steps, and measure them in one
table.

::

    OUT/runs/VARIANT/   a training run (:mod:`d2m.training.loop`) and its weights; tables share that of the full model
    OUT/TABLE/          the report, as of any benchmark

A variant is trained once, and an interrupted run is resumed. The variants differ in one setting each; the others are
those of the paper, with the same seed, number of steps and test segments.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from d2m.errors import D2MError
from d2m.files.atomic import atomic_write
from d2m.files.file_log import file_log
from d2m.parallel import Parallel, count_of

from .items import find_items
from .report import write_report
from .rows import Row, all_rows, files_row
from .run import Progress, check, compose_report, genre_network, make_folder, possible
from .work import Outcome, Settings, run_all

if TYPE_CHECKING:
    from d2m.training.export import About

#: Rows that stand beside the variants.
BESIDE: tuple[str, ...] = ("shuffled", "noise")


@dataclass(frozen=True)
class Variant:
    """One line of a table.

    Attributes:
        key: key of its run's folder.
        title: as readers see it.
        changes: fields of :class:`d2m.training.d2m_gan.D2MGANTraining` that differ from the full model's.
        without: terms of the objective that are left out.
    """

    key: str
    title: str
    changes: tuple[tuple[str, Any], ...] = ()
    without: tuple[str, ...] = ()


FULL = Variant("full", "D2M-GAN, full")
#: Table -> its number in the paper, and the variants.
TABLES: dict[str, tuple[int, tuple[Variant, ...]]] = {
    "length": (
        3,
        (
            replace(FULL, title="D2M-GAN, 2 s"),
            *(Variant(f"seconds-{n}", f"D2M-GAN, {n} s", (("seconds", float(n)),)) for n in (4, 6)),
        ),
    ),
    "modality": (
        4,
        (
            replace(FULL, title="D2M-GAN, motion and vision"),
            Variant("modality-motion", "D2M-GAN, motion only", (("modality", "motion"),)),
            Variant("modality-vision", "D2M-GAN, vision only", (("modality", "vision"),)),
        ),
    ),
    "losses": (
        5,
        (
            FULL,
            *(
                Variant(f"without-{term}", f"D2M-GAN without {title}", (), (term,))
                for term, title in (
                    ("adversarial", "the adversarial term"),
                    ("matching", "feature matching"),
                    ("codebook", "the codebook term"),
                    ("waveform", "the waveform term"),
                    ("mel", "the mel term"),
                )
            ),
        ),
    ),
    "architecture": (
        6,
        (
            FULL,
            Variant("scales-2", "D2M-GAN, two discriminators", (("scales", 2),)),
            Variant("scales-1", "D2M-GAN, one discriminator", (("scales", 1),)),
            Variant("no-scaling", "D2M-GAN, output not scaled", (("sigma", 1.0),)),
            Variant("no-reshape", "D2M-GAN, features not reshaped", (("reshaping", False),)),
        ),
    ),
}


@dataclass(frozen=True)
class Recipe:
    """Common settings of all variants; the fields are those of :class:`d2m.training.d2m_gan.D2MGANTraining`.

    Attributes:
        accelerator: see :class:`d2m.training.loop.LoopConfig`.
    """

    data: Path
    steps: int
    level: str = "high"
    batch: int = 16
    vqvae: str = "studio-vqvae"
    seed: int = 0
    held_out: int = 64
    accelerator: str = "auto"


def ablation(
    table: str,
    recipe: Recipe,
    out: str | Path,
    *,
    segment: float = 2.0,
    limit: int | None = None,
    processes: Parallel = 1,
    command: str = "",
    training: Callable[[str, int, int], None] | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train and measure the variants of one of the paper's tables.

    Args:
        table: table of :data:`TABLES`.
        recipe: how each is trained, on a prepared data set.
        out: folder; see the module's head.
        segment: seconds that are scored at a time, the same for all variants.
        limit: at most so many test sequences.
        processes: number of local processes, or an executor.
        command: command for the record.
        training: called with a variant's title, its number from 1, and of how many, when its turn comes.
        progress: called with pieces of music done and their number.

    Returns:
        The report, as of :func:`~d2m.evaluation.benchmark.run.benchmark`; ``training`` has the held-out figures of each
        variant, and variants that could not be trained are named in ``failed``.

    Raises:
        D2MError: if there is no such table, the data are not prepared, or no variant can be trained.
        KeyboardInterrupt: if training was interrupted; its state is saved.
    """
    if table not in TABLES:
        raise D2MError(f"there is no table '{table}'; choose {', '.join(TABLES)}")
    check(segment, limit, "given", processes)
    number, variants = TABLES[table]
    kind, modality = _look(recipe.data, table)
    out = Path(out)
    make_folder(out / table)
    judge, fingerprint = genre_network(None)
    with file_log(out / table / "benchmark.log") as log:
        log.info("table %d, %s: %s", number, table, recipe)
        rows, failed, figures = _train_all(variants, recipe, out / "runs", modality, command, training, log)
        beside = all_rows((), (f"vq-jukebox-{recipe.level}", *BESIDE))
        above = [row for row in beside if row.kind != "baseline"]
        below = [row for row in beside if row.kind == "baseline"]
        items = find_items(kind, recipe.data, "test", limit)
        table_rows = possible([*above, *rows, *below], items)
        settings = Settings(segment, recipe.seed, "given", None, judge, fingerprint)
        found = run_all(items, table_rows, settings, out / table, processes, log, progress)
        about = _about(kind, modality, table, recipe) | {"segment": segment, "limit": limit}
        about["processes"] = count_of(processes)
        about["genre_weights"] = judge
        outcome = Outcome(found.results, failed + found.failed, found.measured)
        title = f"Ablation: {table} (D2M-GAN's table {number}), {recipe.steps} steps"
        report = compose_report(title, items, table_rows, outcome, about, command) | {"training": figures}
        if modality == "motion":
            report["remarks"].append("The data have no visual features: every variant is of motion alone.")
        write_report(report, out / table)
    return report


def _about(kind: str, modality: str, table: str, recipe: Recipe) -> dict[str, Any]:
    """What the report says of a recipe."""
    return {
        "kind": kind, "data": recipe.data.name, "split": "test", "genre": "given", "seed": recipe.seed,
        "visual": modality == "both", "table": table, "steps": recipe.steps, "level": recipe.level,
        "batch": recipe.batch, "vqvae": recipe.vqvae,
    }  # fmt: skip


def _train_all(
    variants: Sequence[Variant],
    recipe: Recipe,
    runs: Path,
    modality: str,
    command: str,
    training: Callable[[str, int, int], None] | None,
    log: logging.Logger,
) -> tuple[list[Row], list[dict[str, Any]], dict[str, Any]]:
    """The rows of the variants that could be trained, what failed, and held-out figures by variant."""
    rows: list[Row] = []
    failed: list[dict[str, Any]] = []
    figures: dict[str, Any] = {}
    for place, variant in enumerate(variants, start=1):
        if training is not None:
            training(variant.title, place, len(variants))
        try:
            files = train_variant(variant, recipe, runs, modality, command)
        except D2MError as error:
            log.info("%s: not trained: %s", variant.key, error)
            failed.append({"name": "training", "row": variant.key, "error": str(error)})
            continue
        rows.append(files_row(variant.key, variant.title, [str(path) for path in files], f"{recipe.steps} steps"))
        figures[variant.key] = _held_out(_folder(runs, variant, modality))
    if not rows:
        raise D2MError(f"no variant could be trained; the first: {failed[0]['error']}")
    return rows, failed, figures


def _folder(runs: Path, variant: Variant, modality: str) -> Path:
    """Of a variant's run; where the full model is of motion alone, runs are other runs."""
    return runs / (variant.key if modality == "both" else f"{variant.key}-of-{modality}")


def train_variant(variant: Variant, recipe: Recipe, runs: Path, modality: str, command: str = "") -> tuple[Path, ...]:
    """Train a variant, or resume it, and write its weights.

    Args:
        variant: which to train.
        recipe: common settings.
        runs: folder of the runs.
        modality: inputs that the data has.
        command: command line, for the card.

    Returns:
        The files of the D2M-GAN: generator, motion encoder (unless it is of vision alone), VQ-VAE.

    Raises:
        D2MError: if recipe and data do not fit, or the folder holds another run.
        KeyboardInterrupt: if it was interrupted; its state is saved.
    """
    import torch

    from d2m import jukebox, weights
    from d2m.files.download import sha256_of
    from d2m.training.d2m_gan import D2MGANTask, D2MGANTraining
    from d2m.training.export import export_d2m_gan, read_checkpoint
    from d2m.training.loop import LoopConfig, train

    folder = _folder(runs, variant, modality)
    path, card = weights.find(recipe.vqvae, "jukebox-vqvae")
    digest = sha256_of(path)
    wanted = {"steps": recipe.steps, "recipe": _plain(recipe), "modality": modality, "vqvae": digest}
    generator, encoder = folder / "weights.safetensors", folder / "weights-motion.safetensors"
    done = folder / "done.json"
    if not _same(done, wanted):
        torch.manual_seed(recipe.seed)
        settings = D2MGANTraining(
            recipe.data, recipe.steps, level=recipe.level, modality=modality, batch=recipe.batch, seed=recipe.seed,
            held_out=recipe.held_out, vqvae=card.name if card else path.name, vqvae_sha256=digest,
        )  # fmt: skip
        settings = replace(settings, **dict(variant.changes))
        settings = replace(settings, weights=replace(settings.weights, **dict.fromkeys(variant.without, 0.0)))
        task = D2MGANTask(settings, jukebox.load(path))
        rhythm = max(1, min(1000, recipe.steps // 10))
        config = LoopConfig(
            folder, recipe.steps, log_every=rhythm, evaluate_every=max(1, recipe.steps // 4), checkpoint_every=rhythm,
            seed=recipe.seed, accelerator=recipe.accelerator, precision="32-true",
        )  # fmt: skip
        if train(task, config) < recipe.steps:
            raise KeyboardInterrupt
        about: About = {
            "architecture": f"D2M-GAN (Zhu et al. 2022): {variant.title}",
            "data": f"prepared data '{recipe.data.name}'",
            "licence": "as the data's",
            "command": command or "d2m benchmark ablation",
            "seed": recipe.seed,
            "scores": {},
        }
        export_d2m_gan(read_checkpoint(folder / "last.ckpt"), generator, about)
        with atomic_write(done) as part:
            part.write_text(json.dumps(wanted, indent=1) + "\n", encoding="utf-8")
    return tuple(file for file in (generator, encoder, path) if file.is_file())


def _plain(recipe: Recipe) -> dict[str, Any]:
    return {"data": recipe.data.name, "level": recipe.level, "batch": recipe.batch, "seed": recipe.seed}


def _same(path: Path, wanted: dict[str, Any]) -> bool:
    try:
        return json.loads(path.read_text(encoding="utf-8")) == wanted
    except (OSError, ValueError, RecursionError):
        return False


def _look(data: Path, table: str) -> tuple[str, str]:
    """The kind of a prepared data set, and the modality of the full model on it."""
    from d2m.datasets.prepared import Manifest

    manifest = Manifest.read(data)
    return manifest.kind, "motion" if manifest.visual_size is None and table != "modality" else "both"


def _held_out(folder: Path) -> dict[str, float] | None:
    """The last held-out figures of a run."""
    try:
        lines = [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError, RecursionError):
        return None
    return next((line for line in reversed(lines) if isinstance(line, dict) and line.get("held_out")), None)
