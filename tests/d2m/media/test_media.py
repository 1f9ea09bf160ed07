"""Reading any clip by its timestamps, and putting music under a picture that stays as it is."""

from __future__ import annotations

import errno
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from d2m.errors import D2MError
from d2m.files.atomic import atomic_write
from d2m.media import mux, open_video, read_audio, write_wav
from d2m.media.write import duck

RATE = 44100


def clicks(seconds: float, channels: int = 2, seed: int = 0) -> np.ndarray:
    """Decaying clicks at random times: a signal whose delay shows to the sample."""
    from scipy.signal import lfilter

    rng = np.random.default_rng(seed)
    sound = np.zeros((channels, round(seconds * RATE)))
    sound[:, rng.integers(0, sound.shape[1], 8)] = rng.normal(size=8)
    sound = lfilter([1], [1, -0.99], sound)
    return (0.5 * sound / np.abs(sound).max()).astype(np.float32)


def delay(heard: np.ndarray, made: np.ndarray) -> int:
    """Samples by which one signal lies behind another."""
    size = 2 * max(len(heard), len(made))
    match = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(made, size)), size)
    best = int(np.argmax(match))
    return best if best < size // 2 else best - size


def packets(path: Path) -> list[tuple[float, int, bytes]]:
    """(seconds, key picture, bytes) of each of the picture's packets."""
    import av

    with av.open(str(path)) as container:
        return [
            (round(float(p.pts * p.time_base), 4), p.is_keyframe, bytes(p)) for p in container.demux(video=0) if p.size
        ]


# Reading


@pytest.mark.parametrize(
    ("codec", "suffix"),
    [
        ("h264", ".mp4"),
        ("h264", ".mov"),
        ("hevc", ".mp4"),
        ("vp9", ".webm"),
        ("av1", ".mkv"),
        ("av1", ".mp4"),
    ],
)
def test_every_common_codec_and_container_gives_the_picture_of_each_time(clip, shown, tmp_path, codec, suffix):
    video = open_video(clip(tmp_path / f"clip{suffix}", codec=codec))
    assert video.duration == pytest.approx(2.0, abs=0.002)
    assert video.fps == pytest.approx(20, rel=0.02)
    assert (video.width, video.height, video.rotation, video.has_audio) == (160, 120, 0, False)
    frames = list(video.frames(10))
    assert [f.time for f in frames] == pytest.approx([i / 10 for i in range(20)])
    assert [shown(f.rgb, 2.0) for f in frames] == pytest.approx([f.time for f in frames], abs=0.03)
    assert video.warnings == []


def test_varying_frame_rate_gives_the_picture_shown_nearest_to_each_time(clip, shown, tmp_path):
    times = [0, 0.05, 0.1, 0.15, 0.6, 0.65, 1.3, 1.35, 1.4, 1.9]
    video = open_video(clip(tmp_path / "vfr.mp4", times=times))
    expected = [min(times, key=lambda t: (abs(t - i / 16), t)) for i in range(int(video.duration * 16))]
    got = [shown(f.rgb, 2.0) for f in video.frames(16)]
    assert got[: len(expected)] == pytest.approx(expected, abs=0.025)


def test_a_rate_above_the_clips_repeats_pictures(clip, shown, tmp_path):
    video = open_video(clip(tmp_path / "slow.mp4", rate=5))
    frames = list(video.frames(30))
    assert len(frames) == 60
    assert [shown(f.rgb, 2.0) for f in frames] == pytest.approx([f.time for f in frames], abs=0.12 + 0.1)


