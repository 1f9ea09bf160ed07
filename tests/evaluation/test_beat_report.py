"""Beats of pairs of recordings: known answers on click tracks, the published scripts, and files that are not fit."""

from __future__ import annotations

import json
import os
import shutil

import numpy as np
import pytest
import soundfile
from tasks import root

from d2m.cli.main import main
from d2m.errors import D2MError
from d2m.evaluation import recordings
from d2m.evaluation.beat_report import evaluate_beats, mean_scores, score_pair
from d2m.evaluation.beats import continuity, marks_score, seconds_with_onsets
from d2m.evaluation.recordings import find, measure, pair, read
from d2m.evaluation.rhythm_features import log_mels, rhythm_features, tempo_of
from d2m.load_librosa import load_librosa

RATE = 22050
KEYS = {"d2m_coverage", "d2m_hit", "bcs", "csd", "bhs", "hsd", "f1", "onset_f", "beat_f", "tempo_ratio"}


def clicks(tempo: float = 120.0, seconds: float = 8.0, first: float = 0.3, seed: int = 0) -> np.ndarray:
    """Short bursts of noise on a steady beat, over a faint hiss, float32 (samples,)."""
    rng = np.random.default_rng(seed)
    out = 1e-4 * rng.standard_normal(round(seconds * RATE))
    burst = 0.5 * rng.standard_normal(600) * np.exp(-np.arange(600) / 120)
    for time in np.arange(first, seconds - 0.05, 60 / tempo):
        start = round(time * RATE)
        out[start : start + 600] += burst[: len(out) - start]
    return out.astype(np.float32)


def scored(reference: np.ndarray, generated: np.ndarray) -> dict:
    return score_pair(rhythm_features(reference), rhythm_features(generated))


def test_the_golden_pairs_agree_with_both_published_scripts(shared, tmp_path, capsys):
    for number in (1, 2):
        for side in ("reference", "generated"):
            (tmp_path / side).mkdir(exist_ok=True)
            shutil.copy(shared / "golden" / "beats" / f"{side}_{number}.wav", tmp_path / side / f"{number}.wav")
    words = ["--reference", str(tmp_path / "reference"), "--generated", str(tmp_path / "generated"), "--json"]
    assert main(["evaluate", "beats", *words]) == 0
    report = json.loads(capsys.readouterr().out)
    for found, expected in zip(report["pairs"], (0.8333, 0.5), strict=True):
        assert set(found) >= KEYS
        assert (found["d2m_coverage"], found["d2m_hit"]) == pytest.approx((expected, expected), abs=1e-4)
        assert (found["bcs"], found["bhs"], found["f1"]) == (1, 1, 1)
    mean = report["mean"]
    assert set(mean) == KEYS | {"continuity", "agreement", "tempo_within", "tempo_octave"}
    assert (mean["bcs"], mean["csd"], mean["bhs"], mean["hsd"], mean["f1"]) == (1, 0, 1, 0, 1)
    assert mean["d2m_hit"] == pytest.approx((5 / 6 + 0.5) / 2)


def test_music_scores_best_against_itself():
    same = scored(clicks(), clicks())
    assert {key: same[key] for key in KEYS - {"csd", "hsd"}} == dict.fromkeys(KEYS - {"csd", "hsd"}, 1.0)
    assert set(same["continuity"].values()) == {1.0}


def test_a_shift_by_a_tenth_of_a_second_fails_the_strict_scores_and_fools_the_published_ones():
    late = scored(clicks(first=0.3), clicks(first=0.4))
    assert late["onset_f"] == late["beat_f"] == 0
    assert late["d2m_hit"] == late["bhs"] == 1
    assert late["tempo_ratio"] == pytest.approx(1, abs=0.02)


def test_a_shift_of_fifty_milliseconds_is_within_tolerance():
    near = scored(clicks(first=0.3), clicks(first=0.35))
    assert near["onset_f"] == near["beat_f"] == 1


def test_off_the_beat_is_right_at_another_metrical_level_only():
    off = scored(clicks(100, first=0.3), clicks(100, first=0.6))
    assert off["beat_f"] == off["continuity"]["cmlt"] == 0
    assert off["continuity"]["amlt"] > 0.8


