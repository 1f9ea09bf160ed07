// Fields of the section or hit that is chosen on the timeline.

import { announce, button, h, rebuild } from "./dom.js";
import { barLines, follows, join, moodOf, moodText, removeHit, setHit, setSection, splitAt } from "./plan.js";
import { readableKey } from "./takes.js";
import { choice, field, genreChoices, genreWord, moodWord, percent } from "./wishes.js";
import { clock, t } from "./words.js";

export class Inspector {
  constructor(root, studio, transport) {
    this.root = root;
    this.studio = studio;
    this.transport = transport;
    studio.addEventListener("change", () => this.update());
  }

  update(again = false) {
    const { studio } = this;
    const { plan, selected } = studio;
    this.root.hidden = !plan;
    if (!plan) return;
    const player = studio.player;
    const row = selected && (selected.kind === "hit" ? plan.hit?.[selected.index] : plan.section[selected.index]);
    const shown = JSON.stringify([selected, row, plan.section.length, player.looping, player.range]);
    if (!again && (shown === this.shown || this.moving)) return;
    this.shown = shown;
    if (!row) rebuild(this.root, h("p", { class: "empty", text: t("inspector.none") }));
    else if (selected.kind === "hit") this.#hit(row, selected.index);
    else this.#section(plan, row, selected.index);
  }

  /** Sliders change the plan while they move, and are drawn again at the end only. */
  #slider(value, label, key, write) {
    const { studio } = this;
    return percent(value, {
      label,
      key,
      input: (next) => {
        this.moving = true;
        studio.edit(write(next), key);
      },
      change: () => {
        this.moving = false;
        this.update();
      },
    }).element;
  }

  #section(plan, section, index) {
    const { studio } = this;
    const { options, player } = studio;
    const set = (values) => studio.edit(setSection(studio.plan, index, values));
    const on = (name) => ({ change: (event) => set({ [name]: event.target.value }) });
    const mood = moodOf(section);
    const range = [section.start, section.end];
    const looped = player.looping && String(player.range) === String(range);
    const fields = [
      field(
        t("genre"),
        choice(genreChoices(options), section.genre, genreWord(options), { data: { key: "genre" }, on: on("genre") }),
      ),
      field(
        t("mood"),
        choice(["", ...options.moods], mood.name, moodWord, {
          data: { key: "mood" },
          on: { change: (event) => set({ mood: moodText(event.target.value, mood.name ? mood.strength : 0.7) }) },
        }),
      ),
      mood.name
        ? h(
            "div",
            { class: "field" },
            h("span", { class: "label", aria: { hidden: true }, text: t("strength") }),
            this.#slider(mood.strength, t("strength"), `strength ${index}`, (value) =>
              setSection(studio.plan, index, { mood: moodText(mood.name, value) }),
            ),
          )
        : null,
      h(
        "div",
        { class: "field", title: t("energy.tip") },
        h("span", { class: "label", aria: { hidden: true }, text: t("energy") }),
        this.#slider(section.energy, t("energy"), `energy ${index}`, (value) =>
          setSection(studio.plan, index, { energy: value }),
        ),
      ),
      field(
        t("role"),
        choice(options.roles, section.role, (name) => t(`role.${name}`), { data: { key: "role" }, on: on("role") }),
      ),
      field(
        t("key"),
        choice(["", ...options.keys], section.key, (key) => (key ? readableKey(key) : t("key.auto")), {
          data: { key: "key" },
          on: on("key"),
        }),
      ),
      follows(plan, index)
        ? field(
            t("transition"),
            choice(options.transitions, section.transition, (name) => t(`transition.${name}`), {
              data: { key: "transition" },
              on: on("transition"),
            }),
          )
        : null,
      options.arrangers.length > 1
        ? field(
            t("arranger"),
            choice(options.arrangers, section.arranger, (name) => name, {
              data: { key: "arranger" },
              on: on("arranger"),
            }),
          )
        : null,
      this.#seed(section, set),
    ];
    const actions = h(
      "div",
      { class: "row" },
      button("loop", t("section.play"), () => this.transport.toggleLoop(range), {
        class: "toggle",
        aria: { pressed: looped },
        data: { key: "loop section" },
      }),
      button("split", t("section.split"), () => this.#split(index), {
        disabled: !barLines(plan).some((time) => time > section.start + 0.2 && time < section.end - 0.2),
        data: { key: "split here" },
      }),
      follows(plan, index + 1 < plan.section.length ? index + 1 : 0)
        ? button("join", t("join"), () => studio.edit(join(studio.plan, index)), { data: { key: "join" } })
        : null,
    );
    rebuild(
      this.root,
      this.#head(t("section.n", { n: index + 1 }), `${clock(section.start, 1)} – ${clock(section.end, 1)}`),
      h("div", { class: "fields wide-fields" }, fields),
      actions,
    );
  }

  #head(name, times) {
    return h(
      "div",
      { class: "inspector-head" },
      h("h3", { text: name }),
      h("span", { class: "small", text: times }),
      button("close", t("close"), () => this.studio.select(null), {
        shown: false,
        class: "quiet",
        data: { key: "deselect" },
      }),
    );
  }

  #seed(section, set) {
    const number = h("input", {
      type: "number",
      min: 0,
      max: 2 ** 31,
      step: 1,
      value: section.seed,
      data: { key: "seed" },
      on: { change: () => set({ seed: Math.max(Math.floor(Number(number.value)) || 0, 0) }) },
    });
    const box = field(t("seed"), number);
    const other = button(
      "dice",
      t("seed.new"),
      () => {
        const used = this.studio.plan.section.map((each) => each.seed);
        set({ seed: Math.max(...used) + 1 });
        announce(`${t("seed")}: ${Math.max(...used) + 1}`);
      },
      { data: { key: "dice" } },
    );
    box.append(h("span", { class: "seed" }, number, other));
    return box;
  }

  #split(index) {
    const { studio } = this;
    const { plan } = studio;
    const section = plan.section[index];
    const position = studio.player.position;
    const inside = position > section.start && position < section.end ? position : (section.start + section.end) / 2;
    const next = splitAt(plan, inside);
    if (!next) return announce(t("split.no"));
    studio.edit(next);
    studio.select({ kind: "section", index: index + 1 });
    return undefined;
  }

  #hit(hit, index) {
    const { studio } = this;
    const time = h("input", {
      type: "number",
      min: 0,
      max: studio.plan.duration,
      step: 0.01,
      value: hit.time.toFixed(2),
      data: { key: "time" },
      on: { change: () => studio.edit(setHit(studio.plan, index, { time: Number(time.value) || 0 })) },
    });
    rebuild(
      this.root,
      this.#head(t("hit.n", { n: index + 1 }), clock(hit.time, 2)),
      h(
        "div",
        { class: "fields wide-fields" },
        field(t("hit.time"), time),
        h(
          "div",
          { class: "field" },
          h("span", { class: "label", aria: { hidden: true }, text: t("hit.strength") }),
          this.#slider(hit.strength, t("hit.strength"), `hit strength ${index}`, (value) =>
            setHit(studio.plan, index, { strength: value }),
          ),
        ),
      ),
      h(
        "div",
        { class: "row" },
        button(
          "trash",
          t("hit.remove"),
          () => {
            studio.edit(removeHit(studio.plan, index));
            studio.select(null);
          },
          { data: { key: "remove hit" } },
        ),
      ),
    );
  }
}
