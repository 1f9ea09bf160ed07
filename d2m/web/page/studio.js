// State of the studio: the clip, its pieces, the plan that is being changed, and what is heard. Panels read it and are told
// of changes by the event "change"; they change it by its methods only.

import { bytesOf, get } from "./api.js";
import { ClipState, OVER } from "./clip.js";
import { announce, remember } from "./dom.js";
import { History, beatsOf, changedSections, copy, isOut, keyOf, levelOf } from "./plan.js";
import { t } from "./words.js";

const MOST_BUFFERS = 10;

export class Studio extends ClipState {
  constructor(player, overlay, options) {
    super(player, overlay);
    this.options = options;
    this.auto = remember("auto") === "yes";
    overlay.showBody = remember("body") !== "no";
    overlay.showBeats = remember("beats") !== "no";
  }

  empty() {
    super.empty();
    this.aborter?.abort();
    this.heard = null; // id of the piece that plays
    this.wanted = null; // id of the piece that is being fetched to be played
    this.families = new Map(); // id of a take to its history of plans
    this.plans = new Map(); // id of a piece to its plan
    this.last = new Map(); // id of a take to the piece of it that was heard last
    this.buffers = new Map();
    this.finals = new Set(); // pieces that were made to be saved: they have the levels of the mix in them
    this.solo = new Set();
    this.wantStems = false;
    this.stemsOf = null;
    this.loading = "";
  }

  onClip(before) {
    const { clip } = this;
    if (!this.heard && !this.wanted && clip.pieces.length) this.hear(newest(clip.pieces));
    for (const piece of clip.pieces) {
      if (piece.base || clip.pieces.length === 1 || before.pieces.some((known) => known.id === piece.id)) continue;
      announce(t("take.new", { n: this.takeNumber(piece) }));
    }
    if (this.wantStems) this.#loadStems();
  }

  onAnalysis() {
    if (!this.plan) this.overlay.beats = numbered(this.analysis);
  }

  // Jobs

  /** Ask for new takes. */
  async compose(count, wishes) {
    const started = await this.attempt(() => this.job({ kind: "compose", count, options: wishes }));
    if (!started) return;
    const job = await started.over;
    const first = this.piece(job.pieces?.[0]);
    if (job.state === "done" && first && count === 1) this.hear(first);
  }

  // Pieces: a take is a piece without a base, with the pieces that were made from it.

  piece(id) {
    return this.clip?.pieces.find((piece) => piece.id === id) || null;
  }

  takeOf(piece) {
    let each = piece;
    while (each?.base && this.piece(each.base)) each = this.piece(each.base);
    return each;
  }

  get takes() {
    const takes = (this.clip?.pieces || []).filter((piece) => this.takeOf(piece) === piece);
    return takes.sort((a, b) => (a.job === b.job && a.rank && b.rank ? a.rank - b.rank : 0));
  }

  takeNumber(piece) {
    return (this.clip?.pieces || []).filter((each) => this.takeOf(each) === each).indexOf(this.takeOf(piece)) + 1;
  }

  versions(take) {
    return this.clip.pieces.filter((piece) => this.takeOf(piece).id === take.id && !this.finals.has(piece.id));
  }

  get heardPiece() {
    return this.piece(this.heard);
  }

  get history() {
    const take = this.takeOf(this.heardPiece);
    return take ? this.families.get(take.id) : undefined;
  }

  /** The plan as it is being changed. */
  get plan() {
    return this.history?.plan || null;
  }

  /** The plan of what is heard. */
  get heardPlan() {
    return this.plans.get(this.heard) || null;
  }

