// Picture and music in step. The music is the clock, since a gap in it is heard; the picture follows: small differences are
// corrected by its speed, which nobody sees, large ones by a seek.

/** Seconds apart that are corrected by speed from, and by a seek from; the largest change of speed, for small and large differences. */
const FINE = 0.005;
const LARGE = 0.025;
const COARSE = 0.25;
const MOST_SPEED = 0.08;
const MOST_HASTE = 0.35;

export class Player extends EventTarget {
  constructor(sound, picture) {
    super();
    this.sound = sound;
    this.picture = picture;
    this.state = "paused"; // paused | starting | playing | stalled
    this.resting = 0; // position while nothing plays
    this.looping = false;
    this.range = null; // [from, to] that is looped; null for the whole piece
    this.rate = 1;
    this.recent = [];
    this.differences = []; // of the last minutes, for tests
    this.turn = 0;
    this.swaps = { rolled: false, soon: false };
    this.blocked = 0;
    picture.onStall = () => this.#stalled();
    picture.onGo = () => this.#goOn();
    setInterval(() => this.tick(), 100);
    const draw = () => {
      this.tick();
      this.dispatchEvent(new Event("frame"));
      requestAnimationFrame(draw);
    };
    requestAnimationFrame(draw);
  }

  get position() {
    if (this.state !== "playing") return this.resting;
    return Math.max(this.sound.heard() ?? (this.picture.usable ? this.picture.time : this.resting), 0);
  }

  get duration() {
    return this.sound.duration || this.picture.length || 0;
  }

  get active() {
    return this.state !== "paused";
  }

