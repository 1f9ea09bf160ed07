"""Measure whether melodies have their emotions, remain musical, and keep the tune they came from.

    python scripts/measure_emotion.py ACTOR --vae VAE --data MELODIES [--count 500] [--json scores.json]

ACTOR and VAE are names, safetensors files, or the checkpoints of runs (``runs/emotion/best.ckpt``). Prints tables in
Markdown; the JSON file holds the same figures, flat, as ``d2m models export --scores`` takes them.

For every emotion as many vectors are drawn (the same for all; from the distribution fitted to real melodies' vectors,
beside MusicVAE's prior), and decoded in the same forms as they are, moved by the actor, and moved by the actor alone,
without looks at where its vectors lead; and composed as users get them, where those that miss are drawn anew. Against
them stand real melodies of the part ``train`` whose mean pitch and density are nearest to the targets, and plain
gradient descent on the same vectors (``--descent``, fewer of them: it decodes each 50 times, in no form).
Then held-out melodies are changed at five strengths, as --from does (``from``), beside what the moved vectors decode
to (``decoded``) and the same melodies rewritten by rule (:mod:`d2m.symbolic.emotion.rewrite`), all likened to the
melodies themselves. ``--count 0`` does that alone.

* error: distance of a melody's mean pitch and notes a bar from the targets, mean of both, in standard deviations of
  real melodies; cut: by how much less that is than of the vectors as drawn, of single melodies and of the means.
* chord: share of onsets on root, third or fifth of the chord that the melody suggests for the bar.
* realism: how sure the critic is of a real melody, 0 to 1.
* alike: mean similarity of two melodies drawn for the same emotion, by their notes in whichever key fits best.
* copied: share whose nearest training melody agrees on more than nine steps in ten in some key.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from measure_musicvae import copied, open_model

from d2m.datasets.melodies import load_melodies
from d2m.errors import D2MError
from d2m.symbolic.emotion import load_emotion
from d2m.symbolic.emotion.actor_critic import LOOKS, ActorCritic, ActorCriticConfig, EmotionModel
from d2m.symbolic.emotion.ascent import descend
from d2m.symbolic.emotion.edit import WHOLE, edited, find_edit
from d2m.symbolic.emotion.effect import STRENGTHS
from d2m.symbolic.emotion.emotions import attributes
from d2m.symbolic.emotion.encoder import one_hot
from d2m.symbolic.emotion.forms import Forms, load_forms
from d2m.symbolic.emotion.losses import off_chord
from d2m.symbolic.emotion.rewrite import rewrite
from d2m.symbolic.emotion.similarity import rhythm_similarity, tune_similarity
from d2m.symbolic.emotion.statistics import describe, summary
from d2m.training.emotion import joined
from d2m.training.export import read_checkpoint

#: Statistics that an emotion is meant to change, and those that follow from them.
_STEERED = ("mean pitch", "notes a bar", "steps a note", "rest", "silent bars")


def open_actor(path: str, vae_path: str) -> EmotionModel:
    """Return the actor and critic of a weights file or of a run's checkpoint, with their MusicVAE.

    Raises:
        D2MError: if it is neither, or they do not belong together.
    """
    vae = open_model(vae_path)
    if Path(path).suffix != ".ckpt":
        return load_emotion(path, vae)
    state = read_checkpoint(path)
    if "actor" not in state["modules"]:
        raise D2MError(f"{path} is not a run of 'd2m train emotion'")
    network = ActorCritic(ActorCriticConfig(**state["task"]["config"]))
    network.load_state_dict(joined(state)["modules"]["emotion"])
    return EmotionModel(vae, network)


def spearman(values: np.ndarray, targets: np.ndarray) -> float:
    """Return the rank correlation of two sequences without ties."""
    ranks = [np.argsort(np.argsort(of)) for of in (values, targets)]
    return float(np.corrcoef(*ranks)[0, 1])


class Measured:
    """Melodies of all emotions made in one way.

    Args:
        model: whose critic judges them.
        melodies: uint8 (E, N, 256).
        z: their vectors (E, N, latent), or None if they have none.
    """

    def __init__(self, model: EmotionModel, melodies: np.ndarray, z: np.ndarray | None):
        self.table, self.melodies = model.table, melodies
        self.targets = model.table.targets()
        values = attributes(melodies)
        self.silent = float(np.isnan(values[..., 0]).mean())
        values[..., 0] = np.where(np.isnan(values[..., 0]), model.table.pitch_mean, values[..., 0])
        self.values = values
        self.means = values.mean(axis=1)
        self.errors = model.table.errors(values, self.targets[:, None]).mean(axis=(1, 2))
        self.mean_errors = model.table.errors(self.means, self.targets).mean(axis=1)
        self.hits = model.table.hits(values, self.targets[:, None]).mean(axis=1)
        rows = melodies.reshape(-1, melodies.shape[-1])
        off = torch.cat(
            [off_chord(one_hot(torch.from_numpy(part))) for part in np.array_split(rows, len(rows) // 64 + 1)]
        )
        self.chord = 1.0 - off.reshape(melodies.shape[:2]).mean(dim=1).numpy()
        z = model.vae.encode(rows)[0] if z is None else z.reshape(len(rows), -1)
        self.realism = model.realism(z).reshape(melodies.shape[:2]).mean(axis=1)
        self.alike = np.array([tune_similarity(rows, np.roll(rows, 1, axis=0)).mean() for rows in melodies])
        self.order = [spearman(self.means[:, axis], self.targets[:, axis]) for axis in (0, 1)]

    def figures(self, before: Measured) -> dict[str, float]:
        """Return means over the emotions, beside vectors as they were drawn."""
        return {
            "error": float(self.errors.mean()),
            "error cut": float(1.0 - self.errors.mean() / before.errors.mean()),
            "error of means": float(self.mean_errors.mean()),
            "error of means cut": float(1.0 - self.mean_errors.mean() / before.mean_errors.mean()),
            "in region": float(self.hits.mean()),
            "pitch order": self.order[0],
            "density order": self.order[1],
            "chord": float(self.chord.mean()),
            "realism": float(self.realism.mean()),
            "alike": float(self.alike.mean()),
            "silent": self.silent,
        }


def table(head: list[str], rows: list[list[object]]) -> str:
    """Return rows as Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(f"{x:.3g}" if isinstance(x, float) else str(x) for x in row) + " |" for row in lines
    )


