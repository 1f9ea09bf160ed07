// What is drawn over the picture: the dancers' skeletons, and the beats of the bar.

const LEAST = 0.3;

export class Overlay {
  constructor(canvas, stage) {
    this.canvas = canvas;
    this.stage = stage;
    this.landmarks = null; // { values: Float32Array, people, frames, fps, joints }
    this.bones = [];
    this.beats = [];
    this.showBody = true;
    this.showBeats = true;
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
    new ResizeObserver(() => this.#fit()).observe(stage);
  }

  setLandmarks(shape, bytes, bones) {
    this.landmarks = shape.people ? { ...shape, data: new Float32Array(bytes) } : null;
    this.bones = bones || [];
  }

  clear() {
    this.landmarks = null;
    this.beats = [];
    this.drawn = "";
    this.canvas.getContext("2d").clearRect(0, 0, this.canvas.width, this.canvas.height);
  }

  #fit() {
    const ratio = Math.min(devicePixelRatio || 1, 2);
    const { clientWidth: width, clientHeight: height } = this.stage;
    this.canvas.width = Math.max(Math.round(width * ratio), 1);
    this.canvas.height = Math.max(Math.round(height * ratio), 1);
    this.ratio = ratio;
  }

  /** Draw the skeleton at the time of the picture, and the beats at the time of the music, if anything has changed. */
  draw(video, pictureTime, musicTime, playing) {
    const state = [
      pictureTime,
      musicTime,
      playing,
      this.showBody,
      this.showBeats,
      this.canvas.width,
      this.canvas.height,
      this.beats.length,
      this.landmarks ? 1 : 0,
      video.videoWidth,
    ].join();
    if (state === this.drawn) return;
    this.drawn = state;
    const context = this.canvas.getContext("2d");
    const { width, height } = this.canvas;
    context.clearRect(0, 0, width, height);
    const wide = video.videoWidth || 16;
    const high = video.videoHeight || 9;
    const scale = Math.min(width / wide, height / high);
    const box = { x: (width - wide * scale) / 2, y: (height - high * scale) / 2, w: wide * scale, h: high * scale };
    if (this.showBody && this.landmarks) this.#bodies(context, box, pictureTime);
    if (this.showBeats && this.beats.length) this.#beat(context, width, height, musicTime, playing);
  }

  #bodies(context, box, time) {
    const { data, people, frames, fps, joints } = this.landmarks;
    const place = Math.min(Math.max(time * fps, 0), frames - 1);
    const frame = Math.floor(place);
    const share = frame + 1 < frames ? place - frame : 0;
    const size = Math.max(box.h, box.w) / 640;
    context.lineCap = "round";
    for (let person = people - 1; person >= 0; person--) {
      const point = (joint) => {
        const at = ((person * frames + frame) * joints + joint) * 3;
        const next = share ? at + joints * 3 : at;
        const sure = Math.min(data[at + 2], data[next + 2]);
        if (!(sure >= LEAST)) return null;
        const mix = (k) => data[at + k] + share * (data[next + k] - data[at + k]);
        return [box.x + mix(0) * box.w, box.y + mix(1) * box.h];
      };
      const lines = this.bones.map(([a, b]) => [point(a), point(b)]).filter(([a, b]) => a && b);
      // A dark edge keeps the lines visible on any picture.
      for (const [colour, thick] of [
        ["rgb(10 8 20 / 0.65)", 7],
        [person ? "#9adcff" : "#ff8fa3", 3.4],
      ]) {
        context.strokeStyle = colour;
        context.lineWidth = thick * size;
        context.beginPath();
        for (const [a, b] of lines) {
          context.moveTo(...a);
          context.lineTo(...b);
        }
        context.stroke();
      }
      context.fillStyle = "#fff";
      for (const joint of new Set(this.bones.flat())) {
        const at = point(joint);
        if (!at) continue;
        context.beginPath();
        context.arc(...at, 2.6 * size, 0, 7);
        context.fill();
      }
    }
  }

  #beat(context, width, height, time, playing) {
    const index = lastBefore(this.beats, time + 0.001);
    const beat = this.beats[index];
    const size = Math.max(...this.beats.slice(0, 16).map((each) => each.number), 1);
    const age = beat ? time - beat.time : 9;
    const pulse = playing && !this.still.matches ? Math.max(0, 1 - age / 0.22) : 0;
    const unit = 7 * this.ratio;
    const gap = unit * 3;
    const left = width / 2 - ((size - 1) * gap) / 2;
    const top = height - unit * 2.6;
    context.fillStyle = "rgb(10 8 20 / 0.55)";
    context.beginPath();
    context.roundRect(left - unit * 2, top - unit * 1.7, (size - 1) * gap + unit * 4, unit * 3.4, unit * 1.7);
    context.fill();
    for (let number = 1; number <= size; number++) {
      const now = beat && beat.number === number && age < 1.5;
      context.fillStyle = now ? (number === 1 ? "#ff5d73" : "#ffd166") : "rgb(255 255 255 / 0.4)";
      context.beginPath();
      context.arc(left + (number - 1) * gap, top, unit * (now ? 0.95 + 0.5 * pulse : 0.6), 0, 7);
      context.fill();
    }
    if (pulse > 0 && beat.number === 1) {
      context.strokeStyle = `rgb(255 93 115 / ${0.8 * pulse})`;
      context.lineWidth = 5 * this.ratio;
      context.strokeRect(0, 0, width, height);
    }
  }
}

/** Index of the last beat at or before a time, or -1. */
export function lastBefore(beats, time) {
  let low = 0;
  let high = beats.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (beats[middle].time <= time) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