@pytest.mark.parametrize(("slow", "fast"), [(60, 120), (80, 160)])
def test_twice_the_tempo_is_seen(slow, fast):
    doubled = scored(clicks(slow, 12), clicks(fast, 12))
    assert doubled["tempo_ratio"] == pytest.approx(2, abs=0.04)
    assert doubled["onset_f"] == pytest.approx(2 / 3, abs=0.05)
    assert doubled["continuity"]["cmlt"] < 0.5 < doubled["continuity"]["amlt"]


def test_another_tempo_is_measured_to_a_hundredth():
    assert scored(clicks(100, 12), clicks(118, 12))["tempo_ratio"] == pytest.approx(1.18, abs=0.012)


def test_unrelated_clicks_reach_what_chance_gives():
    """With clicks every P seconds at a random phase, those within 70 ms are a share of 0.14 / P."""
    rng = np.random.default_rng(3)
    reference = np.arange(0.3, 60.0, 0.5)
    from d2m.evaluation.beats import beat_f_measure

    scores = [beat_f_measure(reference, np.arange(rng.uniform(0, 0.5), 60.0, 0.5)) for _ in range(600)]
    assert np.mean(scores) == pytest.approx(0.28, abs=3 * np.std(scores) / np.sqrt(600))


def test_one_spectrogram_in_blocks_is_librosas(monkeypatch):
    librosa = load_librosa(beat=True)

    from d2m.evaluation import rhythm_features as module

    monkeypatch.setattr(module, "_BLOCK", 50)
    music = clicks(131, 7.3) + 0.1 * np.sin(np.arange(round(7.3 * RATE)) * 0.05).astype(np.float32)
    assert log_mels(music) == pytest.approx(librosa.power_to_db(librosa.feature.melspectrogram(y=music)), abs=1e-3)
    found = rhythm_features(music)
    assert np.array_equal(found.onsets, librosa.onset.onset_detect(y=music, units="time"))
    assert np.array_equal(found.beats, librosa.beat.beat_track(y=music, units="time")[1])
    for script, marks in found.marks.items():
        assert np.array_equal(marks, seconds_with_onsets(music, RATE, script))


def test_loris_puts_nought_where_nothing_can_be_divided_by_and_d2m_gan_stops():
    some, none = np.array([0, 2]), np.array([], int)
    assert marks_score(none, some, "loris") == marks_score(some, none, "loris") == (0, 0)
    assert marks_score(none, some) == (0, 0)
    assert np.isnan(marks_score(some, none)).all()