@pytest.mark.parametrize(
    ("flag", "degrees", "corner"), [(0, 0, "tl"), (-90, 90, "tr"), (180, 180, "br"), (90, 270, "bl")]
)
def test_a_rotation_flag_turns_the_picture_upright(clip, tmp_path, flag, degrees, corner):
    video = open_video(clip(tmp_path / "phone.mp4", duration=1.0, rotation=flag))
    rgb = next(video.frames(10, height=60)).rgb
    assert video.rotation == degrees
    assert (video.width, video.height) == ((120, 160) if degrees % 180 else (160, 120))
    assert rgb.shape == ((60, 45, 3) if degrees % 180 else (60, 80, 3))
    corners = {"tl": rgb[3, 3], "tr": rgb[3, -4], "bl": rgb[-4, 3], "br": rgb[-4, -4]}
    red = {name for name, pixel in corners.items() if int(pixel[0]) - int(pixel[1]) > 80}
    assert red == {corner}


def test_time_is_counted_from_the_first_picture_however_late_it_starts(clip, shown, tmp_path):
    sound = np.zeros((1, 3 * RATE), np.float32)
    sound[0, round(1.4 * RATE)] = 0.9
    video = open_video(clip(tmp_path / "late.mp4", start=0.4, sound=sound))
    assert video.start_time == pytest.approx(0.4, abs=0.002)
    assert video.duration == pytest.approx(2.0, abs=0.002)
    assert [shown(f.rgb, 2.0) for f in video.frames(5)] == pytest.approx([i / 5 for i in range(10)], abs=0.03)
    heard = read_audio(video.path, RATE)
    assert int(np.abs(heard[0]).argmax()) / RATE == pytest.approx(1.0, abs=0.002)


def test_pictures_cut_by_an_edit_list_are_not_shown(clip, shown, tmp_path):
    video = open_video(clip(tmp_path / "edited.mp4", start=-0.5, options={"bf": "0"}))
    assert video.duration == pytest.approx(1.5, abs=0.01)
    assert [shown(f.rgb, 2.0) for f in video.frames(10)] == pytest.approx([0.5 + i / 10 for i in range(15)], abs=0.03)


@pytest.mark.slow
def test_4k_is_given_out_at_the_size_asked_for(clip, tmp_path):
    video = open_video(clip(tmp_path / "4k.mp4", size=(2160, 3840), duration=0.6, rate=10))
    frames = list(video.frames(10, height=360))
    assert (video.width, video.height) == (2160, 3840)
    assert [f.rgb.shape for f in frames] == [(360, 202, 3)] * 6


def test_damaged_pictures_are_skipped_with_a_warning(clip, shown, tmp_path):
    path = clip(tmp_path / "damaged.mp4", duration=4.0, options={"g": "10"})
    data = bytearray(path.read_bytes())
    import av

    with av.open(str(path)) as container:
        spots = [(p.pos, p.size) for p in container.demux(video=0) if p.size][30:34]
    for pos, size in spots:
        data[pos : pos + size] = np.random.default_rng(0).bytes(size)
    path.write_bytes(data)
    video = open_video(path)
    frames = list(video.frames(10))
    assert len(frames) == 40
    assert len(video.warnings) == 1
    assert "skipped" in video.warnings[0]
    times = np.array([shown(f.rgb, 4.0) for f in frames])
    away = np.abs(np.arange(40) / 10 - 1.6) > 0.5
    assert times[away] == pytest.approx(np.arange(40)[away] / 10, abs=0.06)


