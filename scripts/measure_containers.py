"""Compare the videos that d2m writes with what ``ffmpeg -c copy`` writes into the same container.

    python scripts/measure_containers.py FOLDER [--only TEXT] [--reencode] [--json FILE]

Makes small files with FFmpeg in FOLDER (containers, codecs, and what is odd about real files), lets d2m put music
under each, and counts the pictures that a decoder shows and the seconds from the first to the end of the last. A row
passes if both agree with ``ffmpeg -c copy`` of the same stream within one picture, and the music begins with the
first picture within 3 ms and lasts to the end of the last one. Where FFmpeg's copy fails or disagrees with d2m's,
d2m's is held against what a decoder shows of the source; such rows are marked. Where d2m refuses to copy, the picture
is encoded anew.

Needs the commands ``ffmpeg`` and ``ffprobe``.
"""

from __future__ import annotations

import argparse
import json
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from one_line import run_main

from d2m.errors import D2MError
from d2m.media import mux, open_video, read_audio
from d2m.media.container import open_container, picture_stream
from d2m.media.copy import CannotCopyError

RATE = 44100
#: Seconds by which the music may miss the first picture.
LATE = 0.003

PICTURE = "-f lavfi -i testsrc2=s=192x108:r=30:d=3"
BIG = "-f lavfi -i testsrc2=s=384x216:r=30:d=3"
SMALL = "-f lavfi -i testsrc=s=64x36:r=30:d=3"
SOUND = "-f lavfi -i sine=440:d=3"
H264 = "-c:v libx264 -preset ultrafast"
BFRAMES = "-c:v libx264 -preset veryfast -bf 3 -g 30"
STILL = "-vf select='lt(n,2)+gte(n,60)' -fps_mode vfr"
JITTER = "-vf select='mod(n,7)-3' -fps_mode vfr"
SUBTITLES = "1\n00:00:00,500 --> 00:00:01,500\nfirst\n\n2\n00:00:02,000 --> 00:00:02,800\nsecond\n"
CHAPTERS = (
    ";FFMETADATA1\ntitle=A dance\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=1500\ntitle=one\n"
    "[CHAPTER]\nTIMEBASE=1/1000\nSTART=1500\nEND=3000\ntitle=two\n"
)

