"""Convert a run to weights with a card, as ``d2m models export`` does."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from d2m import weights
from d2m.errors import D2MError
from d2m.training.export import About, Checkpoint, export, export_d2m_gan, read_checkpoint
from d2m.training.export_kinds import KINDS, config_of, kind_of
from d2m.training.settings import read_settings, read_start

if TYPE_CHECKING:
    from d2m.training.export_kinds import ExportKind

_BYTES_OF_SCORES = 1 << 24


@dataclass(frozen=True)
class Request:
    """Choices of an export. None stands for what the folder of the run says.

    Attributes:
        kind: name of a kind in :data:`~d2m.training.export_kinds.KINDS`.
        command: commands that were run, with ``"; "`` between several.
        data: training data with their licences.
        licence: licence of the weights.
        seed: random seed of the run.
        steps_before: steps of earlier runs that this one started from.
        scores: measured figures by name.
        codec: weights of the codec that a generator predicts.
        half: store matrices in 16 bits, also where 8 are enough.
    """

    kind: str | None = None
    command: str | None = None
    data: str | None = None
    licence: str = "not stated"
    seed: int | None = None
    steps_before: int = 0
    scores: dict[str, float] = field(default_factory=dict)
    codec: str | None = None
    half: bool = False


def export_run(run: str | Path, out: str | Path, request: Request) -> list[weights.Card]:
    """Write the weights of a run and their card beside them.

    D2M-GAN becomes two files, the generator and its motion encoder (:func:`~d2m.training.export.export_d2m_gan`).

    Args:
        run: folder of the run, whose last checkpoint is read, or a checkpoint in it.
        out: output file ``NAME.safetensors``.
        request: kind of the run and what the card says.

    Returns:
        The card of each file.

    Raises:
        D2MError: if the checkpoint is unusable or of another kind, a text for the card is missing, or the file cannot
            be written.
    """
    run, out = Path(run), Path(out)
    if out.suffix != ".safetensors":
        raise D2MError(f"weights are .safetensors files; write to {out.name}.safetensors")
    folder = run if run.is_dir() else run.parent
    state = read_checkpoint(run / "last.ckpt" if run.is_dir() else run)
    if {"actor", "critic"} <= state["modules"].keys():
        from d2m.training.emotion import joined

        state = joined(state)
    settings = read_settings(folder)
    name = request.kind or _kind(run, settings, state)
    if name not in KINDS:
        raise D2MError(f"there is no kind '{name}'; choose from {', '.join(KINDS)}")
    kind = KINDS[name]
    _check(run, name, kind, state)
    card = _about(folder, kind, settings, request)
    state["step"] += request.steps_before
    if name == "d2m-gan":
        return export_d2m_gan(state, out, card)
    config = _config(run, name, state)
    if kind.task == "GeneratorTask":
        config["codec"] = _codec(folder, kind, request.codec, config["feature_size"])
    return [export(state, kind.module, out, kind.weights, config, card, kind.rows and not request.half)]


def _kind(run: Path, settings: dict[str, Any], state: Checkpoint) -> str:
    if "task" not in settings:
        raise D2MError(f"{run} does not say what was trained; give its kind with --kind")
    return kind_of(str(settings["task"]), state)


def _check(run: Path, name: str, kind: ExportKind, state: Checkpoint) -> None:
    """Check that a checkpoint is of a kind and its codebooks are in use."""
    modules, task = state["modules"], state.get("task", {})
    # Runs of several kinds have a network of the same name; they differ in what their tasks store.
    is_decoder, is_d2m_gan = "before" in task, "codebook" in task
    if kind.module not in modules or (name == "decoder") != is_decoder or (name == "d2m-gan") != is_d2m_gan:
        raise _wrong_kind(run, name)
    if any(key.endswith(".k") and not book.any() for key, book in modules[kind.module].items()):
        raise D2MError(f"{run} has not begun to quantise (step {state['step']}); train it further")


def _wrong_kind(run: Path, name: str) -> D2MError:
    return D2MError(f"{run} is not a run of 'd2m train {'generator' if name == 'stereo-generator' else name}'")


def _config(run: Path, name: str, state: Checkpoint) -> dict[str, Any]:
    """Return the configuration of a checkpoint, which may lack what its kind needs."""
    try:
        return dict(json.loads(json.dumps(config_of(name, state))))
    except (KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:
        raise _wrong_kind(run, name) from error


def _about(folder: Path, kind: ExportKind, settings: dict[str, Any], request: Request) -> About:
    """Return the texts and figures of the card."""
    command = request.command
    if command is None:
        words = read_start(folder)
        if words[:1] != ["train"]:
            raise D2MError(f"{folder} does not contain the command that trained it; give it with --command")
        command = f"d2m {shlex.join(words)}"
    data = request.data
    if data is None:
        place = settings.get("data") or (Path(settings["train"]).parent if settings.get("train") else None)
        data = f"contents of the folder {place}" if place else "not stated"
    seed = request.seed if request.seed is not None else settings.get("seed", 0)
    return {
        "architecture": kind.architecture,
        "data": data,
        "licence": request.licence,
        "command": "; ".join(part.strip() for part in command.split(";") if part.strip()),
        "seed": seed,
        "scores": request.scores,
    }


def _codec(folder: Path, kind: ExportKind, named: str | None, size: int) -> str:
    """Return the weights of the codec that a generator predicts, whose features must have ``size`` numbers."""
    from d2m import codec as codecs

    name = named or _value(read_start(folder), "--codec") or kind.codec
    try:
        found = codecs.load(name)
    except D2MError as error:
        raise D2MError(f"the codec of the generator: {error}; name it with --codec") from error
    if found.feature_size != size:
        raise D2MError(
            f"the generator predicts {size} numbers per frame and the codec '{name}' has {found.feature_size}; "
            "name the codec that it was trained on with --codec"
        )
    return name


def _value(words: Sequence[str], option: str) -> str | None:
    """Return the value of an option in a command line, or None."""
    for index, word in enumerate(words):
        if word == option and index + 1 < len(words):
            return words[index + 1]
        if word.startswith(f"{option}="):
            return word.partition("=")[2]
    return None


def read_scores(words: Sequence[str]) -> dict[str, float]:
    """Read figures from ``name=value`` pairs and JSON files.

    A file contains an object of figures, or the report of a measuring script, whose figures are in ``results``.

    Args:
        words: the pairs and the names of files.

    Returns:
        Figures by name, rounded to five digits.

    Raises:
        D2MError: if a word is neither a pair nor a readable file, or a figure is not a finite number.
    """
    scores: dict[str, float] = {}
    for word in words:
        name, equals, value = word.rpartition("=")
        found = {name: value} if equals and not Path(word).is_file() else _read_file(Path(word))
        try:
            scores |= {name: float(f"{float(value):.5g}") for name, value in found.items()}
        except (TypeError, ValueError) as error:
            raise D2MError(f"the scores of '{word}' are not numbers; give name=value or a JSON file") from error
    return scores


def _read_file(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _BYTES_OF_SCORES:
            raise D2MError(f"'{path}' is too large for a file of scores; give a smaller one")
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise D2MError(f"cannot read scores from '{path}'; give name=value or a JSON file") from error
    if not isinstance(content, dict):
        raise D2MError(f"'{path}' contains no JSON object of figures; give one, or name=value")
    results = content.get("results")
    if not isinstance(results, dict) or not all(isinstance(row, dict) for row in results.values()):
        return content
    about = f"{content.get('songs', '')} held-out songs".strip()
    seconds = content.get("seconds")
    if isinstance(seconds, int | float) and seconds:
        about += f" of {seconds:g} s"
    # Noise and other songs are references in the tables and no scores of the weights.
    rows = {row: figures for row, figures in results.items() if row not in ("white noise", "next song")}
    return {f"{row}: {name}, {about}": value for row, figures in rows.items() for name, value in figures.items()}
