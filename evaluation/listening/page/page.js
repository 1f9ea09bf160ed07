"use strict";
// A listening test in one page. Answers are kept in the browser after every clip; at the end they go to the server that
// the page came from, if there is one, and can be saved to a file in any case.
(() => {
  const plan = JSON.parse(document.getElementById("plan").textContent);
  const store = "listening-" + plan.test;
  const $ = (id) => document.getElementById(id);
  let session = load();

  function load() {
    try {
      return JSON.parse(localStorage.getItem(store));
    } catch {
      return null; // storage may be closed to pages from a disk: then nothing is remembered
    }
  }

  function keep() {
    try {
      localStorage.setItem(store, JSON.stringify(session));
    } catch { /* as above */ }
  }

  // mulberry32: the order of a listener follows from one number, which is saved with the answers
  function generator(seed) {
    return () => {
      seed = (seed + 0x6d2b79f5) | 0;
      let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
  }

  function shuffled(list, random) {
    const out = [...list];
    for (let i = out.length - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      [out[i], out[j]] = [out[j], out[i]];
    }
    return out;
  }

  // Every group equally often and every item as rarely as can be; the same item never twice in a row if avoidable.
  function choose(random) {
    const clips = plan.clips.filter((clip) => !clip.check);
    const items = shuffled([...new Set(clips.map((c) => c.item))], random);
    const groups = shuffled([...new Set(clips.map((c) => c.group))], random);
    const wanted = plan.trials ? Math.min(plan.trials, clips.length) : clips.length;
    const chosen = [];
    for (let round = 0; chosen.length < wanted && round < groups.length; round++) {
      for (let i = 0; i < items.length && chosen.length < wanted; i++) {
        const group = groups[(i + round) % groups.length];
        const clip = clips.find((c) => c.item === items[i] && c.group === group);
        if (clip) chosen.push(clip);
      }
    }
    const order = shuffled(chosen, random);
    for (let i = 1; i < order.length; i++) {
      if (order[i].item !== order[i - 1].item) continue;
      const other = order.findIndex((c, j) => j > i && c.item !== order[i].item);
      if (other > 0) [order[i], order[other]] = [order[other], order[i]];
    }
    for (const check of plan.clips.filter((clip) => clip.check)) {
      order.splice(1 + Math.floor(random() * order.length), 0, check);
    }
    return order.map((clip) => clip.id);
  }

  function begin(about) {
    const numbers = new Uint32Array(3);
    crypto.getRandomValues(numbers);
    session = {
      test: plan.test,
      listener: numbers[0].toString(16).padStart(8, "0") + numbers[1].toString(16).padStart(8, "0"),
      seed: numbers[2],
      about,
      began: new Date().toISOString(),
      order: choose(generator(numbers[2])),
      answers: [],
    };
    keep();
    next();
  }

  function show(name) {
    for (const id of ["welcome", "trial", "end"]) $(id).hidden = id !== name;
    const heading = $(name).querySelector("h2");
    if (heading) heading.focus();
  }

  function scale(question) {
    const field = document.createElement("fieldset");
    field.disabled = true;
    const legend = document.createElement("legend");
    legend.textContent = question.text;
    const row = document.createElement("div");
    row.className = "scale";
    question.points.forEach((word, i) => {
      const label = document.createElement("label");
      const input = document.createElement("input");
      input.type = "radio";
      input.name = question.name;
      input.value = String(question.first + i);
      input.required = true;
      const small = document.createElement("small");
      small.textContent = word;
      label.append(input, " " + input.value, small);
      row.append(label);
    });
    field.append(legend, row);
    return field;
  }

  function next() {
    const done = session.answers.length;
    if (done >= session.order.length) return finish();
    const clip = plan.clips.find((c) => c.id === session.order[done]);
    $("place").textContent = `Clip ${done + 1} of ${session.order.length}`;
    $("progress").max = session.order.length;
    $("progress").value = done;
    $("hint").textContent = "Play the clip to its end, then answer.";
    const media = document.createElement(clip.file.endsWith(".wav") ? "audio" : "video");
    media.controls = true;
    media.preload = "auto";
    media.playsInline = true;
    media.src = clip.file;
    let plays = 0;
    const shown = Date.now();
    const form = $("answers");
    const questions = clip.check
      ? [{ name: "beeps", text: "How many beeps were in this clip?", first: 1, points: ["", "", "", "", "", ""] }]
      : plan.questions.map((q) => ({ ...q, first: 1 }));
    const button = document.createElement("button");
    button.textContent = "Next clip";
    button.disabled = true;
    form.replaceChildren(...questions.map(scale), button);
    media.addEventListener("ended", () => {
      plays += 1;
      for (const field of form.querySelectorAll("fieldset")) field.disabled = false;
      button.disabled = false;
      $("hint").textContent = "Now answer; you may play it again.";
    });
    media.addEventListener("error", () => {
      $("hint").textContent = "This clip cannot be played here. Reload the page, or try another browser.";
    });
    form.onsubmit = (event) => {
      event.preventDefault();
      if (!plays) return;
      const answers = {};
      for (const [name, value] of new FormData(form)) answers[name] = Number(value);
      session.answers.push({ clip: clip.id, answers, plays, seconds: Math.round((Date.now() - shown) / 100) / 10 });
      keep();
      media.pause();
      next();
    };
    $("player").replaceChildren(media);
    show("trial");
  }

  function finish() {
    session.ended = session.ended || new Date().toISOString();
    keep();
    $("player").replaceChildren();
    show("end");
    if (session.sent) return void ($("sent").textContent = "Your answers have arrived. You may close this page.");
    if (!location.protocol.startsWith("http")) {
      $("sent").textContent = "Please save your answers and send the file to whoever asked you.";
      return;
    }
    $("sent").textContent = "Sending your answers …";
    fetch("answers", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(session) })
      .then((reply) => {
        if (!reply.ok) throw new Error(reply.status);
        session.sent = true;
        keep();
        $("sent").textContent = "Your answers have arrived. You may close this page.";
      })
      .catch(() => {
        $("sent").textContent = "Your answers could not be sent. Please save them to a file and send that.";
      });
  }

  $("save").addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([JSON.stringify(session, null, 1)], { type: "application/json" }));
    link.download = `answers-${session.listener}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
  $("about").addEventListener("submit", (event) => {
    event.preventDefault();
    begin(Object.fromEntries(new FormData($("about"))));
  });

  const checks = plan.clips.filter((clip) => clip.check).length;
  const rated = plan.clips.length - checks;
  const total = (plan.trials ? Math.min(plan.trials, rated) : rated) + checks;
  $("count").textContent = total;
  const minutes = Math.max(1, Math.round(total / 3));
  $("minutes").textContent = minutes === 1 ? "a minute" : `${minutes} minutes`;
  if (session && session.test === plan.test) next();
})();
