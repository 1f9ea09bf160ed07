"""The ablations: every variant is the paper's but for one thing, is trained once, and plays what was trained."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from d2m.errors import D2MError
from d2m.evaluation.benchmark.ablation import FULL, TABLES, Recipe, ablation
from d2m.evaluation.benchmark.items import find_items
from d2m.evaluation.benchmark.studio import make_test_studio
from d2m.training.d2m_gan import TERMS, D2MGANTraining

pytestmark = pytest.mark.slow


def test_every_variant_differs_from_the_papers_model_in_one_thing(tmp_path):
    assert [number for number, _ in TABLES.values()] == [3, 4, 5, 6]
    full = D2MGANTraining(tmp_path, 5)
    for _, (first, *others) in TABLES.values():
        assert (first.key, first.changes, first.without) == (FULL.key, (), ())
        for variant in others:
            assert len(variant.changes) + len(variant.without) == 1
            assert set(variant.without) <= set(TERMS)
            changed = replace(full, **dict(variant.changes))
            assert (changed == full) == bool(variant.without)
    keys = [variant.key for _, variants in TABLES.values() for variant in variants if variant.key != FULL.key]
    assert len(keys) == len(set(keys)) == 13
    assert [v.without[0] for v in TABLES["losses"][1][1:]] == list(TERMS)


def test_an_ablation_plays_what_was_trained_and_names_what_cannot_be(tmp_path):
    """The runs of two variants are there already, as a run leaves them; the third needs pictures that the data lack."""
    import torch

    from d2m import jukebox, weights
    from d2m.datasets.aist.source import AistSource
    from d2m.datasets.prepare import prepare
    from d2m.evaluation.benchmark import ablation as module
    from d2m.files.download import sha256_of
    from d2m.generator.d2m_gan import D2MGAN, D2MGANConfig
    from d2m.generator.d2m_gan_checkpoint import save_d2m_gan
    from d2m.jukebox.codec import codebook_digest

    make_test_studio(tmp_path / "raw", 2, 1, 4.0, seed=3)
    other, name = (scene.name for scene in find_items("studio", tmp_path / "raw"))
    (tmp_path / "raw" / "splits" / "crossmodal_train.txt").write_text(f"{other}\n")
    (tmp_path / "raw" / "splits" / "crossmodal_test.txt").write_text(f"{name}\n")
    prepare(AistSource(tmp_path / "raw", any_fps=True), tmp_path / "raw", tmp_path / "data")
    recipe = Recipe(tmp_path / "data", 5)
    path, _ = weights.find("studio-vqvae")
    torch.manual_seed(0)
    model = D2MGAN(D2MGANConfig(modality="motion"))
    model.codec, model.codebook = "studio-vqvae", codebook_digest(jukebox.load(path), "high")
    run = tmp_path / "out" / "runs" / "modality-motion"
    run.mkdir(parents=True)
    save_d2m_gan(model, run / "weights-motion.safetensors", run / "weights.safetensors")
    wanted = {"steps": 5, "recipe": module._plain(recipe), "modality": "both", "vqvae": sha256_of(path)}
    (run / "done.json").write_text(json.dumps(wanted))
    (run / "log.jsonl").write_text('{"step": 5, "held_out": true, "mel": 1.25, "codes": 0.5}\n{"step": 5, "mel": 9}\n')
    report = ablation("modality", recipe, tmp_path / "out")
    failed = {failure["row"]: failure["error"] for failure in report["failed"]}
    assert "no visual features" in failed["full"]
    assert "no visual features" in failed["modality-vision"]
    assert set(failed) == {"full", "modality-vision"}
    assert any("one song" in remark for remark in report["remarks"])
    lines = {line["key"]: line for line in report["rows"]}
    assert lines["modality-motion"]["segments"] == 2
    assert lines["modality-motion"]["beats"]["beat_f"] < 1
    assert [r["name"] for r in report["results"]["modality-motion"]] == [name]
    assert (tmp_path / "out" / "modality" / "report.html").is_file()
    text = re.sub(" +", " ", (tmp_path / "out" / "modality" / "report.md").read_text(encoding="utf-8"))
    assert "| | steps | mel | codes |" in text
    assert "| D2M-GAN, motion only | 5 | 1.2500 | 0.5000 |" in text
    with pytest.raises(D2MError, match="no table"):
        ablation("size", recipe, tmp_path / "out")
    with pytest.raises(D2MError, match="not a prepared data set"):
        ablation("losses", Recipe(tmp_path / "raw", 5), tmp_path / "out")
