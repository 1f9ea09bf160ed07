// Words of the page in the person's language.

import { remember } from "./dom.js";
import en from "./words-en.js";
import ko from "./words-ko.js";

const BOOKS = { en, ko };
const wanted =
  remember("language") ||
  (navigator.languages || [navigator.language]).map((each) => each.slice(0, 2)).find((each) => BOOKS[each]);
let language = BOOKS[wanted] ? wanted : "en";

export const current = () => language;
export const has = (key) => key in BOOKS[language];

/** A phrase with its values put in. With `count`, the form that the language has for that number. */
export function t(key, values = {}) {
  const book = BOOKS[language];
  const form = values.count === undefined ? key : `${key}.${new Intl.PluralRules(language).select(values.count)}`;
  const text = book[form] ?? book[`${key}.other`] ?? book[key] ?? en[form] ?? en[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
}

/** The phrase of a name that the server gives, such as a genre, or what the server calls it. */
export const named = (kind, name, otherwise = name) => BOOKS[language][`${kind}.${name}`] ?? otherwise;

export function setLanguage(next) {
  language = next;
  remember("language", next);
}

/** Put the words into the fixed parts of the page. */
export function translate(root = document) {
  document.documentElement.lang = language;
  for (const element of root.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
  for (const element of root.querySelectorAll("[data-t-label]"))
    element.setAttribute("aria-label", t(element.dataset.tLabel));
  for (const element of root.querySelectorAll("button[data-t-label]")) element.title = t(element.dataset.tLabel);
}

export function clock(seconds, digits = 0) {
  const rounded = Math.max(Number(seconds.toFixed(digits)), 0);
  const minutes = Math.floor(rounded / 60);
  return `${minutes}:${(rounded - 60 * minutes).toFixed(digits).padStart(digits ? digits + 3 : 2, "0")}`;
}

export function bytes(count) {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte"];
  const step = count ? Math.min(Math.floor(Math.log10(count) / 3), 3) : 0;
  const digits = step && count / 1000 ** step < 10 ? 1 : 0;
  return new Intl.NumberFormat(language, { style: "unit", unit: units[step], maximumFractionDigits: digits }).format(
    count / 1000 ** step,
  );
}

/** A time to wait, in words: seconds below a minute, then minutes. */
export function span(seconds) {
  if (seconds < 59.5)
    return t("seconds", { count: Math.max(Math.ceil(seconds), 1), n: Math.max(Math.ceil(seconds), 1) });
  const minutes = Math.ceil(seconds / 60);
  return t("minutes", { count: minutes, n: minutes });
}
