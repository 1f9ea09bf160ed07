// Record a dance with the camera.

import { $, announce } from "./dom.js";
import { clock, t } from "./words.js";

const COUNT = 5;
const KINDS = ["video/mp4;codecs=avc1", "video/webm;codecs=vp9", "video/webm;codecs=vp8", "video/webm", "video/mp4"];

export class Camera {
  constructor(limits, use) {
    this.most = limits.seconds;
    this.use = use;
    $("camera-record").addEventListener("click", () => this.#press());
    $("camera-use").addEventListener("click", () => this.#take());
    $("camera-close").addEventListener("click", () => $("camera").close());
    $("camera").addEventListener("close", () => this.#off());
  }

  async open() {
    this.blob = null;
    this.#label("camera.start");
    $("camera-use").hidden = true;
    $("camera").showModal();
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({
        video: { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } },
        audio: false,
      });
    } catch {
      this.#say(t("camera.none"));
      $("camera-record").disabled = true;
      return;
    }
    $("camera-record").disabled = false;
    this.#live();
    this.#say(t("camera.ready"));
  }

  #say(text) {
    $("camera-status").textContent = text;
  }

  #label(key) {
    $("camera-record").textContent = t(key);
    $("camera-record").dataset.t = key;
  }

  #live() {
    const view = $("camera-view");
    view.srcObject = this.stream;
    view.controls = false;
    view.classList.add("mirrored");
    view.play().catch(() => {});
  }

  #press() {
    if (this.recorder) this.recorder.stop();
    else if (this.counting) this.#stopCounting();
    else this.#count();
  }

  /** The dancer needs time to step back. */
  #count() {
    this.#live();
    $("camera-use").hidden = true;
    let left = COUNT;
    const step = () => {
      if (left === 0) {
        this.counting = null;
        this.#record();
        return;
      }
      this.#say(t("camera.in", { n: left }));
      left -= 1;
      this.counting = setTimeout(step, 1000);
    };
    this.#label("camera.stop");
    step();
  }

  #stopCounting() {
    clearTimeout(this.counting);
    this.counting = null;
    this.#label("camera.start");
    this.#say(t("camera.ready"));
  }

  #record() {
    const mimeType = KINDS.find((kind) => MediaRecorder.isTypeSupported(kind));
    const recorder = new MediaRecorder(this.stream, { mimeType, videoBitsPerSecond: 5_000_000 });
    const parts = [];
    const began = performance.now();
    this.recorder = recorder;
    recorder.ondataavailable = (event) => parts.push(event.data);
    recorder.onstop = () => {
      clearInterval(timer);
      this.recorder = null;
      if (!$("camera").open) return;
      this.blob = new Blob(parts, { type: (recorder.mimeType || mimeType).split(";")[0] });
      this.#done((performance.now() - began) / 1000);
    };
    const timer = setInterval(() => {
      const seconds = (performance.now() - began) / 1000;
      $("camera-status").textContent = t("camera.going", { time: clock(seconds) });
      if (seconds >= this.most) recorder.stop();
    }, 250);
    recorder.start(500);
    announce(t("camera.start"));
  }

  #done(seconds) {
    const view = $("camera-view");
    view.srcObject = null;
    view.classList.remove("mirrored");
    view.src = URL.createObjectURL(this.blob);
    view.controls = true;
    this.#label("camera.again");
    this.#say(t("camera.done", { time: clock(seconds) }));
    $("camera-use").hidden = false;
    $("camera-use").focus();
  }

  #take() {
    const { blob } = this;
    $("camera").close();
    this.use(blob, blob.type === "video/mp4" ? "camera.mp4" : "camera.webm");
  }

  #off() {
    clearTimeout(this.counting);
    this.counting = null;
    if (this.recorder?.state === "recording") this.recorder.stop();
    for (const track of this.stream?.getTracks() || []) track.stop();
    const view = $("camera-view");
    if (view.src) URL.revokeObjectURL(view.src);
    view.removeAttribute("src");
    view.srcObject = null;
    this.stream = null;
  }
}
