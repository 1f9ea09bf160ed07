// Elements, icons, notices and the live region.

const SVG = "http://www.w3.org/2000/svg";

// Paths on a grid of 24, drawn as lines of width 2; those that begin with "!" are filled.
const ICONS = {
  play: ["!M7 4.5v15l13-7.5z"],
  pause: ["!M6 4.5h4.5v15H6zM13.5 4.5H18v15h-4.5z"],
  back: ["!M6 5h2.5v14H6zM20 5v14L9.5 12z"],
  loop: ["M17 3l4 4-4 4", "M3 11V9a2 2 0 0 1 2-2h16", "M7 21l-4-4 4-4", "M21 13v2a2 2 0 0 1-2 2H3"],
  body: ["M12 7v7l-4 7M12 14l4 7M5 9l7 1 7-1", "!M12 6.5a2.3 2.3 0 1 0 0-4.6 2.3 2.3 0 0 0 0 4.6z"],
  beat: ["M12 3v3M12 18v3M3 12h3M18 12h3", "!M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8z"],
  click: ["M8 21h8l-2.5-17h-3z", "M12 15l6-9", "M7 15h10"],
  plus: ["M12 5v14M5 12h14"],
  minus: ["M5 12h14"],
  film: ["M3 5h18v14H3z", "!M10 9v6l5-3z", "M7 5v14M17 5v14"],
  record: ["!M12 17a5 5 0 1 0 0-10 5 5 0 0 0 0 10z", "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z"],
  theme: ["M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z", "!M12 3a9 9 0 0 1 0 18z"],
  keyboard: ["M2.5 6h19v12h-19z", "M6.5 10h.01M10 10h.01M13.5 10h.01M17 10h.01M8 14h8"],
  undo: ["M9 14L4 9l5-5", "M4 9h10a6 6 0 0 1 0 12h-3"],
  redo: ["M15 14l5-5-5-5", "M20 9H10a6 6 0 0 0 0 12h3"],
  split: ["M12 3v18", "M8 8l-4 4 4 4M16 8l4 4-4 4"],
  join: ["M4 12h6M14 12h6", "M7 8l4 4-4 4M17 8l-4 4 4 4"],
  dice: ["M4 4h16v16H4z", "M8.5 8.5h.01M15.5 8.5h.01M12 12h.01M8.5 15.5h.01M15.5 15.5h.01"],
  hit: ["!M13 2L5 13.5h6L10 22l9-12h-6.5z"],
  trash: ["M4 7h16M9 7V4h6v3M6.5 7l1 13h9l1-13"],
  save: ["M12 3v12M7 11l5 5 5-5M4 20h16"],
  retry: ["M4 12a8 8 0 1 1 2.5 5.8", "M4 20v-5h5"],
  close: ["M6 6l12 12M18 6L6 18"],
  check: ["M5 13l4.5 4.5L19 7"],
  takes: ["M4 6h16M4 12h16M4 18h10"],
  music: [
    "M9 18V5l11-2v13",
    "!M6.5 21a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6zM17.5 19a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6z",
  ],
  mix: ["M6 4v6M6 14v6M12 4v10M12 18v2M18 4v2M18 10v10", "M4 12h4M10 16h4M16 8h4"],
  sound: ["!M4 9v6h4l5 4V5L8 9z", "M16 9a4 4 0 0 1 0 6"],
  mute: ["!M4 9v6h4l5 4V5L8 9z", "M16 9.5l5 5M21 9.5l-5 5"],
};

/** An element. Properties: class, text, on (listeners), data, aria; everything else is an attribute, or left out if it is
 * false, null or undefined. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === false || value === null || value === undefined) continue;
    if (name === "class") element.className = value;
    else if (name === "text") element.textContent = value;
    else if (name === "on")
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name === "aria")
      for (const [key, each] of Object.entries(value)) element.setAttribute(`aria-${key}`, String(each));
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.classList.add("icon");
  for (const line of ICONS[name] || []) {
    const path = document.createElementNS(SVG, "path");
    const filled = line.startsWith("!");
    path.setAttribute("d", filled ? line.slice(1) : line);
    path.setAttribute("class", filled ? "filled" : "line");
    svg.append(path);
  }
  return svg;
}

/** A button with an icon and words; `shown` false leaves the words to screen readers and to a tip. */
export function button(name, label, press, { shown = true, ...more } = {}) {
  const look = [more.class, shown ? "" : "square"].filter(Boolean).join(" ");
  return h(
    "button",
    { type: "button", title: shown ? null : label, ...more, class: look || null, on: { click: press } },
    name ? icon(name) : null,
    h("span", { class: shown ? null : "unseen", text: label }),
  );
}

export const $ = (id) => document.getElementById(id);

/** Replace the children of an element, and keep the focus on the one with the same `data-key`. */
export function rebuild(root, ...children) {
  const active = document.activeElement;
  const key = root.contains(active) ? active.dataset.key : undefined;
  const scrolled = root.scrollTop;
  root.replaceChildren(...children.flat().filter(Boolean));
  root.scrollTop = scrolled;
  if (key) root.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}

let said = 0;

/** Let screen readers say a sentence once. */
export function announce(text) {
  const live = $("live");
  // The same sentence again counts as a change only with another ending.
  live.textContent = text + (said++ % 2 ? "\u00a0" : "");
}

/** Show one line that stays until it is closed. */
export function notice(text, { kind = "error", close = "Close", lang } = {}) {
  const box = h(
    "div",
    { class: `notice ${kind}` },
    h("p", { text, lang }),
    button("close", close, () => box.remove(), { shown: false, class: "quiet" }),
  );
  const known = [...$("notices").children].find((each) => each.firstChild.textContent === text);
  if (known) known.remove();
  $("notices").prepend(box);
  if (kind !== "error") setTimeout(() => box.remove(), 8000);
  return box;
}

export function fillIcons(root = document) {
  for (const place of root.querySelectorAll("[data-icon]"))
    if (!place.firstChild) place.append(icon(place.dataset.icon));
}

export function remember(name, value) {
  try {
    if (value === undefined) return localStorage.getItem(`d2m.${name}`);
    localStorage.setItem(`d2m.${name}`, value);
  } catch {
    /* storage may be closed: then nothing is remembered */
  }
  return value ?? null;
}
