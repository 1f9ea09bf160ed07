// Genre, mood and tempo of the whole piece.

import { announce, button, h, rebuild } from "./dom.js";
import { moodText, setAll } from "./plan.js";
import { Wishes } from "./wishes.js";
import { t } from "./words.js";

export class Music {
  constructor(root, studio) {
    this.root = root;
    this.studio = studio;
    this.wishes = new Wishes(studio.options);
    this.count = 3;
    studio.addEventListener("change", () => this.update());
  }

  update(again = false) {
    const { studio } = this;
    const shown = String([Boolean(studio.plan)]);
    if (!again && shown === this.shown) return;
    this.shown = shown;
    const most = studio.options.limits.candidates;
    const make = button("takes", t("music.make", { count: this.count }), () => this.#make(), {
      class: "main",
      data: { key: "make" },
    });
    const count = h(
      "select",
      {
        aria: { label: t("count") },
        data: { key: "count" },
        on: {
          change: () => {
            this.count = Number(count.value);
            make.lastChild.textContent = t("music.make", { count: this.count });
          },
        },
      },
      Array.from({ length: most }, (_, i) =>
        h("option", { value: i + 1, text: i + 1, selected: i + 1 === this.count }),
      ),
    );
    rebuild(
      this.root,
      h("p", { class: "lead", text: t("music.lead") }),
      this.wishes.build(),
      h("p", { class: "small", text: t("music.tempo") }),
      h(
        "div",
        { class: "row fill" },
        button("check", t("music.apply"), () => this.#apply(), { disabled: !studio.plan, data: { key: "apply" } }),
        h("span", { class: "joined" }, count, make),
      ),
    );
  }

  #make() {
    const seeds = this.studio.clip.pieces.map((piece) => piece.seed);
    const seed = seeds.length ? Math.max(...seeds) + 1 : 0;
    this.studio.compose(this.count, { ...this.wishes.wishes, seed });
  }

  /** Change the take: by its plan where the plan can say it, otherwise by a new plan with the same seed. */
  #apply() {
    const { studio, wishes } = this;
    const { values } = wishes;
    if (wishes.plansAnew) {
      const take = studio.takeOf(studio.heardPiece);
      studio.compose(1, { ...wishes.wishes, seed: take.seed });
      return;
    }
    const changes = { mood: moodText(values.mood, values.strength) };
    if (values.genre !== "auto") changes.genre = values.genre;
    if (values.key) changes.key = values.key;
    studio.edit(setAll(studio.plan, changes));
    if (studio.needsUpdate) {
      announce(t("music.changed"));
      studio.update();
    }
  }
}
