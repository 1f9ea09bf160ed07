// The row above the timeline, and drawing with the pointer.

import { button, h } from "./dom.js";
import { t } from "./words.js";

export const ZOOMS = [1, 1.5, 2, 3, 4, 6, 8];

/** The row above the timeline; `sections` is the number of changed ones. */
export function timelineBar(timeline, sections) {
  const { studio } = timeline;
  const { needsUpdate, mixChanged, updating } = studio;
  const what = needsUpdate
    ? sections
      ? t("update.count", { count: sections })
      : t("section.changed")
    : mixChanged
      ? t("update.mix")
      : t("update.none");
  const auto = h("input", {
    type: "checkbox",
    checked: studio.auto,
    data: { key: "auto" },
    on: { change: () => studio.setAuto(auto.checked) },
  });
  const tools = [
    button("undo", t("undo"), () => studio.undo(), {
      shown: false,
      class: "quiet",
      disabled: !studio.history.canUndo,
      data: { key: "undo" },
    }),
    button("redo", t("redo"), () => studio.redo(), {
      shown: false,
      class: "quiet",
      disabled: !studio.history.canRedo,
      data: { key: "redo" },
    }),
    button("split", t("split"), () => timeline.split(), { data: { key: "split" }, class: "quiet labelled" }),
    button("hit", t("hit.add"), () => timeline.addHit(), { data: { key: "addhit" }, class: "quiet labelled" }),
    h(
      "span",
      { class: "zoom", role: "group", aria: { label: t("zoom") } },
      button("minus", t("zoom.out"), () => timeline.zoomBy(-1), {
        shown: false,
        class: "quiet",
        disabled: timeline.zoom === 0,
        data: { key: "out" },
      }),
      button("plus", t("zoom.in"), () => timeline.zoomBy(1), {
        shown: false,
        class: "quiet",
        disabled: timeline.zoom === ZOOMS.length - 1,
        data: { key: "in" },
      }),
    ),
  ];
  return h(
    "div",
    { class: "timeline-bar" },
    h("h3", { id: "timeline-title", text: t("timeline") }),
    h("div", { class: "timeline-tools" }, tools),
    h(
      "div",
      { class: "timeline-update" },
      h("span", { class: needsUpdate ? "state changed" : "state", text: what }),
      h("label", { class: "check small" }, auto, " ", h("span", { text: t("update.auto") })),
      button("check", t("update"), () => studio.update(), {
        class: needsUpdate ? "main" : "",
        disabled: !needsUpdate || updating,
        data: { key: "update" },
      }),
    ),
  );
}

/** Let an element be drawn along the timeline. `snap` gives the time where it would rest, `drop` takes it, `say` names it. */
export function drag(timeline, element, snap, drop, say) {
  element.addEventListener("pointerdown", (down) => {
    if (down.button !== 0) return;
    element.setPointerCapture(down.pointerId);
    const from = down.clientX;
    let time = null;
    const move = (event) => {
      if (time === null && Math.abs(event.clientX - from) < 4) return;
      timeline.dragging = true;
      time = snap(timeline.timeAt(event), event.altKey);
      element.classList.add("dragged");
      element.style.left = timeline.place(time);
      element.dataset.time = say(time);
    };
    const up = () => {
      element.removeEventListener("pointermove", move);
      element.removeEventListener("pointerup", up);
      element.removeEventListener("pointercancel", up);
      timeline.dragging = false;
      timeline.moved = time !== null;
      setTimeout(() => (timeline.moved = false), 0);
      if (time !== null) drop(time);
      timeline.update(true);
    };
    element.addEventListener("pointermove", move);
    element.addEventListener("pointerup", up);
    element.addEventListener("pointercancel", up);
  });
}
