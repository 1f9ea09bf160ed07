// Changes to a plan: every function returns a new plan, or null where the change is not possible.

const NEAR = 0.02;
export const SHORTEST = 0.2;

export const copy = (plan) => structuredClone(plan);

/** Times of the bar lines inside the piece. */
export function barLines(plan) {
  const { beats, downbeats } = plan.tempo;
  return downbeats.map((index) => beats[index]).filter((time) => time > NEAR && time < plan.duration - NEAR);
}

/** Beats inside the piece: time, and number in the bar from 1. */
export function beatsOf(plan) {
  const { beats, downbeats } = plan.tempo;
  const size = plan.tempo.beats_per_bar || 4;
  const first = new Set(downbeats);
  let line = (downbeats[0] ?? 0) - size * Math.ceil((downbeats[0] ?? 0) / size);
  return beats
    .map((time, index) => {
      if (first.has(index)) line = index;
      return { time, number: ((index - line) % size) + 1, energy: plan.tempo.energy?.[index] ?? 0.5 };
    })
    .filter((beat) => beat.time >= 0 && beat.time < plan.duration);
}

/** The number of the bar that a time lies in, from 1; 0 before the first bar line. */
export function barAt(plan, time) {
  const { beats, downbeats } = plan.tempo;
  return downbeats.filter((index) => beats[index] >= -NEAR && beats[index] <= time + NEAR).length;
}

export function nearest(times, time) {
  return times.reduce(
    (best, each) => (best === null || Math.abs(each - time) < Math.abs(best - time) ? each : best),
    null,
  );
}

export function follows(plan, index) {
  return index > 0 && plan.section[index].start - plan.section[index - 1].end < 1e-4;
}

/** Bar lines that the border before a section can move to. */
export function borderChoices(plan, index) {
  const low = plan.section[index - 1].start + SHORTEST;
  const high = plan.section[index].end - SHORTEST;
  return barLines(plan).filter((time) => time >= low && time <= high);
}

export function moveBorder(plan, index, time) {
  if (!follows(plan, index)) return null;
  const line = nearest(borderChoices(plan, index), time);
  if (line === null || Math.abs(line - plan.section[index].start) < 1e-9) return null;
  const next = copy(plan);
  next.section[index - 1].end = line;
  next.section[index].start = line;
  return next;
}

export function splitAt(plan, time) {
  const index = plan.section.findIndex((each) => time >= each.start && time < each.end);
  if (index < 0) return null;
  const whole = plan.section[index];
  const lines = barLines(plan).filter((each) => each >= whole.start + SHORTEST && each <= whole.end - SHORTEST);
  const line = nearest(lines, time);
  if (line === null) return null;
  const next = copy(plan);
  next.section.splice(index, 1, { ...whole, end: line }, { ...whole, start: line, cause: "given" });
  return next;
}

export function join(plan, index) {
  if (index + 1 >= plan.section.length || !follows(plan, index + 1)) return null;
  const next = copy(plan);
  next.section.splice(index, 2, { ...plan.section[index], end: plan.section[index + 1].end });
  return next;
}

export function setSection(plan, index, values) {
  const next = copy(plan);
  Object.assign(next.section[index], values);
  return next;
}

export function setAll(plan, values) {
  const next = copy(plan);
  for (const section of next.section) Object.assign(section, values);
  return next;
}

export function setHit(plan, index, values) {
  const next = copy(plan);
  Object.assign(next.hit[index], values);
  next.hit[index].time = Math.min(Math.max(next.hit[index].time, 0), plan.duration);
  return next;
}

export function addHit(plan, time) {
  const beat = nearest(
    beatsOf(plan).map((each) => each.time),
    time,
  );
  if (beat === null || (plan.hit || []).some((hit) => Math.abs(hit.time - beat) < NEAR)) return null;
  const next = copy(plan);
  next.hit = [...(next.hit || []), { time: beat, strength: 0.8, kind: "given" }].sort((a, b) => a.time - b.time);
  return next;
}

export function removeHit(plan, index) {
  const next = copy(plan);
  next.hit.splice(index, 1);
  if (!next.hit.length) delete next.hit;
  return next;
}

export const levelOf = (plan, track) => plan.mix?.[track] ?? 0;
export const isOut = (plan, track) => (plan.mix?.without || []).includes(track);

export function setLevel(plan, track, level) {
  const next = copy(plan);
  next.mix = { ...(next.mix || {}) };
  if (Math.abs(level) < 0.05) delete next.mix[track];
  else next.mix[track] = Math.round(level * 10) / 10;
  return tidied(next);
}

export function setOut(plan, tracks) {
  const next = copy(plan);
  next.mix = { ...(next.mix || {}), without: tracks };
  return tidied(next);
}

function tidied(plan) {
  if (plan.mix.without && !plan.mix.without.length) delete plan.mix.without;
  if (!Object.keys(plan.mix).length) delete plan.mix;
  return plan;
}

export function moodOf(section) {
  const [name, strength] = (section.mood || "").split(":");
  return { name, strength: strength === undefined ? 1 : Number(strength) };
}

export const moodText = (name, strength) => (name ? `${name}:${Number(strength).toFixed(2).replace(/0$/, "")}` : "");

/** The same text for plans that sound the same, whatever the order of their keys. */
export function keyOf(plan) {
  const sorted = (value) =>
    Array.isArray(value)
      ? value.map(sorted)
      : value && typeof value === "object"
        ? Object.fromEntries(
            Object.keys(value)
              .sort()
              .filter((name) => name !== "cause" && name !== "kind")
              .map((name) => [name, sorted(value[name])]),
          )
        : value;
  return JSON.stringify(sorted({ ...plan, hit: plan.hit || [], mix: plan.mix || {} }));
}

/** Indices of the sections of a plan that sound otherwise than in another plan. */
export function changedSections(before, after) {
  const row = (plan, section) => {
    const hits = (plan.hit || []).filter((hit) => hit.time >= section.start - 1e-6 && hit.time < section.end - 1e-6);
    const { cause, ...rest } = section;
    return JSON.stringify([Object.entries(rest).sort(), hits.map((hit) => [hit.time, hit.strength])]);
  };
  const known = new Set(before.section.map((each) => row(before, each)));
  return after.section.flatMap((each, index) => (known.has(row(after, each)) ? [] : [index]));
}

export const sameMix = (a, b) => keyOf({ mix: a.mix }) === keyOf({ mix: b.mix });

/** Plans in their order, with undo and redo. */
export class History {
  constructor(plan) {
    this.plans = [plan];
    this.at = 0;
    this.tag = "";
  }

  get plan() {
    return this.plans[this.at];
  }

  /** Changes with the same tag, such as the steps of one slider, count as one. */
  push(plan, tag = "") {
    if (keyOf(plan) === keyOf(this.plan)) return;
    const merged = tag && tag === this.tag && this.at === this.plans.length - 1 && this.at > 0;
    this.plans.length = this.at + 1;
    if (merged) this.plans[this.at] = plan;
    else this.plans.push(plan);
    this.at = this.plans.length - 1;
    this.tag = tag;
  }

  get canUndo() {
    return this.at > 0;
  }

  get canRedo() {
    return this.at < this.plans.length - 1;
  }

  undo() {
    if (this.canUndo) this.at -= 1;
    this.tag = "";
    return this.plan;
  }

  redo() {
    if (this.canRedo) this.at += 1;
    this.tag = "";
    return this.plan;
  }
}
