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
const KINDS = "plug,reading,availability,group,schedule,rule,tariff,log";
/** Delay of the next attempt to connect. */
const RETRY_DELAY = 1500;

const number = (value, decimals) =>
  value.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
const watts = (value) => number(value, value !== 0 && Math.abs(value) < 99.95 ? 1 : 0);
const kwh = (wh) => number(wh / 1000, wh < 99995 ? 2 : 1) + "\u00a0kWh";
const hex = (mac) => mac.replaceAll(":", "").toLowerCase();
const of = (mac) => main.querySelectorAll(`[data-mac="${mac}"]`);
const clock = () => new Date().toTimeString().slice(0, 5);

// ---- the same page from the server, element by element

const isMine = (node) => node.nodeType === 1 && node.hasAttribute("data-keep");
const isBusy = (node) => node.querySelector?.('[aria-busy="true"]');

function morph(old, fresh) {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) return old.replaceWith(fresh);
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
    if (!isMine(at)) at.remove();
    at = next;
  }
}

const isEdited = (form) =>
  [...form.elements].some((field) =>
    field.type === "checkbox" || field.type === "radio"
      ? field.checked !== field.defaultChecked
      : field.options
        ? [...field.options].some((option) => option.selected !== option.defaultSelected) && field.matches(":focus")
        : "defaultValue" in field && field.type !== "hidden" && field.value !== field.defaultValue);

let renewing = 0;
let isRenewing = false;
function renew(delay = REFRESH_DELAY) {
  if (!renewing && !isRenewing) renewing = setTimeout(renewNow, delay);
  else if (isRenewing) isRenewing = "again";
}

async function renewNow() {
  renewing = 0;
  isRenewing = true;
  try {
    const response = await fetch(page, { headers: { accept: "text/html" }, redirect: "manual" });
    if (response.type === "opaqueredirect") return loggedOut();
    if (!response.ok && response.status !== 404) return;
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    const next = fresh.getElementById("main");
    if (next) morph(main, next);
    for (const note of main.querySelectorAll('.note[id^="note-"]')) of(note.id.slice(5))[0]?.classList.add("failed");
    for (const part of [".bar", ".nav"]) {
      const [old, now] = [document, fresh].map((whole) => whole.querySelector(part));
      if (old && now) morph(old, now);
    }
    main.dispatchEvent(new Event("renewed"));
  } catch {
    // The connection is lost; the stream tells.
  } finally {
    const again = isRenewing === "again";
    isRenewing = false;
    if (again) renew();
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

function connect() {
  clearTimeout(retrying);
  stream?.close();
  stream = new EventSource(url("api/v1/events?kinds=" + KINDS));
  stream.onopen = () => {
    clearTimeout(lost);
    lost = 0;
    say("Live", false);
    renew(0);
  };
  stream.onerror = () => {
    if (!lost) {
      say("Connection lost. Trying again…", true);
      lost = setTimeout(() => say(`Mains is not reachable. What you see is from ${seen}; it goes on by itself.`, true), GONE_DELAY);
    }
    stream.close();
    clearTimeout(retrying);
    retrying = setTimeout(retry, RETRY_DELAY);
  };
  for (const name of ["plug", "availability", "group", "schedule", "rule", "tariff", "log", "reset"]) {
    stream.addEventListener(name, (event) => {
      seen = clock();
      if (name === "plug" || name === "availability") plugChanged(JSON.parse(event.data));
      renew();
    });
  }
  stream.addEventListener("reading", (event) => {
    seen = clock();
    metered(JSON.parse(event.data));
  });
}

/** Connects again; a session that has ended is told as such, and not as a lost connection. */
async function retry() {
  try {
    const response = await fetch(page, { method: "HEAD", redirect: "manual" });
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
  if (document.getElementById("note-login")) return;
  const next = encodeURIComponent("/" + page.href.slice(base.href.length));
  const note = makeNote("note-login", ["You were logged out.", " Log in and go on; what you typed is kept."]);
  const link = document.createElement("a");
  link.className = "btn plain";
  link.href = url(`login?next=${next}`);
  link.textContent = "Log in";
  note.append(link);
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
      if (used >= 0) energy.textContent = kwh(+energy.dataset.wh + used);
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

// ---- the cursor of a chart: a slider over it, for mouse, finger and keys

function scrub() {
  const chart = document.getElementById("power");
  const area = chart?.querySelector(".area");
  if (!area || area.querySelector(".scrub")) return;
  const steps = chart.dataset.figures.split(",");
  const last = area.firstElementChild.viewBox.baseVal.width;
  if (!steps.some(Boolean)) return;
  const readout = document.createElement("p");
  readout.className = "readout";
  readout.dataset.keep = "";
  readout.setAttribute("role", "status");
  const slider = document.createElement("input");
  Object.assign(slider, { type: "range", className: "scrub", min: 0, max: last, value: steps.length - 1 });
  slider.dataset.keep = "";
  slider.setAttribute("aria-label", "Point in time");
  const zone = chart.dataset.zone;
  const format = new Intl.DateTimeFormat("en-GB", {
    hour: "2-digit",
    minute: "2-digit",
    ...(chart.dataset.step < 1800 ? {} : { weekday: "short", day: "numeric", month: "short" }),
    ...(chart.dataset.step < 60 ? { second: "2-digit" } : {}),
    ...(zone === "local time" ? {} : { timeZone: zone }),
  });
  slider.oninput = () => {
    const { start, step, figures } = chart.dataset;
    const time = format.format((+start + slider.value * step) * 1000);
    const [mean, min, max] = (figures.split(",")[slider.value] ?? "").split(" ");
    const value = document.createElement("b");
    value.textContent = mean ? `${watts(+mean)}\u00a0W` : "No data";
    readout.replaceChildren(value, mean ? `${time}, between ${watts(+min)} and ${watts(+max)}\u00a0W` : time);
    slider.setAttribute("aria-valuetext", mean ? `${time}, ${watts(+mean)} watts` : `${time}, no data`);
  };
  area.append(slider);
  chart.prepend(readout);
  slider.oninput();
}
main?.addEventListener("renewed", scrub);
if (main) scrub();

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
}, REFRESH_INTERVAL);
if (main && !document.hidden) connect();
addEventListener("pagehide", () => stream?.close());
addEventListener("pageshow", (event) => {
  if (event.persisted && !document.hidden) connect();
});
