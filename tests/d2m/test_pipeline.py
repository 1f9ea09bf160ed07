"""From a video to its four files, with a small engine of real clicks on the dancer's beats."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest
from clicks import RATE, Clicks

import d2m
from d2m.errors import D2MError
from d2m.media import open_video, read_audio
from d2m.types import Dance, Soundtrack

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(clip, tone, tmp_path_factory):
    """A result of a clip that flashes at 120 bpm, and the stages that it told."""
    folder = tmp_path_factory.mktemp("made")
    video = clip(folder / "flash.mp4", duration=3.0, size=(320, 240), sound=tone(3.0, 300))
    told: list[tuple[str, float]] = []
    result = d2m.generate(
        video,
        folder / "new/out",
        engine=Clicks(),
        genre="house",
        seed=7,
        keep_audio=True,
        progress=lambda *a: told.append(a),
    )
    return video, result, told


def test_four_files_are_written_and_nothing_else(made):
    _, result, _ = made
    folder = result.files["wav"].parent
    assert sorted(p.name for p in folder.iterdir()) == [f"flash.d2m.{kind}" for kind in ("json", "mp4", "png", "wav")]
    assert {kind: path.name for kind, path in result.files.items()} == result.report["files"]


def test_music_and_video_are_as_long_as_the_input(made):
    source, result, _ = made
    video = open_video(source)
    heard = read_audio(result.files["wav"], RATE)
    assert heard.shape[1] / RATE == pytest.approx(video.duration, abs=0.001)
    assert open_video(result.files["mp4"]).duration == pytest.approx(video.duration, abs=0.001)
    beats = np.array(result.report["beats"])
    loud = np.abs(heard[0])
    inside = beats[beats < video.duration - 0.1]
    assert all(loud[round(b * RATE) : round((b + 0.02) * RATE)].max() > 0.3 for b in inside)


def test_the_report_tells_what_was_done(made):
    _, result, _ = made
    report = json.loads(result.files["json"].read_text())
    assert report == result.report
    assert (report["genre"], report["genre_asked"], report["seed"], report["engine"]) == ("house", "house", 7, "clicks")
    assert set(report["seconds"]) == {"watch", "compose", "write"}
    assert report["versions"]["d2m"] == d2m.__version__
    assert set(report["downbeats"]) <= set(report["beats"])
    assert any("no dancer" in line for line in report["warnings"])
    assert 60 <= report["tempo"] <= 200


def test_the_picture_shows_something(made):
    from PIL import Image

    _, result, _ = made
    with Image.open(result.files["png"]) as image:
        assert image.width >= 1000
        assert np.asarray(image.convert("L")).std() > 20


def test_progress_goes_through_the_stages_in_order_and_never_back(made):
    _, _, told = made
    assert list(dict.fromkeys(stage for stage, _ in told)) == ["watch", "compose", "write"]
    for stage in ("compose", "write"):
        shares = [share for name, share in told if name == stage]
        assert shares == sorted(shares)
        assert shares[-1] == 1.0


def test_without_a_video_only_three_files_are_written(clip, tmp_path):
    video = clip(tmp_path / "a.mp4", duration=1.0)
    result = d2m.generate(video, tmp_path / "out", engine=Clicks(), write_video=False)
    assert set(result.files) == {"wav", "json", "png"}
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_a_real_dancer_gets_music_at_a_dance_tempo(shared, tmp_path):
    clip = shared / "clips" / "aist_gt_5s.mp4"
    result = d2m.generate(clip, tmp_path, engine=Clicks())
    assert 70 <= result.report["tempo"] <= 160
    assert result.dance.motion is not None
    assert read_audio(result.files["wav"], RATE).shape[1] / RATE == pytest.approx(open_video(clip).duration, abs=0.02)


def test_damaged_pictures_and_odd_names_are_no_obstacle(clip, tmp_path):
    import av

    video = clip(tmp_path / "50$ dance \\foo$ ünï.mp4", duration=3.0, options={"g": "10"})
    data = bytearray(video.read_bytes())
    with av.open(str(video)) as container:
        spots = [(p.pos, p.size) for p in container.demux(video=0) if p.size][22:26]
    for pos, size in spots:
        data[pos : pos + size] = np.random.default_rng(0).bytes(size)
    video.write_bytes(data)
    result = d2m.generate(video, tmp_path / "out", engine=Clicks(), keep_audio=True)
    assert [line for line in result.report["warnings"] if "skipped" in line]
    assert [line for line in result.report["warnings"] if "no sound to keep" in line]
    assert read_audio(result.files["wav"], RATE).shape[1] / RATE == pytest.approx(3.0, abs=0.01)


def test_what_an_earlier_run_left_is_kept_and_told(clip, tmp_path):
    video = clip(tmp_path / "a.mp4", duration=1.0)
    (tmp_path / "a.d2m.mid").write_bytes(b"worked on")
    first = d2m.generate(video, tmp_path, engine=Clicks())
    assert [line for line in first.report["warnings"] if "a.d2m.mid is left from an earlier run" in line]
    assert not [line for line in first.report["warnings"] if ".d2m.mp4" in line]
    again = d2m.generate(video, tmp_path, engine=Clicks(), write_video=False)
    (told,) = [line for line in again.report["warnings"] if "earlier run" in line]
    assert told.startswith("a.d2m.mp4, a.d2m.mid are left from an earlier run")
    assert (tmp_path / "a.d2m.mid").read_bytes() == b"worked on"


def test_a_name_that_is_no_text_is_no_obstacle(clip, tmp_path, recwarn):
    video = tmp_path / os.fsdecode("춤 ".encode() + b"\xff.mp4")
    try:
        clip(tmp_path / "a.mp4", duration=1.0).rename(video)
    except OSError:
        pytest.skip("this file system takes names in UTF-8 only")
    result = d2m.generate(video, tmp_path / "out", engine=Clicks())
    assert all(path.is_file() for path in result.files.values())
    assert json.loads(result.files["json"].read_text())["files"]["wav"].startswith("춤")
    assert not [warning for warning in recwarn if "Glyph" in str(warning.message)]


@dataclass
class Failing(Clicks):
    """An engine that breaks off."""

    error: BaseException | None = None

    def compose(self, dance: Dance, *, seed: int = 0, progress=None) -> Soundtrack:
        raise self.error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), D2MError("no"), RuntimeError("bug")])
def test_whatever_goes_wrong_leaves_no_file_and_no_new_folder(clip, tmp_path, error):
    video = clip(tmp_path / "a.mp4", duration=1.0)
    with pytest.raises(type(error)):
        d2m.generate(video, tmp_path / "x/y", engine=Failing(error=error))
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_a_failure_at_the_last_file_leaves_earlier_results_as_they_were(clip, tmp_path, made):
    video = clip(tmp_path / "a.mp4", duration=1.0)
    (tmp_path / "a.d2m.wav").write_bytes(b"old")
    (tmp_path / "a.d2m.png").mkdir()
    with pytest.raises(D2MError, match="a folder has this name"):
        d2m.generate(video, tmp_path, engine=Clicks())
    assert (tmp_path / "a.d2m.wav").read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.d2m.png", "a.d2m.wav", "a.mp4"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"genre": "polka"}, "unknown genre 'polka'"),
        ({"seed": -1}, "seed"),
        ({"engine": "tape"}, "unknown engine 'tape'"),
        ({"codec": "mp3"}, "unknown codec 'mp3'"),
        ({"level": "mid"}, "unknown level 'mid'"),
        ({"level": "low"}, "add --codec jukebox"),
        ({"engine": "symbolic", "codec": "jukebox"}, "--codec is for --engine vq"),
        ({"engine": "symbolic", "level": "low"}, "--level is for --engine vq"),
        ({"crf": 52}, "0 .lossless. to 51"),
        ({"reencode": True, "write_video": False}, "leave out --reencode or --no-video"),
        ({"keep_audio": True, "write_video": False}, "leave out --keep-audio or --no-video"),
    ],
)
def test_an_argument_that_names_nothing_is_refused(clip, tmp_path, options, message):
    video = clip(tmp_path / "a.mp4", duration=1.0)
    with pytest.raises(D2MError, match=message):
        d2m.generate(video, tmp_path / "out", **options)
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_a_gif_gets_its_music_in_a_matroska_file_or_as_h264(clip, tmp_path):
    animation = clip(tmp_path / "a.gif", codec="gif", duration=1.0, rate=10, pixels="rgb8")
    copied = d2m.generate(animation, tmp_path / "out", engine=Clicks())
    assert copied.files["mp4"].name == "a.d2m.mkv"
    assert open_video(copied.files["mp4"]).codec == "gif"
    told = "the video is an .mkv, as .mp4 cannot hold pictures in gif; --reencode makes an .mp4"
    assert told in copied.report["warnings"]
    encoded = d2m.generate(animation, tmp_path / "new", engine=Clicks(), reencode=True)
    assert encoded.files["mp4"].name == "a.d2m.mp4"
    assert open_video(encoded.files["mp4"]).codec == "h264"
    assert told not in encoded.report["warnings"]


@pytest.mark.parametrize(
    ("place", "error", "told"),
    [
        ("copy_video", "CannotCopyError", "the picture cannot"),
        ("container_for", "CannotCopyError", "the picture cannot"),
        ("copy_video", "D2MError", "the disk is full"),
    ],
)
def test_the_music_is_written_even_if_the_video_cannot_be(clip, tmp_path, monkeypatch, place, error, told):
    from d2m.media import copy as media_copy

    def fail(*args, **settings):
        raise getattr(media_copy, error)(f"{told}; do something else")

    monkeypatch.setattr(media_copy, place, fail)
    result = d2m.generate(clip(tmp_path / "a.mp4", duration=1.0), tmp_path / "out", engine=Clicks())
    assert set(result.files) == set(result.report["files"]) == {"wav", "json", "png"}
    assert sorted(p.suffix for p in (tmp_path / "out").iterdir()) == [".json", ".png", ".wav"]
    assert [line for line in result.report["warnings"] if f"the video was not: {told}; do" in line]


def test_own_sound_that_cannot_be_decoded_leaves_the_video_out(clip, tone, tmp_path):
    import av

    video = clip(tmp_path / "a.mp4", duration=1.0, sound=tone(1.0, 300))
    data = bytearray(video.read_bytes())
    with av.open(str(video)) as container:
        for packet in container.demux(audio=0):
            if packet.size:
                data[packet.pos : packet.pos + packet.size] = b"\xff" * packet.size
    video.write_bytes(data)
    result = d2m.generate(video, tmp_path / "out", engine=Clicks(), keep_audio=True)
    assert set(result.files) == {"wav", "json", "png"}
    assert [line for line in result.report["warnings"] if "the video was not: no sound in this file" in line]


def test_another_seed_says_that_it_replaces_the_earlier_music(clip, tmp_path):
    video = clip(tmp_path / "a.mp4", duration=1.0)
    told = [d2m.generate(video, tmp_path, engine=Clicks(), seed=seed).report["warnings"] for seed in (1, 1, 2)]
    replaced = [[line for line in lines if "replaced the earlier result" in line] for lines in told]
    assert [len(lines) for lines in replaced] == [0, 0, 1]
    assert "seed 1, genre auto" in replaced[2][0]


def test_an_output_folder_that_is_a_file_is_refused(clip, tmp_path):
    video = clip(tmp_path / "a.mp4", duration=1.0)
    with pytest.raises(D2MError, match="this is a file"):
        d2m.generate(video, video, engine=Clicks())


def test_importing_the_package_loads_nothing_heavy():
    code = "import sys, d2m; d2m.__version__; print(sorted({'numpy','torch','av','mediapipe'} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_onsets_are_found_where_notes_begin():
    from d2m.report import onsets

    rng = np.random.default_rng(0)
    starts = np.array([0.3, 0.8, 1.1, 1.7])
    sound = rng.normal(0, 1e-4, 2 * RATE)
    for start in starts:
        time = np.arange(RATE // 4) / RATE
        note = 0.5 * np.exp(-30 * time) * np.sin(2 * np.pi * 440 * time)
        sound[round(start * RATE) : round(start * RATE) + len(note)] += note
    assert onsets(sound.astype(np.float32), RATE) == pytest.approx(starts, abs=0.02)


def test_a_spectrogram_shows_a_tone_in_its_band():
    from d2m.report import mel_spectrogram

    sound = np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE).astype(np.float32)
    mel, hop = mel_spectrogram(sound, RATE)
    scale = 2595 * np.log10(1 + np.array([1000, RATE / 2]) / 700)
    assert mel.shape[1] == pytest.approx(RATE / hop, abs=1)
    assert int(mel[:, 20].argmax()) == pytest.approx(scale[0] / scale[1] * len(mel), abs=1.5)


def test_the_shipped_engine_makes_the_same_music_for_the_same_seed_only(clip, tmp_path):
    from d2m import engines
    from d2m.weights import list_cards

    if not {"generator", "spectral-codec"} <= {card.kind for card in list_cards()}:
        pytest.skip("the weights of the vq engine are not installed")
    engine = engines.load("vq")
    video = clip(tmp_path / "a.mp4", duration=2.0)
    heard = []
    for run, seed in enumerate((1, 1, 2)):
        result = d2m.generate(video, tmp_path / str(run), engine=engine, seed=seed, write_video=False)
        heard.append(read_audio(result.files["wav"], RATE)[0])
        assert result.report["weights"] == list(engine.weights)
    assert len(heard[0]) == pytest.approx(2 * RATE, abs=1)
    assert 0.2 < np.abs(heard[0]).max() < 0.99
    assert np.array_equal(heard[0], heard[1])
    assert np.abs(heard[0] - heard[2]).mean() > 0.01
