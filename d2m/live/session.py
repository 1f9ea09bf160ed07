"""A live session: from pictures to music.

The steps are the same in both ways of running it: every picture is seen (landmarks, beats, beat clock), phrases are
written ahead, and blocks of sound are rendered. In real time (:meth:`Session.run`) these are three threads beside the
camera; a step by step session (:meth:`Session.run_fast`) does them in turn as fast as possible, for files and tests.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from d2m.engines.score import FALLBACK_GENRE
from d2m.features.causal import Seen
from d2m.genres import genre_title
from d2m.live.camera import Camera, Picture
from d2m.live.conductor import DENSITIES, Conductor
from d2m.live.latency import BEAT, LANDMARKS, SOUND, Latencies
from d2m.live.output import Output
from d2m.live.phrases import Phrase, PhraseWriter, Wish
from d2m.live.player import BLOCK, RATE, LivePlayer
from d2m.live.recorder import Recorder
from d2m.live.undisturbed import go_first, undisturbed
from d2m.live.watcher import Watching
from d2m.symbolic.sound.notes import NONE, FixedNotes

#: Seconds of dance before the music begins: at a tempo of which the tracker is sure, and at any.
SURE_AFTER, AFTER = 4.0, 7.0
#: Confidence from which a tempo is sure, and below which the music is played without drums and bass at first, for so
#: many bars.
SURE, UNSURE, SOFT_BARS = 0.5, 0.3, 4
#: Seconds without a visible dancer after which the music thins out.
GONE = 1.5
#: Seconds between two lines of the report while it runs, and seconds over which the music fades at the end.
EVERY, FADE = 2.0, 0.5
#: Seconds from the decision to begin to the first beat, at least: the first phrase is written meanwhile.
_AHEAD = 0.25


@dataclass(frozen=True)
class Heard:
    """What the session hears and plays now, for the lines that are printed.

    Attributes:
        time: seconds since the session began.
        seen: what is known of the dance.
        tempo: tempo of the music in beats per minute; 0 before it begins.
        energy: energy that the music follows, 0 to 1.
        density: density of the present bar, from 0; -1 before the first.
        genre: name of the genre, or "" before it is known.
    """

    time: float
    seen: Seen
    tempo: float
    energy: float
    density: int
    genre: str


class Session:
    """Live session.

    Args:
        camera: source of the pictures.
        wish: what the music is to be; its genre is "" to recognise it from the dance.
        make_writer: returns the writer of the phrases.
        open_font: returns the SoundFont.
        make_output: makes the output; it gets the function that returns the seconds since the session began.
        watcher: finds landmarks and beats.
        tempo: tempo of the beats if it is known, in beats per minute.
        factor: beats of the music per beat of the dance: 0.5, 1 or 2.
        offset: seconds by which all beats are moved; above 0 to later.
        recorder: records picture and music, or None.
        seconds: length of the session; None until the source ends or it is interrupted.
        tell: called every :data:`EVERY` seconds.

    Raises:
        D2MError: if something that is asked for does not exist.
    """

    def __init__(
        self,
        camera: Camera,
        wish: Wish,
        make_writer: Callable[[Wish], PhraseWriter],
        open_font: Callable[[], Any],
        make_output: Callable[[Callable[[], float]], Output],
        watcher: Watching,
        *,
        tempo: float | None = None,
        factor: float = 1.0,
        offset: float = 0.0,
        recorder: Recorder | None = None,
        seconds: float | None = None,
        tell: Callable[[Heard], None] = lambda heard: None,
    ) -> None:
        self.camera, self.wish, self.recorder, self.seconds = camera, wish, recorder, seconds
        self.latencies = Latencies()
        self.seen = Seen()
        self.frames = self.skipped = self.blocks = 0
        self.began: float | None = None
        self._make_writer, self._font, self._tell, self._factor = make_writer, open_font(), tell, factor
        self._watcher = watcher
        # What is loaded by the first phrase and the first blocks (tables, networks of moods, filters) is loaded now.
        self._writer = make_writer(replace(wish, genre=wish.genre or FALLBACK_GENRE))
        first = self._writer.write(0, "verse", 120.0)
        self._player_from(120.0).prepare(density.notes for density in first)
        self._start = time.monotonic()
        self._simulated: float | None = None
        self._given = tempo
        self.output = make_output(self.now)
        self.conductor = Conductor(self.output.heard, self._beats_decided, offset, factor)
        self._player: LivePlayer | None = None
        self._first_seen: float | None = None
        self._last_seen = -np.inf
        self._energies: list[float] = []
        self._phrases = 0
        self._told = 0.0
        self._newest: Picture | None = None
        self._fresh = threading.Condition()
        self._ended = threading.Event()
        self._failure: BaseException | None = None

    def now(self) -> float:
        """Return the seconds since the session began."""
        return time.monotonic() - self._start if self._simulated is None else self._simulated

    def _beats_decided(self, times: np.ndarray) -> None:
        if self._simulated is not None:
            return
        now = self.now()
        for each in times:
            self.latencies.add(SOUND, float(each) - now)

    # The steps

    def see(self, picture: Picture) -> None:
        """Find the dancer in a picture and follow the beats.

        Args:
            picture: the picture.
        """
        look = self._watcher.see(picture.time, picture.rgb)
        answered, seen = self.now(), look.seen
        if seen.visible:
            self._last_seen = picture.time
            self._first_seen = picture.time if self._first_seen is None else self._first_seen
        news = seen.beat is not None and (self.seen.beat is None or seen.beat.time != self.seen.beat.time)
        self.seen = seen
        self.frames += 1
        energy = 0.0 if picture.time - self._last_seen > GONE else seen.energy
        self._energies.append(energy)
        self.conductor.follow(picture.time, seen.beat if news else None, energy, self._most())
        if self._simulated is None:
            self.latencies.add(LANDMARKS, answered - look.tracking - picture.time)
            if news:
                self.latencies.add(BEAT, look.tracking + self.now() - answered)

    def _most(self) -> int | None:
        """Greatest density at present: none with drums in the first bars of a tempo that may be wrong."""
        unsure = self.seen.confidence < UNSURE and self._given is None
        return 0 if unsure and self.conductor.bars <= SOFT_BARS else None

    def compose(self) -> None:
        """Write the phrase that is needed next, or the first one when the beat is known."""
        if self._player is None:
            if self._ready():
                self._begin()
        elif self.conductor.needs_phrase:
            self.conductor.install(self._write(self.conductor.tempo))

    def _ready(self) -> bool:
        if self._first_seen is None or self.seen.beat is None or not self.seen.visible:
            return False
        danced = self.now() - self._first_seen
        sure = self._given is not None or self.seen.confidence >= SURE
        return danced >= (SURE_AFTER if sure else AFTER)

    def _begin(self) -> None:
        """Choose the genre, write the first phrase and begin the music."""
        beat = self.seen.beat
        assert beat is not None
        tempo = self._factor * beat.tempo
        if not self.wish.genre:
            genre = self._watcher.genre(tempo, np.array(self._energies, np.float64))
            self.wish = replace(self.wish, genre=genre)
        self._writer = self._make_writer(self.wish)
        phrase = self._write(tempo)
        player = self._player_from(tempo)
        player.prepare(density.notes for density in phrase)
        state = self.seen.beat or beat
        start = max(self.output.heard(self.blocks * BLOCK), self.now()) + _AHEAD
        self.began = self.conductor.begin(start, state, phrase)
        self._player = player

    def _player_from(self, tempo: float) -> LivePlayer:
        """Make the player; it takes over at a later block."""
        from d2m.audio.mixer import Mixer, SampleLane
        from d2m.plans.edit import CHANNELS_OF

        ends = np.array([0.0, 1.0])
        lanes = tuple(
            SampleLane(channel, "gain", ends, np.full(2, float(gain)))
            for track, gain in self.wish.mix.gains.items()
            for channel in CHANNELS_OF[track]
        )
        mixer = Mixer(self._writer.mix, tempo, RATE, lanes, block=BLOCK)
        player = LivePlayer(self._font, FixedNotes(NONE), 0, mixer)
        # What the first blocks need is made now: rooms, filters and tables. The rest of the last block is given out,
        # too, so that every block is mixed when it is wanted and not one block earlier.
        player.read(4 * BLOCK + player.ready)
        return player

    def _write(self, tempo: float) -> tuple[Phrase, ...]:
        recent = self._energies[-240:]
        energy = float(np.mean(recent)) if recent else 0.5
        role = self._writer.role(self._phrases, energy)
        phrase = self._writer.write(self._phrases, role, tempo)
        self._phrases += 1
        self._energies = recent
        if self._player is not None:
            self._player.prepare(density.notes for density in phrase)
        return phrase

    def render(self) -> np.ndarray:
        """Return the next block of sound, float32 (2, :data:`~d2m.live.player.BLOCK`)."""
        sample = self.blocks * BLOCK
        self.blocks += 1
        player = self._player
        if player is None:
            return np.zeros((2, BLOCK), np.float32)
        if player.score is not self.conductor:
            player.begin(self.conductor, sample)
        return player.read(BLOCK)

    # Running

    def run(self) -> None:
        """Run in real time until the source ends, the time is over or Ctrl-C.

        Raises:
            D2MError: if a part fails.
        """
        with undisturbed():
            self._run()
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        self._start = time.monotonic()
        self.output.start()
        threads = [
            threading.Thread(target=self._guarded, args=(work,), name=name, daemon=True)
            for name, work in (("camera", self._film), ("see", self._watch), ("compose", self._compose))
        ]
        sound = threading.Thread(target=self._guarded, args=(self._sound,), name="sound", daemon=True)
        for thread in (*threads, sound):
            thread.start()
        try:
            while not self._ended.wait(0.1):
                self._report()
        except KeyboardInterrupt:
            pass
        finally:
            self._end()
            sound.join()
            self.output.stop()
            for thread in threads:
                thread.join(timeout=2.0)
            self._watcher.close()

    def run_fast(self) -> None:
        """Run as fast as possible; the time is that of the pictures."""
        self._simulated = 0.0
        self.output.start()
        try:
            for picture in self.camera.pictures(self.now, self._let_pass):
                if self.seconds is not None and picture.time >= self.seconds:
                    break
                if self.recorder is not None:
                    self.recorder.picture(self.output.sample_at(picture.time) / RATE, picture.rgb)
                self.see(picture)
                self.compose()
                self._report()
                while self.blocks * BLOCK / RATE < picture.time:
                    self._give(self.render())
        except KeyboardInterrupt:
            pass
        finally:
            self._fade_out()
            self.output.stop()
            self._watcher.close()

    def _let_pass(self, until: float) -> None:
        self._simulated = until

    def _give(self, block: np.ndarray) -> None:
        self.output.put(block)
        if self.recorder is not None:
            self.recorder.sound(block)

    def _fade_out(self) -> None:
        count = int(FADE * RATE) // BLOCK + 1
        fade = np.cos(0.5 * np.pi * np.arange(count * BLOCK) / (count * BLOCK)).astype(np.float32) ** 2
        for index in range(count):
            self.output.wait()
            self._give(self.render() * fade[index * BLOCK : (index + 1) * BLOCK])

    def _film(self) -> None:
        for picture in self.camera.pictures(self.now, self._sleep):
            if self._ended.is_set() or (self.seconds is not None and picture.time >= self.seconds):
                break
            if self.recorder is not None:
                self.recorder.picture(self.output.sample_at(picture.time) / RATE, picture.rgb)
            with self._fresh:
                self.skipped += self._newest is not None
                self._newest = picture
                self._fresh.notify()
        self._end()

    def _sleep(self, until: float) -> None:
        self._ended.wait(max(until - self.now(), 0.0))

    def _watch(self) -> None:
        while not self._ended.is_set():
            with self._fresh:
                self._fresh.wait_for(lambda: self._newest is not None or self._ended.is_set(), 0.5)
                picture, self._newest = self._newest, None
            if picture is not None:
                self.see(picture)
                with self.conductor.wanted:
                    self.conductor.wanted.notify_all()

    def _compose(self) -> None:
        while not self._ended.is_set():
            self.compose()
            with self.conductor.wanted:
                self.conductor.wanted.wait(0.1)

    def _sound(self) -> None:
        go_first()
        while not self._ended.is_set():
            # Rendered as late as possible: what is rendered cannot follow the dancer any more.
            if self.output.wait():
                self._give(self.render())
        self._fade_out()

    def _report(self) -> None:
        now = self.now()
        if now - self._told >= EVERY:
            self._told = now
            genre = genre_title(self.wish.genre) if self.wish.genre else ""
            conductor = self.conductor
            self._tell(Heard(now, self.seen, conductor.tempo, conductor.energy, conductor.density, genre))

    def _end(self) -> None:
        self._ended.set()
        with self._fresh:
            self._fresh.notify_all()
        with self.conductor.wanted:
            self.conductor.wanted.notify_all()

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            self._failure = self._failure or error
            self._end()

    def report(self) -> dict[str, Any]:
        """Return what was seen and played, as plain JSON values."""
        late = self._player.late if self._player is not None else 0
        return {
            "source": self.camera.name,
            "seconds": round(self.blocks * BLOCK / RATE, 3),
            "frames": self.frames,
            "frames_skipped": self.skipped,
            "music_from": None if self.began is None else round(self.began, 3),
            "genre": genre_title(self.wish.genre) if self.wish.genre else None,
            "tempo": round(self.conductor.tempo, 2) or None,
            "confidence": round(self.seen.confidence, 3),
            "bars": self.conductor.bars,
            "densities": len(DENSITIES),
            "phrases_repeated": self.conductor.repeated,
            "tones_late": late,
            "dropouts": self.output.dropouts,
            "dropout_seconds": round(self.output.missing / RATE, 3),
            "latency_ms": self.latencies.report(),
        }
