// What the server does now: stage, share, place in the queue, time left, and a button to cancel.

import { OVER } from "./clip.js";
import { announce, button, h } from "./dom.js";
import { span, t } from "./words.js";

export class Jobs {
  constructor(root, studio) {
    this.root = root;
    this.studio = studio;
    this.rows = new Map();
    studio.addEventListener("change", () => this.update());
  }

  update(again = false) {
    const { studio } = this;
    const jobs = (studio.clip?.jobs || []).filter(
      (job) =>
        !studio.dismissed.has(job.id) && (!OVER.includes(job.state) || ["failed", "interrupted"].includes(job.state)),
    );
    const wanted = new Set(jobs.map((job) => job.id));
    for (const [id, row] of this.rows) {
      if (wanted.has(id) && !again) continue;
      row.element.remove();
      this.rows.delete(id);
    }
    for (const job of jobs) {
      let row = this.rows.get(job.id);
      if (!row || row.over !== OVER.includes(job.state)) {
        row?.element.remove();
        row = OVER.includes(job.state) ? this.#over(job) : this.#running(job);
        this.rows.set(job.id, row);
        this.root.append(row.element);
      }
      row.show?.(job);
    }
    this.root.hidden = !jobs.length;
  }

  #running(job) {
    const what = t(`job.${job.kind}`);
    const stage = h("span", { class: "job-stage" });
    const time = h("span", { class: "job-time" });
    const bar = h("progress", { max: 1, value: 0, aria: { label: what } });
    const element = h(
      "div",
      { class: "job" },
      h("div", { class: "job-words" }, h("strong", { text: what }), stage, time),
      bar,
      button("close", t("job.cancel", { what }), () => this.studio.cancel(job), {
        shown: false,
        class: "quiet",
        data: { key: `cancel ${job.id}` },
      }),
    );
    let said = "";
    const show = (now) => {
      const waiting = now.state === "queued";
      const words = waiting ? this.#queue(now) : now.stage ? t(`stage.${now.stage}`) : "";
      stage.textContent = words;
      time.textContent =
        !waiting && now.left
          ? t("job.left", { time: span(now.left) })
          : waiting && now.wait
            ? t("job.wait", { time: span(now.wait) })
            : "";
      if (waiting) bar.removeAttribute("value");
      else bar.value = now.share || 0;
      element.classList.toggle("waiting-job", waiting);
      if (words === said) return;
      said = words;
      announce(`${what}: ${words}`);
    };
    return { element, show, over: false };
  }

  #queue(job) {
    if (job.place === 1) return t("job.next");
    return job.place ? t("job.place", { place: job.place }) : t("job.queued");
  }

  #over(job) {
    const text = t(`job.${job.state}`, { what: t(`job.${job.kind}`), message: job.message });
    const element = h(
      "div",
      { class: "job failed" },
      h("p", { class: "job-words", role: "alert", text }),
      job.retry
        ? button("retry", t("job.retry"), () => this.studio.retry(job), { data: { key: `retry ${job.id}` } })
        : null,
      button("close", t("job.dismiss"), () => this.studio.dismiss(job), {
        shown: false,
        class: "quiet",
        data: { key: `dismiss ${job.id}` },
      }),
    );
    return { element, over: true };
  }
}
