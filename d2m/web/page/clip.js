// A clip on the server: its state, its jobs, and what is known of the dance.

import { bytesOf, follow, get, post, remove } from "./api.js";
import { announce, notice } from "./dom.js";
import { t } from "./words.js";

export const OVER = ["done", "failed", "cancelled", "interrupted"];

/** Tells of each change by the event "change", and of the end of the clip by "gone". */
export class ClipState extends EventTarget {
  constructor(player, overlay) {
    super();
    this.player = player;
    this.overlay = overlay;
    this.empty();
  }

  empty() {
    this.clip = null;
    this.analysis = null;
    this.selected = null;
    this.purposes = new Map(); // id of a job to what waits for it
    this.seen = new Map(); // id of a job to its last state
    this.dismissed = new Set();
  }

  /** For the class above: a new state of the clip has come, and its analysis. */
  onClip() {}

  onAnalysis() {}

  changed() {
    if (this.told) return;
    this.told = true;
    queueMicrotask(() => {
      this.told = false;
      this.dispatchEvent(new Event("change"));
    });
  }

  /** Do something that may fail; a failure is shown as one line. */
  async attempt(work) {
    try {
      return await work();
    } catch (error) {
      if (error.name === "AbortError") return null;
      if (error.code === undefined) throw error;
      if (error.place?.table === "section") this.select({ kind: "section", index: error.place.index });
      notice(error.line, { close: t("close") });
      return null;
    }
  }

  // The clip

  open(clip) {
    this.close();
    this.clip = clip;
    this.player.picture.load(clip.urls.video);
    this.events = follow(
      clip.urls.events,
      (next) => this.#onClip(next),
      () => this.#gone(),
      (up) => this.#connected(up),
    );
    this.#onClip(clip);
  }

  close() {
    this.events?.close();
    if (this.player.active) this.player.pause();
    this.player.resting = 0;
    this.player.range = null;
    this.player.sound.clear();
    this.overlay.clear();
    this.empty();
  }

  #gone() {
    notice(t("clip.gone"), { close: t("close") });
    this.dispatchEvent(new Event("gone"));
  }

  #connected(up) {
    if (up && this.lost) {
      this.lost.remove();
      this.lost = null;
      announce(t("connection.back"));
    } else if (!up && !this.lost) {
      this.lost = notice(t("connection.lost"), { kind: "warning", close: t("close") });
    }
  }

  #onClip(clip) {
    if (this.clip?.id !== clip.id) return;
    const failed = clip.state === "failed" && this.clip.state !== "failed";
    const before = this.clip;
    this.clip = clip;
    if (failed) notice(t("clip.failed", { message: clip.message }), { close: t("close") });
    if (clip.urls.analysis && !this.analysis && !this.asking) this.#analysed();
    for (const job of clip.jobs) this.#onJob(job);
    this.onClip(before);
    this.changed();
  }

  async #analysed() {
    const { clip } = this;
    this.asking = true;
    await this.attempt(async () => {
      const analysis = await get(clip.urls.analysis);
      if (this.clip?.id !== clip.id) return;
      this.analysis = analysis;
      this.onAnalysis();
      if (clip.urls.landmarks && analysis.landmarks.people) {
        const bytes = await bytesOf(clip.urls.landmarks);
        if (this.clip?.id === clip.id) this.overlay.setLandmarks(analysis.landmarks, bytes, analysis.bones);
      }
    });
    this.asking = false;
    this.changed();
  }

  #onJob(job) {
    const before = this.seen.get(job.id);
    this.seen.set(job.id, job.state);
    const purpose = this.purposes.get(job.id);
    if (!OVER.includes(job.state)) return;
    if (purpose) {
      this.purposes.delete(job.id);
      purpose(job);
    }
    if (before === undefined || before === job.state) return;
    const what = t(`job.${job.kind}`);
    if (job.state === "done") announce(t("job.done", { what }));
    else if (job.state === "cancelled") announce(t("job.cancelled", { what }));
    if (job.kind === "proxy" && job.state === "done") this.player.picture.load(this.clip.urls.proxy);
  }

  // Jobs

  /** Start a job, and wait until it is over. */
  async job(wish) {
    const { clip } = this;
    const job = await post(`${clip.urls.self}/jobs`, wish);
    const over = new Promise((resolve) => this.purposes.set(job.id, resolve));
    // Its end may have been told before its beginning was answered.
    const known = this.clip?.jobs.find((each) => each.id === job.id);
    if (known) this.#onJob(known);
    else this.clip?.jobs.push(job);
    if (!known) this.seen.set(job.id, job.state);
    this.changed();
    return { job, over };
  }

  cancel(job) {
    return this.attempt(() => remove(job.url));
  }

  retry(job) {
    return this.attempt(() => post(`${job.url}/retry`));
  }

  dismiss(job) {
    this.dismissed.add(job.id);
    this.changed();
  }

  // Selection

  select(selected) {
    this.selected = selected;
    this.changed();
  }
}
