"""``d2m live``: a file as camera, through the same steps as a webcam."""

from __future__ import annotations

import json
import os
import sys
import types
from pathlib import Path

import av
import numpy as np
import pytest
from clips import write_clip
from dances import FPS, dance, steady_beats

from d2m.cli.main import main
from d2m.engines.arrangers import load_arranger
from d2m.errors import D2MError
from d2m.features.beat_filter import BeatState
from d2m.features.causal import CausalTracker
from d2m.live.camera import FileCamera, Picture
from d2m.live.conductor import Conductor
from d2m.live.latency import SOUND, Latencies
from d2m.live.output import InstantOutput, Output, SilentCard, SoundCard
from d2m.live.phrases import BARS, BEATS, DENSITIES, EDGE, PhraseWriter, Wish
from d2m.live.player import BLOCK, RATE
from d2m.live.recorder import Recorder
from d2m.live.session import Session
from d2m.live.watcher import Look, WatcherProcess
from d2m.media import open_video
from d2m.symbolic.sound import find_soundfont
from d2m.symbolic.sound.soundfont import SoundFont

TEMPO, STOP = 116.0, 13.0


class Pictures:
    """Camera of grey pictures at even times."""

    name = "pictures"

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def pictures(self, now, wait):
        for index in range(int(self.seconds * FPS)):
            wait(index / FPS)
            yield Picture(index / FPS, np.full((48, 64, 3), index % 200, np.uint8))


class Dancer:
    """Watcher of a dance that is known, in place of a pose model; the dancer stands still from :data:`STOP` on."""

    def __init__(self, tempo: float | None = None) -> None:
        self.motion = dance(steady_beats(TEMPO, 20.0, 0.1), 20.0, seed=4)
        self.tracker, self.closed = CausalTracker(tempo), False

    def see(self, time, rgb):
        index = min(round(time * FPS), int(STOP * FPS))
        return Look(self.tracker.add(time, self.motion.joints[index], None, self.motion.confidence[index]), 0.0)

    def genre(self, tempo, energy):
        return "gHO"

    def close(self):
        self.closed = True


@pytest.fixture(scope="module")
def font() -> SoundFont:
    return SoundFont(find_soundfont(None))


def session(font, camera, make_output=lambda now: InstantOutput(now, 0.1), **more) -> Session:
    more = {"genre": "", "watcher": Dancer()} | more
    wish, watcher = Wish(more.pop("genre"), seed=2), more.pop("watcher")
    arranger = load_arranger(None)
    return Session(
        camera, wish, lambda chosen: PhraseWriter(arranger, chosen), lambda: font, make_output, watcher, **more
    )


def recorded(path: Path) -> tuple[np.ndarray, int]:
    """Sound (2, samples) and number of pictures of a recording."""
    blocks, pictures = [], 0
    with av.open(str(path)) as file:
        for frame in file.decode(audio=0):
            block = frame.to_ndarray().astype(np.float32)
            blocks.append(block if len(block) == 2 else block.reshape(-1, 2).T / 32768.0)
    with av.open(str(path)) as file:
        pictures = sum(1 for _ in file.decode(video=0)) if file.streams.video else 0
    return np.concatenate(blocks, axis=1), pictures


@pytest.fixture(scope="module")
def played(tmp_path_factory, font):
    path = tmp_path_factory.mktemp("live") / "out.mp4"
    recorder = Recorder(path, patient=True)
    made = session(font, Pictures(20.0), recorder=recorder)
    densities = []
    made._tell = lambda heard: densities.append((heard.time, heard.density))
    with recorder.writing():
        made.run_fast()
    return made, path, densities


