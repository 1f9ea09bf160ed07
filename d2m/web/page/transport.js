// Buttons under the picture: play, position, loop, click, skeleton, speed, volume.

import { announce, button, h, icon, rebuild, remember } from "./dom.js";
import { barAt } from "./plan.js";
import { clock, t } from "./words.js";

const SPEEDS = [0.5, 0.75, 1];

export class Transport {
  constructor(root, studio) {
    this.root = root;
    this.studio = studio;
    this.player = studio.player;
    this.player.addEventListener("state", () => this.update());
    this.player.addEventListener("frame", () => this.#move());
    this.volume = Number(remember("volume") ?? 0.9);
    this.player.sound.volume = this.volume;
    this.#build();
  }

  #build() {
    const { player } = this;
    this.play = button("play", t("play"), () => player.toggle(), {
      shown: false,
      class: "main round",
      data: { key: "play" },
    });
    this.time = h("output", { class: "time" });
    this.slider = h("input", {
      type: "range",
      class: "position",
      min: 0,
      max: 1,
      step: 0.01,
      value: 0,
      aria: { label: t("position") },
      data: { key: "position" },
      on: { input: () => this.#scrub(), change: () => this.#drop(), keydown: (event) => this.#keys(event) },
    });
    this.loop = this.#toggle("loop", t("loop"), () => this.toggleLoop());
    this.click = this.#toggle("click", t("click"), () => this.toggleClick());
    this.body = this.#toggle("body", t("body"), () => this.toggleBody());
    this.beats = this.#toggle("beat", t("beats"), () => this.#toggleBeats());
    this.speed = h(
      "select",
      { title: t("speed.tip"), data: { key: "speed" }, on: { change: () => player.setRate(Number(this.speed.value)) } },
      SPEEDS.map((each) => h("option", { value: each, text: `${each}×`, selected: each === player.rate })),
    );
    this.level = h("input", {
      type: "range",
      min: 0,
      max: 1,
      step: 0.02,
      value: this.volume,
      aria: { label: t("volume") },
      data: { key: "volume" },
      on: { input: () => this.#setVolume(Number(this.level.value)) },
    });
    rebuild(
      this.root,
      h(
        "div",
        { class: "line" },
        this.play,
        button("back", t("again"), () => player.seek(0), { shown: false, class: "quiet", data: { key: "again" } }),
        this.slider,
        this.time,
      ),
      h(
        "div",
        { class: "line tools" },
        this.loop,
        this.click,
        this.body,
        this.beats,
        h("label", { class: "speed" }, h("span", { class: "unseen", text: t("speed") }), this.speed),
        h("span", { class: "volume" }, icon("sound"), this.level),
      ),
    );
    this.#setVolume(this.volume);
    this.update();
  }

  relabel() {
    this.#build();
  }

  #toggle(name, label, press) {
    return button(name, label, press, { class: "toggle", aria: { pressed: false }, data: { key: name } });
  }

  toggleLoop(range) {
    const { player } = this;
    const on = range ? !(player.looping && String(player.range) === String(range)) : !player.looping;
    player.setLoop(on, on ? range || null : null);
    announce(`${t(range ? "loop.section" : "loop")}: ${t(on ? "on" : "off")}`);
    this.studio.changed();
  }

  toggleClick() {
    const { sound } = this.player;
    sound.setClick(!sound.clicks.on);
    this.#say("click", sound.clicks.on);
  }

  toggleBody() {
    const { overlay } = this.studio;
    overlay.showBody = !overlay.showBody;
    remember("body", overlay.showBody ? "yes" : "no");
    this.#say("body", overlay.showBody);
  }

  #toggleBeats() {
    const { overlay } = this.studio;
    overlay.showBeats = !overlay.showBeats;
    remember("beats", overlay.showBeats ? "yes" : "no");
    this.#say("beats", overlay.showBeats);
  }

  #say(name, on) {
    announce(`${t(name)}: ${t(on ? "on" : "off")}`);
    this.update();
  }

  #setVolume(volume) {
    this.level.style.setProperty("--share", `${100 * volume}%`);
    this.level.setAttribute("aria-valuetext", `${Math.round(100 * volume)} %`);
    this.volume = volume;
    this.player.sound.setVolume(volume);
    remember("volume", volume);
  }

  #scrub() {
    this.scrubbing = Number(this.slider.value);
    // While the handle is held only the picture moves; the music follows when it is let go.
    if (!this.player.active) this.player.seek(this.scrubbing);
    this.#move();
  }

  #drop() {
    const time = this.scrubbing;
    this.scrubbing = undefined;
    if (time !== undefined) this.player.seek(time);
  }

  #keys(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: 5, PageDown: -5 }[event.key];
    if (!step || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    this.player.seek(this.player.position + step);
  }

  update() {
    const { player } = this;
    const { overlay } = this.studio;
    const name = player.active ? "pause" : "play";
    if (this.play.dataset.icon !== name) {
      this.play.dataset.icon = name;
      this.play.firstChild.replaceWith(icon(name));
      this.play.lastChild.textContent = t(name);
      this.play.title = t(name);
    }
    for (const [each, on] of [
      [this.loop, player.looping],
      [this.click, player.sound.clicks.on],
      [this.body, overlay.showBody],
      [this.beats, overlay.showBeats],
    ]) {
      each.setAttribute("aria-pressed", String(on));
    }
    this.slider.max = player.duration || 1;
    this.#move();
  }

  #move() {
    const { player } = this;
    const position = this.scrubbing ?? player.position;
    const all = player.duration;
    const shown = `${clock(position, 1)} / ${clock(all, 1)}`;
    if (this.shown === shown) return;
    this.shown = shown;
    this.time.textContent = shown;
    if (this.scrubbing === undefined) this.slider.value = position;
    this.slider.style.setProperty("--share", `${all ? (100 * position) / all : 0}%`);
    const { plan } = this.studio;
    const second = Math.floor(position);
    if (this.second === second) return;
    this.second = second;
    this.slider.setAttribute(
      "aria-valuetext",
      t("position.text", { time: clock(position), all: clock(all), bar: plan ? barAt(plan, position) : "–" }),
    );
  }
}