  /** Play a piece: at once from its sum, and later from its channels. With `adopt`, its plan is the one to go on with. */
  async hear(piece, { adopt = false } = {}) {
    if (!piece || piece.id === this.heard) return;
    this.wanted = piece.id;
    this.aborter?.abort();
    const { signal } = (this.aborter = new AbortController());
    this.loading = piece.id;
    this.changed();
    await this.attempt(async () => {
      const [plan, buffer] = await Promise.all([
        this.planOf(piece),
        this.#buffer(`${piece.id}/sum`, piece.sound, signal),
      ]);
      if (this.wanted !== piece.id) return;
      const take = this.takeOf(piece);
      if (!this.families.has(take.id)) this.families.set(take.id, await this.#recalled(take));
      const history = this.families.get(take.id);
      if (adopt && workOf(history.plan) !== workOf(plan)) history.push(plan);
      if (this.takeOf(this.heardPiece)?.id !== take.id) this.selected = null;
      this.heard = piece.id;
      this.last.set(take.id, piece.id);
      this.stemsOf = null;
      this.player.use(piece.id, [["sum", buffer]]);
      this.setLevels();
      this.#beats();
      if (this.wantStems) this.#loadStems();
    });
    if (this.wanted === piece.id) this.wanted = null;
    if (this.loading === piece.id) this.loading = "";
    this.changed();
  }

  /** The version of a take that was heard last. */
  lastOf(take) {
    return this.piece(this.last.get(take.id)) || this.versions(take).at(-1) || take;
  }

  async planOf(piece) {
    if (!this.plans.has(piece.id)) this.plans.set(piece.id, await get(piece.plan));
    return this.plans.get(piece.id);
  }

  /** The plans that were made of a take before the page was opened. */
  async #recalled(take) {
    const plans = await Promise.all(this.versions(take).map((piece) => this.planOf(piece)));
    const history = new History(plans[0]);
    for (const plan of plans.slice(1)) history.push(plan);
    return history;
  }