@pytest.mark.slow
def test_the_music_begins_when_the_beat_is_known(played):
    made, path, _ = played
    sound, pictures = recorded(path)
    assert 4.0 <= made.began <= 8.5
    assert pictures == 20 * FPS
    assert sound.shape[1] / RATE == pytest.approx(20.5, abs=0.2)
    start = int(made.began * RATE)
    assert np.abs(sound[:, : start - RATE // 5]).max() < 1e-3
    assert np.abs(sound[:, start : start + 2 * RATE]).max() > 0.05
    assert made.report()["genre"] == "house"


@pytest.mark.slow
def test_its_beats_are_those_of_the_dance(played):
    made, _, _ = played
    clock = made.conductor._clock
    times = clock.time(np.arange(np.ceil(float(clock.position(made.began))) + 4, np.floor(float(clock.position(STOP)))))
    true = steady_beats(TEMPO, 20.0, 0.1)
    away = np.abs(times[:, None] - true).min(axis=1)
    assert len(times) > 6
    assert np.mean(away < 0.07) > 0.8


@pytest.mark.slow
def test_the_music_thins_out_when_the_dancer_stops(played):
    _, _, densities = played
    dancing = [density for time, density in densities if 9.0 < time < STOP]
    assert max(dancing) >= 2
    assert densities[-1][1] == 0


@pytest.mark.slow
def test_the_same_film_and_seed_give_the_same_music(font):
    sounds = []
    for _ in range(2):
        blocks = []
        made = session(font, Pictures(9.0), genre="gMH")
        made.output.put = lambda block, kept=blocks: kept.append(block)
        made.run_fast()
        sounds.append(np.concatenate(blocks, axis=1))
    np.testing.assert_array_equal(*sounds)
    assert np.abs(sounds[0]).max() > 0.05


@pytest.mark.slow
def test_in_real_time_nothing_is_lost_and_all_latencies_are_measured(font, tmp_path):
    recorder = Recorder(tmp_path / "out.wav")
    watcher = Dancer(TEMPO)
    made = session(
        font,
        Pictures(60.0),
        lambda now: SilentCard(now, 0.3),
        genre="gHO",
        watcher=watcher,
        tempo=TEMPO,
        recorder=recorder,
    )
    with recorder.writing():
        # It ends when a few beats were heard, however slow the machine is.
        made._tell = lambda heard: made._end() if made.latencies.report()[SOUND]["count"] > 2 else None
        made.run()
    report = made.report()
    assert watcher.closed
    assert report["frames"] > 20
    assert report["latency_ms"][SOUND]["count"] > 2
    assert report["latency_ms"][SOUND]["max"] < 700
    assert report["tones_late"] == 0
    sound, _ = recorded(tmp_path / "out.wav")
    assert np.abs(sound).max() > 0.05


@pytest.mark.slow
def test_a_file_as_camera_from_the_command_line(tmp_path, capsys):
    film, out = write_clip(tmp_path / "film.mp4", duration=2.0, rate=15), tmp_path / "out.mp4"
    assert main(["live", "--from", str(film), "--fast", "--json", "-o", str(out), "--loops", "2"]) == 0
    report = json.loads(capsys.readouterr().out)
    video = open_video(film)
    count = sum(1 for _ in video.frames(min(video.rate, 30.0)))
    assert report["frames"] == 2 * count
    assert report["music_from"] is None
    assert report["bars"] == 0
    sound, pictures = recorded(out)
    assert pictures == 2 * count
    assert not sound.any()
    assert report["file"] == str(out)


def test_a_file_is_played_at_the_times_of_its_pictures(tmp_path):
    film = write_clip(tmp_path / "film.mp4", duration=1.0, rate=10)
    waited = []
    pictures = list(FileCamera(film, 2).pictures(lambda: 5.0, waited.append))
    assert waited == [picture.time for picture in pictures]
    np.testing.assert_allclose(waited, 5.0 + np.arange(20) / 10, atol=1e-6)


def test_a_failing_camera_ends_the_session_with_its_error(font, tmp_path):
    class Broken(Pictures):
        def pictures(self, now, wait):
            yield from super().pictures(now, wait)
            raise D2MError("the camera is gone")

    recorder = Recorder(tmp_path / "out.mp4")
    made = session(font, Broken(0.3), lambda now: SilentCard(now, 0.1), recorder=recorder)
    with pytest.raises(D2MError, match="the camera is gone"), recorder.writing():
        made.run()
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def phrase():
    return PhraseWriter(load_arranger(None), Wish("gHO", seed=1)).write(0, "verse", 120.0)


def test_densities_of_a_phrase_share_their_harmony_and_get_fuller(phrase):
    assert len(phrase) == len(DENSITIES)
    counts = [len(density.places) for density in phrase]
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]
    classes = [set((density.notes.keys[density.notes.tracks != 0] % 12).tolist()) for density in phrase]
    assert classes[0] <= classes[-1]
    for density in phrase:
        assert (np.diff(density.places) >= 0).all()
        assert density.places.min() >= -EDGE
        assert density.places.max() < BARS * BEATS
    assert not (phrase[0].notes.tracks == 0).any()


def test_every_note_is_played_once_at_its_place_whatever_the_blocks(phrase):
    def starts(block: int) -> np.ndarray:
        conductor = Conductor(lambda sample: sample / RATE)
        conductor.follow(0.0, None, 1.0)
        conductor.energy = 1.0
        conductor.begin(0.25, BeatState(0.25, 0.5, 120.0, 1.0), phrase)
        return np.concatenate([conductor.notes(k * block, (k + 1) * block).starts for k in range(9 * RATE // block)])

    coarse, fine = starts(BLOCK), starts(512)
    inside = coarse < 8 * RATE
    np.testing.assert_allclose(coarse[inside], fine[: inside.sum()], atol=1)
    # The first beat is half a beat after 0.25 s; notes begin 20 ms before.
    wanted = (0.5 + phrase[-1].places * 0.5 - 0.02) * RATE
    np.testing.assert_allclose(np.sort(coarse)[:20], np.sort(wanted[wanted >= 0.23 * RATE])[:20], atol=2)


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_half_and_double_tempo_keep_the_beats(phrase, factor):
    conductor = Conductor(lambda sample: sample / RATE, factor=factor)
    conductor.begin(0.0, BeatState(0.0, 0.0, 120.0, 1.0), phrase)
    for step in range(1, 200):
        conductor.notes((step - 1) * 2205, step * 2205)
        time = step * 0.05
        conductor.follow(time, BeatState(time, (2.0 * time + 0.2) % 1.0, 120.0, 1.0), 0.5)
    assert conductor.tempo == pytest.approx(120.0 * factor, rel=0.01)
    place = float(conductor._clock.position(9.9))
    expected = (2.0 * 9.9 + 0.2) * factor
    assert abs((place - expected + 0.25) % (1.0 if factor == 2.0 else 0.5) - 0.25) < 0.05


def test_a_phrase_that_is_late_is_bridged_by_the_one_before(phrase):
    conductor = Conductor(lambda sample: sample / RATE)
    conductor.begin(0.0, BeatState(0.0, 0.0, 240.0, 1.0), phrase)
    count = sum(len(conductor.notes(k * BLOCK, (k + 1) * BLOCK)) for k in range(9 * RATE // BLOCK))
    assert conductor.repeated == 2
    assert conductor.needs_phrase
    assert count > 0


class Taken(Output):
    """Output whose card is called by the test."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


def test_silence_for_want_of_sound_is_counted_and_moves_the_samples():
    output = Taken(lambda: 0.0, 0.2)
    assert (output.take(256, 1.0) == 0).all()
    assert output.dropouts == 0
    output.put(np.ones((2, BLOCK), np.float32))
    half = BLOCK // 2
    out = np.concatenate([output.take(half, 1.0 + k * half / RATE) for k in range(1, 4)], axis=1)
    assert out[0].sum() == BLOCK
    assert (output.dropouts, output.missing) == (1, half)
    output.put(np.ones((2, BLOCK), np.float32))
    output.take(256, 2.0)
    assert output.heard(BLOCK) == pytest.approx(2.0, abs=1e-6)
    assert output.sample_at(output.heard(777)) == pytest.approx(777)


def test_a_slow_drift_of_the_clocks_is_followed():
    output = Taken(lambda: 0.0, 0.2)
    for step in range(2000):
        output.put(np.zeros((2, BLOCK), np.float32))
        output.take(BLOCK, step * BLOCK / RATE * 1.0001)
    assert output.heard(2000 * BLOCK) == pytest.approx(2000 * BLOCK / RATE * 1.0001, abs=0.002)


def test_there_is_room_for_a_block_only_when_it_can_be_played_soon():
    output = Taken(lambda: 0.0, 1.5 * BLOCK / RATE)
    assert output.wait(0.0)
    output.put(np.zeros((2, BLOCK), np.float32))
    assert not output.wait(0.0)
    output.take(BLOCK, 0.0)
    assert output.wait(0.0)


def test_percentiles_and_histogram_of_latencies():
    latencies = Latencies()
    for value in range(1, 101):
        latencies.add(SOUND, value / 1000)
    row = latencies.report()[SOUND]
    assert row["count"] == 100
    assert row["p50"] == pytest.approx(50.5, abs=0.1)
    assert row["max"] == 100.0
    assert row["histogram"]["up to 5"] == 5
    assert sum(row["histogram"].values()) == 100


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--fast"], "give it with --from"),
        (["--from", "FILM", "--screen", "1"], "two sources"),
        (["--from", "FILM", "-o", "out.mp3"], ".mp4"),
        (["--from", "FILM", "--genre", "house,krump"], "one genre"),
        (["--from", "FILM", "--tempo", "1000"], "30 to 300"),
        (["--from", "FILM", "--fast", "--loops", "0"], "--seconds"),
        (["--from", "nothing.mp4"], "no such file"),
        (["--from", "FILM", "--pose", "nobody"], "pose model"),
        (["--from", "FILM", "--soundfont", "nothing"], "soundfont"),
        (["--from", "FILM", "--seconds", "0"], "above 0"),
    ],
)
def test_wrong_options_are_one_line(tmp_path, capsys, arguments, told):
    film = write_clip(tmp_path / "film.mp4", duration=1.0, rate=10)
    assert main(["live", "--no-sound", *(str(film) if each == "FILM" else each for each in arguments)]) == 1
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert len(errors) == 1
    assert told in errors[0]


def test_without_the_extra_the_command_to_install_it_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    monkeypatch.setattr("d2m.extras.find_spec", lambda name: None)
    with pytest.raises(D2MError, match=r"\[live\]"):
        SoundCard(lambda: 0.0, 0.1)


def test_a_missing_device_is_one_line(monkeypatch):
    class PortAudioError(Exception):
        pass

    def refuse(**_: object):
        raise PortAudioError("Error querying device -1")

    fake = types.SimpleNamespace(PortAudioError=PortAudioError, OutputStream=refuse)
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    monkeypatch.setattr("d2m.extras.find_spec", lambda name: object())
    with pytest.raises(D2MError, match="no sound card can be used .*--no-sound"):
        SoundCard(lambda: 0.0, 0.1).start()


def test_without_portaudio_its_package_is_named(monkeypatch):
    class Finder:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name == "sounddevice":
                raise OSError("PortAudio library not found")

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Finder, *sys.meta_path])
    monkeypatch.setattr("d2m.extras.find_spec", lambda name: object())
    with pytest.raises(D2MError, match="libportaudio2"):
        SoundCard(lambda: 0.0, 0.1).start()


@pytest.mark.slow
def test_the_watcher_has_a_process_of_its_own():
    watcher = WatcherProcess("mediapipe", None)
    look = watcher.see(0.0, np.full((720, 960, 3), 90, np.uint8))
    assert not look.seen.visible
    assert watcher.process.pid != os.getpid()
    watcher.close()
    assert not watcher.process.alive
    with pytest.raises(D2MError, match="has ended"):
        watcher.see(0.1, np.zeros((90, 120, 3), np.uint8))
