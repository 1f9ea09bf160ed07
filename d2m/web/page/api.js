// The server's API. Errors have the server's line, or one in the person's language where the code says enough.

import { has, t } from "./words.js";

export class Fault extends Error {
  constructor(status, error) {
    super(error?.message || t("error.server", { status }));
    this.status = status;
    this.code = error?.code || "";
    this.place = error || {};
  }

  /** The line to show: translated if the code alone says what is wrong. */
  get line() {
    const key = `error.${this.code}`;
    return has(key) ? t(key) : this.message;
  }
}

export async function call(method, address, body) {
  let reply;
  try {
    reply = await fetch(address, {
      method,
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Fault(0, { message: t("error.gone"), code: "" });
  }
  if (!reply.ok)
    throw new Fault(
      reply.status,
      await reply.json().then(
        (data) => data.error,
        () => null,
      ),
    );
  return reply.status === 204 ? null : reply.json();
}

export const get = (address) => call("GET", address);
export const post = (address, body) => call("POST", address, body);
export const remove = (address) => call("DELETE", address);

export async function bytesOf(address, signal) {
  let reply;
  try {
    reply = await fetch(address, { signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Fault(0, { message: t("error.gone") });
  }
  if (!reply.ok)
    throw new Fault(
      reply.status,
      await reply.json().then(
        (data) => data.error,
        () => null,
      ),
    );
  return reply.arrayBuffer();
}

/** Upload a file. `progress` is called with the share; the promise has a method `cancel`. */
export function upload(file, name, wish, progress) {
  const request = new XMLHttpRequest();
  const make = wish ? `&make=${encodeURIComponent(JSON.stringify(wish))}` : "";
  const promise = new Promise((resolve, reject) => {
    request.open("POST", `/api/clips?name=${encodeURIComponent(name)}${make}`);
    request.responseType = "json";
    request.setRequestHeader(
      "Content-Type",
      file.type.startsWith("video/") ? file.type.split(";")[0] : "application/octet-stream",
    );
    request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
    request.onload = () =>
      request.status < 300 ? resolve(request.response) : reject(new Fault(request.status, request.response?.error));
    request.onerror = () => reject(new Fault(0, { message: t("error.gone") }));
    request.onabort = () => resolve(null);
    request.send(file);
  });
  promise.cancel = () => request.abort();
  return promise;
}

/** Follow a clip. `changed` gets the clip after each change, `gone` is called when it was removed. */
export function follow(address, changed, gone, connection) {
  const events = new EventSource(address);
  events.addEventListener("clip", (event) => {
    connection(true);
    changed(JSON.parse(event.data));
  });
  events.addEventListener("gone", () => {
    events.close();
    gone();
  });
  events.onerror = () => connection(false);
  return events;
}