def test_continuity_is_that_of_mir_eval():
    truth = np.arange(0.5, 20, 0.5)
    half = continuity(truth, truth[: len(truth) // 2])
    assert half.cmlc == half.cmlt == pytest.approx(len(truth) // 2 / len(truth), abs=0.03)
    assert continuity(truth, truth[:1]).amlt == 0


def test_tempo_leaves_out_intervals_over_a_missing_beat():
    beats = np.delete(np.arange(0, 10, 0.5), [3, 8])
    assert tempo_of(beats) == pytest.approx(120)
    assert tempo_of(beats[:1]) == 0


def write(path, waveform, rate=RATE):
    path.parent.mkdir(exist_ok=True)
    soundfile.write(path, waveform.T if waveform.ndim == 2 else waveform, rate, subtype="FLOAT")
    return path


def test_silence_is_scored_and_named_and_never_averaged_in_silently(tmp_path):
    silence = np.zeros(8 * RATE, np.float32)
    write(tmp_path / "r" / "a.wav", clicks())
    write(tmp_path / "g" / "a.wav", silence)
    write(tmp_path / "r" / "b.wav", silence)
    write(tmp_path / "g" / "b.wav", clicks())
    report = evaluate_beats(tmp_path / "r", tmp_path / "g")
    nothing_made, nothing_asked = report["pairs"]
    assert (nothing_made["d2m_hit"], nothing_made["bhs"], nothing_made["onset_f"], nothing_made["beat_f"]) == (0,) * 4
    assert nothing_made["tempo_ratio"] is None
    assert "generated: silence" in nothing_made["notes"]
    assert [nothing_asked[key] for key in ("d2m_hit", "onset_f", "beat_f", "tempo_ratio")] == [None] * 4
    assert (nothing_asked["bcs"], nothing_asked["bhs"]) == (0, 0)
    assert "reference: silence" in nothing_asked["notes"]
    assert report["counted"]["d2m_hit"] == 1
    assert report["mean"]["tempo_ratio"] is None
    json.dumps(report, allow_nan=False)


def test_one_bad_file_among_good_ones_is_named_and_left_out(tmp_path, capsys):
    for name in ("good", "short", "nan", "junk", "lonely"):
        write(tmp_path / "r" / f"{name}.wav", clicks())
    write(tmp_path / "g" / "good.flac.wav", clicks()).rename(tmp_path / "g" / "good.wav")
    write(tmp_path / "g" / "short.wav", np.zeros(1, np.float32))
    broken = clicks()
    broken[1000] = np.nan
    write(tmp_path / "g" / "nan.wav", broken)
    (tmp_path / "g" / "junk.wav").write_bytes(b"not sound at all")
    write(tmp_path / "g" / "other.wav", clicks())
    words = ["--reference", str(tmp_path / "r"), "--generated", str(tmp_path / "g"), "--json"]
    assert main(["evaluate", "beats", *words]) == 1
    said = capsys.readouterr()
    report = json.loads(said.out)
    assert [p["name"] for p in report["pairs"]] == ["good"]
    assert {f["name"] for f in report["failed"]} == {"short", "nan", "junk"}
    errors = {f["name"]: f["error"] for f in report["failed"]}
    assert "1 sample " in errors["short"]
    assert "NaN" in errors["nan"]
    assert report["unpaired"] == {"reference": ["lonely.wav"], "generated": ["other.wav"]}
    assert report["mean"]["onset_f"] == 1
    assert sum("error: " in line for line in said.err.splitlines()) == 3
    assert "lonely.wav" in said.err


def test_lengths_and_rates_that_differ_are_told(tmp_path):
    long = write(tmp_path / "long.wav", clicks(120, 12))
    librosa = load_librosa()

    other = librosa.resample(clicks(120, 8), orig_sr=RATE, target_sr=48000)
    short = write(tmp_path / "short.wav", np.stack([other, other]), 48000)
    (found,) = evaluate_beats(long, short)["pairs"]
    assert found["onset_f"] == 1
    assert found["d2m_coverage"] == found["d2m_hit"] == 1
    told = " ".join(found["notes"])
    assert "12.00 s" in told
    assert "48000 Hz" in told


@pytest.mark.slow
def test_video_and_compressed_sound_are_heard(tmp_path, clip):
    import av

    reference = write(tmp_path / "r" / "x.wav", clicks(110, 6))
    (tmp_path / "g").mkdir()
    clip(tmp_path / "g" / "x.mp4", duration=6.0, rate=10, sound=clicks(110, 6)[None], sample_rate=RATE)
    assert evaluate_beats(reference.parent, tmp_path / "g")["mean"]["onset_f"] == 1
    for name, codec in (("x.mp3", "libmp3lame"), ("x.m4a", "aac")):
        with av.open(str(tmp_path / "g" / name), "w") as out:
            stream = out.add_stream(codec, rate=RATE, layout="mono")
            frame = av.AudioFrame.from_ndarray(clicks(110, 6)[None], format="fltp", layout="mono")
            frame.sample_rate = RATE
            for packet in stream.encode(frame) + stream.encode(None):
                out.mux(packet)
        assert evaluate_beats(reference, tmp_path / "g" / name)["mean"]["onset_f"] > 0.95
        (tmp_path / "g" / name).unlink()


def test_files_pair_by_name_and_sound_goes_before_video(tmp_path, clip):
    write(tmp_path / "r" / "dance.wav", clicks())
    write(tmp_path / "g" / "dance.d2m.wav", clicks())
    clip(tmp_path / "g" / "dance.d2m.mp4", duration=1.0, sound=clicks(seconds=1)[None], sample_rate=RATE)
    ((name, _, generated),) = pair(tmp_path / "r", tmp_path / "g").pairs
    assert (name, generated.name) == ("dance", "dance.d2m.wav")
    write(tmp_path / "g" / "dance.flac.wav", clicks()).rename(tmp_path / "g" / "dance.aiff")
    with pytest.raises(D2MError, match="share a name"):
        find(tmp_path / "g")


def test_empty_and_missing_places_are_one_clear_line(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    write(tmp_path / "r" / "a.wav", clicks(seconds=1))
    write(tmp_path / "g" / "b.wav", clicks(seconds=1))
    for place, said in (("empty", "no sound files"), ("nowhere", "no such"), ("g", "nothing to compare")):
        assert (
            main(["evaluate", "beats", "--reference", str(tmp_path / "r"), "--generated", str(tmp_path / place)]) == 1
        )
        error = capsys.readouterr().err
        assert error.startswith("error: ")
        assert said in error
        assert error.count("\n") == 1


def test_a_recording_keeps_its_samples(tmp_path):
    music = clicks(seconds=2)
    recording = read(write(tmp_path / "a.wav", music))
    assert np.array_equal(recording.mono(), music)
    assert recording.duration == 2
    with pytest.raises(D2MError, match="no sound"):
        read(_silent_video(tmp_path))


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize("channels", [1, 2])
def test_the_short_way_into_a_wav_file_gives_what_the_long_one_does(tmp_path, subtype, channels):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.stack([clicks(seconds=1, seed=seed) for seed in range(channels)], 1), RATE, subtype)
    long, rate = recordings._decoded(path)
    for cut in (None, len(path.read_bytes()) // 2 + 1):
        path.write_bytes(path.read_bytes()[:cut])
        short = recordings._plain_wav(path)
        assert short[1] == rate
        assert np.array_equal(short[0], long[:, : short[0].shape[1]])
        assert short[0].shape[1] > 0.4 * long.shape[1]


def test_a_wav_file_that_lies_about_its_length_or_is_compressed_is_read_all_the_same(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, clicks(seconds=1), RATE, "PCM_16")
    whole, written = read(path).waveform, path.read_bytes()
    at = written.index(b"data") + 4
    for length in (0, 0x7FFFFFF0, 0xFFFFFFFF):
        path.write_bytes(written[:at] + length.to_bytes(4, "little") + written[at + 4 :])
        assert np.array_equal(read(path).waveform, whole), length
    soundfile.write(path, clicks(seconds=1), RATE, "MS_ADPCM")
    assert read(path).waveform.shape[1] == pytest.approx(RATE, abs=1000)  # its last block is filled up
    soundfile.write(path, np.tile(clicks(seconds=1)[:, None], 6), RATE, "PCM_16")
    assert read(path).waveform.shape == (2, RATE)


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.wav")
    with pytest.raises(D2MError, match="not a regular file"):
        read(tmp_path / "a.wav")
    with pytest.raises(D2MError, match="no such file"):
        read(tmp_path / "b.wav")


def _silent_video(folder):
    from clips import write_clip

    return write_clip(folder / "v.mp4", duration=1.0)


@pytest.mark.slow
def test_processes_do_not_change_the_figures_or_the_order():
    jobs = [(str(n), (n,)) for n in (3, -1, 2, 0, 1)]
    told = []
    alone = measure(root, jobs, 1, told.append)
    assert told == [1, 2, 3, 4, 5]
    assert measure(root, jobs, 2) == alone
    assert [name for name, _ in alone[0]] == ["3", "2", "0", "1"]
    assert [(f.name, f.error) for f in alone[1]] == [("-1", "-1: no root")]


def test_a_process_that_dies_is_told_in_one_line():
    with pytest.raises(D2MError, match="fewer processes"):
        measure(os._exit, [(str(n), (n,)) for n in (1, 2)], 2)


def test_the_mean_of_nothing_is_nothing():
    assert set(mean_scores([]).values()) == {None}


def test_what_is_to_be_said_of_many_pairs_is_said_in_one_line(tmp_path, capsys):
    for name in "abc":
        write(tmp_path / "r" / f"{name}.wav", clicks())
        write(tmp_path / "g" / f"{name}.wav", np.repeat(clicks(), 2), 2 * RATE)
    assert main(["evaluate", "beats", "--reference", str(tmp_path / "r"), "--generated", str(tmp_path / "g")]) == 0
    said = [line for line in capsys.readouterr().err.splitlines() if "both brought to" in line]
    assert len(said) == 1
    assert said[0].startswith("warning: a, b, c: ")
