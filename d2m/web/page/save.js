// Files to keep: video, music, notes, plan, channels.

import { announce, button, h, notice, rebuild } from "./dom.js";
import { bytes, t } from "./words.js";

const MEDIA = { mp4: "save.video", wav: "save.wav", mid: "save.midi", plan: "save.plan" };

export class Save {
  constructor(root, studio) {
    this.root = root;
    this.studio = studio;
    this.options = { keep_audio: "", audio_level: 0 };
    this.busy = false;
    studio.addEventListener("change", () => this.update());
  }

  update(again = false) {
    const { studio } = this;
    const piece = studio.heardPiece;
    const ready = studio.finalPiece;
    const shown = JSON.stringify([
      piece?.id,
      ready?.id,
      ready?.files,
      ready?.stems && Object.keys(ready.stems),
      this.busy,
      this.options,
      this.madeOf,
      this.madeWith,
      studio.clip?.video?.sound,
      studio.clip?.expires,
    ]);
    if (!again && shown === this.shown) return;
    this.shown = shown;
    if (!piece) {
      rebuild(this.root, h("p", { class: "empty", text: t("takes.none") }));
      return;
    }
    rebuild(
      this.root,
      h("p", { class: "lead", text: t("save.lead") }),
      ready ? null : h("p", { class: "hint", text: t("save.first") }),
      this.#video(ready),
      ready
        ? this.#files(ready)
        : button("check", t("update"), () => this.#work(() => studio.makeFinal()), {
            disabled: this.busy,
            data: { key: "first" },
          }),
      h("p", {
        class: "small",
        text: t("save.expires", {
          time: new Date(1000 * studio.clip.expires).toLocaleTimeString(document.documentElement.lang, {
            hour: "numeric",
            minute: "2-digit",
          }),
        }),
      }),
    );
  }

  #video(ready) {
    const { studio } = this;
    const made =
      ready?.files?.mp4 && ready.id === this.madeOf && this.madeWith === JSON.stringify(this.options)
        ? ready.files.mp4
        : null;
    const own =
      studio.clip.video?.sound === false
        ? null
        : h(
            "div",
            { class: "field" },
            h("label", { for: "own-sound", text: t("save.own") }),
            h(
              "select",
              {
                id: "own-sound",
                data: { key: "own" },
                on: {
                  change: (event) => {
                    this.options.keep_audio = event.target.value;
                    this.update();
                  },
                },
              },
              ["", "voice", "all"].map((value) =>
                h("option", {
                  value,
                  text: t(`save.own.${value || "none"}`),
                  selected: value === this.options.keep_audio,
                }),
              ),
            ),
          );
    const level =
      this.options.keep_audio && own
        ? h(
            "div",
            { class: "field" },
            h("label", { for: "own-level", text: t("save.level") }),
            h("input", {
              id: "own-level",
              type: "number",
              min: -40,
              max: 20,
              step: 1,
              value: this.options.audio_level,
              data: { key: "own level" },
              on: {
                change: (event) => {
                  this.options.audio_level = Number(event.target.value);
                  this.update();
                },
              },
            }),
          )
        : null;
    const action = made
      ? this.#link(made.url, t("save.video"), made, "main")
      : button("film", t(this.busy ? "save.making" : "save.make"), () => this.#make(), {
          class: "main",
          disabled: this.busy,
          data: { key: "make" },
        });
    return h("div", { class: "save-video" }, own, level, action);
  }

  #files(piece) {
    const rows = [
      ["wav", piece.sound],
      ["mid", piece.midi],
      ["plan", piece.toml],
    ]
      .filter(([, address]) => address)
      .map(([kind, address]) => h("li", {}, this.#link(address, t(MEDIA[kind]), piece.files?.[kind])));
    const stems = Object.entries(piece.stems || {});
    const channels = stems.length
      ? h(
          "details",
          { class: "channels" },
          h("summary", { text: `${t("save.stems")}: ${stems.length}` }),
          h(
            "ul",
            { class: "files" },
            stems.map(([name, address]) =>
              h("li", {}, this.#link(address, t(`channel.${name}`), piece.files?.[`stem ${name}`])),
            ),
          ),
        )
      : null;
    const zip = piece.files?.zip
      ? h("li", {}, this.#link(piece.files.zip.url, t("save.all"), piece.files.zip))
      : h(
          "li",
          {},
          button("save", t("save.packing"), () => this.#pack(), { disabled: this.busy, data: { key: "pack" } }),
        );
    return h("div", {}, h("ul", { class: "files" }, rows, zip), channels);
  }

  #link(address, label, file, look = "") {
    const url = `${address}${address.includes("?") ? "&" : "?"}download=1`;
    return h(
      "a",
      { class: `button ${look}`, href: url, download: file?.name || "", data: { key: address } },
      label,
      file?.bytes ? h("span", { class: "small", text: ` ${bytes(file.bytes)}` }) : null,
    );
  }

  async #work(work) {
    this.busy = true;
    this.update();
    const result = await work();
    this.busy = false;
    this.update();
    return result;
  }

  async #make() {
    const options = { video: true, stems: false, markers: false, ...this.options };
    const piece = await this.#work(() => this.studio.export(options));
    if (!piece) return;
    this.madeOf = piece.id;
    this.madeWith = JSON.stringify(this.options);
    this.update();
    const file = piece.files.mp4;
    if (!file) return;
    announce(t("save.ready", { name: file.name }));
    notice(t("save.ready", { name: file.name }), { kind: "good", close: t("close") });
    this.root.querySelector("a.main")?.click();
  }

  #pack() {
    return this.#work(() => this.studio.export({ video: true, stems: true, markers: true, ...this.options }));
  }
}