#: Name (its suffix is the container's) -> FFmpeg's arguments, steps divided by ``|``; {} is the folder, the last step
#: writes the file itself, others name what they write.
CASES: dict[str, str] = {
    # Codecs by containers
    "h264.mp4": f"{PICTURE} {SOUND} {H264} -c:a aac",
    "h264_bframes.mp4": f"{PICTURE} {SOUND} {BFRAMES} -c:a aac",
    "hevc.mp4": f"{PICTURE} -c:v libx265 -preset ultrafast -x265-params log-level=none",
    "hevc_bframes.mkv": f"{PICTURE} -c:v libx265 -preset veryfast -x265-params log-level=none:bframes=3",
    "av1.mp4": f"{PICTURE} -c:v libsvtav1 -preset 12",
    "mpeg4.mp4": f"{PICTURE} -c:v mpeg4 -bf 2",
    "mpeg2.mp4": f"{PICTURE} -c:v mpeg2video -bf 2",
    "mjpeg.mp4": f"{PICTURE} -c:v mjpeg -pix_fmt yuvj420p",
    "h264.mov": f"{PICTURE} {SOUND} {BFRAMES} -c:a aac",
    "hevc.mov": f"{PICTURE} -c:v libx265 -preset ultrafast -x265-params log-level=none -tag:v hvc1",
    "prores.mov": f"{PICTURE} {SOUND} -c:v prores_ks -profile:v 0 -c:a pcm_s16le",
    "prores_alpha.mov": f"{PICTURE} -c:v prores_ks -profile:v 4444 -pix_fmt yuva444p10le",
    "mjpeg.mov": f"{PICTURE} -c:v mjpeg -pix_fmt yuvj420p",
    "qtrle.mov": f"{PICTURE} -c:v qtrle",
    "png.mov": f"{PICTURE} -c:v png",
    "dnxhd.mov": "-f lavfi -i testsrc2=s=1280x720:r=30000/1001:d=1 -c:v dnxhd -b:v 75M -pix_fmt yuv422p",
    "h264.mkv": f"{PICTURE} {SOUND} {BFRAMES} -c:a libopus",
    "vp8.mkv": f"{PICTURE} -c:v libvpx -deadline realtime",
    "ffv1.mkv": f"{PICTURE} -c:v ffv1",
    "theora.mkv": f"{PICTURE} -c:v libtheora",
    "huffyuv.mkv": f"{PICTURE} -c:v huffyuv",
    "mpeg2.mkv": f"{PICTURE} -c:v mpeg2video -bf 2",
    "vp8.webm": f"{PICTURE} {SOUND} -c:v libvpx -deadline realtime -c:a libvorbis",
    "vp9.webm": f"{PICTURE} {SOUND} -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -c:a libopus",
    "vp9_altref.webm": f"{PICTURE} -c:v libvpx-vp9 -deadline good -cpu-used 8 -auto-alt-ref 1 -lag-in-frames 16",
    "vp9_alpha.webm": f"{PICTURE} -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -pix_fmt yuva420p -auto-alt-ref 0",
    "vp8_alpha.webm": f"{PICTURE} -c:v libvpx -deadline realtime -pix_fmt yuva420p -auto-alt-ref 0",
    "av1.webm": f"{PICTURE} -c:v libsvtav1 -preset 12",
    "theora.ogv": f"{PICTURE} {SOUND} -c:v libtheora -c:a libvorbis",
    "mpeg4.avi": f"{PICTURE} {SOUND} -c:v mpeg4 -c:a libmp3lame",
    "mpeg4_bframes.avi": f"{PICTURE} -c:v mpeg4 -bf 2",
    "h264_bframes.avi": f"{PICTURE} {BFRAMES}",
    "msmpeg4v2.avi": f"{PICTURE} -c:v msmpeg4v2",
    "mjpeg.avi": f"{PICTURE} -c:v mjpeg -pix_fmt yuvj420p",
    "rawvideo.avi": f"{PICTURE} -c:v rawvideo -pix_fmt yuv420p",
    "ffvhuff.avi": f"{PICTURE} -c:v ffvhuff",
    "h264.ts": f"{PICTURE} {SOUND} {BFRAMES} -c:a aac",
    "hevc.ts": f"{PICTURE} -c:v libx265 -preset ultrafast -x265-params log-level=none",
    "mpeg2.ts": f"{PICTURE} {SOUND} -c:v mpeg2video -bf 2 -c:a mp2",
    "h264.m2ts": f"{PICTURE} {SOUND} {BFRAMES} -c:a ac3 -mpegts_m2ts_mode 1",
    "mpeg2.mpg": f"{PICTURE} {SOUND} -c:v mpeg2video -bf 2 -c:a mp2",
    "h264.flv": f"{PICTURE} {SOUND} {BFRAMES} -c:a aac",
    "flv1.flv": f"{PICTURE} {SOUND} -c:v flv -c:a libmp3lame",
    "h264.3gp": f"{PICTURE} {SOUND} {H264} -profile:v baseline -c:a aac",
    "h263.3gp": "-f lavfi -i testsrc2=s=176x144:r=15:d=3 -c:v h263",
    "wmv2.wmv": f"{PICTURE} {SOUND} -c:v wmv2 -c:a wmav2",
    "wmv1.wmv": f"{PICTURE} -c:v wmv1",
    "h264.asf": f"{PICTURE} {H264}",
    "gif.gif": "-f lavfi -i testsrc2=s=96x54:r=10:d=3",
    "gif_odd.gif": "-f lavfi -i testsrc2=s=97x55:r=12:d=2",
    "raw.h264": f"{PICTURE} {BFRAMES}",
    "raw.hevc": f"{PICTURE} -c:v libx265 -preset veryfast -x265-params log-level=none:bframes=2",
    # Starts
    "start_later.mp4": f"{PICTURE} {SOUND} {BFRAMES} -c:a aac {{}}/_a.mp4 | "
    "-itsoffset 0.7 -i {}/_a.mp4 -i {}/_a.mp4 -map 0:v -map 1:a -c copy",
    "start_negative.mp4": f"{PICTURE} {SOUND} {BFRAMES} -c:a aac {{}}/_a.mp4 | -ss 1.1 -i {{}}/_a.mp4 -c copy",
    "start_negative.mov": f"{PICTURE} {SOUND} {H264} -g 30 -c:a aac {{}}/_a.mov | -ss 0.77 -i {{}}/_a.mov -c copy",
    "start_cut.mkv": f"{PICTURE} {BFRAMES} {{}}/_a.mkv | -ss 1.0 -i {{}}/_a.mkv -c copy -avoid_negative_ts disabled",
    "start_open_gop.mkv": f"{PICTURE} -c:v libx264 -bf 3 -g 20 -x264-params open-gop=1:scenecut=0 {{}}/_a.mkv | "
    "-ss 1.4 -i {}/_a.mkv -c copy",
    "start_huge.ts": f"{PICTURE} {SOUND} {BFRAMES} -c:a aac -output_ts_offset 36000",
    "start_huge.flv": f"{PICTURE} {SOUND} {BFRAMES} -c:a aac -output_ts_offset 30000",
    "start_huge.mkv": f"{PICTURE} {BFRAMES} -output_ts_offset 5000",
    "start_mid_gop.ts": f"{PICTURE} {BFRAMES} {{}}/_a.ts",
    "sound_first.mkv": f"-itsoffset 0.5 {PICTURE} {SOUND} {H264} -c:a aac",
    "picture_first.mkv": f"{PICTURE} -itsoffset 0.5 {SOUND} {H264} -c:a aac",
    # Clocks
    "clock_wraps.ts": f"{PICTURE} {SOUND} {BFRAMES} -c:a aac -output_ts_offset 95442.5",
    "clock_wraps.mpg": f"{PICTURE} -c:v mpeg2video -bf 2 -output_ts_offset 95441",
    "clock_restarts.ts": f"{PICTURE} {SOUND} {H264} -c:a aac",
    "clock_leaps.ts": f"{PICTURE} {SOUND} {H264} -c:a aac",
    "clock_falls.flv": f"{PICTURE} {H264}",
    "vfr_still.mp4": f"{PICTURE} {H264} {STILL}",
    "vfr_still_bframes.mp4": f"{PICTURE} {BFRAMES} {STILL}",
    "vfr_still_bframes.mkv": f"{PICTURE} {BFRAMES} {STILL}",
    "vfr_jitter.mp4": f"{PICTURE} {BFRAMES} {JITTER}",
    "vfr_jitter.webm": f"{PICTURE} -c:v libvpx-vp9 -deadline realtime -cpu-used 8 {JITTER}",
    "vfr_jitter.ts": f"{PICTURE} {BFRAMES} {JITTER}",
    "vfr_jitter.flv": f"{PICTURE} {BFRAMES} {JITTER}",
    "ntsc.mp4": f"-f lavfi -i testsrc2=s=192x108:r=30000/1001:d=3 {BFRAMES}",
    "film.mkv": f"-f lavfi -i testsrc2=s=192x108:r=24000/1001:d=3 {BFRAMES}",
    "rate_120.mp4": f"-f lavfi -i testsrc2=s=192x108:r=120:d=2 {BFRAMES}",
    "rate_5.mp4": f"-f lavfi -i testsrc2=s=192x108:r=5:d=4 {BFRAMES}",
    "fragments.mp4": f"{PICTURE} {SOUND} {BFRAMES} -c:a aac -movflags +frag_keyframe+empty_moov",
    "fragments_dash.mp4": f"{PICTURE} {BFRAMES} -movflags +dash -frag_duration 500000",
    # Streams
    "rotated.mp4": f"{PICTURE} {H264}",
    "wide_pixels.mkv": f"{PICTURE} {H264} -vf setsar=4/3",
    "two_pictures.mkv": f"{SMALL} {BIG} -map 0 -map 1 {H264} -disposition:v:0 0 -disposition:v:1 default",
    "two_pictures.mp4": f"{SMALL} {BIG} -map 0 -map 1 {H264}",
    "two_pictures.ts": f"{SMALL} {BIG} -map 0 -map 1 {H264}",
    "preview_first.mkv": f"{SMALL} {PICTURE} -map 0 -map 1 -c:v:0 mjpeg -c:v:1 libx264 -preset:v:1 ultrafast",
    "cover.mp4": f"{SMALL} -frames:v 1 -update 1 {{}}/_c.jpg | {PICTURE} -i {{}}/_c.jpg -map 0 -map 1 -c:v:0 libx264 "
    "-c:v:1 copy -disposition:v:1 attached_pic",
    "cover.mkv": f"{SMALL} -frames:v 1 -update 1 {{}}/_c.jpg | {PICTURE} {H264} -attach {{}}/_c.jpg "
    "-metadata:s:t mimetype=image/jpeg",
    "chapters.mp4": f"{PICTURE} -i {{}}/_chapters.txt -map_metadata 1 {H264}",
    "chapters.mkv": f"{PICTURE} -i {{}}/_chapters.txt -map_metadata 1 {H264}",
    "subtitles.mp4": f"{PICTURE} -i {{}}/_subtitles.srt {H264} -c:s mov_text",
    "subtitles.mkv": f"{PICTURE} -i {{}}/_subtitles.srt {H264} -c:s subrip",
    "two_sounds.mkv": f"{PICTURE} {SOUND} {SOUND} -map 0 -map 1 -map 2 {H264} -c:a aac",
    "sound_longer.mp4": f"{PICTURE} -f lavfi -i sine=440:d=6 {BFRAMES} -c:a aac",
    "sound_shorter.mp4": f"{PICTURE} -f lavfi -i sine=440:d=1 {BFRAMES} -c:a aac",
    "ten_bit.mkv": f"{PICTURE} -c:v libx264 -pix_fmt yuv420p10le -bf 2",
    "interlaced.ts": f"{PICTURE} -c:v mpeg2video -flags +ildct+ilme -top 1",
}


