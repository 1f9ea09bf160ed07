// The music in Web Audio: all tracks of a piece start on the same sample and loop together; a piece is replaced by another
// without a gap. Times of the piece are seconds; `heard()` is what leaves the loudspeaker now.

const FADE = 0.03;
const AHEAD = 0.06;
const WAIT = 3000;

export class Sound {
  constructor() {
    this.context = null;
    this.set = null; // { id, tracks: Map of name to { buffer, gain }, bus, sources }
    this.anchor = null; // { time of the context, position in the piece }
    this.loop = null; // [from, to]
    this.rate = 1;
    this.volume = 1;
    this.levels = new Map();
    this.clicks = { buffer: null, on: false, gain: null, source: null };
  }

  /** The context is made on the first use; it sounds only after `resume`, which browsers allow after a click. */
  open() {
    if (!this.context) {
      this.context = new AudioContext({ latencyHint: "interactive" });
      this.out = this.context.createGain();
      this.out.gain.value = this.volume;
      this.out.connect(this.context.destination);
      this.clicks.gain = this.context.createGain();
      this.clicks.gain.gain.value = 0;
      this.clicks.gain.connect(this.out);
    }
    return this.context;
  }

  /** Let the context run, and tell whether it does: without a sound device some browsers never answer. */
  async resume() {
    const context = this.open();
    if (context.state !== "running")
      await Promise.race([context.resume().catch(() => {}), new Promise((resolve) => setTimeout(resolve, WAIT))]);
    return context.state === "running";
  }

  async decode(bytes) {
    return this.open().decodeAudioData(bytes);
  }

  get playing() {
    return this.anchor !== null;
  }

  get duration() {
    return this.set ? Math.max(...[...this.set.tracks.values()].map((track) => track.buffer.duration)) : 0;
  }

  /** Seconds between the clock of the context and the loudspeaker. */
  latency() {
    return this.context.outputLatency || this.context.baseLatency || 0;
  }

  /** Time of the context of what is heard at this moment. */
  heardTime() {
    const context = this.context;
    const stamp = context.getOutputTimestamp?.();
    if (stamp && stamp.contextTime > 0) {
      const time = stamp.contextTime + (performance.now() - stamp.performanceTime) / 1000;
      // Some systems give stamps that are not of this context's clock.
      if (Math.abs(time - context.currentTime) < 0.5) return time;
    }
    return context.currentTime - this.latency();
  }

  /** Position in the piece at a time of the context. */
  positionAt(time) {
    const position = this.anchor.position + (time - this.anchor.time) * this.rate;
    if (!this.loop) return Math.min(position, this.duration);
    const [from, to] = this.loop;
    return position < to ? position : from + ((position - from) % (to - from));
  }

  heard() {
    return this.playing ? this.positionAt(this.heardTime()) : null;
  }

  /** Whether the piece has been heard to its end. */
  over() {
    return (
      this.playing &&
      !this.loop &&
      this.anchor.position + (this.heardTime() - this.anchor.time) * this.rate >= this.duration
    );
  }

  /** Start all tracks so that `position` is heard at `heardAt`, a time of the context, or as soon as possible. */
  start(position, ahead = AHEAD) {
    this.stop();
    const time = this.context.currentTime + ahead;
    this.anchor = { time, position };
    this.#startSet(this.set, time, position, 0.006);
    this.#startClicks(time, position);
  }

  stop() {
    if (this.set) this.#stopSet(this.set);
    this.#stopClicks();
    this.anchor = null;
  }

  #startSet(set, time, position, fade) {
    set.bus.gain.cancelScheduledValues(0);
    set.bus.gain.setValueAtTime(0, time);
    set.bus.gain.linearRampToValueAtTime(1, time + fade);
    for (const track of set.tracks.values()) track.source = this.#source(track.buffer, track.gain, time, position);
  }

  #source(buffer, target, time, position) {
    const source = this.context.createBufferSource();
    source.buffer = buffer;
    source.playbackRate.value = this.rate;
    if (this.loop) {
      source.loop = true;
      [source.loopStart, source.loopEnd] = this.loop;
    }
    source.connect(target);
    if (position < buffer.duration || this.loop) source.start(time, Math.max(position, 0));
    return source;
  }

  #stopSet(set, at = this.context.currentTime, fade = 0.012) {
    set.bus.gain.cancelScheduledValues(at);
    set.bus.gain.setTargetAtTime(0, at, fade / 3);
    for (const track of set.tracks.values()) {
      const source = track.source;
      track.source = null;
      if (!source) continue;
      try {
        source.stop(at + fade);
      } catch {
        /* it was never started */
      }
    }
  }

  #startClicks(time, position) {
    const { buffer, gain } = this.clicks;
    if (buffer) this.clicks.source = this.#source(buffer, gain, time, position);
  }

  #stopClicks() {
    try {
      this.clicks.source?.stop();
    } catch {
      /* it was never started */
    }
    this.clicks.source = null;
  }

  /** Hear another set of tracks from now on, at the same position if it plays. */
  use(id, buffers) {
    const context = this.open();
    const bus = context.createGain();
    bus.connect(this.out);
    const tracks = new Map();
    for (const [name, buffer] of buffers) {
      const gain = context.createGain();
      gain.gain.value = this.levels.get(name) ?? 1;
      gain.connect(bus);
      tracks.set(name, { buffer, gain, source: null });
    }
    const before = this.set;
    this.set = { id, tracks, bus };
    if (this.playing) {
      const time = context.currentTime + AHEAD;
      const position = this.positionAt(time);
      if (before) this.#stopSet(before, time, FADE);
      this.anchor = { time, position };
      // Until then the clock goes on as it was: both lines meet at this point.
      this.#startSet(this.set, time, position, FADE);
    }
    if (before) setTimeout(() => before.bus.disconnect(), 1000);
  }

  /** Forget the piece. */
  clear() {
    this.stop();
    this.set?.bus.disconnect();
    this.set = null;
    this.clicks.buffer = null;
    this.levels = new Map();
  }

  /** Set the levels of tracks by name, 0 to 8; names that the set does not have are kept for a later one. */
  setLevels(levels) {
    this.levels = new Map(levels);
    if (!this.set) return;
    for (const [name, track] of this.set.tracks) {
      track.gain.gain.setTargetAtTime(this.levels.get(name) ?? 1, this.context.currentTime, 0.012);
    }
  }

  setVolume(volume) {
    this.volume = volume;
    if (this.context) this.out.gain.setTargetAtTime(volume, this.context.currentTime, 0.012);
  }

  /** Beats to click on: [{ time, number }]. */
  setBeats(beats, duration) {
    const context = this.open();
    const rate = 22050;
    const buffer = context.createBuffer(1, Math.max(Math.ceil((duration + 0.1) * rate), 1), rate);
    const samples = buffer.getChannelData(0);
    for (const beat of beats) {
      const first = Math.round(beat.time * rate);
      const pitch = beat.number === 1 ? 1760 : 1175;
      for (let i = 0; i < 0.05 * rate && first + i < samples.length; i++) {
        samples[first + i] += 0.5 * Math.exp(-i / (0.008 * rate)) * Math.sin((2 * Math.PI * pitch * i) / rate);
      }
    }
    this.#stopClicks();
    this.clicks.buffer = buffer;
    if (this.playing) {
      const time = context.currentTime + AHEAD;
      this.#startClicks(time, this.positionAt(time));
    }
  }

  setClick(on) {
    this.clicks.on = on;
    this.open();
    this.clicks.gain.gain.setTargetAtTime(on ? 1 : 0, this.context.currentTime, 0.004);
  }
}
