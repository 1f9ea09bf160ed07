"use strict";
// A listener of a stream. Sound comes in segments of one second, 16-bit samples, which are scheduled one after another on
// the sound card's own clock: the end of one and the beginning of the next are neighbouring samples.
(() => {
  const $ = (id) => document.getElementById(id);
  const RATE = 44100, AHEAD = 8, HEADER = 44;
  const listener = [...crypto.getRandomValues(new Uint8Array(8))].map((b) => b.toString(16).padStart(2, "0")).join("");
  let context = null, volume = null;
  let playing = false, joining = false, fetching = false, offline = false;
  let state = null;
  // Segment `first` sounds from the time `begins` of the context on; `scheduled`: number -> its source and revision.
  let first = 0, begins = 0, next = 0;
  const scheduled = new Map();
  let announced = "", stalls = 0, skipping = false;

  // What is heard now, in segments from the beginning of the programme; null while nothing is.
  function place() {
    if (!playing || !context || !scheduled.size) return null;
    return first + Math.max(0, context.currentTime - begins);
  }

  function say(text) {
    if (text !== announced) $("said").textContent = announced = text;
  }

  async function ask(path, body) {
    const options = body ? { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) } : {};
    const reply = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(15000), ...options });
    const content = await reply.json();
    if (!reply.ok) throw Object.assign(new Error(content.error), { status: reply.status });
    return content;
  }

  function connected(yes) {
    if (yes && offline) say("The connection is back.");
    if (!yes && !offline) say("The connection is lost; trying again.");
    offline = !yes;
  }

  async function refresh() {
    try {
      // Who does not hear it is no listener.
      const found = await ask(playing ? "state?listener=" + listener : "state");
      connected(true);
      const other = state && state.programme !== found.programme;
      state = found;
      if (other && playing) join();
      exchange();
      show();
    } catch {
      connected(false);
    }
  }

  // Segments that the station has played anew are fetched again, unless they already sound.
  function exchange() {
    const now = place();
    if (now === null) return;
    for (const [number, entry] of [...scheduled]) {
      const revision = state.revisions[number];
      if (revision !== undefined && revision <= entry.revision) continue;
      // Played anew, but not ready yet: everything from there on is of the old revision.
      if (revision === undefined && state.revision <= entry.revision) continue;
      if (number <= now + 0.3) continue;
      drop(number);
      next = Math.min(next, number);
    }
  }

  function drop(number) {
    const entry = scheduled.get(number);
    scheduled.delete(number);
    entry.source.onended = null;
    entry.source.stop();
    entry.source.disconnect();
  }

  function silence() {
    for (const number of [...scheduled.keys()]) drop(number);
  }

  async function join() {
    if (joining) return;
    joining = true;
    silence();
    try {
      state = await ask("state?listener=" + listener);
      connected(true);
      next = first = state.live;
      begins = 0;
      volume.gain.cancelScheduledValues(0);
      volume.gain.setValueAtTime(0, context.currentTime);
    } catch {
      connected(false);
      setTimeout(() => playing && join(), 1000);
    }
    joining = false;
  }

  async function pull() {
    if (!playing || fetching || joining || !context) return;
    const now = place();
    if (now !== null && next > now + AHEAD) return;
    fetching = true;
    const number = next;
    try {
      const reply = await fetch(`segment/${number}.wav`, { cache: "no-store", signal: AbortSignal.timeout(15000) });
      if (reply.status === 410) {
        stalls += 1;
        fetching = false;
        return void join();
      }
      if (!reply.ok) throw new Error(reply.status);
      const data = await reply.arrayBuffer();
      connected(true);
      if (playing && !joining && number === next) schedule(number, data, Number(reply.headers.get("D2M-Revision")));
    } catch (error) {
      if (!(error.message === "503")) connected(false);
      await new Promise((done) => setTimeout(done, 500));
    }
    fetching = false;
    pull();
  }

  function schedule(number, data, revision) {
    const samples = new Int16Array(data, HEADER);
    const count = samples.length / 2;
    const buffer = context.createBuffer(2, count, RATE);
    for (const side of [0, 1]) {
      const channel = buffer.getChannelData(side);
      for (let i = 0; i < count; i++) channel[i] = samples[2 * i + side] / 32768;
    }
    const length = count / RATE;
    let when = begins + (number - first) * length;
    if (!begins || when < context.currentTime) {
      // The first, or too late for its place: from here on everything is later, on a whole sample again.
      if (begins) stalls += 1;
      begins = Math.ceil((context.currentTime + 0.15) * RATE) / RATE;
      first = number;
      when = begins;
      fade(when);
    }
    const source = context.createBufferSource();
    source.buffer = buffer;
    source.connect(volume);
    source.start(when);
    source.onended = () => scheduled.delete(number);
    scheduled.set(number, { source, revision });
    next = number + 1;
  }

  function fade(when) {
    volume.gain.cancelScheduledValues(0);
    volume.gain.setValueAtTime(0, when);
    volume.gain.linearRampToValueAtTime(level(), when + 0.3);
  }

  // Loudness is felt in ratios: half way up the slider is 12 dB down.
  function level() {
    return (Number($("volume").value) / 100) ** 2;
  }

  async function play() {
    if (!context) {
      context = new AudioContext({ sampleRate: RATE, latencyHint: "playback" });
      volume = context.createGain();
      volume.connect(context.destination);
    }
    playing = true;
    say("Getting ready.");
    $("play").textContent = "Pause";
    await context.resume();
    await join();
    pull();
  }

  async function pause() {
    playing = false;
    $("play").textContent = "Play";
    silence();
    say("Paused.");
    await context.suspend();
  }

  async function change(path, body, done) {
    try {
      state = await ask(path, body);
      if (done) say(done);
      exchange();
      show();
    } catch (error) {
      say(error.status ? error.message : "The connection is lost; trying again.");
    }
  }

  function title(name) {
    return name.replace(/\.(mid|midi|npz)$/i, "");
  }

  function clock(seconds) {
    const whole = Math.max(0, Math.floor(seconds));
    return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
  }

  // The stretch that is heard, the song it belongs to or leads to, and the bridge after that song.
  function where() {
    if (!state || !state.stretches.length) return null;
    const now = place() ?? Math.max(state.live, 0);
    const list = state.stretches;
    let at = list.findIndex((s) => s.end === null || s.end > now);
    if (at < 0) at = list.length - 1;
    const song = list[at].kind === "song" ? list[at] : list[at + 1];
    return { now, stretch: list[at], song, bridge: list[list.indexOf(song) + 1] };
  }

  function show() {
    const found = where();
    if (!found) return;
    const { now, stretch, song, bridge } = found;
    const isBridge = stretch.kind === "bridge";
    const text = isBridge ? `Bridge into ${title(stretch.name)}` : title(stretch.name);
    if ($("now").textContent !== text) {
      $("now").textContent = text;
      document.title = `${text} – d2m`;
      if (place() !== null) say(isBridge ? text : `Now playing ${text}`);
      if ("mediaSession" in navigator) navigator.mediaSession.metadata = new MediaMetadata({ title: text });
    }
    if (place() !== null && announced === "Getting ready.") say(isBridge ? text : `Now playing ${text}`);
    progress(isBridge ? stretch : song, isBridge ? stretch : bridge, now, isBridge);
    // Heard, not composed: what the server takes for the next may be one further a moment before the bridge.
    const upcoming = isBridge ? stretch.name : bridge ? bridge.name : state.next;
    $("next").textContent = upcoming ? title(upcoming) : "being chosen";
    const pending = state.skipping || (skipping && !isBridge && bridge && bridge.start - now < 12);
    if (state.skipping) skipping = true;
    if (isBridge) skipping = false;
    if (pending && bridge && !isBridge) say(`Skipping: the bridge into ${title(bridge.name)} begins in a moment.`);
    // Not `disabled`, which would take the focus away from whoever pressed it.
    $("skip").setAttribute("aria-disabled", String(Boolean(pending)));
    $("skip").hidden = !state.may_change;
    disappointed();
    queue();
    skipped();
    const people = state.listeners;
    const left = state.unread ? ` (${state.unread} not read yet)` : "";
    $("crowd").textContent = `${state.songs} ${state.songs === 1 ? "song" : "songs"}${left}; ${people} ${people === 1 ? "listener" : "listeners"}.`;
  }

  function progress(stretch, bridge, now, isBridge) {
    const end = bridge ? bridge.end : stretch.end ?? now;
    const span = Math.max(end - stretch.start, 1e-9);
    const share = (time) => Math.min(100, Math.max(0, (100 * (time - stretch.start)) / span));
    $("done").style.width = share(now) + "%";
    const mark = $("bridge");
    mark.hidden = !bridge;
    if (bridge) {
      mark.style.left = share(bridge.start) + "%";
      mark.style.width = share(bridge.end) - share(bridge.start) + "%";
    }
    $("time").textContent = `${clock(now - stretch.start)} of ${clock(span)}`;
    const left = bridge ? bridge.start - now : 0;
    const until = isBridge ? "in the bridge" : bridge ? `bridge in ${clock(left)}` : "the bridge is being composed";
    $("until").textContent = until;
    const bar = $("progress");
    bar.setAttribute("aria-valuenow", share(now).toFixed(0));
    bar.setAttribute("aria-valuetext", `${$("time").textContent}, ${until}`);
  }

  function button(label, what, action) {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = label;
    made.setAttribute("aria-label", what);
    made.dataset.what = what;
    made.addEventListener("click", action);
    return made;
  }

  let wished = [];

  // A wish that cannot come true leaves the queue without anybody's doing.
  function disappointed() {
    const waiting = new Set(state.queue.map((wish) => wish.number));
    const unfit = new Set(state.skipped.map((file) => file.name));
    const gone = wished.filter((wish) => !waiting.has(wish.number) && unfit.has(wish.name));
    if (gone.length) say(`${title(gone[0].name)} cannot be played and has left the queue.`);
    wished = state.queue;
  }

  let shownQueue = "";

  function queue() {
    const key = JSON.stringify([state.queue, state.may_change]);
    if (key === shownQueue) return;
    shownQueue = key;
    const focus = document.activeElement && document.activeElement.dataset.what;
    const inside = $("queue").contains(document.activeElement);
    const rows = state.queue.map((wish, at) => {
      const row = document.createElement("li");
      const name = title(wish.name);
      row.append(name);
      if (!state.may_change) return row;
      const up = button("↑", `Move ${name} up`, () => change("queue", { move: wish.number, to: at - 1 }, `${name} is now number ${at}.`));
      const down = button("↓", `Move ${name} down`, () => change("queue", { move: wish.number, to: at + 1 }, `${name} is now number ${at + 2}.`));
      up.disabled = at === 0;
      down.disabled = at === state.queue.length - 1;
      const buttons = document.createElement("span");
      buttons.append(up, down, button("✕", `Remove ${name}`, () => change("queue", { remove: wish.number }, `${name} has left the queue.`)));
      row.append(buttons);
      return row;
    });
    $("queue").replaceChildren(...rows);
    $("queue-empty").hidden = rows.length > 0;
    $("add").hidden = !state.may_change;
    if (inside) {
      // The list is new: the same button keeps the focus, else the heading takes it.
      const same = [...$("queue").querySelectorAll("button")].find((b) => b.dataset.what === focus && !b.disabled);
      (same || $("queue-title")).focus();
    }
  }

  let shownSkipped = "";

  function skipped() {
    const files = state.skipped;
    const key = JSON.stringify(files);
    if (key === shownSkipped) return;
    shownSkipped = key;
    $("skipped-part").hidden = !files.length;
    $("skipped-count").textContent = files.length;
    $("skipped").replaceChildren(
      ...files.map((file) => {
        const row = document.createElement("li");
        // Most reasons begin with the file's name, without its folder.
        const base = file.name.split("/").pop();
        const named = file.reason.startsWith(base);
        row.textContent = named ? file.name + file.reason.slice(base.length) : `${file.name}: ${file.reason}`;
        return row;
      }),
    );
  }

  // Files come, go and change their names: looked up whenever somebody is about to choose.
  async function songs() {
    try {
      const found = await ask("songs");
      $("songs").replaceChildren(
        ...found.songs.map((name) => {
          const option = document.createElement("option");
          option.value = name;
          return option;
        }),
      );
    } catch { /* the next time, then */ }
  }

  function skip() {
    const found = where();
    if (!found || $("skip").getAttribute("aria-disabled") === "true") return;
    say("Skipping.");
    change("skip", { start: found.song.start });
  }

  $("play").addEventListener("click", () => (playing ? pause() : play()));
  $("skip").addEventListener("click", skip);
  $("volume").addEventListener("input", () => {
    if (volume) {
      volume.gain.cancelScheduledValues(0);
      volume.gain.setTargetAtTime(level(), context.currentTime, 0.02);
    }
    try {
      localStorage.setItem("d2m-volume", $("volume").value);
    } catch { /* storage may be closed: then it is not remembered */ }
  });
  $("wish").addEventListener("focus", songs);
  $("add").addEventListener("submit", async (event) => {
    event.preventDefault();
    const name = $("wish").value.trim();
    await songs();
    const known = [...$("songs").children].map((o) => o.value);
    const match = known.find((n) => n === name) || known.find((n) => title(n).toLowerCase() === title(name).toLowerCase());
    if (!match) return say(`There is no song ${name}.`);
    $("wish").value = "";
    change("queue", { add: match }, `${title(match)} is in the queue.`);
  });
  try {
    $("volume").value = localStorage.getItem("d2m-volume") ?? 80;
  } catch { /* as above */ }
  if ("mediaSession" in navigator) {
    navigator.mediaSession.setActionHandler("nexttrack", skip);
    navigator.mediaSession.setActionHandler("play", () => playing || play());
    navigator.mediaSession.setActionHandler("pause", () => playing && pause());
  }
  // For whoever measures the page.
  window.d2m = { place, stalls: () => stalls, where, state: () => state, said: () => announced, scheduled: () => scheduled.size };
  setInterval(refresh, 1000);
  setInterval(() => {
    pull();
    if (state) show();
  }, 250);
  refresh();
})();
