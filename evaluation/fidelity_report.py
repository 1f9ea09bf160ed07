"""Fidelity report of a set of generated recordings against a set of real ones, and of pairs of recordings.

Sets (any number of recordings each, names do not matter): Fréchet distance and kernel distance in an embedding, the
former's bias at this number of windows, diversity. Pairs of the same name: log-mel and STFT distance, onset
correlation, signal-to-noise ratios (meaningful for reconstructions only). Every recording: loudness, silence, clipping,
flatness, and a description of its problems.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from d2m.errors import D2MError
from d2m.parallel import Parallel

from . import metrics
from .distances import Embedded, diversity, frechet_infinity, kernel_distance
from .embeddings import Embedding, embed_checked, load
from .fidelity import LENGTH_TOLERANCE, frechet_distance
from .metrics.base import Sets, Sound, Waveforms, plain
from .recordings import SAMPLE_RATE, find, measure, read, silent

#: A recording is called silent for a time, quiet, clipped, noise-like, off centre from these figures on: seconds, LUFS,
#: share of the samples, spectral flatness (real music: 0.01 to 0.1, white noise: 0.56), mean of the samples.
LONG_SILENCE, QUIET, CLIPPED, NOISE_LIKE, OFF_CENTRE = 1.0, -40.0, 1e-4, 0.35, 0.05
#: Clicks per second from which on they are called a fault: fewer can be notes that end or begin abruptly.
CLICKING = 1.0


def evaluate_fidelity(
    reference: str | os.PathLike[str],
    generated: str | os.PathLike[str],
    embedding: str = "log-mel",
    window: float | None = None,
    seed: int = 0,
    processes: Parallel = 1,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Measure generated recordings against real ones.

    Args:
        reference, generated: two folders, or two files.
        embedding: see :func:`d2m.evaluation.embeddings.load`.
        window: seconds of the embedding's windows; None for its own choice.
        seed: random seed of the halves and draws behind the Fréchet distance's bias.
        processes: number of local processes, or an executor.
        progress: called with the recordings and pairs done and their number.

    Returns:
        Plain JSON values; None where something cannot be worked out, and in ``notes`` why. ``scores`` are the metrics
        of the sets as ``d2m benchmark`` has them; ``metrics`` describes all metrics.

    Raises:
        D2MError: if a place does not exist or is empty, or there is no such embedding.
    """
    chosen = load(embedding, window)
    sides = _sides(reference, generated)
    names = [name for name in sides["reference"] if name in sides["generated"]]
    files = [(side, name, path) for side, found in sides.items() for name, path in found.items()]
    jobs = [(f"{side} {path.name}", (str(path), embedding, window)) for side, _, path in files]
    tell = (lambda _: None) if progress is None else (lambda done: progress(done, len(jobs) + len(names)))
    good, bad = measure(describe_file, jobs, processes, tell)
    described = dict(good)
    by_side: dict[str, dict[str, Any]] = {"reference": {}, "generated": {}}
    for (side, name, _), (job, _) in zip(files, jobs, strict=True):
        if job in described:
            by_side[side][name] = described[job]
    paired = [
        (name, (str(sides["reference"][name]), str(sides["generated"][name])))
        for name in names
        if name in by_side["reference"] and name in by_side["generated"]
    ]
    pairs, worse = measure(compare_files, paired, processes, lambda done: tell(len(jobs) + done))
    rows = [{"name": name, **scores} for name, scores in pairs]
    return {
        "embedding": {
            "name": chosen.name,
            "version": chosen.version,
            "size": chosen.size,
            "window": chosen.window,
        },
        "metrics": metrics.describe("sets", "pairs", "sound"),
        **plain(_sets(by_side, chosen, np.random.default_rng(seed))),
        "pairs": rows,
        "mean": metrics.combine("pairs", rows),
        "checks": {side: [{"name": n, **d["checks"]} for n, d in found.items()] for side, found in by_side.items()},
        "failed": [asdict(failure) for failure in bad + worse],
        "unpaired": {
            side: [path.name for name, path in found.items() if name not in names] for side, found in sides.items()
        },
    }


def _sides(reference: str | os.PathLike[str], generated: str | os.PathLike[str]) -> dict[str, dict[str, Path]]:
    """The files of each side by name; two single files are a pair whatever their names."""
    sides = {"reference": find(reference), "generated": find(generated)}
    if not Path(reference).is_dir() and not Path(generated).is_dir():
        (name,) = sides["reference"]
        sides["generated"] = {name: next(iter(sides["generated"].values()))}
    return sides


def describe_file(path: str, embedding: str, window: float | None) -> dict[str, Any]:
    """Embed and check a recording.

    Args:
        path: the file.
        embedding: its name.
        window: seconds, or None.

    Returns:
        ``vectors`` (windows, D), None if it is too short, and ``checks``.
    """
    recording = read(path)
    chosen = load(embedding, window)
    checks = check(recording.waveform, recording.sample_rate)
    vectors, why = None, "silence"
    if not recording.silent:
        try:
            vectors = embed_checked(chosen, recording.mono(chosen.sample_rate))
        except D2MError as error:
            why = str(error)
    if vectors is None:
        checks["problems"].append(f"left out of the sets' distances: {why}")
    return {"vectors": vectors, "checks": checks}


