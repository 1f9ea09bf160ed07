// The picture: two video elements of the same file. One is shown, the other waits at the beginning of the loop, so that a loop
// goes on without the pause that a seek takes.

const MOST_SEEK = 4000;
const LONGEST_FRAME = 0.05;

export class Picture {
  constructor(front, back) {
    this.front = front;
    this.back = back;
    this.lead = 0.04; // seconds that a video takes to start, measured
    this.waitsAt = null;
    this.mark = { video: front, value: 0, now: 0 };
    this.onError = () => {};
    this.onStall = () => {};
    this.onGo = () => {};
    for (const video of [front, back]) {
      video.addEventListener("error", () => video === this.front && video.src && this.onError(video.error));
      video.addEventListener("waiting", () => video === this.front && !this.atEnd() && this.onStall());
      video.addEventListener("playing", () => video === this.front && this.onGo());
    }
  }

  load(address) {
    if (this.address === address) return;
    this.address = address;
    for (const video of [this.front, this.back]) {
      if (address) video.src = address;
      else video.removeAttribute("src");
      video.load();
    }
    this.waitsAt = null;
  }

  get usable() {
    return this.front.readyState >= 1 && !this.front.error && this.length > 0;
  }

  get length() {
    return Number.isFinite(this.front.duration) ? this.front.duration : 0;
  }

  /** Time of the picture. Some browsers give that of the last frame for as long as it is shown: then time goes on from it. */
  get time() {
    const { front, mark } = this;
    const now = performance.now();
    const value = front.currentTime;
    if (mark.video !== front || mark.value !== value) this.mark = { video: front, value, now };
    return this.moving ? value + Math.min((now - this.mark.now) / 1000, LONGEST_FRAME) * front.playbackRate : value;
  }

  get moving() {
    return !this.front.paused && !this.front.ended && this.front.readyState >= 3 && !this.front.seeking;
  }

  atEnd() {
    return this.front.ended || this.front.currentTime >= this.length - 0.05;
  }

  /** Go to a time; settles when that picture is there. */
  async seek(time) {
    const video = this.front;
    const target = Math.min(Math.max(time, 0), Math.max(this.length - 0.01, 0));
    if (Math.abs(video.currentTime - target) < 0.001 && !video.seeking) return;
    await seeked(video, target);
  }

  async play() {
    const video = this.front;
    if (!this.usable || this.atEnd()) return;
    const asked = performance.now();
    const before = video.currentTime;
    try {
      await video.play();
    } catch (error) {
      if (error.name === "AbortError") return;
      throw error;
    }
    // Until the time moves, the picture stands still although it "plays".
    while (!video.paused && video.currentTime === before && performance.now() - asked < 1500) await frame();
    const took = (performance.now() - asked) / 1000 - (video.currentTime - before) / (video.playbackRate || 1);
    if (took > 0 && took < 0.5) this.lead += 0.3 * (took - this.lead);
  }

  pause() {
    this.front.pause();
    this.back.pause();
  }

  set rate(rate) {
    if (Math.abs(this.front.playbackRate - rate) > 0.004) this.front.playbackRate = rate;
  }

  /** Have the other video wait at a time. */
  async wait(time) {
    if (this.waitsAt === time || !this.usable) return;
    this.waitsAt = time;
    this.back.pause();
    await seeked(this.back, Math.min(time, this.length - 0.01));
  }

  get ready() {
    return this.waitsAt !== null && !this.back.seeking && this.back.readyState >= 2;
  }

  /** Start the other video while it is still hidden. */
  rollBack(rate) {
    this.back.playbackRate = rate;
    this.back.play().catch(() => {});
  }

  /** Show the other video in place of this one. */
  swap() {
    const { front, back } = this;
    this.front = back;
    this.back = front;
    back.classList.remove("behind");
    front.classList.add("behind");
    back.removeAttribute("aria-hidden");
    front.setAttribute("aria-hidden", "true");
    front.pause();
    this.waitsAt = null;
  }
}

function frame() {
  return new Promise((resolve) => setTimeout(resolve, 4));
}

function seeked(video, time) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      video.removeEventListener("seeked", done);
      resolve();
    };
    const timer = setTimeout(done, MOST_SEEK);
    video.addEventListener("seeked", done);
    video.currentTime = time;
  });
}
