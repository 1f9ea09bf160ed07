"""Copies keep every picture and the length of the source, whatever its clock, and all that belongs to it."""

from __future__ import annotations

import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures import told

from d2m.media import mux, open_video, read_audio
from d2m.media.copy import CannotCopyError, container_for

RATE = 44100
BFRAMES = {"bf": "3", "b-adapt": "0", "g": "20", "preset": "veryfast"}


def noise(seconds: float) -> np.ndarray:
    """Sound whose delay shows to the sample, float32 (1, samples)."""
    return np.random.default_rng(0).normal(0, 0.1, (1, round(seconds * RATE))).astype(np.float32)


def delay(heard: np.ndarray, made: np.ndarray) -> float:
    """Seconds by which one signal lies behind another."""
    size = 2 * max(len(heard), len(made))
    match = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(made, size)), size)
    best = int(np.argmax(match))
    return (best if best < size // 2 else best - size) / RATE


def check_copy(source: Path, out: Path, times: list[float], length: float, shown: Any, within: float = 0.002) -> Any:
    """Copy a clip, and compare the pictures, their times, the length and the music with what they should be."""
    video = open_video(source)
    assert video.duration == pytest.approx(length, abs=within)
    music = noise(video.duration)
    written = mux(video, music, RATE, out)
    seen = told(written, shown, length)
    assert [time for time, _ in seen] == pytest.approx(times, abs=within)
    assert [grey for _, grey in seen] == pytest.approx(times, abs=0.05 * length)
    copy = open_video(written)
    assert copy.start_time == pytest.approx(0, abs=within)
    assert copy.duration == pytest.approx(length, abs=within)
    heard = read_audio(written, RATE)[0]
    assert abs(delay(heard, music[0])) <= within + 0.001
    assert len(heard) / RATE == pytest.approx(length, abs=0.025)
    return copy


# Clocks


@pytest.mark.parametrize("suffix", [".ts", ".mkv", ".flv", ".mov"])
@pytest.mark.parametrize("start", [0.0, 7200.5])
def test_a_clock_that_begins_late_is_set_to_zero(clip, shown, tmp_path, suffix, start):
    source = clip(tmp_path / f"late{suffix}", start=start, options=BFRAMES)
    assert open_video(source).start_time == pytest.approx(start, abs=0.2)
    check_copy(source, tmp_path / "out.mp4", [i / 20 for i in range(40)], 2.0, shown)


def test_a_clock_that_wraps_goes_on(clip, shown, tmp_path):
    # 33 bits at 90 kHz last 95,443.7 s; FFmpeg counts what comes before the wrap below zero.
    source = clip(tmp_path / "wraps.ts", start=95442.7, options=BFRAMES)
    assert -1.2 < open_video(source).start_time < -0.7
    check_copy(source, tmp_path / "out.mp4", [i / 20 for i in range(40)], 2.0, shown)


def test_a_clock_that_starts_again_in_the_middle_goes_on(clip, shown, tmp_path):
    pieces = [clip(tmp_path / f"{start}.ts", start=start, options=BFRAMES) for start in (0.0, 900.0, 0.0)]
    source = tmp_path / "joined.ts"
    source.write_bytes(b"".join(piece.read_bytes() for piece in pieces))
    video = open_video(source)
    assert video.duration == pytest.approx(6.0, abs=0.1)
    written = mux(video, noise(video.duration), RATE, tmp_path / "out.mp4")
    seen = told(written, shown, 2.0)
    assert len(seen) == 120
    assert np.diff([time for time, _ in seen]) == pytest.approx(np.full(119, 0.05), abs=0.06)
    assert [grey for _, grey in seen] == pytest.approx([i / 20 for i in range(40)] * 3, abs=0.1)
    assert open_video(written).duration == pytest.approx(6.0, abs=0.1)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".flv"])
