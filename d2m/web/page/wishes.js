// What can be wished for music: genre, mood and strength, tempo, key, sections, loop. Used before the upload and in the studio.

import { h } from "./dom.js";
import { readableKey } from "./takes.js";
import { named, t } from "./words.js";

export function field(label, control, { tip, id = `f${(field.count = (field.count || 0) + 1)}` } = {}) {
  control.id = id;
  return h("div", { class: "field", title: tip }, h("label", { for: id, text: label }), control);
}

export function choice(values, chosen, words, properties = {}) {
  return h(
    "select",
    properties,
    values.map((value) => h("option", { value, text: words(value), selected: value === chosen })),
  );
}

export const genreChoices = (options) => options.genres.map((genre) => genre.name);

export function genreWord(options) {
  return (name) => named("genre", name, options.genres.find((genre) => genre.name === name)?.title || name);
}

export const moodWord = (name) => (name ? named("mood", name, name[0].toUpperCase() + name.slice(1)) : t("mood.none"));

/** A slider from 0 to 100 % with its value beside it. `input` is called while it moves, `change` at the end. */
export function percent(value, { input, change, label, key, disabled = false }) {
  const output = h("output", { text: `${Math.round(100 * value)} %` });
  const slider = h("input", {
    type: "range",
    min: 0,
    max: 1,
    step: 0.05,
    value,
    disabled,
    data: { key },
    aria: { label },
    on: {
      input: () => {
        show();
        input?.(Number(slider.value));
      },
      change: () => change?.(Number(slider.value)),
    },
  });
  const show = () => {
    output.textContent = `${Math.round(100 * slider.value)} %`;
    slider.style.setProperty("--share", `${100 * slider.value}%`);
    slider.setAttribute("aria-valuetext", output.textContent);
  };
  show();
  return { element: h("span", { class: "percent" }, slider, output), slider };
}

/** The form; `wishes()` gives the options of a job, with those only that differ from the default. */
export class Wishes {
  constructor(options) {
    this.options = options;
    this.values = { genre: "auto", mood: "", strength: 0.7, tempo: "", bpm: 120, key: "", scenes: "auto", loop: false };
  }

  build({ full = true } = {}) {
    const { values, options } = this;
    const set = (name, read = (element) => element.value) => ({
      change: (event) => {
        values[name] = read(event.target);
        if (name === "mood") strength.slider.disabled = !values.mood;
        if (name === "tempo") bpm.hidden = values.tempo !== "bpm";
      },
    });
    const strength = percent(values.strength, {
      label: t("strength"),
      key: "wish strength",
      disabled: !values.mood,
      input: (value) => (values.strength = value),
    });
    const number = h("input", {
      type: "number",
      min: 40,
      max: 240,
      step: 1,
      value: values.bpm,
      data: { key: "wish bpm" },
      on: { change: (event) => (values.bpm = Number(event.target.value)) },
    });
    const bpm = field(t("tempo.bpm"), number);
    bpm.hidden = values.tempo !== "bpm";
    const rows = [
      field(
        t("genre"),
        choice(
          ["auto", ...genreChoices(options)],
          values.genre,
          (name) => (name === "auto" ? t("genre.auto") : genreWord(options)(name)),
          { data: { key: "wish genre" }, on: set("genre") },
        ),
      ),
      field(
        t("mood"),
        choice(["", ...options.moods], values.mood, moodWord, { data: { key: "wish mood" }, on: set("mood") }),
      ),
      h(
        "div",
        { class: "field" },
        h("span", { class: "label", aria: { hidden: true }, text: t("strength") }),
        strength.element,
      ),
      field(
        t("tempo"),
        choice(
          ["", "half", "double", "bpm"],
          values.tempo,
          (name) => t(name === "bpm" ? "tempo.bpm" : `tempo.${name || "auto"}`),
          { data: { key: "wish tempo" }, on: set("tempo") },
        ),
      ),
      bpm,
    ];
    if (full) {
      rows.push(
        field(
          t("key"),
          choice(["", ...options.keys], values.key, (key) => (key ? readableKey(key) : t("key.auto")), {
            data: { key: "wish key" },
            on: set("key"),
          }),
        ),
        field(
          t("sections"),
          choice(["auto", "off"], values.scenes, (name) => t(`sections.${name}`), {
            data: { key: "wish scenes" },
            on: set("scenes"),
          }),
        ),
        h(
          "label",
          { class: "check" },
          h("input", {
            type: "checkbox",
            checked: values.loop,
            data: { key: "wish loop" },
            on: set("loop", (element) => element.checked),
          }),
          " ",
          h("span", { text: t("music.loop") }),
        ),
      );
    }
    return h("div", { class: "fields" }, rows);
  }

  get wishes() {
    const { values } = this;
    const wishes = {};
    if (values.genre !== "auto") wishes.genre = values.genre;
    if (values.mood) wishes.mood = `${values.mood}:${values.strength}`;
    if (values.tempo) wishes.tempo = values.tempo === "bpm" ? values.bpm : values.tempo;
    if (values.key) wishes.key = values.key;
    if (values.scenes !== "auto") wishes.scenes = values.scenes;
    if (values.loop) wishes.loop = true;
    return wishes;
  }

  /** Whether the plan has to be made anew, since beats or sections change. */
  get plansAnew() {
    return Boolean(this.values.tempo) || this.values.scenes !== "auto" || this.values.loop;
  }
}
