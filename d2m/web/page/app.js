// The page: views, tabs, keys, language and colours.

import { get, post } from "./api.js";
import { $, announce, fillIcons, h, icon, notice, remember } from "./dom.js";
import { Inspector } from "./inspector.js";
import { Jobs } from "./jobs.js";
import { Mixer } from "./mixer.js";
import { Music } from "./music.js";
import { Overlay } from "./overlay.js";
import { Picture } from "./picture.js";
import { Player } from "./player.js";
import { Save } from "./save.js";
import { Sound } from "./sound.js";
import { Start } from "./start.js";
import { Studio } from "./studio.js";
import { Takes } from "./takes.js";
import { Timeline } from "./timeline.js";
import { Transport } from "./transport.js";
import { Keys } from "./keys.js";
import { current, setLanguage, t, translate } from "./words.js";

const TABS = ["takes", "music", "mix", "save"];
const COLOURS = ["auto", "light", "dark"];

class App {
  async begin() {
    this.#colours(remember("colours") || "auto");
    fillIcons();
    translate();
    let options;
    try {
      options = await get("/api/options");
    } catch (error) {
      notice(error.line || String(error), { close: t("close") });
      return;
    }
    this.player = new Player(new Sound(), new Picture($("picture-a"), $("picture-b")));
    this.overlay = new Overlay($("overlay"), $("stage"));
    this.studio = new Studio(this.player, this.overlay, options);
    this.start = new Start(options, (clip) => this.open(clip));
    this.transport = new Transport($("transport"), this.studio);
    this.timeline = new Timeline($("timeline"), this.studio);
    this.panels = [
      new Takes($("panel-takes"), this.studio),
      new Music($("panel-music"), this.studio),
      new Mixer($("panel-mix"), this.studio),
      new Save($("panel-save"), this.studio),
      new Jobs($("jobs"), this.studio),
      this.timeline,
      new Inspector($("inspector"), this.studio, this.transport),
    ];
    this.keys = new Keys(this);
    this.#tabs();
    this.#listen();
    await this.#restore();
  }

  #listen() {
    const { player, studio, overlay } = this;
    player.addEventListener("frame", () => {
      if ($("studio").hidden) return;
      overlay.draw(player.picture.front, player.picture.time, player.position, player.state === "playing");
    });
    player.addEventListener("state", () => this.#stage());
    studio.addEventListener("change", () => this.#stage());
    player.addEventListener("silent", () => notice(t("sound.none"), { kind: "warning", close: t("close") }));
    studio.addEventListener("gone", () => this.home());
    player.picture.onError = () => this.#proxy();
    $("stage").addEventListener("click", () => studio.heard && player.toggle());
    $("new-clip").addEventListener("click", () => this.home());
    for (const each of $("language").children) each.addEventListener("click", () => this.#language(each.value));
    $("theme").addEventListener("click", () =>
      this.#colours(COLOURS[(COLOURS.indexOf(remember("colours") || "auto") + 1) % COLOURS.length], true),
    );
    addEventListener("hashchange", () => this.#restore());
    this.#language(current());
  }

  /** The clip that the address names is opened again after a reload. */
  async #restore() {
    const id = location.hash.slice(1);
    if (id && id === this.studio.clip?.id) return;
    if (/^c_[\w-]+$/.test(id)) {
      try {
        this.open(await get(`/api/clips/${id}`));
        return;
      } catch (error) {
        if (error.status !== 404) notice(error.line, { close: t("close") });
        history.replaceState(null, "", "/");
      }
    }
    this.home();
  }

  open(clip) {
    $("start").hidden = true;
    $("studio").hidden = false;
    $("new-clip").hidden = false;
    $("clip-name").textContent = clip.name;
    document.title = `${clip.name} – d2m studio`;
    history.replaceState(null, "", `#${clip.id}`);
    this.studio.open(clip);
    this.choose("takes");
    $("main").focus({ preventScroll: true });
  }

  home() {
    if (this.studio.clip) this.studio.close();
    $("studio").hidden = true;
    $("new-clip").hidden = true;
    $("clip-name").textContent = "";
    document.title = "d2m studio";
    history.replaceState(null, "", "/");
    this.start.show();
  }

  /** What lies over the picture: a large button until the first playing, or what is waited for. */
  #stage() {
    const { studio, player } = this;
    const { clip } = studio;
    if (!clip) return;
    const ready = Boolean(studio.heard);
    $("big-play").hidden = !ready || player.active || this.played;
    if (player.active) this.played = true;
    const job =
      clip.jobs.find((each) => each.state === "running" && ["watch", "compose"].includes(each.kind)) ||
      clip.jobs.find((each) => each.state === "queued");
    $("waiting").hidden = ready || !job;
    if (!ready && job) {
      const words = `${t(`job.${job.kind}`)} …`;
      if ($("waiting").textContent !== words)
        $("waiting").replaceChildren(
          h("span", { class: "dots", aria: { hidden: true } }, h("i"), h("i"), h("i")),
          h("span", { text: words }),
        );
    }
    const { video } = clip;
    if (video) $("stage").style.setProperty("--shape", String(video.width / video.height));
    $("stage").classList.toggle("tall", Boolean(video && video.height > video.width));
  }

  /** The browser cannot play the original: a copy that it can play is made. */
  async #proxy() {
    const { studio } = this;
    const { clip } = studio;
    if (!clip || this.player.picture.address === clip.urls.proxy)
      return void (clip && notice(t("picture.failed"), { kind: "warning", close: t("close") }));
    if (clip.urls.proxy) return void this.player.picture.load(clip.urls.proxy);
    if (clip.jobs.some((job) => job.kind === "proxy")) return undefined;
    announce(t("picture.none"));
    return void studio.attempt(() => post(`${clip.urls.self}/jobs`, { kind: "proxy" }));
  }

