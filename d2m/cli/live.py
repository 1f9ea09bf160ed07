"""``d2m live``: play music to a dancer in front of a camera."""

from __future__ import annotations

import contextlib
import json
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from d2m.cli.console import complain
from d2m.cli.from_dataclass import with_options
from d2m.cli.options import JSON
from d2m.live.options import LiveOptions

if TYPE_CHECKING:
    from d2m.generate_options import GenerateOptions
    from d2m.live.camera import Camera
    from d2m.live.output import Output
    from d2m.live.session import Heard, Session

app = typer.Typer(add_completion=False)


@app.command()
@with_options(LiveOptions, build=LiveOptions)
def live(
    options: LiveOptions,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Output recording: .mp4 (picture and music) or .wav (music)."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help=JSON)] = False,
) -> None:
    """Play music to a dancer in front of a camera, until Ctrl-C.

    The beats follow the dancer's movement, and the music is fuller the more the dancer moves. Tempo, confidence and
    energy are printed every two seconds, latencies at the end. With -o, picture and music are recorded; the file is
    complete when the session ends.
    """
    session = prepared(options, output, as_json)
    with contextlib.ExitStack() as stack:
        if session.recorder is not None:
            stack.enter_context(session.recorder.writing())
        stack.enter_context(_ended_tidily())
        session.run_fast() if options.fast else session.run()
    report = session.report() | {"file": output}
    if as_json:
        typer.echo(json.dumps(report, indent=2, ensure_ascii=False))
        return
    tell_report(report)


def prepared(options: LiveOptions, output: str | None, quiet: bool = False) -> Session:
    """Return a session that is ready to run.

    Args:
        options: the options.
        output: file of the recording, or None.
        quiet: whether nothing is printed while it runs.

    Raises:
        D2MError: if an option cannot be met.
    """
    from dataclasses import fields

    from d2m.generate_options import GenerateOptions
    from d2m.live.recorder import Recorder, check_ending

    options.check()
    common = {each.name for each in fields(GenerateOptions)} & {each.name for each in fields(options)}
    music = GenerateOptions(**{name: getattr(options, name) for name in common}).check()
    recorder = Recorder(check_ending(output), patient=options.fast) if output is not None else None
    camera = _camera(options)
    if not quiet:
        complain(f"watching {camera.name}; end with Ctrl-C")
    return _session(options, music, camera, recorder, tell=(lambda heard: None) if quiet else tell_line)


def _session(options: LiveOptions, music: GenerateOptions, camera: Camera, recorder: Any, **more: Any) -> Session:
    from d2m.engines.arrangers import load_arranger
    from d2m.live.phrases import PhraseWriter, Wish
    from d2m.live.session import Session
    from d2m.live.watcher import Watcher, WatcherProcess
    from d2m.live.writer import WriterProcess
    from d2m.plans.ask import mix_of
    from d2m.symbolic.sound import find_soundfont
    from d2m.symbolic.sound.player import CACHE_BYTES
    from d2m.symbolic.sound.soundfont import SoundFont

    font = SoundFont(find_soundfont(options.soundfont), CACHE_BYTES)
    if options.fast:
        arranger = load_arranger(options.arranger)
        writer: Callable[[Wish], PhraseWriter] = lambda chosen: PhraseWriter(arranger, chosen)  # noqa: E731
    else:
        writer = WriterProcess(options.arranger)
    wish = Wish(
        music.genres[0] if music.genres else "",
        int(options.seed),
        options.key or "",
        options.mood or "",
        mix_of(music),
    )
    beats = music.beat_options
    return Session(
        camera,
        wish,
        writer,
        lambda: font,
        _output(options),
        (Watcher if options.fast else WatcherProcess)(options.pose, beats.tempo),
        tempo=beats.tempo,
        factor=music.tempo_factor,
        offset=beats.offset / 1000.0,
        recorder=recorder,
        seconds=options.seconds,
        **more,
    )


def _camera(options: LiveOptions) -> Camera:
    from d2m.live.camera import FileCamera, Screen, Webcam

    if options.file is not None:
        return FileCamera(Path(options.file), options.loops)
    return Webcam(options.camera) if options.screen is None else Screen(options.screen)


def _output(options: LiveOptions) -> Callable[[Callable[[], float]], Output]:
    from d2m.live.output import InstantOutput, SilentCard, SoundCard

    seconds = options.buffer / 1000.0
    if options.fast:
        return lambda now: InstantOutput(now, seconds)
    if options.no_sound:
        return lambda now: SilentCard(now, seconds)
    return lambda now: SoundCard(now, seconds, options.sound_device)


@contextlib.contextmanager
def _ended_tidily() -> Iterator[None]:
    """Treat SIGTERM like Ctrl-C, and Ctrl-C as such even where the shell that started the command ignores it."""

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def tell_line(heard: Heard) -> None:
    """Print what the session hears and plays.

    Args:
        heard: the state of the session.
    """
    from d2m.live.phrases import DENSITIES

    clock = f"{int(heard.time) // 60}:{int(heard.time) % 60:02}"
    if not heard.seen.visible:
        seen = "nobody is visible"
    elif heard.seen.beat is None:
        seen = "watching"
    else:
        seen = f"dance {heard.seen.beat.tempo:.0f} bpm, confidence {heard.seen.confidence:.2f}"
    music = "no music yet"
    if heard.tempo:
        music = f"music {heard.tempo:.0f} bpm, {heard.genre}, density {heard.density + 1} of {len(DENSITIES)}"
    complain(f"{clock}  {seen}, energy {heard.energy:.2f}; {music}")


def tell_report(report: dict[str, Any]) -> None:
    """Print the report of a session.

    Args:
        report: from :meth:`d2m.live.session.Session.report`.
    """
    genre = f"{report['genre']}, " if report["genre"] else ""
    typer.echo(
        f"{report['seconds']:.1f} s, {genre}{report['bars']} bars; {report['frames']} pictures seen, "
        f"{report['frames_skipped']} left out; {report['dropouts']} drop-outs"
    )
    rows = {stage: row for stage, row in report["latency_ms"].items() if row["count"]}
    if rows:  # With --fast there is no time to measure.
        typer.echo(f"{'latency in ms':<24} {'count':>7} {'p50':>7} {'p90':>7} {'p95':>7} {'p99':>7} {'max':>7}")
        for stage, row in rows.items():
            values = "".join(
                f" {row[name]:>7.1f}" if name in row else f" {'':>7}" for name in ("p50", "p90", "p95", "p99")
            )
            most = f" {row['max']:>7.1f}" if "max" in row else ""
            typer.echo(f"{stage:<24} {row['count']:>7}{values}{most}")
    if report["file"]:
        typer.echo(report["file"])