def test_pictures_of_a_varying_rate_keep_their_times(clip, shown, tmp_path, suffix):
    times = [0, 0.05, 0.1, 0.15, 1.3, 1.35, 1.4, 1.9, 1.95, 3.0, 3.05, 3.1]
    source = clip(tmp_path / f"vfr{suffix}", times=times, duration=3.15, options=BFRAMES)
    check_copy(source, tmp_path / "out.mp4", times, 3.15, shown, within=0.055)


@pytest.mark.parametrize("suffix", [".avi", ".h264"])
def test_files_without_display_times_are_shown_in_the_order_of_their_pictures(clip, shown, tmp_path, suffix):
    source = clip(tmp_path / f"order{suffix}", options=BFRAMES, clock=20)
    check_copy(source, tmp_path / "out.mp4", [i / 20 for i in range(40)], 2.0, shown)


def test_damaged_pictures_of_a_file_without_display_times_move_no_others(clip, shown, tmp_path):
    import av

    source = clip(tmp_path / "damaged.avi", options=BFRAMES, clock=20, duration=4.0)
    data = bytearray(source.read_bytes())
    with av.open(str(source)) as container:
        spots = [(p.pos, p.size) for p in container.demux(video=0) if p.size][25:29]
    for position, size in spots:
        data[position + 5 : position + size] = np.random.default_rng(0).bytes(size - 5)
    source.write_bytes(data)
    frames = list(open_video(source).frames(20))
    assert len(frames) == 80
    times = np.array([shown(frame.rgb, 4.0) for frame in frames])
    away = np.abs(np.arange(80) / 20 - 1.5) > 0.6
    assert times[away] == pytest.approx(np.arange(80)[away] / 20, abs=0.07)


def rewritten(source: Path, target: Path, change: Any) -> Path:
    """Copy the packets of a file's picture for which ``change(index, packet)`` is not None."""
    import av

    as_they_are = {"avoid_negative_ts": "disabled"}
    with av.open(str(source)) as given, av.open(str(target), "w", container_options=as_they_are) as out:
        stream = out.add_stream_from_template(given.streams.video[0], opaque=True)
        for index, packet in enumerate(p for p in given.demux(video=0) if p.size):
            if change(index, packet) is not None:
                packet.stream = stream
                out.mux(packet)
    return target


def test_a_copy_cut_between_key_pictures_begins_with_the_first_that_can_be_shown(clip, shown, tmp_path):
    whole = clip(tmp_path / "whole.mkv", options={**BFRAMES, "x264-params": "open-gop=1:scenecut=0"}, duration=3.0)
    source = rewritten(whole, tmp_path / "cut.mkv", lambda index, packet: packet if index >= 20 else None)
    video = open_video(source)
    frames = list(video.frames(20))
    written = mux(video, noise(video.duration), RATE, tmp_path / "out.mp4")
    seen = told(written, shown, 3.0)
    assert len(seen) == len(frames)
    assert [grey for _, grey in seen] == pytest.approx([shown(f.rgb, 3.0) for f in frames], abs=0.06)
    assert open_video(written).duration == pytest.approx(video.duration, abs=0.002)


def test_pictures_before_the_first_instant_are_not_shown(clip, shown, tmp_path):
    import av

    # A Matroska file has no place for times below zero; FFmpeg's reader gives such pictures no time.
    def earlier(index: int, packet: Any) -> Any:
        packet.pts, packet.dts = packet.pts - 1000, packet.dts - 1000
        return packet

    whole = clip(tmp_path / "whole.mkv", duration=3.0, options={"bf": "0", "g": "20"})
    source = rewritten(whole, tmp_path / "before.mkv", earlier)
    with av.open(str(source)) as container:
        assert sum(packet.pts is None for packet in container.demux(video=0) if packet.size) == 20
    video = open_video(source)
    expected = pytest.approx([1 + i / 20 for i in range(40)], abs=0.06)
    assert [shown(frame.rgb, 3.0) for frame in video.frames(20)] == expected
    for settings in ({}, {"reencode": True}):
        written = mux(video, noise(2.0), RATE, tmp_path / "out.mp4", **settings)
        assert [grey for _, grey in told(written, shown, 3.0)] == expected


