// Levels of the tracks, which change while the music plays.

import { button, h, rebuild } from "./dom.js";
import { copy, isOut, levelOf, setLevel, setOut } from "./plan.js";
import { t } from "./words.js";

const LOWEST = -24;
const HIGHEST = 12;

export class Mixer {
  constructor(root, studio) {
    this.root = root;
    this.studio = studio;
    studio.addEventListener("change", () => this.update());
  }

  update(again = false) {
    const { studio } = this;
    const { plan, heardPiece: piece } = studio;
    const shown = JSON.stringify([studio.heard, plan?.mix, [...studio.solo], Boolean(piece?.stems), studio.stemsOf]);
    if (!again && (shown === this.shown || this.moving)) return;
    this.shown = shown;
    if (!plan || !piece) {
      rebuild(this.root, h("p", { class: "empty", text: t("takes.none") }));
      return;
    }
    const ready = studio.stemsOf === piece.id;
    rebuild(
      this.root,
      h("p", { class: "lead", text: t(piece.stems ? "mix.lead" : "mix.waiting") }),
      h(
        "div",
        { class: "strips" },
        studio.options.tracks.map((track) => this.#strip(track, plan, piece, ready)),
      ),
      h(
        "div",
        { class: "row" },
        button("retry", t("mix.reset"), () => this.#reset(), { data: { key: "reset" } }),
      ),
    );
  }

  #strip(track, plan, piece, ready) {
    const { studio } = this;
    const name = t(`track.${track}`);
    const out = isOut(plan, track);
    const sounds = Object.entries(piece.tracks).some(
      ([channel, each]) => each === track && (!piece.stems || piece.stems[channel]),
    );
    const solo = studio.solo.has(track);
    const level = levelOf(plan, track);
    const output = h("output", { class: "db" });
    const slider = h("input", {
      type: "range",
      min: LOWEST,
      max: HIGHEST,
      step: 0.5,
      value: level,
      disabled: !ready || !sounds,
      aria: { label: t("level", { track: name }) },
      data: { key: `level ${track}` },
      on: {
        input: () => {
          this.moving = true;
          show();
          studio.edit(setLevel(studio.plan, track, Number(slider.value)), `level ${track}`);
        },
        change: () => {
          this.moving = false;
          this.update();
        },
        dblclick: () => studio.edit(setLevel(studio.plan, track, 0), `level ${track}`),
      },
    });
    const show = () => {
      const value = Number(slider.value);
      const text = `${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(value).toFixed(1)}`;
      output.textContent = `${text} dB`;
      slider.setAttribute("aria-valuetext", t("level.text", { db: text }));
      slider.style.setProperty("--share", `${(100 * (value - LOWEST)) / (HIGHEST - LOWEST)}%`);
    };
    show();
    const toggle = (letter, label, pressed, press, key) =>
      h(
        "button",
        {
          type: "button",
          class: "letter",
          title: label,
          disabled: !ready && key[0] === "s",
          aria: { pressed, label },
          data: { key },
          on: { click: press },
        },
        letter,
      );
    const note = !sounds && t(isOut(studio.heardPlan, track) && !out ? "mix.out" : "mix.none");
    return h(
      "div",
      { class: out || (studio.solo.size && !solo) ? "strip silent" : "strip" },
      h(
        "div",
        { class: "strip-head" },
        h("span", { class: "strip-name", text: name }),
        note ? h("span", { class: "small", text: note }) : output,
      ),
      h(
        "div",
        { class: "strip-row" },
        toggle("M", t("mute", { track: name }), out, () => this.#mute(track), `mute ${track}`),
        toggle("S", t("solo", { track: name }), solo, () => this.#solo(track), `solo ${track}`),
        slider,
      ),
      this.#instruments(track, name, plan),
    );
  }

  #instruments(track, name, plan) {
    const known = this.studio.options.instruments?.[track] || [];
    if (!known.length) return null;
    const chosen = plan.mix?.instruments?.[track] || "";
    const rest = chosen && !known.some((each) => each.name === chosen) ? [{ name: chosen, title: chosen }] : [];
    const select = h(
      "select",
      {
        class: "instrument",
        aria: { label: t("instrument", { track: name }) },
        data: { key: `instrument ${track}` },
        on: { change: () => this.#instrument(track, select.value) },
      },
      h("option", { value: "", text: t("instrument.auto") }),
      [...rest, ...known].map((each) =>
        h("option", { value: each.name, text: each.title || each.name, selected: each.name === chosen }),
      ),
    );
    return select;
  }

  #instrument(track, name) {
    const { studio } = this;
    const plan = copy(studio.plan);
    const instruments = { ...(plan.mix?.instruments || {}) };
    if (name) instruments[track] = name;
    else delete instruments[track];
    plan.mix = { ...(plan.mix || {}), instruments };
    if (!Object.keys(instruments).length) delete plan.mix.instruments;
    if (!Object.keys(plan.mix).length) delete plan.mix;
    studio.edit(plan);
  }

  #mute(track) {
    const { studio } = this;
    const out = new Set(studio.plan.mix?.without || []);
    if (!out.delete(track)) out.add(track);
    if (out.size === studio.options.tracks.length) return;
    studio.edit(
      setOut(
        studio.plan,
        studio.options.tracks.filter((each) => out.has(each)),
      ),
    );
  }

  #solo(track) {
    const solo = new Set(this.studio.solo);
    if (!solo.delete(track)) solo.add(track);
    this.studio.setSolo(solo);
  }

  #reset() {
    const { studio } = this;
    studio.setSolo(new Set());
    const plan = copy(studio.plan);
    const instruments = plan.mix?.instruments;
    delete plan.mix;
    if (instruments) plan.mix = { instruments };
    studio.edit(plan);
  }
}