@dataclass(frozen=True)
class Row:
    """One file: pictures and seconds of the source, of FFmpeg's copy and of d2m's, and what differs."""

    name: str
    container: str
    source: tuple[int, float]
    ffmpeg: tuple[int, float] | None
    d2m: tuple[int, float] | None
    verdict: str
    against_source: bool = False
    encoded: bool = False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder for the files, made if missing")
    parser.add_argument("--only", default="", help="run the cases whose name holds this text")
    parser.add_argument("--reencode", action="store_true", help="encode all pictures anew instead of copying them")
    parser.add_argument("--json", type=Path, help="write the rows into this file too")
    options = parser.parse_args()
    if not shutil.which("ffmpeg") or not shutil.which("ffprobe"):
        raise D2MError("this needs the commands ffmpeg and ffprobe; install FFmpeg")
    options.folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for name in CASES:
        if options.only in name:
            rows.append(measure(make(name, options.folder), options.folder, options.reencode))
            print(line(rows[-1]), flush=True)
    passed = sum(row.verdict == "ok" for row in rows)
    marked, encoded = sum(row.against_source for row in rows), sum(row.encoded for row in rows)
    print(f"\n{passed} of {len(rows)} files pass, {marked} of them against the source, {encoded} of them encoded anew")
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    sys.exit(int(passed != len(rows)))