def test_pictures_cut_by_an_edit_list_stay_hidden(clip, shown, tmp_path):
    source = clip(tmp_path / "edited.mp4", start=-0.5, options=BFRAMES)
    video = open_video(source)
    written = mux(video, noise(1.5), RATE, tmp_path / "out.mp4")
    seen = told(written, shown, 2.0)
    assert len(seen) == 30
    assert [grey for _, grey in seen] == pytest.approx([0.5 + i / 20 for i in range(30)], abs=0.06)
    assert open_video(written).duration == pytest.approx(video.duration, abs=0.002)


# Containers


@pytest.mark.parametrize(
    ("encoder", "pixels", "suffix", "written"),
    [
        ("gif", "rgb8", ".gif", ".mkv"),
        ("wmv2", "yuv420p", ".wmv", ".mkv"),
        ("flv", "yuv420p", ".flv", ".mkv"),
        ("h263", "yuv420p", ".3gp", ".mkv"),
        ("prores_ks", "yuv422p10le", ".mov", ".mkv"),
        ("mpeg4", "yuv420p", ".avi", ".mp4"),
        ("mpeg2video", "yuv420p", ".ts", ".mp4"),
        ("mjpeg", "yuvj420p", ".mov", ".mp4"),
        ("h264", "yuv420p", ".3gp", ".mp4"),
    ],
)
def test_whatever_mp4_or_matroska_hold_is_copied(clip, shown, tmp_path, encoder, pixels, suffix, written):
    rate = 10 if suffix == ".gif" else 25
    source = clip(tmp_path / f"in{suffix}", codec=encoder, pixels=pixels, rate=rate, clock=rate, size=(176, 144))
    assert container_for(open_video(source)) == written
    times = [i / rate for i in range(2 * rate)]
    copy = check_copy(source, tmp_path / "out.mp4", times, 2.0, shown, within=0.01)
    assert copy.path == tmp_path / f"out{written}"
    assert copy.codec == open_video(source).codec


def test_a_copy_that_no_decoder_could_show_is_refused(clip, tmp_path):
    # A Matroska file has no place for the depth of QuickTime Animation's pixels.
    video = open_video(clip(tmp_path / "a.mov", codec="qtrle", pixels="rgb24"))
    with pytest.raises(CannotCopyError, match="qtrle cannot be copied .* add --reencode"):
        container_for(video)


# What belongs to a video


def write_transparent(path: Path) -> Path:
    """Write a VP9 video whose left half is transparent."""
    import av

    with av.open(str(path), "w") as out:
        stream = out.add_stream(
            "libvpx-vp9", rate=10, options={"auto-alt-ref": "0", "cpu-used": "8", "deadline": "realtime"}
        )
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuva420p"
        stream.metadata["alpha_mode"] = "1"
        for index in range(10):
            rgba = np.full((48, 64, 4), 20 * index, np.uint8)
            rgba[:, :32, 3], rgba[:, 32:, 3] = 0, 255
            frame = av.VideoFrame.from_ndarray(rgba, format="rgba")
            frame.pts, frame.time_base = index, Fraction(1, 10)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def alpha(path: Path) -> list[np.ndarray]:
    """The transparency that is stored beside each packet's picture, as bytes."""
    import av

    with av.open(str(path)) as container:
        packets = [p for p in container.demux(video=0) if p.size]
        return [np.frombuffer(bytes(p.get_sidedata("matroska_block_additional")), np.uint8) for p in packets]


