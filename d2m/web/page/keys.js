// Keys that work everywhere on the page. They are listed in a dialog, and single keys can be turned off.

import { $, h, remember } from "./dom.js";
import { beatsOf, barLines } from "./plan.js";
import { t } from "./words.js";

const LIST = [
  ["␣", "key.space"],
  ["← →", "key.arrows"],
  ["⇧ ← →", "key.shift"],
  ["Home", "key.home"],
  ["L", "key.l"],
  ["C", "key.c"],
  ["B", "key.b"],
  ["S", "key.s"],
  ["H", "key.h"],
  ["U", "key.u"],
  ["Ctrl Z, Ctrl ⇧ Z", "key.z"],
  ["1 – 9", "key.numbers"],
];

export class Keys {
  constructor(app) {
    this.app = app;
    $("single-keys").checked = remember("single") !== "no";
    $("single-keys").addEventListener("change", () => remember("single", $("single-keys").checked ? "yes" : "no"));
    $("keys-open").addEventListener("click", () => $("keys").showModal());
    $("keys-close").addEventListener("click", () => $("keys").close());
    addEventListener("keydown", (event) => this.#press(event));
  }

  render() {
    $("key-list").replaceChildren(
      ...LIST.flatMap(([key, words]) => [h("dt", {}, h("kbd", { text: key })), h("dd", { text: t(words) })]),
    );
  }

  #press(event) {
    const { studio, player } = this.app;
    if (!studio.clip || event.altKey || document.querySelector("dialog[open]")) return;
    const target = event.target instanceof Element ? event.target : document.body;
    const types = target.closest("input:not([type=range], [type=checkbox], [type=radio]), textarea, select");
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z" && !types) {
      event.preventDefault();
      if (event.shiftKey) studio.redo();
      else studio.undo();
      return;
    }
    if (event.ctrlKey || event.metaKey || types || !$("single-keys").checked) return;
    const acts = target.closest("button, a, summary, input, [role=slider]");
    if (this.#move(event, player, acts) || this.#letter(event.key.toLowerCase())) event.preventDefault();
  }

  #move(event, player, acts) {
    if (acts) return false;
    const { plan } = this.app.studio;
    if (event.key === " ") player.toggle();
    else if (event.key === "Home") player.seek(0);
    else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      const times = plan ? (event.shiftKey ? barLines(plan) : beatsOf(plan).map((beat) => beat.time)) : [];
      const { position } = player;
      const next =
        event.key === "ArrowRight"
          ? times.find((time) => time > position + 0.02)
          : times.findLast((time) => time < position - 0.2);
      player.seek(next ?? (event.key === "ArrowRight" ? position + 1 : 0));
    } else return false;
    return true;
  }

  #letter(key) {
    const { studio, transport, timeline } = this.app;
    const acts = {
      l: () => transport.toggleLoop(),
      c: () => transport.toggleClick(),
      b: () => transport.toggleBody(),
      s: () => studio.plan && timeline.split(),
      h: () => studio.plan && timeline.addHit(),
      u: () => studio.update(),
    };
    if (/^[1-9]$/.test(key)) {
      const take = studio.takes[Number(key) - 1];
      if (take) studio.hear(studio.lastOf(take));
      return Boolean(take);
    }
    if (!acts[key]) return false;
    acts[key]();
    return true;
  }
}
