// What the pages add where a browser runs scripts: live values, switches that answer at once, a connection that heals itself.
// Pages work without it. No framework, no other host.

const base = new URL("..", import.meta.url);
const url = (path) => new URL(path, base).href;
const page = new URL(location.href);
const main = document.getElementById("main");
const live = document.getElementById("live");

/** Time limit of a switch; after it the switch goes back. */
const SWITCH_TIMEOUT = 9500;
/** Interval at which the sums of a page are renewed, in which no event tells of a change. */
const REFRESH_INTERVAL = 20000;
/** Delay of a renewal after an event, so that several events cause one. */
const REFRESH_DELAY = 120;
/** Time after which a lost connection is told as a hub that is gone. */
const GONE_DELAY = 10000;
/** Events that a page follows. */
const KINDS = "plug,reading,availability,group,schedule,rule,tariff,log,takeover";
/** Time limit of a page: a hub that stands still, or a radio that is gone, keeps its connections. */
const PAGE_TIMEOUT = 5000;
/** Delay of the next attempt to connect. */
const RETRY_DELAY = 1500;

const number = (value, decimals) =>
  value.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
const watts = (value) => number(value, value !== 0 && Math.abs(value) < 99.95 ? 1 : 0);
const kwh = (wh) => number(wh / 1000, wh < 99995 ? 2 : 1) + "\u00a0kWh";
const hex = (mac) => mac.replaceAll(":", "").toLowerCase();
const of = (mac) => main.querySelectorAll(`[data-mac="${mac}"]`);
// The clock and the zone are those of the hub; the browser's can be others, and wrong.
const zone = live?.dataset.zone;
const clockFormat = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: zone === "local time" ? undefined : zone });
let skew = 0;
function setClock(page) {
  const now = page.getElementById("live")?.dataset.now;
  if (now) skew = now * 1000 - Date.now();
}
setClock(document);
const clock = () => clockFormat.format(Date.now() + skew);

// ---- the same page from the server, element by element

const isMine = (node) => node.hasAttribute?.("data-keep");
// A form that is edited, or came back with what was typed.
const holdsText = (node) =>
  node.nodeType === 1 && (node.querySelector("section[data-keep] form, form[data-keep]") || [...node.querySelectorAll("form")].some(isEdited));
const isBusy = (node) => node.querySelector?.('[aria-busy="true"]');

