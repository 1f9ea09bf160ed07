// The timeline: sections that can be chosen, borders and hits that can be moved by pointer and by keys, cuts, bars, playhead.

import { announce, h, rebuild } from "./dom.js";
import {
  addHit,
  barAt,
  barLines,
  beatsOf,
  borderChoices,
  follows,
  moodOf,
  moveBorder,
  nearest,
  removeHit,
  setHit,
  splitAt,
} from "./plan.js";
import { ZOOMS, drag, timelineBar } from "./timeline-tools.js";
import { paint } from "./timeline-picture.js";
import { genreWord, moodWord } from "./wishes.js";
import { clock, t } from "./words.js";

export class Timeline {
  constructor(root, studio) {
    this.root = root;
    this.studio = studio;
    this.zoom = 0;
    this.fitted = null;
    this.player = studio.player;
    studio.addEventListener("change", () => this.update());
    this.player.addEventListener("frame", () => this.#follow());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.paint());
    new ResizeObserver(() => this.paint()).observe(root);
  }

  get length() {
    return this.studio.plan?.duration || 1;
  }

  place(time) {
    return `${(100 * time) / this.length}%`;
  }

  update(again = false) {
    const { studio } = this;
    const { plan } = studio;
    this.root.hidden = !plan;
    if (!plan || this.dragging) return;
    if (this.fitted !== studio.clip.id) this.#fit(plan);
    const { history, changedSections, needsUpdate, mixChanged, updating } = studio;
    const shown = JSON.stringify([
      plan.section,
      plan.hit,
      studio.heard,
      changedSections,
      needsUpdate,
      mixChanged,
      updating,
      history.canUndo,
      history.canRedo,
      studio.selected,
      this.zoom,
      studio.auto,
      Boolean(studio.analysis),
    ]);
    if (!again && shown === this.shown) return;
    this.shown = shown;
    const scrolled = this.scroll?.scrollLeft || 0;
    const changed = new Set(changedSections);
    this.canvas = h("canvas", { class: "timeline-wave", aria: { hidden: true } });
    this.head = h("div", { class: "playhead", aria: { hidden: true } });
    this.inner = h(
      "div",
      { class: "timeline-inner" },
      this.canvas,
      h(
        "div",
        { class: "lane bar-lane", aria: { hidden: true }, on: { pointerdown: (event) => this.#seekBy(event) } },
        this.#barNumbers(plan),
      ),
      h("div", {
        class: "lane wave-lane",
        aria: { hidden: true },
        on: { pointerdown: (event) => this.#seekBy(event) },
      }),
      h(
        "div",
        { class: "lane section-lane", role: "group", aria: { label: t("timeline.lead") } },
        plan.section.flatMap((section, index) => [
          this.#border(plan, index),
          this.#section(plan, section, index, changed.has(index)),
        ]),
      ),
      h(
        "div",
        { class: "lane hit-lane", role: "group", aria: { label: t("hit.n", { n: "" }).trim() } },
        this.#cuts(),
        (plan.hit || []).map((hit, index) => this.#hit(hit, index)),
      ),
      this.head,
    );
    this.inner.style.width = `${100 * ZOOMS[this.zoom]}%`;
    this.scroll = h("div", { class: "timeline-scroll" }, this.inner);
    rebuild(
      this.root,
      timelineBar(this, changed.size),
      this.scroll,
      h("p", { class: "unseen", id: "timeline-keys", text: t("timeline.keys") }),
    );
    this.scroll.scrollLeft = scrolled;
    this.paint();
    this.#follow();
  }

  /** On narrow screens a long piece is shown in part, so that its bars can be told apart. */
  #fit(plan) {
    this.fitted = this.studio.clip.id;
    const wanted = (barLines(plan).length * 26) / Math.max(this.root.parentElement.clientWidth, 1);
    this.zoom = Math.max(
      ZOOMS.findIndex((zoom) => zoom >= Math.min(wanted, 8)),
      0,
    );
  }

  zoomBy(step) {
    const centre = this.scroll.scrollLeft + this.scroll.clientWidth / 2;
    const before = ZOOMS[this.zoom];
    this.zoom = Math.min(Math.max(this.zoom + step, 0), ZOOMS.length - 1);
    this.update();
    this.scroll.scrollLeft = (centre * ZOOMS[this.zoom]) / before - this.scroll.clientWidth / 2;
  }

  #barNumbers(plan) {
    const lines = [
      ...plan.tempo.downbeats
        .map((index) => plan.tempo.beats[index])
        .filter((time) => time > -0.02 && time < plan.duration - 0.02),
    ];
    const width = this.root.clientWidth * ZOOMS[this.zoom];
    const every = [1, 2, 4, 8, 16].find((step) => (width / Math.max(lines.length, 1)) * step >= 26) || 32;
    return lines.flatMap((time, index) => {
      if (index % every) return [];
      const mark = h("span", { class: "bar-number", text: index + 1 });
      mark.style.left = this.place(Math.max(time, 0));
      return [mark];
    });
  }

  #section(plan, section, index, changed) {
    const { studio } = this;
    const { name, strength } = moodOf(section);
    const what = [
      genreWord(studio.options)(section.genre),
      section.role !== "auto" ? t(`role.${section.role}`) : "",
      name ? `${moodWord(name)} ${Math.round(100 * strength)} %` : "",
    ].filter(Boolean);
    const chosen = studio.selected?.kind === "section" && studio.selected.index === index;
    const element = h(
      "button",
      {
        type: "button",
        class: `section${name ? ` mood-${name}` : ""}${changed ? " changed" : ""}`,
        aria: {
          pressed: chosen,
          label: t("section.label", {
            n: index + 1,
            all: plan.section.length,
            from: clock(section.start, 1),
            to: clock(section.end, 1),
            what: [...what, changed ? t("section.changed") : ""].filter(Boolean).join(", "),
          }),
          describedby: "timeline-keys",
        },
        data: { key: `section ${index}` },
        on: {
          click: () => studio.select(chosen ? null : { kind: "section", index }),
          dblclick: () => this.player.seek(section.start),
        },
      },
      h("span", { class: "section-name", text: what[0] }),
      what.length > 1 ? h("span", { class: "section-more", text: what.slice(1).join(" · ") }) : null,
    );
    element.style.left = this.place(section.start);
    element.style.width = this.place(section.end - section.start);
    element.style.setProperty("--strength", name ? `${12 + 30 * strength}%` : "0%");
    return element;
  }

  #border(plan, index) {
    if (!follows(plan, index)) return null;
    const choices = borderChoices(plan, index);
    const { start } = plan.section[index];
    const say = (time) => t("border.text", { bar: barAt(plan, time), time: clock(time, 1) });
    const element = h("div", {
      class: "border",
      role: "slider",
      tabindex: 0,
      title: t("border.tip"),
      data: { key: `border ${index}` },
      aria: {
        label: t("border", { a: index, b: index + 1 }),
        orientation: "horizontal",
        valuemin: choices[0] ?? start,
        valuemax: choices.at(-1) ?? start,
        valuenow: start,
        valuetext: say(start),
      },
    });
    element.style.left = this.place(start);
    const move = (time) =>
      this.studio.edit(moveBorder(this.studio.plan, index, time), `border ${index}`) &&
      announce(say(this.studio.plan.section[index].start));
    element.addEventListener("keydown", (event) => {
      const at = choices.findIndex((time) => Math.abs(time - start) < 0.02);
      const step = {
        ArrowLeft: -1,
        ArrowDown: -1,
        ArrowRight: 1,
        ArrowUp: 1,
        PageDown: -4,
        PageUp: 4,
        Home: -1e6,
        End: 1e6,
      }[event.key];
      if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      event.stopPropagation();
      move(choices[Math.min(Math.max(at + step, 0), choices.length - 1)]);
    });
    drag(
      this,
      element,
      (time) => nearest(choices, time) ?? start,
      (time) => move(time),
      (time) => say(time),
    );
    return element;
  }

  #hit(hit, index) {
    const { studio } = this;
    const chosen = studio.selected?.kind === "hit" && studio.selected.index === index;
    const current = chosen || (studio.selected?.kind !== "hit" && index === 0);
    const element = h("button", {
      type: "button",
      class: "hit",
      tabindex: current ? 0 : -1,
      aria: {
        pressed: chosen,
        label: t("hit.label", { n: index + 1, time: clock(hit.time, 2), strength: Math.round(100 * hit.strength) }),
        describedby: "timeline-keys",
      },
      data: { key: `hit ${index}` },
      on: { click: () => !this.moved && studio.select(chosen ? null : { kind: "hit", index }) },
    });
    element.style.left = this.place(hit.time);
    element.style.setProperty("--tall", `${Math.round(35 + 65 * hit.strength)}%`);
    element.addEventListener("keydown", (event) => this.#hitKeys(event, hit, index));
    const beats = beatsOf(studio.plan).map((beat) => beat.time);
    drag(
      this,
      element,
      (time, free) => (free ? time : nearest(beats, time)),
      (time) => this.#moveHit(index, time),
      (time) => clock(time, 2),
    );
    return element;
  }

  #hitKeys(event, hit, index) {
    const { studio } = this;
    const { plan } = studio;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (["ArrowLeft", "ArrowRight"].includes(event.key)) {
      const beats = beatsOf(plan).map((beat) => beat.time);
      const next =
        event.key === "ArrowRight"
          ? beats.find((time) => time > hit.time + 0.01)
          : beats.findLast((time) => time < hit.time - 0.01);
      if (next !== undefined) this.#moveHit(index, next);
    } else if (["ArrowUp", "ArrowDown", "Home", "End"].includes(event.key)) {
      const last = plan.hit.length - 1;
      const next = { ArrowUp: Math.max(index - 1, 0), ArrowDown: Math.min(index + 1, last), Home: 0, End: last }[
        event.key
      ];
      studio.select({ kind: "hit", index: next });
      setTimeout(() => this.root.querySelector(`[data-key="hit ${next}"]`)?.focus(), 0);
    } else if (["Delete", "Backspace"].includes(event.key)) {
      studio.edit(removeHit(plan, index));
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #moveHit(index, time) {
    const { studio } = this;
    if (studio.edit(setHit(studio.plan, index, { time }), `hit ${index}`))
      announce(
        t("hit.label", {
          n: index + 1,
          time: clock(time, 2),
          strength: Math.round(100 * studio.plan.hit[index].strength),
        }),
      );
  }

  #cuts() {
    const cuts = this.studio.analysis?.cuts || [];
    return cuts
      .filter((time) => time < this.length)
      .map((time) => {
        const mark = h("span", { class: "cut", title: `${t("cut")} ${clock(time, 1)}`, aria: { hidden: true } });
        mark.style.left = this.place(time);
        return mark;
      });
  }

