// The first view: drop, choose or record a video, take an example, or go on with a video that was sent before.

import { Fault, call, get, post, remove, upload } from "./api.js";
import { Camera } from "./camera.js";
import { $, announce, button, h, notice, rebuild } from "./dom.js";
import { Wishes } from "./wishes.js";
import { bytes, clock, span, t } from "./words.js";

const FIRST_TAKES = 3;
// Containers that some systems give no type for.
const ENDINGS = /\.(mp4|m4v|mov|mkv|webm|avi|mpg|mpeg|ogv|3gp|ts|mts|wmv|flv)$/i;

export class Start {
  constructor(options, opened) {
    this.options = options;
    this.opened = opened;
    this.wishes = new Wishes(options);
    this.camera = new Camera(options.limits, (blob, name) => this.send(blob, name));
    this.examples = [];
    this.session = { clips: [] };
    $("choose").addEventListener("click", () => $("file").click());
    $("file").addEventListener("change", () => {
      if ($("file").files[0]) this.send($("file").files[0]);
      $("file").value = "";
    });
    $("record").addEventListener("click", () => this.camera.open());
    $("record").hidden = !navigator.mediaDevices?.getUserMedia || typeof MediaRecorder === "undefined";
    $("forget").addEventListener("click", () => this.#forget());
    this.#drops();
  }

  /** The wish that goes with an upload. */
  get make() {
    return {
      kind: "compose",
      count: Math.min(FIRST_TAKES, this.options.limits.candidates),
      options: this.wishes.wishes,
    };
  }

  async show() {
    $("start").hidden = false;
    this.render();
    try {
      [this.examples, this.session] = await Promise.all([get("/api/examples"), get("/api/session")]);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      notice(error.line, { close: t("close") });
    }
    this.render();
  }

  render() {
    const { limits } = this.options;
    $("limits").textContent = t("drop.limits", {
      bytes: bytes(limits.bytes),
      time: span(limits.seconds),
      keep: span(limits.keep_seconds),
    });
    rebuild($("start-wishes"), this.wishes.build());
    $("examples").hidden = !this.examples.length;
    rebuild(
      $("example-list"),
      this.examples.map((example) =>
        h(
          "li",
          {},
          h(
            "button",
            { type: "button", class: "card", data: { key: example.id }, on: { click: () => this.#example(example) } },
            h("strong", { text: example.title }),
            h("span", { class: "small", text: clock(example.duration) }),
          ),
        ),
      ),
    );
    const { clips } = this.session;
    $("clips").hidden = !clips.length;
    rebuild(
      $("clip-list"),
      clips.map((clip) => this.#card(clip)),
    );
    if (this.session.expires)
      $("expires").textContent = t("expires", {
        time: new Date(1000 * this.session.expires).toLocaleTimeString(document.documentElement.lang, {
          hour: "numeric",
          minute: "2-digit",
        }),
      });
  }

  #card(clip) {
    const count = clip.pieces.length;
    const state = clip.state === "ready" || count ? t("clip.state.ready", { count }) : t(`clip.state.${clip.state}`);
    return h(
      "li",
      { class: "card-row" },
      h(
        "button",
        { type: "button", class: "card", data: { key: clip.id }, on: { click: () => this.opened(clip) } },
        h("strong", { text: clip.name }),
        h("span", {
          class: "small",
          text: [clip.video ? clock(clip.video.duration) : bytes(clip.bytes), state].join(" · "),
        }),
      ),
      button("trash", t("clip.remove", { name: clip.name }), () => this.#remove(clip), {
        shown: false,
        class: "quiet",
        data: { key: `remove ${clip.id}` },
      }),
    );
  }

  #drops() {
    const drop = $("drop");
    const files = (event) => event.dataTransfer?.types.includes("Files");
    let depth = 0;
    const light = (on) => {
      drop.classList.toggle("over", on);
      drop.querySelector(".drop-title").textContent = t(on ? "drop.now" : "drop.title");
    };
    // The whole page takes the file: nobody should lose the page by missing the frame.
    addEventListener("dragenter", (event) => files(event) && ((depth += 1), light(true)));
    addEventListener("dragleave", (event) => files(event) && --depth <= 0 && ((depth = 0), light(false)));
    addEventListener("dragover", (event) => files(event) && event.preventDefault());
    addEventListener("drop", (event) => {
      if (!files(event)) return;
      event.preventDefault();
      depth = 0;
      light(false);
      if (!$("start").hidden && event.dataTransfer.files[0]) this.send(event.dataTransfer.files[0]);
    });
  }

  async send(file, name = file.name) {
    const { limits } = this.options;
    if (!file.type.startsWith("video/") && !ENDINGS.test(name))
      return void notice(t("upload.kind", { name }), { close: t("close") });
    if (file.size > limits.bytes)
      return void notice(t("upload.large", { bytes: bytes(file.size), most: bytes(limits.bytes) }), {
        close: t("close"),
      });
    const bar = h("progress", { max: 1, value: 0, aria: { label: t("upload.going", { name }) } });
    const job = upload(file, name, this.make, (share) => (bar.value = share));
    rebuild(
      $("upload"),
      h("p", { text: t("upload.going", { name }) }),
      bar,
      button("close", t("cancel"), () => job.cancel(), { data: { key: "cancel" } }),
    );
    $("upload").hidden = false;
    $("drop").classList.add("busy");
    announce(t("upload.going", { name }));
    try {
      const clip = await job;
      if (clip) this.opened(clip);
      else announce(t("upload.stopped"));
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      notice(error.line, { close: t("close") });
    } finally {
      $("upload").hidden = true;
      $("drop").classList.remove("busy");
    }
    return undefined;
  }

  async #try(work) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      notice(error.line, { close: t("close") });
      return null;
    }
  }

  async #example(example) {
    const clip = await this.#try(() => post(`/api/examples/${encodeURIComponent(example.id)}`));
    if (!clip) return;
    const waits = clip.jobs.some((job) => job.kind === "compose") || clip.pieces.length;
    if (!waits) await this.#try(() => call("POST", `${clip.urls.self}/jobs`, this.make));
    this.opened(clip);
  }

  async #remove(clip) {
    await this.#try(() => remove(clip.urls.self));
    this.show();
  }

  async #forget() {
    if (!confirm(t("forget.sure"))) return;
    await this.#try(() => remove("/api/session"));
    announce(t("forgotten"));
    this.show();
  }
}