def test_a_file_cut_off_after_its_index_is_read_as_far_as_it_goes(clip, tmp_path):
    path = clip(tmp_path / "whole.mp4", size=(320, 240), codec="vp9", duration=4.0)
    import av

    whole = open_video(path)
    mux(path, np.zeros((1, 4 * RATE), np.float32), RATE, tmp_path / "index_first.mp4")
    data = (tmp_path / "index_first.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) * 3 // 5])
    video = open_video(tmp_path / "cut.mp4")
    assert 0.5 < video.duration < whole.duration - 0.5
    assert "cut off" in video.warnings[0]
    assert len(list(video.frames(10))) == pytest.approx(video.duration * 10, abs=1)
    assert av.open(str(path)).duration / 1e6 == pytest.approx(whole.duration, abs=0.1)


@pytest.mark.parametrize("ending", ["mkv", "webm"])
def test_a_file_without_an_index_that_is_cut_off_says_so(clip, tone, tmp_path, ending):
    codec = {"mkv": "h264", "webm": "vp8"}[ending]
    path = clip(tmp_path / f"whole.{ending}", codec=codec, duration=4.0, sound=tone(4.0, 300, 48000), sample_rate=48000)
    assert open_video(path).warnings == []
    data = path.read_bytes()
    (tmp_path / f"cut.{ending}").write_bytes(data[: len(data) // 2])
    video = open_video(tmp_path / f"cut.{ending}")
    assert 0.5 < video.duration < 3.5
    assert "cut off" in video.warnings[0]


def test_sound_without_end_is_refused_before_it_fills_the_memory(tmp_path, tone, monkeypatch):
    from d2m.media import sound as media_sound

    write_wav(tmp_path / "long.wav", tone(3.0, 300, 8000), 8000)
    assert read_audio(tmp_path / "long.wav", 8000).shape == (1, 24000)
    monkeypatch.setattr(media_sound, "LONGEST", 2.0)
    with pytest.raises(D2MError, match="long.wav: more than .* hours of sound"):
        read_audio(tmp_path / "long.wav", 8000)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_length_of_a_video(clip, tmp_path):
    import av

    source = clip(tmp_path / "one.mp4", size=(1280, 720), duration=2.0, rate=10)
    for loops in (1, 12):
        with av.open(str(source)) as one, av.open(str(tmp_path / f"{loops}.mp4"), "w") as out:
            stream = out.add_stream_from_template(one.streams.video[0], opaque=True)
            once = [p for p in one.demux(video=0) if p.size]
            base, length = once[0].time_base, round(2.0 / once[0].time_base)
            for loop in range(loops):
                for packet in once:
                    copy = av.Packet(bytes(packet))
                    copy.pts, copy.dts = packet.pts + loop * length, packet.dts + loop * length
                    copy.time_base, copy.is_keyframe, copy.stream = base, packet.is_keyframe, stream
                    out.mux(copy)
    code = (
        "import av, resource, sys\nfrom d2m.media import open_video\n"
        "used = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024\n"
        "before = used()\n"
        "n = sum(1 for _ in open_video(sys.argv[1]).frames(10, 480))\n"
        "print(n, used() - before)"
    )
    results = []
    for loops in (1, 12):
        run = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / f"{loops}.mp4")],
            capture_output=True,
            text=True,
            check=True,
        )
        results.append([int(v) for v in run.stdout.split()])
    (short_count, short), (long_count, long) = results
    assert (short_count, long_count) == (20, 240)
    # Megabytes: a few pictures in the decoder's threads, each 1.4.
    assert long < 60
    assert long < short + 15


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_sound_is_read_at_any_rate_on_the_pictures_clock(clip, tone, tmp_path, suffix):
    codec = "vp9" if suffix == ".webm" else "h264"
    path = clip(tmp_path / f"clip{suffix}", codec=codec, sound=tone(2.0, 440, 48000), sample_rate=48000)
    sound = read_audio(path, 16000)
    assert sound.dtype == np.float32
    assert sound.shape[0] == 1
    assert sound.shape[1] == pytest.approx(32000, abs=1000)
    spectrum = np.abs(np.fft.rfft(sound[0, :16000]))
    assert int(spectrum.argmax()) == 440
    assert float(np.abs(sound[0, 4000:28000]).max()) == pytest.approx(0.3, abs=0.05)


@pytest.mark.slow
def test_a_wav_is_read_with_its_own_channels(tmp_path):
    made = clicks(1.0)
    write_wav(tmp_path / "a.wav", made, RATE)
    assert read_audio(tmp_path / "a.wav", RATE, mono=False) == pytest.approx(made, abs=1e-4)
    assert read_audio(tmp_path / "a.wav", RATE)[0] == pytest.approx(made.mean(axis=0), abs=1e-4)


