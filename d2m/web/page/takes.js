// The takes: pieces for the same video, of which one is chosen.

import { remove } from "./api.js";
import { announce, button, h, rebuild } from "./dom.js";
import { OVER } from "./clip.js";
import { genreWord } from "./wishes.js";
import { named, t } from "./words.js";

export class Takes {
  constructor(root, studio) {
    this.root = root;
    this.studio = studio;
    studio.addEventListener("change", () => this.update());
  }

  update(again = false) {
    const { studio } = this;
    if (!studio.clip) return;
    const shown = JSON.stringify([
      studio.takes.map((take) => [take.id, take.rank, studio.versions(take).length]),
      studio.heard,
      studio.loading,
      studio.needsUpdate,
      this.#waiting(),
    ]);
    if (!again && shown === this.shown) return;
    this.shown = shown;
    const takes = studio.takes;
    const list = h(
      "div",
      { class: "takes", role: "radiogroup", aria: { label: t("tab.takes") } },
      takes.map((take) => this.#row(take)),
    );
    const none = !takes.length && h("p", { class: "empty", text: t(this.#waiting() ? "takes.none" : "takes.idle") });
    rebuild(
      this.root,
      h("p", { class: "lead", text: t("takes.lead") }),
      none || list,
      takes.length ? this.#waitingRow() : null,
      takes.length ? button("plus", t("takes.more"), () => this.#more(), { data: { key: "more" } }) : null,
    );
  }

  #waiting() {
    const job = this.studio.clip.jobs.find((each) => each.kind === "compose" && !OVER.includes(each.state));
    return job ? Math.max((job.wish?.count || 1) - (job.pieces?.length || 0), 0) : 0;
  }

  #waitingRow() {
    const waiting = this.#waiting();
    return waiting ? h("div", { class: "take coming", aria: { hidden: true } }, h("span", { class: "shimmer" })) : null;
  }

  #more() {
    const { studio } = this;
    const seeds = studio.clip.pieces.map((piece) => piece.seed);
    const wishes = studio.clip.jobs.filter((job) => job.kind === "compose").at(-1)?.wish?.options || {};
    studio.compose(2, { ...wishes, seed: Math.max(...seeds, 0) + 1 });
  }

  #row(take) {
    const { studio } = this;
    const number = studio.takeNumber(take);
    const chosen = studio.takeOf(studio.heardPiece)?.id === take.id;
    const piece = studio.lastOf(take);
    const versions = studio.versions(take);
    const genres = [...new Set(piece.sections.map((section) => genreWord(studio.options)(section.genre)))].join(", ");
    const choose = () => {
      studio.hear(studio.lastOf(take));
      announce(t("take.chosen", { n: number }));
    };
    const radio = h("input", {
      type: "radio",
      name: "take",
      class: "unseen",
      checked: chosen,
      data: { key: `take ${take.id}` },
      on: { change: choose },
    });
    const facts = [genres, `${Math.round(piece.tempo)} bpm`, named("key", piece.key, readableKey(piece.key))]
      .filter(Boolean)
      .join(" · ");
    const label = h(
      "label",
      { class: "take-face" },
      radio,
      h(
        "span",
        { class: "take-head" },
        h("strong", { text: t("take", { n: number }) }),
        take.rank === 1 ? h("span", { class: "badge", text: t("take.best") }) : null,
        versions.length > 1 || (chosen && studio.needsUpdate)
          ? h("span", { class: "badge soft", text: t("take.edited") })
          : null,
        studio.loading === piece.id ? h("span", { class: "badge soft", text: t("listening") }) : null,
      ),
      wave(piece.peaks),
      h("span", { class: "take-facts", text: facts }),
    );
    const row = h(
      "div",
      {
        class: chosen ? "take chosen" : "take",
        title: t("take.tip", {
          genre: genres,
          key: readableKey(piece.key),
          tempo: Math.round(piece.tempo),
          seed: piece.seed,
        }),
      },
      label,
      button("trash", t("take.remove", { n: number }), () => this.#remove(take), {
        shown: false,
        class: "quiet",
        data: { key: `remove ${take.id}` },
      }),
    );
    if (chosen && versions.length > 1) row.append(this.#versions(versions));
    return row;
  }

  #versions(versions) {
    const { studio } = this;
    const select = h(
      "select",
      {
        aria: { label: t("take.version", { n: "" }).trim() },
        data: { key: "version" },
        on: { change: () => studio.hear(studio.piece(select.value), { adopt: true }) },
      },
      versions.map((piece, index) =>
        h("option", {
          value: piece.id,
          text: t("take.version", { n: index + 1 }),
          selected: piece.id === studio.heard,
        }),
      ),
    );
    return h("div", { class: "versions" }, select);
  }

  #remove(take) {
    const { studio } = this;
    studio.attempt(async () => {
      for (const piece of studio.versions(take)) await remove(`${studio.clip.urls.self}/pieces/${piece.id}`);
    });
  }
}

export const readableKey = (key) =>
  key
    ? key.replace(
        /^([A-G])([#b]?):(maj|min)$/,
        (all, note, sign, mode) => `${note}${sign.replace("#", "♯").replace("b", "♭")}${mode === "min" ? "m" : ""}`,
      )
    : "";

/** The outline of a piece as a picture. */
export function wave(peaks, className = "wave") {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const count = Math.min(peaks.length, 120) || 1;
  svg.setAttribute("viewBox", `0 0 ${count} 20`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("class", className);
  svg.setAttribute("aria-hidden", "true");
  const loudest = Math.max(...peaks, 0.05);
  let path = "";
  for (let i = 0; i < count; i++) {
    const part = peaks.slice(
      Math.floor((i * peaks.length) / count),
      Math.max(Math.floor(((i + 1) * peaks.length) / count), 1),
    );
    const tall = Math.max(0.4, (9.6 * Math.max(...part, 0)) / loudest);
    path += `M${i + 0.15} ${(10 - tall).toFixed(1)}h.7v${(2 * tall).toFixed(1)}h-.7z`;
  }
  const shape = document.createElementNS("http://www.w3.org/2000/svg", "path");
  shape.setAttribute("d", path);
  svg.append(shape);
  return svg;
}