def make(
    model: EmotionModel, known: np.ndarray, args: argparse.Namespace
) -> tuple[dict[str, Measured], dict[str, float]]:
    """Return melodies in all ways, and the seconds that one takes."""
    emotions, targets = model.table.emotions, model.table.targets()
    rng = np.random.default_rng(args.seed)
    z, unfitted = model.draw(args.count, rng), rng.standard_normal((args.count, model.vae.config.latent))
    forms = load_forms().draw(args.count, rng)

    def decoded(vectors: np.ndarray, forms: Forms | None = forms) -> np.ndarray:
        return model.vae.decode(vectors, args.temperature, np.random.default_rng(args.seed + 1), forms)

    ways = {}
    for name, rows in (("drawn", z), ("prior", unfitted)):
        every = (len(emotions), 1, 1)
        ways[name] = Measured(model, np.tile(decoded(rows), every), np.tile(rows, every))
    for name, looks in (("actor", LOOKS), ("actor alone", 0)):
        moved = np.stack([model.move(z, emotion, looks=looks, forms=forms) for emotion in emotions])
        ways[name] = Measured(model, np.stack([decoded(vectors) for vectors in moved]), moved)
    composed = np.stack([model.compose(emotion, args.count, args.seed) for emotion in emotions])
    ways["composed"] = Measured(model, composed, None)
    near = model.table.errors(attributes(known)[None], targets[:, None]).max(axis=2).argsort(axis=1)[:, : args.count]
    ways["nearest real"] = Measured(model, known[near], None)
    if args.descent:
        few = z[: args.descent]
        low = np.stack([descend(model.vae, few, np.tile(target, (len(few), 1)), model.table) for target in targets])
        ways["descent"] = Measured(model, np.stack([decoded(vectors, None) for vectors in low]), low)
    seconds = {}
    for count in (1, 32):
        began = time.perf_counter()
        model.compose(emotions[0], count, seed=0)
        seconds[f"seconds a melody, {count} at a time"] = (time.perf_counter() - began) / count
    return ways, seconds