  async #buffer(key, address, signal) {
    if (!this.buffers.has(key)) {
      const buffer = await this.player.sound.decode(await bytesOf(address, signal));
      this.buffers.set(key, buffer);
      for (const old of this.buffers.keys()) if (this.buffers.size > MOST_BUFFERS) this.buffers.delete(old);
    }
    return this.buffers.get(key);
  }

  /** From now on the channels are heard one by one, so that their levels can be changed. */
  needStems() {
    this.wantStems = true;
    return this.#loadStems();
  }

  async #loadStems() {
    const piece = this.heardPiece;
    if (!piece?.stems || this.stemsOf === piece.id || this.loadingStems === piece.id) return;
    this.loadingStems = piece.id;
    await this.attempt(async () => {
      const entries = Object.entries(piece.stems);
      const buffers = await Promise.all(
        entries.map(async ([name, address]) => [name, await this.player.sound.decode(await bytesOf(address))]),
      );
      if (this.heard !== piece.id) return;
      this.stemsOf = piece.id;
      this.setLevels();
      this.player.use(piece.id, buffers);
    });
    this.loadingStems = null;
    this.changed();
  }

  #beats() {
    const beats = beatsOf(this.heardPlan);
    this.overlay.beats = beats;
    this.player.sound.setBeats(beats, this.player.duration);
  }

  // The mix

  /** Levels of the channels: the mix of the plan, less what the piece has in it already. */
  setLevels() {
    const { heardPiece: piece, plan, heardPlan } = this;
    if (!piece || !plan || !heardPlan) return;
    const levels = Object.entries(piece.tracks).map(([channel, track]) => {
      const silent = isOut(plan, track) || (this.solo.size && !this.solo.has(track));
      return [channel, silent ? 0 : 10 ** ((levelOf(plan, track) - levelOf(heardPlan, track)) / 20)];
    });
    this.player.sound.setLevels(levels);
  }

  /** Hear some tracks only; all if there are none. */
  setSolo(solo) {
    this.solo = solo;
    this.needStems();
    this.setLevels();
    this.changed();
  }

  // Changes

  /** Take over a changed plan. */
  edit(plan, tag = "") {
    if (!plan || !this.history) return false;
    this.history.push(plan, tag);
    this.#edited();
    return true;
  }

  undo() {
    if (!this.history?.canUndo) return;
    this.history.undo();
    announce(t("undone"));
    this.#edited();
  }

  redo() {
    if (!this.history?.canRedo) return;
    this.history.redo();
    announce(t("redone"));
    this.#edited();
  }

  #edited() {
    const { plan, selected } = this;
    const rows = selected && (selected.kind === "hit" ? plan.hit || [] : plan.section);
    if (rows && selected.index >= rows.length) this.selected = null;
    const known = this.#madeFrom(plan);
    if (known && known.id !== this.heard) this.hear(known);
    this.setLevels();
    this.changed();
    clearTimeout(this.later);
    if (this.auto) this.later = setTimeout(() => this.needsUpdate && this.update(), 1200);
  }

  /** The piece that sounds like a plan, but for levels that can be changed while it plays. */
  #madeFrom(plan) {
    const take = this.takeOf(this.heardPiece);
    const same = this.versions(take).filter((piece) => {
      const made = this.plans.get(piece.id);
      return made && workOf(made) === workOf(plan) && (made.mix?.without || []).every((track) => isOut(plan, track));
    });
    return same.find((piece) => piece.id === this.heard) || same.at(-1) || null;
  }

  /** Indices of the changed sections. */
  get changedSections() {
    return this.plan && this.heardPlan ? changedSections(this.heardPlan, this.plan) : [];
  }

  get needsUpdate() {
    return Boolean(this.plan) && !this.#madeFrom(this.plan);
  }

  /** Whether the levels differ from those in the piece that is heard. */
  get mixChanged() {
    if (!this.plan || !this.heardPlan) return false;
    const levels = ({ mix = {} }) =>
      keyOf({ mix: { ...mix, instruments: {}, without: [...(mix.without || [])].sort() } });
    return this.solo.size > 0 || levels(this.plan) !== levels(this.heardPlan);
  }

  get updating() {
    return this.clip?.jobs.some((job) => job.kind === "play" && !OVER.includes(job.state)) || false;
  }

  /** Make the music of the changed sections. Levels stay where they are: they are heard already. */
  async update() {
    const { heardPlan, heardPiece } = this;
    if (!this.needsUpdate) return heardPiece;
    const plan = copy(this.plan);
    const { without = [], instruments, ...levels } = heardPlan.mix || {};
    const wanted = { ...levels };
    const out = without.filter((track) => isOut(this.plan, track));
    if (out.length) wanted.without = out;
    if (this.plan.mix?.instruments) wanted.instruments = this.plan.mix.instruments;
    plan.mix = wanted;
    const piece = await this.#play(plan, heardPiece);
    if (piece && this.takeOf(piece)?.id === this.takeOf(this.heardPiece)?.id) {
      await this.hear(piece);
      if (this.auto && this.needsUpdate) this.update();
    }
    return piece;
  }

  async #play(plan, base) {
    // Of changes that follow fast on each other, only the last is worth making.
    for (const job of this.clip.jobs) if (job.kind === "play" && !OVER.includes(job.state)) await this.cancel(job);
    const started = await this.attempt(() => this.job({ kind: "play", plan, base: base.id }));
    if (!started) return null;
    const job = await started.over;
    const piece = job.state === "done" ? this.piece(job.pieces[0]) : null;
    if (piece) await this.attempt(() => this.planOf(piece));
    return piece;
  }

  /** The plan of what is to be saved: with the levels, and without what is not heard. */
  get finalPlan() {
    if (!this.plan) return null;
    const plan = copy(this.plan);
    if (this.solo.size) {
      const out = this.options.tracks.filter((track) => isOut(plan, track) || !this.solo.has(track));
      plan.mix = { ...(plan.mix || {}), without: out };
    }
    return plan;
  }

  /** The piece that is as the person hears it, or null if it has to be made first. */
  get finalPiece() {
    const plan = this.finalPlan;
    if (!plan) return null;
    const key = keyOf(plan);
    return (
      this.clip.pieces.find((piece) => this.plans.has(piece.id) && keyOf(this.plans.get(piece.id)) === key) || null
    );
  }

  async makeFinal() {
    if (this.needsUpdate) {
      const piece = await this.update();
      if (!piece) return null;
    }
    if (this.finalPiece) return this.finalPiece;
    const piece = await this.#play(this.finalPlan, this.heardPiece);
    if (piece) this.finals.add(piece.id);
    this.changed();
    return piece;
  }

  async export(options) {
    const piece = await this.makeFinal();
    if (!piece) return null;
    const started = await this.attempt(() => this.job({ kind: "export", piece: piece.id, options }));
    if (!started) return null;
    const job = await started.over;
    return job.state === "done" ? this.piece(piece.id) : null;
  }

  setAuto(auto) {
    this.auto = auto;
    remember("auto", auto ? "yes" : "no");
    if (auto && this.needsUpdate) this.update();
    this.changed();
  }
}

/** What of a plan cannot be changed while it plays. */
function workOf(plan) {
  const instruments = plan.mix?.instruments;
  return keyOf({ ...plan, mix: instruments && Object.keys(instruments).length ? { instruments } : {} });
}

/** The version of the first take that was made last. */
function newest(pieces) {
  const [first] = pieces;
  const mine = new Set([first.id]);
  for (const piece of pieces) if (mine.has(piece.base)) mine.add(piece.id);
  return pieces.filter((piece) => mine.has(piece.id)).at(-1);
}

function numbered(analysis) {
  let number = 0;
  return analysis.beats.map((beat) => {
    number = beat.downbeat ? 1 : number + 1;
    return { time: beat.time, number: Math.max(number, 1) };
  });
}
