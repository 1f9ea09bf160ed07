"""Sets of recordings: distances with known answers, their bias, diversity, faults, and signal-to-noise ratios."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile
from test_fidelity import RATE, music, noise, sine

from d2m.audio.loudness import _k_weighting, loudness
from d2m.cli.main import main
from d2m.errors import D2MError
from d2m.evaluation import distances, fidelity
from d2m.evaluation.distances import Embedded, diversity, frechet_against_itself, frechet_infinity, kernel_distance
from d2m.evaluation.embeddings import Embedding, LogMelStatistics, embed_checked, load
from d2m.evaluation.fidelity_report import check, evaluate_fidelity


def windows(rng: np.random.Generator, recordings: int, each: int, size: int, shift=0.0, name="") -> Embedded:
    """Normal vectors, windows of a recording independent."""
    return Embedded.of([(f"{name}{i}", rng.standard_normal((each, size)) + shift) for i in range(recordings)])


# Signal to noise -----------------------------------------------------------------------------------------------


def test_signal_to_noise_is_the_ratio_of_powers():
    tone, hiss = sine(440, 4, RATE, 0.5), noise(4, 0.005 / 2**0.5)
    assert fidelity.signal_to_noise(tone + hiss, tone, RATE) == pytest.approx(40, abs=0.1)
    assert fidelity.scale_invariant_ratio(tone + hiss, tone, RATE) == pytest.approx(40, abs=0.1)
    assert fidelity.signal_to_noise(tone, tone, RATE) == fidelity.scale_invariant_ratio(tone, tone, RATE) == 120


def test_level_and_offset_matter_to_one_ratio_only():
    x = music(4)
    assert fidelity.signal_to_noise(0.5 * x, x, RATE) == pytest.approx(20 * np.log10(2), abs=1e-3)
    assert fidelity.scale_invariant_ratio(0.5 * x + 0.1, x, RATE) > 100
    assert fidelity.scale_invariant_ratio(-x, x, RATE) > 100
    assert fidelity.signal_to_noise(-x, x, RATE) == pytest.approx(-20 * np.log10(2), abs=1e-3)


def test_ratios_of_silence_are_undefined_and_silence_has_nothing_of_music():
    x, silence = music(2), np.zeros(2 * RATE, np.float32)
    assert np.isnan(fidelity.signal_to_noise(x, silence, RATE))
    assert np.isnan(fidelity.scale_invariant_ratio(x, silence, RATE))
    assert fidelity.scale_invariant_ratio(silence, x, RATE) == -120


# Distances of sets ---------------------------------------------------------------------------------------------


def test_kernel_distance_is_the_unbiased_estimate_of_its_definition():
    rng = np.random.default_rng(0)
    a, b = windows(rng, 7, 1, 4, name="a"), windows(rng, 5, 1, 4, 0.5, name="b")

    def kernel(x, y):
        return (x @ y / 4 + 1) ** 3

    own = [
        np.mean([kernel(x, y) for i, x in enumerate(s.vectors) for j, y in enumerate(s.vectors) if i != j])
        for s in (a, b)
    ]
    cross = np.mean([kernel(x, y) for x in a.vectors for y in b.vectors])
    assert kernel_distance(a, b).value == pytest.approx(sum(own) - 2 * cross)


def test_kernel_distance_of_known_normal_distributions():
    """With unit covariances the mean of (x·y / D + 1)³ has a closed form."""
    rng = np.random.default_rng(1)
    size, shift = 3, 0.8
    found = kernel_distance(windows(rng, 300, 4, size, name="a"), windows(rng, 300, 4, size, shift, name="b"))

    def expected(m, n):
        # x·y given x is normal: mean x·n, variance |x|²; moments of x·n and |x|² for x ~ N(m, I).
        dot, square, norm = m @ n, n @ n, m @ m + size
        first, second = dot, dot**2 + square
        third = dot**3 + 3 * dot * square
        with_norm = dot * norm + 2 * m @ n
        return 1 + 3 * first / size + 3 * (second + norm) / size**2 + (third + 3 * with_norm) / size**3

    zero, moved = np.zeros(size), np.full(size, shift)
    truth = expected(zero, zero) + expected(moved, moved) - 2 * expected(zero, moved)
    assert found.value == pytest.approx(truth, abs=4 * found.standard_error)
    assert found.standard_error < 0.1 * truth


def test_kernel_distance_has_no_bias_and_its_interval_holds_nought():
    rng = np.random.default_rng(2)
    found = [kernel_distance(windows(rng, 8, 5, 12, name="a"), windows(rng, 6, 5, 12, name="b")) for _ in range(150)]
    values = np.array([f.value for f in found])
    assert abs(values.mean()) < 3 * values.std() / np.sqrt(len(values))
    assert np.mean([f.interval[0] <= 0 <= f.interval[1] for f in found]) > 0.9


def test_windows_of_one_recording_do_not_make_sets_look_alike():
    """Recordings that differ among themselves and repeat themselves: the plain estimate would be far off 0."""
    rng = np.random.default_rng(3)
    values = []
    for _ in range(100):
        sets = [
            Embedded.of([(f"{s}{i}", np.repeat(rng.standard_normal((1, 6)), 10, axis=0)) for i in range(6)])
            for s in "ab"
        ]
        values.append(kernel_distance(*sets).value)
    assert abs(np.mean(values)) < 3 * np.std(values) / 10


def test_a_set_is_no_distance_from_itself():
    same = windows(np.random.default_rng(4), 6, 10, 5)
    assert kernel_distance(same, same).value == pytest.approx(0, abs=1e-12)
    floor = frechet_against_itself(same, same, np.random.default_rng(0))
    assert floor.excess == pytest.approx(0, abs=1e-9)
    assert floor.reference > 0


@pytest.mark.slow
def test_extrapolation_takes_the_bias_off_the_frechet_distance():
    """Means 1 apart in each of 6 values: the distance is 6, and small samples say more."""
    rng = np.random.default_rng(5)
    found = [
        (fidelity.frechet_distance(a, b, shrink=False), frechet_infinity(a, b, rng).value)
        for a, b in ((rng.standard_normal((60, 6)), rng.standard_normal((60, 6)) + 1) for _ in range(40))
    ]
    plain, endless = np.mean(found, axis=0)
    assert plain > 6.25
    assert endless == pytest.approx(6, abs=0.25)
    assert abs(endless - 6) < (plain - 6) / 2


def test_too_few_windows_are_not_extrapolated():
    rng = np.random.default_rng(0)
    assert frechet_infinity(rng.standard_normal((23, 6)), rng.standard_normal((50, 6)), rng) is None
    assert frechet_infinity(rng.standard_normal((24, 6)), rng.standard_normal((50, 6)), rng) is not None


def test_the_floor_tells_other_music_from_the_bias():
    rng = np.random.default_rng(6)
    real = windows(rng, 12, 5, 8, name="r")
    alike, other = windows(rng, 12, 5, 8, name="g"), windows(rng, 12, 5, 8, 1.0, name="g")
    near, far = (frechet_against_itself(made, real, np.random.default_rng(1)) for made in (alike, other))
    assert near.reference > 0.3
    assert near.interval[0] < 0 < near.interval[1]
    assert far.interval[0] > 4
    assert frechet_against_itself(alike, windows(rng, 3, 5, 8), rng) is None


def test_the_same_seed_gives_the_same_floor():
    rng = np.random.default_rng(6)
    a, b = windows(rng, 6, 5, 4, name="a"), windows(rng, 6, 5, 4, name="b")
    assert frechet_against_itself(a, b, np.random.default_rng(7)) == frechet_against_itself(
        a, b, np.random.default_rng(7)
    )


def test_diversity_is_the_mean_distance_and_names_the_closest():
    made = Embedded.of([("a", np.zeros((3, 4))), ("b", np.ones((2, 4))), ("c", np.full((2, 4), 1.1))])
    found = diversity(made)
    assert found.value == pytest.approx((1 + 1.1 + 0.1) / 3)
    assert found.closest == ("b", "c", pytest.approx(0.1))
    assert diversity(Embedded.of([("a", np.zeros((3, 4)))])) is None


def test_kernel_distance_needs_two_sets_of_two():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="two recordings"):
        kernel_distance(windows(rng, 1, 5, 3), windows(rng, 4, 5, 3))


# Embeddings ----------------------------------------------------------------------------------------------------


class Loudest:
    """A listener of one's own: the largest sample of each second."""

    name, version, size, sample_rate, window, standardise = "loudest", "2", 1, 8000, 1.0, False

    def __init__(self, window: float | None = None) -> None: ...

    def embed(self, waveform: np.ndarray) -> np.ndarray:
        return np.abs(waveform[: len(waveform) // 8000 * 8000].reshape(-1, 8000)).max(1, keepdims=True)


@pytest.mark.slow
def test_ones_own_embedding_plugs_in(tmp_path):
    for side, level in (("r", 0.2), ("g", 0.5)):
        (tmp_path / side).mkdir()
        for i in range(3):
            soundfile.write(tmp_path / side / f"{i}.wav", sine(300, 3, RATE, level), RATE)
    report = evaluate_fidelity(tmp_path / "r", tmp_path / "g", "test_fidelity_report:Loudest")
    assert report["embedding"] == {"name": "loudest", "version": "2", "size": 1, "window": 1.0}
    assert report["frechet"]["value"] == pytest.approx(0.3**2, rel=0.02)
    assert isinstance(Loudest(), Embedding)


def test_the_genre_networks_features_are_an_embedding():
    import torch

    from d2m.evaluation.genre_embedding import GenreFeatures
    from d2m.music_genre import GenreJudge
    from d2m.music_genre_net import GenreNet

    torch.manual_seed(0)
    judge = GenreJudge(GenreNet().eval(), "untrained")
    features = GenreFeatures(judge=judge)
    tune = music(6)
    vectors = embed_checked(features, tune)
    assert isinstance(features, Embedding)
    assert vectors.shape == (3, 96)
    # The network hears no level, and its own judge gives the same for a window.
    assert embed_checked(features, 0.5 * tune) == pytest.approx(vectors, abs=1e-3)
    first = tune[: round(features.window * RATE)]
    assert vectors[0] == pytest.approx(judge.hear(first, RATE).embedding, abs=1e-5)
    assert features.version != GenreFeatures(judge=GenreJudge(GenreNet().eval(), "untrained")).version
    with pytest.raises(D2MError, match="1 to 30 s"):
        GenreFeatures(0.5, judge)


def test_embeddings_that_do_not_exist_or_fit_are_refused():
    for name, said in (
        ("loudest", "choose log-mel, genre, "),
        ("no.such:thing", "cannot be loaded"),
        ("json:dumps", "cannot be made"),
    ):
        with pytest.raises(D2MError, match=said):
            load(name)
    with pytest.raises(D2MError, match="2 to 30 s"):
        LogMelStatistics(1.0)
    with pytest.raises(D2MError, match="too short"):
        embed_checked(LogMelStatistics(), music(2.5))


def test_a_shorter_window_takes_the_papers_two_seconds():
    vectors = embed_checked(LogMelStatistics(2.0), music(2.0))
    assert vectors.shape == (1, 161)


# Reports -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    makers = {
        "real": lambda i: music(7, seed=i, tempo=90 + 4 * i),
        "other": lambda i: music(7, seed=50 + i, tempo=90 + 4 * i),
        "noise": lambda i: noise(7, seed=i),
    }
    for name, make in makers.items():
        (folder / name).mkdir()
        for i in range(5):
            soundfile.write(folder / name / f"{i}.wav", make(i), RATE)
    return folder


@pytest.mark.slow
def test_music_is_nearer_than_noise_by_both_distances(sets):
    near, far = (evaluate_fidelity(sets / "real", sets / name) for name in ("other", "noise"))
    assert near["frechet"]["value"] < 0.1 * far["frechet"]["value"]
    assert near["kernel"]["interval"][1] < far["kernel"]["interval"][0]
    assert near["frechet_floor"]["interval"][1] < far["frechet_floor"]["interval"][0]
    assert far["frechet_floor"]["interval"][0] > 0
    assert far["diversity"]["generated"]["value"] < 0.7 * near["diversity"]["generated"]["value"]
    assert near["mean"]["log_mel_l1"] < far["mean"]["log_mel_l1"]
    assert any("644 are needed" in note for note in near["notes"])
    assert all("noise" in " ".join(row["problems"]) for row in far["checks"]["generated"])


@pytest.mark.slow
def test_a_set_against_itself_on_the_command_line(sets, tmp_path, capsys):
    words = ["--reference", str(sets / "real"), "--generated", str(sets / "real")]
    assert main(["evaluate", "fidelity", *words, "--json", "-o", str(tmp_path / "report.json")]) == 0
    report = json.loads(capsys.readouterr().out)
    assert json.loads((tmp_path / "report.json").read_text()) == report
    assert report["frechet"]["value"] == pytest.approx(0, abs=1e-6)
    assert report["kernel"]["value"] == pytest.approx(0, abs=1e-9)
    assert (report["mean"]["log_mel_l1"], report["mean"]["snr_db"]) == (0, 120)
    assert not any(row["problems"] for row in report["checks"]["generated"])


@pytest.mark.slow
def test_faults_are_named_and_do_not_stop_the_rest(sets, tmp_path, capsys):
    made = tmp_path / "made"
    made.mkdir()
    for i in range(3):
        soundfile.write(made / f"{i}.wav", music(7, seed=9 + i), RATE)
    soundfile.write(made / "3.wav", np.zeros(7 * RATE), RATE)
    soundfile.write(made / "4.wav", music(1.5), RATE)
    soundfile.write(made / "5.wav", np.clip(music(7) * 40, -1, 1), RATE)
    (made / "6.wav").write_bytes(b"RIFF nothing")
    words = ["--reference", str(sets / "real"), "--generated", str(made)]
    assert main(["evaluate", "fidelity", *words, "--json"]) == 1
    said = capsys.readouterr()
    report = json.loads(said.out)
    problems = {row["name"]: " ".join(row["problems"]) for row in report["checks"]["generated"]}
    assert problems["0"] == ""
    assert "silence" in problems["3"]
    assert "too short" in problems["4"]
    assert "clipped" in problems["5"]
    assert [failure["name"] for failure in report["failed"]] == ["generated 6.wav"]
    assert report["pairs"][4]["log_mel_l1"] is None
    assert "1.50 s" in report["pairs"][4]["notes"][0]
    assert report["unpaired"]["generated"] == ["5.wav", "6.wav"]
    assert any("2 of the generated recordings" in note for note in report["notes"])
    assert "6.wav" in said.err


@pytest.mark.slow
def test_two_recordings_a_side_have_a_distance_without_an_interval(sets, tmp_path, capsys):
    for side, source in (("r", "real"), ("g", "other")):
        (tmp_path / side).mkdir()
        for i in range(2):
            (tmp_path / side / f"{i}.wav").write_bytes((sets / source / f"{i}.wav").read_bytes())
    assert main(["evaluate", "fidelity", "--reference", str(tmp_path / "r"), "--generated", str(tmp_path / "g")]) == 0
    said = capsys.readouterr().out
    assert "undefined to undefined" in said
    assert "too few recordings" in said


def test_two_single_files_are_a_pair(sets):
    report = evaluate_fidelity(sets / "real" / "0.wav", sets / "other" / "1.wav")
    assert len(report["pairs"]) == 1
    assert report["kernel"] is None
    json.dumps(report, allow_nan=False)


def test_checks_describe_silence_and_noise_in_words():
    assert check(music(3)[None], RATE)["problems"] == []
    assert check(np.zeros((1, RATE), np.float32), RATE)["problems"] == ["silence"]
    assert "noise" in check(noise(3)[None], RATE)["problems"][0]
    assert "quiet" in check(sine(440, 3, RATE, 0.004)[None], RATE)["problems"][0]
    gap = music(5)
    gap[RATE : 3 * RATE] = 0
    assert any("s of silence" in p for p in check(gap[None], RATE)["problems"])


# Loudness ------------------------------------------------------------------------------------------------------


def test_the_filters_are_those_of_the_standards_table():
    """BS.1770-4, tables 1 and 2: coefficients at 48 kHz."""
    (shelf, shelf_poles), (high, high_poles) = _k_weighting(48000)
    assert shelf == pytest.approx([1.53512485958697, -2.69169618940638, 1.19839281085285], abs=1e-6)
    assert shelf_poles == pytest.approx([1, -1.69065929318241, 0.73248077421585], abs=1e-6)
    assert high == pytest.approx([1, -2, 1])
    assert high_poles == pytest.approx([1, -1.99004745483398, 0.99007225036621], abs=1e-6)


def test_channels_add_up_and_gain_is_decibels():
    tone = sine(1000, 4, 48000, 0.1)
    one, two = loudness(tone[None], 48000), loudness(np.stack([tone, tone]), 48000)
    assert two - one == pytest.approx(3.01, abs=0.01)
    assert loudness(0.5 * tone[None], 48000) - one == pytest.approx(-6.02, abs=0.01)


def test_pieces_of_a_set_keep_recordings_whole():
    made = Embedded.of([(str(i), np.full((4, 2), float(i))) for i in range(5)])
    chosen = made.some(8, np.random.default_rng(0))
    assert len(set(chosen[:4, 0])) == len(set(chosen[4:, 0])) == 1
    assert set(made.some(4, np.random.default_rng(0), np.array([2]))[:, 0]) == {2.0}
    assert distances.Embedded.of([("a", np.zeros((2, 3)))]).scaled(np.ones(3), np.full(3, 2.0)).vectors[0, 0] == -0.5