function morph(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) return holdsText(old) ? old.before(fresh) : old.replaceWith(fresh);
  if (old.nodeType !== 1) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  // What a person is at now stays as it is.
  if (isMine(old) || (old.dataset?.mac && isBusy(old)) || (old.matches("form") && (isBusy(old) || isEdited(old)))) return;
  for (const { name } of [...old.attributes]) {
    if (name !== "open" && !fresh.hasAttribute(name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  const byId = new Map();
  for (const child of old.children) if (child.id) byId.set(child.id, child);
  let at = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    while (at && isMine(at)) at = at.nextSibling;
    const known = child.id && byId.get(child.id);
    if (known) {
      byId.delete(child.id);
      if (known === at) at = at.nextSibling;
      else old.insertBefore(known, at);
      morph(known, child);
    } else if (!at || child.id || at.id) {
      old.insertBefore(child, at);
    } else {
      const next = at.nextSibling;
      morph(at, child);
      at = next;
    }
  }
  while (at) {
    const next = at.nextSibling;
    if (!isMine(at) && !holdsText(at)) at.remove();
    at = next;
  }
}

const isEdited = (form) =>
  [...form.elements].some((field) =>
    field.type === "checkbox" || field.type === "radio"
      ? field.checked !== field.defaultChecked
      : field.options
        ? field.selectedIndex !== Math.max(0, [...field.options].findIndex((option) => option.defaultSelected))
        : "defaultValue" in field && field.type !== "hidden" && field.value !== field.defaultValue);

// The note of a form is for the page to which it leads, and not for a renewal of the page before.
const get = (options) => fetch(page, { headers: { accept: "text/html", "x-renewal": 1 }, redirect: "manual", signal: AbortSignal.timeout(PAGE_TIMEOUT), ...options });

let renewing = 0;
let isRenewing = false;
function renew(delay = REFRESH_DELAY) {
  if (!renewing && !isRenewing) renewing = setTimeout(renewNow, delay);
  else if (isRenewing) isRenewing = "again";
}

async function renewNow() {
  renewing = 0;
  isRenewing = true;
  const begin = performance.now();
  try {
    const response = await get();
    if (response.type === "opaqueredirect") return loggedOut();
    if (response.status === 404) return removed();
    if (!response.ok) return;
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    const next = fresh.getElementById("main");
    if (next) {
      morph(main, next);
      setClock(fresh);
    }
    for (const note of main.querySelectorAll('.note[id^="note-"]')) of(note.id.slice(5))[0]?.classList.add("failed");
    for (const part of [".bar", ".nav"]) {
      const [old, now] = [document, fresh].map((whole) => whole.querySelector(part));
      if (old && now) morph(old, now);
    }
    main.dispatchEvent(new Event("renewed"));
  } catch {
    // The stream alone does not notice a hub that stands still.
    if (stream && !lost) dropped();
  } finally {
    const again = isRenewing === "again";
    isRenewing = false;
    // A page that is large or far is renewed less often.
    if (again) renew(Math.max(REFRESH_DELAY, 2 * (performance.now() - begin)));
  }
}

// ---- the stream of events

let stream = null;
let retrying = 0;
let lost = 0;
let seen = clock();

function say(text, isLost) {
  live.hidden = false;
  live.classList.toggle("lost", isLost);
  if (live.textContent !== text) live.textContent = text;
}

let port = null;
try {
  const worker = new SharedWorker(live.dataset.stream);
  port = worker.port;
  worker.onerror = () => {
    port = null;
    if (stream) connect();
  };
} catch {
  // There are none, or they are forbidden with the storage of the site.
}

/** The stream of all windows. A browser without shared workers, as on some phones, shows few windows: each has its own. */
class SharedStream extends EventTarget {
  constructor(follow) {
    super();
    port.onmessage = ({ data: { type, data } }) => this.dispatchEvent(new MessageEvent(type, { data }));
    port.postMessage({ follow });
  }
  close() {
    port.onmessage = null;
    port.postMessage({});
  }
}

function connect() {
  clearTimeout(retrying);
  stream?.close();
  stream = new (port ? SharedStream : EventSource)(url("api/v1/events?kinds=" + KINDS));
  stream.addEventListener("open", () => {
    clearTimeout(lost);
    lost = 0;
    say("Live", false);
    renew(0);
  });
  stream.addEventListener("error", dropped);
  for (const name of (KINDS + ",reset").split(",")) {
    stream.addEventListener(name, ({ data }) => {
      seen = clock();
      if (name === "reading") return metered(JSON.parse(data));
      if (name === "plug" || name === "availability") plugChanged(JSON.parse(data));
      renew();
    });
  }
}

function dropped() {
  if (!lost) {
    say("Connection lost. Trying again…", true);
    lost = setTimeout(() => say(`Mains is not reachable. What you see is from ${seen}; it goes on by itself.`, true), GONE_DELAY);
  }
  stream.close();
  clearTimeout(retrying);
  retrying = setTimeout(retry, RETRY_DELAY);
}

/** Connects again; a session that has ended is told as such, and not as a lost connection. */
async function retry() {
  try {
    const response = await get({ method: "HEAD" });
    if (response.type === "opaqueredirect") return loggedOut();
  } catch {
    retrying = setTimeout(retry, RETRY_DELAY);
    return;
  }
  connect();
}

function loggedOut() {
  stream?.close();
  clearTimeout(lost);
  say("You were logged out.", true);
  const next = encodeURIComponent("/" + location.href.slice(base.href.length));
  lead("note-login", ["You were logged out.", " Log in and go on; what you typed is kept."], "Log in", `login?next=${next}`);
}

function removed() {
  const name = main.querySelector("#editor #name")?.defaultValue || main.querySelector("h1").textContent;
  lead("note-removed", [`${name} was removed in another window.`, ""], "Home", ".");
}

/** Makes a note, once, with a link. */
function lead(id, words, text, path) {
  if (document.getElementById(id)) return;
  const link = document.createElement("a");
  Object.assign(link, { className: "btn plain", href: url(path), textContent: text });
  // Sent without a session, the form is kept and comes back after the login.
  link.onclick = (event) => {
    const form = id === "note-login" && [...main.querySelectorAll("form[method=post]")].find((form) => isEdited(form) && !form.querySelector("[type=password]"));
    if (!form) return;
    event.preventDefault();
    form.submit();
  };
  makeNote(id, words).append(link);
}

function plugChanged(plug) {
  if (plug.removed) return;
  for (const element of of(hex(plug.mac))) {
    element.dataset.available = plug.available;
    const button = element.querySelector(".switch");
    if (!button || button.ariaBusy === "true") continue;
    show(element, button, plug.relay === "on");
    // Only the renewed page tells whether this login may switch.
    if (!plug.available || plug.relay === null) button.disabled = true;
    marked(element).classList.toggle("gone", !plug.available);
  }
}

const marked = (element) => element.querySelector(".hero-plug") ?? element;

function show(element, button, isOn) {
  button.setAttribute("aria-checked", isOn);
  button.form.elements.state.value = isOn ? "off" : "on";
  marked(element).classList.toggle("on", isOn);
  marked(element).classList.toggle("off", !isOn);
}

function metered(reading) {
  for (const element of of(hex(reading.plug))) {
    const field = (name) => element.querySelector(`[data-field="${name}"]`);
    const power = field("power");
    if (power && reading.power_w !== null) {
      const value = document.createElement("b");
      value.textContent = watts(reading.power_w);
      power.replaceChildren(value, "\u00a0W");
    }
    const energy = field("energy-today");
    if (energy?.dataset.total && reading.energy_total_wh !== null) {
      const used = reading.energy_total_wh - energy.dataset.total;
      // The unit can be smaller than its number.
      const [value, unit] = kwh(+energy.dataset.wh + used).split(/(?=\u00a0)/);
      if (used >= 0) energy.firstChild.data = energy.querySelector("small") ? value : value + unit;
    }
    for (const [name, value, decimals] of [["voltage", reading.voltage_v, 1], ["current", reading.current_a, 2], ["frequency", reading.frequency_hz, 2]]) {
      const number_ = field(name)?.querySelector("b");
      if (number_) number_.textContent = value === null ? "–" : number(value, decimals);
    }
  }
}

// ---- switches

function makeNote(id, [strong, more]) {
  let notes = document.getElementById("notes");
  if (!notes) {
    notes = document.createElement("div");
    notes.className = "notes";
    notes.id = "notes";
    notes.dataset.keep = "";
    main.prepend(notes);
  }
  document.getElementById(id)?.remove();
  const note = document.createElement("div");
  note.className = "note bad";
  note.id = id;
  note.dataset.keep = "";
  note.setAttribute("role", "alert");
  const text = document.createElement("p");
  const bold = document.createElement("b");
  bold.textContent = strong;
  text.append(bold, more);
  note.append(text);
  notes.prepend(note);
  return note;
}

function fail(element, mac, goal, problem) {
  const name = element.querySelector("bdi").textContent;
  const relay = problem.relay ?? (goal === "on" ? "off" : "on");
  const power = element.querySelector('[data-field="power"]')?.textContent.trim();
  const still = power && !power.startsWith("–") ? ` It is still ${relay}, at ${power}.` : ` It is still ${relay}.`;
  const words = {
    no_answer: [`${name} did not answer.`, " Nothing was switched, as far as Mains knows."],
    bad_answer: [`${name} answered something that Mains does not understand.`, ""],
    lost: [`${name}: Mains did not answer.`, " Whether it switched is not known yet."],
    forbidden: [`${name} was not switched.`, " This login sees everything and changes nothing."],
    unauthenticated: ["You were logged out.", " Log in and go on."],
  }[problem.kind] ?? [`${name} did not switch ${goal}.`, still];
  const note = makeNote(`note-${mac}`, words);
  const again = document.createElement("button");
  again.className = "btn plain";
  again.textContent = "Try again";
  again.onclick = () => {
    note.remove();
    const now = of(mac)[0]?.querySelector(".switch");
    if (now) begin(now, goal);
  };
  note.append(again);
  element.classList.add("failed");
}

async function put(mac, goal) {
  try {
    const response = await fetch(url(`api/v1/plugs/${mac}/relay`), {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ state: goal }),
      signal: AbortSignal.timeout(SWITCH_TIMEOUT),
    });
    return response.ok ? null : await response.json();
  } catch {
    return { kind: "lost" };
  }
}