def test_a_header_that_claims_many_hours_is_refused(clip, tmp_path):
    path = clip(tmp_path / "claims.mp4", times=[*np.arange(0, 2, 0.1), 40_000.0])
    with pytest.raises(D2MError, match="11.1 hours"):
        open_video(path)


@pytest.mark.parametrize("content", ["hls", "concat"])
def test_a_playlist_dressed_as_a_video_does_not_open_other_files(clip, tmp_path, content):
    clip(tmp_path / "other.mp4")
    text = {
        "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.0,\nother.mp4\n#EXT-X-ENDLIST\n",
        "concat": "ffconcat version 1.0\nfile other.mp4\n",
    }[content]
    (tmp_path / "clip.mp4").write_text(text)
    with pytest.raises(D2MError):
        open_video(tmp_path / "clip.mp4")


# Writing


def test_a_wav_holds_what_was_given(tmp_path):
    import soundfile

    made = clicks(1.0)
    made[0, 100], made[0, 101] = 1.7, -1.7
    write_wav(tmp_path / "a.wav", made, RATE)
    heard, rate = soundfile.read(tmp_path / "a.wav", always_2d=True)
    assert rate == RATE
    assert soundfile.info(tmp_path / "a.wav").subtype == "PCM_16"
    np.testing.assert_allclose(heard.T, np.clip(made, -1, 1), atol=1e-4)
    with pytest.raises(ValueError, match="not numbers"):
        write_wav(tmp_path / "b.wav", np.full((1, 9), np.nan), RATE)
    assert [p.name for p in tmp_path.iterdir()] == ["a.wav"]