  timeAt(event) {
    const box = this.inner.getBoundingClientRect();
    return Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1) * this.length;
  }

  #seekBy(event) {
    if (event.button === 0) this.player.seek(this.timeAt(event));
  }

  split() {
    const { studio } = this;
    const next = splitAt(studio.plan, this.player.position);
    if (!next) return announce(t("split.no"));
    studio.edit(next);
    const at = next.section.findIndex(
      (section, index) => section.start !== studio.history.plans.at(-2)?.section[index]?.start,
    );
    studio.select({ kind: "section", index: Math.max(at, 1) });
    return undefined;
  }

  addHit() {
    const { studio } = this;
    const next = addHit(studio.plan, this.player.position);
    if (!next) return;
    const index = next.hit.findIndex((hit) => !(studio.plan.hit || []).some((known) => known.time === hit.time));
    studio.edit(next);
    studio.select({ kind: "hit", index });
  }

  #follow() {
    if (!this.head?.isConnected) return;
    const share = Math.min(this.player.position / this.length, 1);
    const left = share * this.inner.clientWidth;
    this.head.style.transform = `translateX(${left}px)`;
    const { scrollLeft, clientWidth, scrollWidth } = this.scroll;
    if (
      this.player.active &&
      scrollWidth > clientWidth + 4 &&
      !this.dragging &&
      (left < scrollLeft || left > scrollLeft + clientWidth * 0.92)
    )
      this.scroll.scrollLeft = left - clientWidth * 0.1;
    const range = this.player.looping && this.player.range ? String(this.player.range) : "";
    if (range !== this.loopShown) {
      this.loopShown = range;
      this.paint();
    }
  }

  paint() {
    if (this.canvas?.isConnected) paint(this.canvas, this.studio, this.player);
  }
}