/** Switches; a click while a switch is under way changes its goal. */
async function begin(button, goal) {
  const element = button.closest("[data-mac]");
  const mac = element.dataset.mac;
  document.getElementById(`note-${mac}`)?.remove();
  element.classList.remove("failed");
  const isUnderWay = button.ariaBusy === "true";
  const before = button.getAttribute("aria-checked") === "true";
  button.dataset.goal = goal;
  button.setAttribute("aria-busy", "true");
  show(element, button, goal === "on");
  const state = element.querySelector('[data-field="state"]');
  state?.replaceChildren(goal === "on" ? "Switching on…" : "Switching off…");
  if (isUnderWay) return;
  let problem;
  let sent;
  do {
    sent = button.dataset.goal;
    problem = await put(mac, sent);
  } while (!problem && button.dataset.goal !== sent);
  button.removeAttribute("aria-busy");
  if (problem) {
    show(element, button, problem.relay ? problem.relay === "on" : before);
    fail(element, mac, sent, problem);
  }
  renew(0);
}

document.addEventListener("submit", (event) => {
  const button = event.target.querySelector(".switch[role=switch]");
  if (!button?.closest("[data-mac]")) return;
  event.preventDefault();
  begin(button, event.target.elements.state.value);
});

// ---- the field that finds a plug among many