def line(row: Row) -> str:
    """Return a row of the table."""
    found = (row.source, row.ffmpeg, row.d2m)
    cells = [f"{pair[0]:4d} {pair[1]:7.3f} s" if pair else "-".rjust(14) for pair in found]
    mark = " (against the source)" if row.against_source else ""
    mark += " (encoded anew)" if row.encoded else ""
    return f"| {row.name:24} | {row.container:5} | {' | '.join(cells)} | {row.verdict}{mark} |"


def make(name: str, folder: Path) -> Path:
    """Make the file of a case; returns its path."""
    (folder / "_subtitles.srt").write_text(SUBTITLES)
    (folder / "_chapters.txt").write_text(CHAPTERS)
    path = folder / name
    steps = [step.replace("{}", str(folder)).split() for step in CASES[name].split("|")]
    for step in steps[:-1]:
        ffmpeg(*step)
    if name == "start_mid_gop.ts":
        ffmpeg(*steps[-1])
        data = (folder / "_a.ts").read_bytes()
        path.write_bytes(data[len(data) // 188 // 3 * 188 :])
        return path
    ffmpeg(*(word.strip("'") for word in steps[-1]), str(path))
    if name in QUIRKS:
        QUIRKS[name](path)
    return path


def _joined(first_offset: str, second_offset: str) -> Callable[[Path], None]:
    """Two pieces of one stream with clocks of their own, byte after byte."""

    def change(path: Path) -> None:
        pieces = []
        for offset in (first_offset, second_offset):
            piece = path.with_name(f"_piece{path.suffix}")
            ffmpeg("-i", str(path), "-c", "copy", "-output_ts_offset", offset, str(piece))
            pieces.append(piece.read_bytes())
        path.write_bytes(b"".join(pieces))

    return change


def _second_half_earlier(path: Path) -> None:
    """FLV tags whose times begin anew in the middle."""
    data = bytearray(path.read_bytes())
    position, tags = 13, []
    while position + 11 < len(data):
        size = int.from_bytes(data[position + 1 : position + 4], "big")
        tags.append((position, data[position], int.from_bytes(data[position + 4 : position + 7], "big")))
        position += 15 + size
    middle = max(time for _, kind, time in tags if kind == 9) // 2
    for position, _, time in tags:
        if time > middle + 100:
            data[position + 4 : position + 7] = (time - middle - 100).to_bytes(3, "big")
    path.write_bytes(data)


def _turned(path: Path) -> None:
    """The display matrix of a picture that is to be turned by 90 degrees, in the first track's header."""
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 44
    data[place : place + 36] = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


#: What FFmpeg does not write by itself.
QUIRKS: dict[str, Callable[[Path], None]] = {
    "clock_restarts.ts": _joined("0", "0"),
    "clock_leaps.ts": _joined("0", "5000"),
    "clock_falls.flv": _second_half_earlier,
    "rotated.mp4": _turned,
}
#: Pictures and seconds that were recorded, where FFmpeg puts pictures on top of each other or shows what was cut away.
RECORDED = {
    "clock_falls.flv": (90, 3.0),
    "clock_leaps.ts": (180, 6.0),
    "clock_restarts.ts": (180, 6.0),
    "start_cut.mkv": (60, 2.0),
}


def measure(path: Path, folder: Path, encoded: bool) -> Row:
    """Let d2m and FFmpeg copy a file, and compare; ``encoded`` is whether d2m is to encode it anew."""
    with open_container(path) as container:
        index = picture_stream(container, path).index
    source = RECORDED.get(path.name) or shown(path, index)
    video = open_video(path)
    music = np.random.default_rng(0).normal(0, 0.1, (1, round(video.duration * RATE))).astype(np.float32)
    out = folder / "out" / f"{path.stem}_{path.suffix[1:]}.mp4"
    try:
        out = mux(video, music, RATE, out, reencode=encoded)
    except CannotCopyError:
        encoded = True
        out = mux(video, music, RATE, out, reencode=True)
    written = shown(out, 0)
    copy = folder / f"_copy{out.suffix}"
    try:
        ffmpeg("-fflags", "+genpts", "-i", str(path), "-map", f"0:{index}", "-c", "copy", str(copy))
        copied = shown(copy, 0)
    except subprocess.CalledProcessError:
        copied = None
    step = source[1] / max(source[0], 1)
    verdict, against_source = "", False
    if encoded or copied is None or not agrees(written, copied, step):
        against_source = True
        verdict = "" if agrees(written, source, step) else "pictures or length differ"
    verdict = verdict or _music_verdict(out, music[0], written[1], step)
    return Row(path.name, out.suffix, source, copied, written, verdict or "ok", against_source, encoded)


def agrees(one: tuple[int, float], other: tuple[int, float], step: float) -> bool:
    """Tell whether the numbers of pictures are the same and the lengths differ by one picture at most."""
    return one[0] == other[0] and abs(one[1] - other[1]) <= step + 0.002


def _music_verdict(out: Path, music: np.ndarray, length: float, step: float) -> str:
    heard = read_audio(out, RATE)[0]
    size = 2 * max(len(heard), len(music))
    match = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(music, size)), size)
    late = int(np.argmax(match))
    late = (late if late < size // 2 else late - size) / RATE
    if abs(late) > LATE:
        return f"music {late * 1000:+.0f} ms"
    if len(heard) / RATE < length - step - 0.002:
        return f"music ends {length - len(heard) / RATE:.3f} s early"
    return ""


def shown(path: Path, index: int) -> tuple[int, float]:
    """Return pictures that FFmpeg's decoder shows of a stream, and seconds from the first to the end of the last."""
    entries = "frame=best_effort_timestamp_time,pkt_duration_time,duration_time"
    command = ["ffprobe", "-v", "quiet", "-select_streams", str(index), "-show_entries", entries, "-of", "json"]
    answer = json.loads(subprocess.run([*command, str(path)], capture_output=True, check=False).stdout or "{}")
    frames = answer.get("frames", [])
    known = [float(f["best_effort_timestamp_time"]) for f in frames if "best_effort_timestamp_time" in f]
    if len(known) < 2:
        # Raw streams have no times; a picture lasts as long as their header says.
        lengths = [float(f.get("pkt_duration_time", f.get("duration_time", 0))) for f in frames]
        return len(frames), round(sum(lengths), 3)
    step = float(np.median(np.abs(np.diff(known))))
    last = frames[int(np.argmax(known))] if len(known) == len(frames) else {}
    length = float(last.get("pkt_duration_time", last.get("duration_time", step)))
    # Some demuxers leave single pictures without a time.
    length = (length if length > step / 2 else step) + step * (len(frames) - len(known))
    return len(frames), round(max(known) - min(known) + length, 3)


def ffmpeg(*arguments: str) -> None:
    """Run FFmpeg; CalledProcessError if it fails."""
    command = ["ffmpeg", "-v", "error", "-nostdin", "-y", *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


if __name__ == "__main__":
    run_main(main)