  #say(state) {
    if (this.state === state) return;
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }

  #loopRange() {
    if (!this.looping || !this.sound.set) return null;
    const [from, to] = this.range || [0, this.duration];
    return to - from >= 0.2 ? [Math.max(from, 0), Math.min(to, this.duration)] : null;
  }

  async play() {
    if (this.active) return;
    await this.#begin(this.resting >= this.duration - 0.05 ? 0 : this.resting);
  }

  async #begin(position) {
    const turn = ++this.turn;
    const { sound, picture } = this;
    const loop = this.#loopRange();
    const from = loop && (position < loop[0] || position >= loop[1] - 0.02) ? loop[0] : position;
    this.resting = from;
    this.recent = [];
    this.swaps = { rolled: false };
    this.#say("starting");
    const sounds = await sound.resume();
    if (!sounds) this.dispatchEvent(new Event("silent"));
    picture.rate = this.rate;
    if (picture.usable) await picture.seek(from);
    if (turn !== this.turn) return;
    if (picture.usable && from < picture.length - 0.05) await picture.play();
    if (turn !== this.turn) return;
    if (sound.set && sounds) {
      sound.rate = this.rate;
      sound.loop = loop;
      // The sample that is sent in `ahead` seconds is heard after the latency of the output, when the picture is further on.
      const ahead = 0.06;
      const later = (ahead + sound.context.currentTime - sound.heardTime()) * this.rate;
      sound.start(picture.moving ? picture.time + later : from, ahead);
    }
    if (loop) picture.wait(loop[0]);
    this.#say("playing");
  }

  pause() {
    const position = this.position;
    this.turn += 1;
    this.sound.stop();
    this.picture.pause();
    this.resting = position;
    this.#say("paused");
  }

  toggle() {
    return this.active ? this.pause() : this.play();
  }

  /** Go to a time; what plays plays on from there. */
  async seek(time) {
    const position = Math.min(Math.max(time, 0), this.duration);
    if (this.active) {
      this.sound.stop();
      this.picture.pause();
      this.state = "starting";
      await this.#begin(position);
      return;
    }
    this.resting = position;
    this.dispatchEvent(new Event("state"));
    if (this.picture.usable) await this.picture.seek(position);
  }

  setLoop(looping, range = this.range) {
    const same = this.looping === looping && String(this.range) === String(range);
    this.looping = looping;
    this.range = range;
    if (same) return undefined;
    this.dispatchEvent(new Event("state"));
    return this.active ? this.seek(this.position) : undefined;
  }

  setRate(rate) {
    const position = this.position;
    this.rate = rate;
    return this.active ? this.seek(position) : undefined;
  }

  /** Another piece, or the stems of the same one, at the same place. */
  use(id, buffers) {
    const { sound } = this;
    const before = sound.duration;
    sound.use(id, buffers);
    if (this.active && (!sound.playing || Math.abs(before - sound.duration) > 0.01)) this.seek(this.position);
    this.dispatchEvent(new Event("state"));
  }

  #stalled() {
    // The loader is given a moment: most gaps are shorter than what is buffered.
    if (this.state !== "playing") return;
    const turn = this.turn;
    setTimeout(() => {
      const { picture } = this;
      if (turn !== this.turn || this.state !== "playing" || picture.moving || picture.atEnd()) return;
      this.resting = this.position;
      this.sound.stop();
      this.blocked += 1;
      this.#say("stalled");
    }, 200);
  }

  #goOn() {
    if (this.state === "stalled") this.#begin(this.resting);
  }

  /** Correct the picture; called for each frame and, in hidden pages, a few times a second. */
  tick() {
    if (this.state !== "playing") return;
    if (!this.sound.playing) {
      if (this.picture.front.ended) this.pause();
      return;
    }
    if (this.sound.over()) {
      this.turn += 1;
      this.sound.stop();
      this.picture.pause();
      this.resting = this.duration;
      this.#say("paused");
      return;
    }
    const heard = this.sound.heard();
    const loop = this.sound.loop;
    if (loop && this.picture.usable) this.#turnAround(heard, loop);
    if (!this.picture.usable) return;
    if (this.picture.moving) this.#follow(heard, loop);
    else if (!this.picture.front.seeking && this.picture.front.paused && heard < this.picture.length - 0.3) {
      this.picture.seek(heard + this.picture.lead).then(() => this.state === "playing" && this.picture.play());
    }
  }

  /** Show the waiting video when the loop begins again. */
  #turnAround(heard, [from, to]) {
    const { picture, swaps } = this;
    const left = (to - heard) / this.rate;
    if (picture.waitsAt === null) picture.wait(from);
    if (!swaps.rolled && left < picture.lead + 0.02 && picture.ready) {
      swaps.rolled = true;
      swaps.before = heard;
      picture.rollBack(this.rate);
    }
    if (swaps.rolled && heard < swaps.before - 0.5 * (to - from)) {
      swaps.rolled = false;
      picture.swap();
      this.recent = [];
    } else if (!swaps.rolled && picture.time > to + 0.1 && heard < to - 0.3) {
      picture.seek(heard + picture.lead).then(() => picture.play());
    }
  }

  #follow(heard, loop) {
    const { picture } = this;
    let apart = picture.time - heard;
    if (loop && Math.abs(apart) > 0.5 * (loop[1] - loop[0])) apart -= Math.sign(apart) * (loop[1] - loop[0]);
    if (heard > picture.length - 0.08 && !loop) return;
    this.differences.push([performance.now(), apart]);
    if (this.differences.length > 20000) this.differences.splice(0, 10000);
    this.recent.push(apart);
    if (this.recent.length > 7) this.recent.shift();
    if (this.recent.length < 3) return;
    const middle = [...this.recent].sort((a, b) => a - b)[this.recent.length >> 1];
    if (Math.abs(middle) > COARSE) {
      this.recent = [];
      picture.rate = this.rate;
      picture.seek(heard + picture.lead).then(() => this.state === "playing" && picture.play());
    } else if (Math.abs(middle) > FINE) {
      const large = Math.abs(middle) > LARGE;
      picture.rate =
        this.rate *
        (1 - Math.sign(middle) * Math.min(Math.abs(middle) * (large ? 5 : 1.5), large ? MOST_HASTE : MOST_SPEED));
    } else {
      picture.rate = this.rate;
    }
  }
}