function find() {
  const box = document.getElementById("find");
  if (!box) return;
  box.hidden = false;
  const text = box.querySelector("input").value.trim().toLowerCase();
  for (const room of main.querySelectorAll(".room")) {
    const isRoom = room.querySelector("h2").textContent.toLowerCase().includes(text);
    for (const plug of room.querySelectorAll(".plug")) plug.hidden = !isRoom && !plug.querySelector("h3").textContent.toLowerCase().includes(text);
    room.hidden = !room.querySelector(".plug:not([hidden])");
  }
}
main?.addEventListener("input", (event) => event.target.id === "find-plug" && find());
main?.addEventListener("renewed", find);
find();

// ---- cursor and zoom of a chart: in a module of their own, for the one page that has it

const chart = document.getElementById("power");
if (chart) import(chart.dataset.module).then(({ attach }) => attach(chart, main, watts));

// ---- the question before something is removed, as a dialog over the page

document.addEventListener("click", async (event) => {
  const link = event.target.closest("a[data-dialog]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const response = await fetch(link.href, { redirect: "manual" }).catch(() => null);
  const page = response?.ok && new DOMParser().parseFromString(await response.text(), "text/html");
  const question = page && page.getElementById("question");
  if (!question) return location.assign(link.href);
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-labelledby", "h-question");
  question.className = "stack";
  dialog.append(question);
  question.querySelector("a.plain").onclick = (event) => {
    event.preventDefault();
    dialog.close();
  };
  dialog.onclose = () => {
    dialog.remove();
    link.focus();
  };
  document.body.append(dialog);
  dialog.showModal();
});

// ---- start

document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    clearTimeout(retrying);
    clearTimeout(lost);
    lost = 0;
    stream?.close();
    stream = null;
  } else if (!stream) connect();
});
setInterval(() => {
  if (!document.hidden && stream && !lost) renew(0);
}, +main?.querySelector("[data-refresh]")?.dataset.refresh || REFRESH_INTERVAL);
if (main && !document.hidden) connect();
addEventListener("pagehide", () => stream?.close());
addEventListener("pageshow", (event) => {
  if (event.persisted && !document.hidden) connect();
});