def show_emotions(model: EmotionModel, ways: dict[str, Measured]) -> None:
    before, after = ways["drawn"], ways["actor"]
    rows = []
    for i, emotion in enumerate(model.table.emotions):
        row: list[object] = [f"{emotion.name} {emotion.korean}", emotion.pitch, emotion.density]
        for way in (before, after):
            row += [float(way.means[i, 0]), float(way.means[i, 1]), float(way.errors[i])]
        cuts = (1 - after.errors[i] / before.errors[i], 1 - after.mean_errors[i] / before.mean_errors[i])
        row += [f"{100 * cut:.0f} %" for cut in cuts]
        rows.append(row + [float(after.hits[i]), float(after.chord[i]), float(after.realism[i]), float(after.alike[i])])
    head = ["emotion", "aim pitch", "aim notes", "drawn pitch", "notes", "error", "moved pitch", "notes", "error"]
    head += ["cut", "cut of means", "in region", "chord", "realism", "alike"]
    print("## Emotions\n\n" + table(head, rows) + "\n")


def show_ways(ways: dict[str, Measured], known: np.ndarray, real: np.ndarray, most: int) -> dict[str, float]:
    """Return ways of making melodies side by side, and their statistics beside real melodies'. Returns the actor's
    figures.
    """
    figures = {name: way.figures(ways["drawn"]) for name, way in ways.items()}
    looked_at = {name: way.melodies[:, : max(most // len(way.melodies), 1)] for name, way in ways.items()}
    looked_at |= {name: ways[name].melodies[:1, :most] for name in ("drawn", "prior")}
    for name, rows in looked_at.items():
        figures[name]["copied"] = copied(rows.reshape(-1, rows.shape[-1]), known)
    names = list(figures["actor"])
    rows = [[name, *(figures[way][name] for way in figures)] for name in names]
    print("## Ways to get there\n\n" + table(["", *figures], rows) + "\n")
    like = {"real": summary(real)}
    like |= {
        name: summary(way.melodies.reshape(-1, real.shape[-1])[:: len(way.melodies)]) for name, way in ways.items()
    }
    rows, within = [], []
    for name in like["real"]:
        new, old = like["actor"][name], like["drawn"][name]
        share = new / old - 1 if old else float(new > 0)
        steered = name in _STEERED
        within += [] if steered else [abs(share) <= 0.1]
        label = f"{name} (steered)" if steered else name
        rows.append([label, *(like[way][name] for way in like), f"{100 * share:+.0f} %"])
    print("## Statistics\n\n" + table(["", *like, "actor beside drawn"], rows) + "\n")
    print(f"{sum(within)} of {len(within)} statistics that no emotion steers are within 10 % of those as drawn.\n")
    actor = figures["actor"] | {
        f"drawn: {name}": figures["drawn"][name] for name in ("error", "chord", "realism", "alike")
    }
    actor |= {f"alone: {name}": figures["actor alone"][name] for name in ("error", "error cut", "realism")}
    return actor | {"statistics within 10 %": sum(within) / len(within)}


def likened(model: EmotionModel, melodies: np.ndarray, rows: np.ndarray) -> dict[str, float]:
    """Return figures of held-out melodies (N, 256), each changed towards one emotion in turn, beside what they were."""
    targets = model.table.targets()[np.arange(len(melodies)) % len(model.table.emotions)]
    z, errors = model.vae.encode(rows)[0], model.table.errors(attributes(rows), targets).mean(axis=0)
    figures = {
        "pitch error": errors[0],
        "density error": errors[1],
        "in region": model.table.hits(attributes(rows), targets).mean(),
        "tune": tune_similarity(melodies, rows).mean(),
        "rhythm": rhythm_similarity(melodies, rows).mean(),
        "in key": np.nanmean(describe(rows)["in key"]),
        "off chord": off_chord(one_hot(torch.from_numpy(rows))).mean().item(),
        "realism": model.realism(z).mean(),
        "moved": np.sqrt(np.square(z - model.vae.encode(melodies)[0]).mean()),
    }
    return {name: float(value) for name, value in figures.items()}


def show_strengths(model: EmotionModel, melodies: np.ndarray) -> dict[str, float]:
    """Return held-out melodies changed at five strengths, beside what the moved vectors decode to, and a rule."""
    targets = model.table.targets()[np.arange(len(melodies)) % len(model.table.emotions)]
    edit = find_edit(model, melodies, targets)
    mu = model.vae.encode(melodies)[0]
    ways: dict[str, np.ndarray] = {}
    for strength in STRENGTHS:
        ways[f"from {strength:g}"] = np.stack(
            [edited([row], [WHOLE], edit[i : i + 1], strength)[0] for i, row in enumerate(melodies)]
        )
    for strength in STRENGTHS:
        ways[f"decoded {strength:g}"] = model.vae.decode(model.aim(mu, targets, strength))
    ways["by hand"] = np.stack(
        [rewrite(melody, *target) for melody, target in zip(melodies, targets.tolist(), strict=True)]
    )
    found = {way: likened(model, melodies, rows) for way, rows in ways.items()}
    names = list(found["by hand"])
    rows = [[way, *(figures[name] for name in names)] for way, figures in found.items()]
    print("## A melody changed (--from)\n\n" + table(["strength", *names], rows) + "\n")
    return {f"{way}: {name}": value for way, figures in found.items() for name, value in figures.items()}


def show_new(model: EmotionModel, known: np.ndarray, real: np.ndarray, args: argparse.Namespace) -> dict[str, float]:
    """Return new melodies of all emotions, beside training melodies ``known`` and held-out ones ``real``."""
    ways, seconds = make(model, known, args)
    show_emotions(model, ways)
    figures = show_ways(ways, known, real, args.copies) | seconds
    print(f"Of {len(real)} held-out melodies themselves {100 * copied(real, known):.1f} % count as copied.")
    print("; ".join(f"{name} {value:.3f}" for name, value in seconds.items()) + "\n")
    return figures


def main() -> None:
    """Read the arguments, measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("actor")
    parser.add_argument("--vae", default="studio-musicvae")
    parser.add_argument("--data", type=Path, required=True, help="folder of melodies")
    parser.add_argument("--count", type=int, default=500, help="melodies of each emotion")
    parser.add_argument("--changed", type=int, default=270, help="held-out melodies that are changed; 0 for none")
    parser.add_argument(
        "--descent", type=int, default=16, help="vectors of each emotion for gradient descent; 0 for none"
    )
    parser.add_argument("--copies", type=int, default=900, help="melodies of each way compared with all of training")
    parser.add_argument("--temperature", type=float, default=0.5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here, too")
    args = parser.parse_args()
    model = open_actor(args.actor, args.vae)
    known, held_out = (load_melodies(args.data, part) for part in ("train", "held_out"))
    figures = show_new(model, known.melodies, held_out.spread(args.count), args) if args.count else {}
    if args.changed:
        figures |= show_strengths(model, held_out.spread(args.changed))
    if args.json:
        args.json.write_text(json.dumps({name: round(value, 4) for name, value in figures.items()}, indent=2) + "\n")


if __name__ == "__main__":
    from one_line import run_main

    run_main(main)