def test_transparency_is_kept_by_a_copy_and_said_to_be_lost_otherwise(tmp_path):
    source = write_transparent(tmp_path / "a.webm")
    video = open_video(source)
    assert video.alpha
    written = mux(video, noise(1.0), RATE, tmp_path / "out.mp4")
    assert written.suffix == ".mkv"
    assert open_video(written).alpha
    before, after = alpha(source), alpha(written)
    assert len(before) == len(after) == 10
    assert all(len(a) > 8 and np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    mux(video, noise(1.0), RATE, tmp_path / "new.mp4", reencode=True)
    assert video.warnings == ["the transparency of the picture is lost: H.264 has none"]


def write_with_extras(picture: Path, path: Path) -> Path:
    """Copy a picture and give it chapters, subtitles, a title and a time of creation."""
    import av

    text = "1\n00:00:00,500 --> 00:00:01,000\nfirst\n\n2\n00:00:01,200 --> 00:00:01,800\nsecond\n"
    subtitles = picture.with_suffix(".srt")
    subtitles.write_text(text)
    with av.open(str(picture)) as given, av.open(str(subtitles)) as texts, av.open(str(path), "w") as out:
        streams = [out.add_stream_from_template(given.streams.video[0], opaque=True)]
        streams.append(out.add_stream_from_template(texts.streams.subtitles[0], opaque=True))
        streams[1].metadata["language"] = "kor"
        out.metadata["title"] = "춤"
        out.metadata["creation_time"] = "2020-05-06T07:08:09.000000Z"
        base = Fraction(1, 1000)
        chapters = [("one", 0, 900), ("two", 900, 2000)]
        out.set_chapters(
            [
                {"id": n, "start": start, "end": end, "time_base": base, "metadata": {"title": title}}
                for n, (title, start, end) in enumerate(chapters)
            ]
        )
        for stream, container in zip(streams, (given, texts), strict=True):
            for packet in container.demux():
                if packet.size and packet.stream.type == stream.type:
                    packet.stream = stream
                    out.mux(packet)
    return path


@pytest.mark.parametrize("settings", [{}, {"reencode": True}])
@pytest.mark.parametrize("codec", ["h264", "vp8"])
def test_chapters_subtitles_title_and_creation_time_come_along(clip, tmp_path, codec, settings):
    import av

    picture = clip(tmp_path / "picture.mkv", codec=codec, start=0.3)
    source = write_with_extras(picture, tmp_path / "in.mkv")
    written = mux(source, noise(2.0), RATE, tmp_path / "out.mp4", **settings)
    assert written.suffix == (".mkv" if codec == "vp8" and not settings else ".mp4")
    with av.open(str(written)) as container:
        metadata = {name.lower(): value for name, value in container.metadata.items()}
        assert metadata["title"] == "춤"
        created = datetime.datetime.fromisoformat(metadata["creation_time"].replace("Z", "+00:00"))
        assert created == datetime.datetime(2020, 5, 6, 7, 8, 9, tzinfo=datetime.timezone.utc)
        chapters = container.chapters()
        assert [c["metadata"]["title"] for c in chapters] == ["one", "two"]
        times = [float(c[at] * c["time_base"]) for c in chapters for at in ("start", "end")]
        # Counted from the first picture, which the source shows at 0.3 s.
        assert times == pytest.approx([0, 0.6, 0.6, 1.7], abs=0.002)
        (stream,) = container.streams.subtitles
        assert stream.language == "kor"
        texts = [(p.pts * p.time_base, p) for p in container.demux(stream) if p.size]
        shown = {round(float(time), 2): bytes(p) for time, p in texts if b"st" in bytes(p) or b"sec" in bytes(p)}
        assert list(shown) == [0.2, 0.9]
        assert b"first" in shown[0.2]
        assert b"second" in shown[0.9]


def test_shape_of_the_pixels_survives(clip, tmp_path):
    import av

    source = clip(tmp_path / "wide.mkv", tags={"sample_aspect_ratio": Fraction(4, 3)})
    for settings in ({}, {"reencode": True}):
        written = mux(source, noise(2.0), RATE, tmp_path / "out.mp4", **settings)
        assert (open_video(written).width, open_video(written).height) == (213, 120)
        with av.open(str(written)) as container:
            assert container.streams.video[0].sample_aspect_ratio == Fraction(4, 3)
