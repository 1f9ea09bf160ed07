"""The registry of metrics: what every metric says of itself, and metrics that another package adds."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import soundfile
from other_packages import install

from d2m.cli.main import main
from d2m.errors import D2MError
from d2m.evaluation import metrics
from d2m.evaluation.benchmark.run import benchmark
from d2m.evaluation.benchmark.studio import make_test_studio
from d2m.evaluation.metrics import METRICS, metrics_of
from d2m.evaluation.metrics.base import GROUPS, Metric, reading

MODULE = """
import numpy as np
from d2m.evaluation.metrics.base import Metric


def ratio(pair):
    reference, generated = pair.onsets
    return len(generated) / len(reference) if len(reference) else None


def shares(sound):
    return float(np.mean(np.abs(sound.waveform) > 0.1))


def bands(pair):
    return {"low": 1.0, "high": None}


DENSITY = Metric("density", "onset density", "beats", ratio, "nearer", "onsets over those of the original", "here",
                 high=float("inf"), target=1.0, headline="density", interval=True)
LOUD = Metric("loud_share", "loud samples", "sound", shares, "neither", "share of samples over 0.1", "here")
BANDS = Metric("bands", "bands", "pairs", bands, "lower", "two bands", "here", column=False)
HITS = Metric("any_hit", "any hit", "alignment", lambda given: float(len(given.music) > 0), "higher", "events", "here")
SPAN = Metric("span", "span", "sets", lambda sets: {"value": 2.0, "interval": [1.0, 3.0]}, "lower", "span", "here")
"""
POINTS = """[d2m.metrics]
density = dummy_metrics:DENSITY
loud_share = dummy_metrics:LOUD
bands = dummy_metrics:BANDS
any_hit = dummy_metrics:HITS
span = dummy_metrics:SPAN
"""
RATE = 22050


@pytest.fixture
def dummy_metrics(tmp_path, monkeypatch):
    install(tmp_path / "site", monkeypatch, "dummy_metrics", MODULE, POINTS)


def clicks(times, seconds=4.0):
    sound = np.zeros(round(seconds * RATE), np.float32)
    for time in times:
        start = round(time * RATE)
        sound[start : start + 400] = 0.5 * np.sin(np.arange(400) / 3)
    return sound


@pytest.mark.parametrize("name", list(METRICS))
def test_every_metric_says_what_it_is(name):
    metric = METRICS.get(name)
    assert isinstance(metric, Metric)
    assert metric.name == name
    assert metric.title
    assert metric.about
    assert metric.reference
    assert metric.group in GROUPS
    assert metric.low < metric.high
    assert (metric.target is None) == (metric.better != "nearer")
    assert re.fullmatch(r"[a-z0-9_]+", name)
    json.dumps(metric.plain(), allow_nan=False)


@pytest.mark.slow
def test_metrics_of_another_package_are_in_every_report(dummy_metrics, tmp_path, capsys):
    assert metrics.added() == {"density": "1", "loud_share": "1", "bands": "1", "any_hit": "1", "span": "1"}
    for side, step in (("real", 0.5), ("made", 1.0)):
        (tmp_path / side).mkdir()
        soundfile.write(tmp_path / side / "a.wav", clicks(np.arange(0.25, 4, step)), RATE)
    places = ["--reference", str(tmp_path / "real"), "--generated", str(tmp_path / "made")]
    assert main(["evaluate", "beats", *places, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["mean"]["density"] == report["pairs"][0]["density"] == 0.5
    assert report["metrics"]["density"]["better"] == "nearer"
    assert report["counted"]["density"] == 1
    assert main(["evaluate", "beats", *places]) == 0
    assert re.search(r"^  density +0\.5000$", capsys.readouterr().out, re.MULTILINE)
    assert main(["evaluate", "fidelity", *places, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert 0 < report["checks"]["generated"][0]["loud_share"] < report["checks"]["reference"][0]["loud_share"]
    assert report["mean"]["bands"] == {"low": 1.0, "high": None}


@pytest.mark.slow
def test_a_metric_of_another_package_is_in_the_benchmark_and_changes_no_other(dummy_metrics, tmp_path, monkeypatch):
    make_test_studio(tmp_path / "studio", 2, 1, 9.0, seed=3)
    settings = {"segment": 4.5, "only": ("silence",)}
    report = benchmark("studio", tmp_path / "studio", tmp_path / "with", (), **settings)
    text = (tmp_path / "with" / "report.md").read_text(encoding="utf-8")
    monkeypatch.undo()
    plain = benchmark("studio", tmp_path / "studio", tmp_path / "without", (), **settings)
    truth, silence = report["rows"]
    assert (truth["beats"]["density"], silence["beats"]["density"]) == (1.0, 0.0)
    assert truth["intervals"]["density"] == [1.0, 1.0]
    assert truth["alignment"]["beats"]["any_hit"]["excess"] == 0
    assert silence["sound"]["loud_share"] == 0
    assert reading(truth["fidelity"]["span"]) == (2.0, [1.0, 3.0])
    assert report["metrics"]["density"]["title"] == "onset density"
    for heading in ("onset density", "density", "loud samples", "any hit, beats", "span"):
        assert re.search(rf"\| {heading} +\|", text), heading
    assert "**onset density**: onsets over those of the original (best at 1; at least 0)" in text
    assert plain["rows"][1]["intervals"] == {k: v for k, v in silence["intervals"].items() if k != "density"}
    assert plain["rows"][0]["alignment"]["beats"]["aist"] == truth["alignment"]["beats"]["aist"]
    assert plain["rows"][0]["fidelity"] == {k: v for k, v in truth["fidelity"].items() if k != "span"}
    names = [{path.name for path in (tmp_path / out / "results").rglob("*.json")} for out in ("with", "without")]
    assert not names[0] & names[1]


def test_what_is_no_metric_is_named(tmp_path, monkeypatch):
    install(tmp_path, monkeypatch, "odd_metrics", "X = 1\n", "[d2m.metrics]\nodd = odd_metrics:X\n")
    with pytest.raises(D2MError, match="the metric 'odd' is a int"):
        metrics_of("beats")


def test_a_metric_has_the_name_of_its_entry_point_and_a_group_that_exists(tmp_path, monkeypatch):
    module = "from d2m.evaluation.metrics import METRICS\nX = METRICS.get('f1')\n"
    install(tmp_path, monkeypatch, "other_name", module, "[d2m.metrics]\nother = other_name:X\n")
    with pytest.raises(D2MError, match="the metric 'other' calls itself 'f1'"):
        metrics_of("beats")


def test_an_embedding_of_another_package_is_loaded_by_its_name(tmp_path, monkeypatch):
    module = (
        "import numpy as np\n"
        "class Loudness:\n"
        "    name, version, size, sample_rate, window, standardise = 'loudness', '1', 1, 22050, 1.0, False\n"
        "    def __init__(self, window=None): pass\n"
        "    def embed(self, waveform): return np.array([[float(np.abs(waveform).mean())]])\n"
    )
    install(tmp_path, monkeypatch, "loudness_space", module, "[d2m.embeddings]\nloudness = loudness_space:Loudness\n")
    from d2m.evaluation import embeddings

    assert {"log-mel", "genre", "loudness"} < set(embeddings.EMBEDDINGS)
    space = embeddings.load("loudness")
    assert embeddings.embed_checked(space, np.full(22050, 0.5, np.float32)) == pytest.approx(np.array([[0.5]]))
    embeddings.load.cache_clear()