def check(waveform: np.ndarray, sample_rate: int) -> dict[str, Any]:
    """Measure levels and flatness of a recording, and describe ``problems``.

    Args:
        waveform: (channels, samples).
        sample_rate: hertz.
    """
    sound = Sound(waveform, sample_rate)
    found = sound.levels
    flatness = sound.flatness
    problems = []
    if silent(waveform):
        problems.append("silence")
    elif found.silent_seconds >= LONG_SILENCE:
        problems.append(f"{found.silent_seconds:.1f} s of silence")
    if -math.inf < found.loudness_lufs < QUIET and "silence" not in problems:
        problems.append(f"very quiet ({found.loudness_lufs:.0f} LUFS)")
    if abs(found.offset) > OFF_CENTRE:
        problems.append(f"off centre (mean {found.offset:+.2f})")
    if found.clipped > CLIPPED * waveform.size:
        problems.append(f"clipped ({found.clipped} samples)")
    if sound.clicks > CLICKING * waveform.shape[-1] / sample_rate:
        problems.append(f"{sound.clicks} click{'s' if sound.clicks > 1 else ''}")
    if flatness > NOISE_LIKE:
        problems.append(f"sounds like noise (flatness {flatness:.2f})")
    figures = plain({**asdict(found), "flatness": flatness})
    return {**figures, **metrics.compute("sound", sound), "problems": problems}


def compare_files(reference: str, generated: str) -> dict[str, Any]:
    """Compute distances of two recordings that start together.

    Args:
        reference, generated: paths.

    Returns:
        Distances by name; None, with a note, where the lengths differ.
    """
    pair = read(reference), read(generated)
    files = {"reference": Path(reference).name, "generated": Path(generated).name}
    if abs(pair[0].duration - pair[1].duration) > LENGTH_TOLERANCE:
        note = f"reference {pair[0].duration:.2f} s, generated {pair[1].duration:.2f} s: not compared sample by sample"
        return {**files, **dict.fromkeys(metrics.describe("pairs")), "notes": [note]}
    original, output = (recording.mono() for recording in pair)
    notes = [f"{side}: silence" for side, r in zip(files, pair, strict=True) if r.silent]
    if pair[0].sample_rate != pair[1].sample_rate:
        notes.append(
            f"reference {pair[0].sample_rate} Hz, generated {pair[1].sample_rate} Hz: both brought to 22050 Hz"
        )
    return {**files, **metrics.compute("pairs", Waveforms(output, original, SAMPLE_RATE)), "notes": notes}


def _sets(sides: dict[str, dict[str, Any]], embedding: Embedding, rng: np.random.Generator) -> dict[str, Any]:
    """Distances and diversity of the two sets, and notes on what cannot be known."""
    usable = {
        side: [(name, found["vectors"]) for name, found in rows.items() if found["vectors"] is not None]
        for side, rows in sides.items()
    }
    counts = {side: {"recordings": len(r), "windows": sum(len(v) for _, v in r)} for side, r in usable.items()}
    keys = ("frechet", "frechet_infinity", "frechet_floor", "kernel", "diversity", "scores")
    report: dict[str, Any] = dict.fromkeys(keys)
    report = {"sets": counts, **report, "notes": (notes := [])}
    for side, rows in usable.items():
        if left_out := len(sides[side]) - len(rows):
            notes.append(f"{left_out} of the {side} recordings are left out of the distances of sets: see their checks")
    if min(c["windows"] for c in counts.values()) < 2:
        notes.append("no distance of sets: each side needs at least two windows of sound")
        return report
    real, made = (Embedded.of(usable[side]) for side in ("reference", "generated"))
    if embedding.standardise:
        centre, spread = real.vectors.mean(0), np.maximum(real.vectors.std(0), 1e-6)
        real, made = real.scaled(centre, spread), made.scaled(centre, spread)
    distance = frechet_distance(made.vectors, real.vectors)
    report["frechet"] = {"value": distance, "per_dimension": distance / embedding.size}
    endless = frechet_infinity(made.vectors, real.vectors, rng)
    if endless is None:
        notes.append(
            f"the Fréchet distance is biased upwards by {min(len(made.vectors), len(real.vectors))} windows in "
            f"{embedding.size} dimensions, too few to extrapolate ({4 * embedding.size} are needed): see frechet_floor"
        )
    else:
        report["frechet_infinity"] = asdict(endless)
    sets = Sets(made, real, rng)
    if sets.floor is None:
        notes.append("no floor of the Fréchet distance: too few recordings (the reference needs at least four)")
    else:
        report["frechet_floor"] = asdict(sets.floor)
    if min(len(real.names), len(made.names)) < 2:
        notes.append("no kernel distance: each side needs at least two recordings")
    else:
        report["kernel"] = asdict(kernel_distance(made, real))
    spreads = {"reference": diversity(real), "generated": diversity(made)}
    report["diversity"] = {side: None if d is None else asdict(d) for side, d in spreads.items()}
    report["scores"] = metrics.compute("sets", sets)
    return report