@pytest.mark.parametrize(
    ("codec", "suffix", "out"),
    [
        ("h264", ".mp4", ".mp4"),
        ("hevc", ".mkv", ".mp4"),
        ("vp9", ".webm", ".mp4"),
        ("av1", ".mkv", ".mp4"),
        ("vp8", ".webm", ".mkv"),
    ],
)
def test_the_picture_is_copied_packet_for_packet_and_the_music_is_on_time(clip, tmp_path, codec, suffix, out):
    path = clip(tmp_path / f"in{suffix}", codec=codec)
    made = clicks(2.0)
    written = mux(path, made, RATE, tmp_path / "out.mp4")
    assert written == tmp_path / f"out{out}"
    before, after = packets(path), packets(written)
    assert [p[2] for p in after] == [p[2] for p in before]
    assert [p[0] for p in after] == pytest.approx([p[0] for p in before], abs=0.03 if out == ".mkv" else 0.0011)
    heard = read_audio(written, RATE, mono=False)
    assert heard.shape == (2, pytest.approx(2 * RATE, abs=0.02 * RATE + (2048 if out == ".mkv" else 0)))
    assert abs(delay(heard[0], made[0])) <= (RATE // 1000 if out == ".mkv" else 1)
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


@pytest.mark.parametrize("start", [0.4, 0.01, -0.5])
def test_music_begins_with_the_first_picture_wherever_that_is(clip, tmp_path, start):
    path = clip(tmp_path / "in.mp4", start=start, options={"bf": "0"})
    made = clicks(2.0 + min(start, 0))
    written = mux(path, made, RATE, tmp_path / "out.mp4")
    before, after = open_video(path), open_video(written)
    assert after.duration == pytest.approx(before.duration, abs=0.001)
    assert after.start_time == 0
    assert [p[2] for p in packets(written)] == [p[2] for p in packets(path)]
    first = [next(v.frames(10)).rgb.mean() for v in (before, after)]
    assert first[0] == pytest.approx(first[1], abs=0.5)
    assert abs(delay(read_audio(written, RATE)[0], made[0])) <= 2


def test_rotation_and_colour_tags_survive(clip, tmp_path):
    import av

    tags = {"color_primaries": 9, "color_trc": 16, "colorspace": 9, "color_range": 1}
    path = clip(tmp_path / "in.mp4", rotation=-90, tags=tags)
    mux(path, clicks(2.0), RATE, tmp_path / "out.mp4")
    assert open_video(tmp_path / "out.mp4").rotation == 90
    with av.open(str(tmp_path / "out.mp4")) as container:
        context = container.streams.video[0].codec_context
        next(container.decode(video=0))
        assert {name: int(getattr(context, name)) for name in tags} == tags


def test_music_of_another_length_or_rate_is_made_to_fit(clip, tmp_path):
    path = clip(tmp_path / "in.mp4")
    for seconds, rate in ((1.0, 44100), (5.0, 44100), (2.0, 37000)):
        mux(path, np.full((1, round(seconds * rate)), 0.1, np.float32), rate, tmp_path / "out.mp4")
        assert read_audio(tmp_path / "out.mp4", RATE).shape[1] / RATE == pytest.approx(2.0, abs=0.02)


def test_kept_sound_stays_and_the_music_steps_back_under_it(clip, tone, tmp_path):
    own = np.concatenate([tone(2.0, 400), tone(2.0, 400, level=0.0)], axis=1)
    path = clip(tmp_path / "in.mp4", duration=4.0, sound=own)
    mux(path, tone(4.0, 3000), RATE, tmp_path / "out.mp4", keep_audio=True)
    heard = read_audio(tmp_path / "out.mp4", RATE)[0]

    def level(start: float, hertz: int) -> float:
        part = heard[round(start * RATE) : round((start + 1) * RATE)]
        return float(2 * np.abs(np.fft.rfft(part))[hertz] / len(part))

    assert level(0.5, 400) == pytest.approx(0.3, rel=0.1)
    assert level(0.5, 3000) == pytest.approx(0.3 * 10 ** (-12 / 20), rel=0.15)
    assert level(2.9, 3000) == pytest.approx(0.3, rel=0.1)


def test_the_ducking_gain_moves_smoothly_and_ahead_of_the_sound(tone):
    speech = np.concatenate([tone(1, 200, level=0.0)] + [tone(0.15, 200), tone(0.15, 200, level=0.0)] * 5, axis=1)
    gain = duck(np.full_like(speech, 0.5), speech, RATE)[0] - speech[0]
    gain /= gain.max()
    assert np.abs(np.diff(gain)).max() < 1e-3
    assert gain[: RATE // 4].min() > 0.99
    assert gain[RATE : RATE + RATE // 10].max() < 0.4
    assert np.ptp(gain[round(1.2 * RATE) : round(2.3 * RATE)]) < 0.05
    assert np.abs(duck(np.ones((2, RATE)), np.ones((1, RATE)), RATE)).max() <= 0.981


# What the file system says


def test_a_full_disk_is_said_in_one_line_and_leaves_nothing(clip, tmp_path):
    path = clip(tmp_path / "in.mp4", options={"crf": "0"})
    (tmp_path / "out").mkdir()
    made = clicks(2.0)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        for write in (
            lambda: write_wav(tmp_path / "out/a.wav", made, RATE),
            lambda: mux(path, made, RATE, tmp_path / "out/a.mp4"),
        ):
            with pytest.raises(D2MError, match="disk is full"):
                write()
            assert list((tmp_path / "out").iterdir()) == []
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_missing_folder_is_made(clip, tmp_path):
    write_wav(tmp_path / "new/er/a.wav", clicks(1.0), RATE)
    assert (tmp_path / "new/er/a.wav").is_file()
    with pytest.raises(D2MError, match="folder"):
        write_wav(tmp_path, clicks(1.0), RATE)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "no space"), RuntimeError()])
def test_an_interrupted_write_leaves_what_was_there_before(tmp_path, error):
    (tmp_path / "a.txt").write_text("old")

    def write() -> None:
        with atomic_write(tmp_path / "a.txt") as temporary:
            temporary.write_text("new")
            raise error

    with pytest.raises((KeyboardInterrupt, D2MError, RuntimeError)):
        write()
    assert [p.read_text() for p in tmp_path.iterdir()] == ["old"]