  // Tabs

  #tabs() {
    const icons = { takes: "takes", music: "music", mix: "mix", save: "save" };
    $("tabs").replaceChildren(
      ...TABS.map((name) =>
        h(
          "button",
          {
            type: "button",
            role: "tab",
            id: `tab-${name}`,
            aria: { controls: `panel-${name}`, selected: false },
            tabindex: -1,
            on: { click: () => this.choose(name), keydown: (event) => this.#tabKeys(event, name) },
          },
          icon(icons[name]),
          h("span", { data: { t: `tab.${name}` } }),
        ),
      ),
    );
    for (const name of TABS) $(`panel-${name}`).setAttribute("aria-labelledby", `tab-${name}`);
  }

  #tabKeys(event, name) {
    const at = TABS.indexOf(name);
    const next = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: TABS.length - 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    const other = TABS[(next + TABS.length) % TABS.length];
    this.choose(other);
    $(`tab-${other}`).focus();
  }

  choose(name) {
    for (const each of TABS) {
      const chosen = each === name;
      $(`tab-${each}`).setAttribute("aria-selected", String(chosen));
      $(`tab-${each}`).tabIndex = chosen ? 0 : -1;
      $(`panel-${each}`).hidden = !chosen;
    }
    if (name === "mix") this.studio.needStems();
  }

  // Language and colours

  #language(language) {
    setLanguage(language);
    for (const each of $("language").children) each.setAttribute("aria-pressed", String(each.value === language));
    translate();
    this.#colours(remember("colours") || "auto");
    this.start.render();
    this.transport.relabel();
    this.keys.render();
    for (const panel of this.panels) panel.update(true);
    this.#stage();
  }

  #colours(colours, said = false) {
    remember("colours", colours);
    if (colours === "auto") delete document.documentElement.dataset.colours;
    else document.documentElement.dataset.colours = colours;
    $("theme").title = t(`theme.${colours}`);
    $("theme").setAttribute("aria-label", t(`theme.${colours}`));
    if (said) announce(t(`theme.${colours}`));
    this.timeline?.paint();
  }
}

const app = new App();
/** For tests and for the curious: the state of the page. */
globalThis.d2m = app;
await app.begin();
