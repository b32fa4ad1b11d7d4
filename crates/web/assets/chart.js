// Cursor and zoom of a plug's history: uPlot, which precedes this in the file that is served, takes the place of the SVG.

/** Steps of the API in seconds. */
const STEPS = [1, 5, 10, 30, 60, 300, 900, 1800, 3600, 7200, 21600, 86400];
/** Points of a view up to which a finer step is taken. With half as many on either side they are below 2,000. */
const MAX_VISIBLE = 700;
/** Shortest view in seconds. */
const MIN_LENGTH = 60;
/** Delay of finer figures after the last move. */
const READ_DELAY = 150;
/** Pixels from which on a drag of the mouse chooses a range. */
const MIN_DRAG = 5;

const make = (name, properties, ...children) => {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
};

/** Top of an axis and its parts, as the server has them. */
function scale(highest) {
  const power = 10 ** Math.floor(Math.log10(Math.max(highest, 1)));
  const [top, parts] = [[1, 4], [1.5, 3], [2, 4], [3, 3], [5, 5], [10, 4]].find(([top]) => top * power >= highest * 0.999999);
  return { top: top * power, parts };
}

/** Adds cursor and zoom to a chart. */
export function attach(chart, main, watts) {
  const area = () => chart.querySelector(".area");
  const token = (name) => getComputedStyle(chart).getPropertyValue(name);
  const zone = chart.dataset.zone === "local time" ? undefined : chart.dataset.zone;
  let whole, base, fine, view, points, plot, reading, delay;
  let [scrubbed, top, missing] = [null, scale(1), []];
  const address = location.href;
  const link = document.getElementById("power-csv");
  let csv;

  // ---- figures: [start, step, mean, lowest, highest]

  function parse() {
    const { start, step, end, figures } = chart.dataset;
    base = figures.split(",").flatMap((text, place) => (text ? [[+start + place * step, +step, ...text.split(" ").map(Number)]] : []));
    // The range goes on with the time.
    const follows = !view || isWhole();
    whole = [+start, +end];
    if (follows) view = whole;
    // As the server has written it.
    csv = link.href;
    merge();
  }

  function merge() {
    points = !fine ? base : [
      ...base.filter(([t, step]) => t + step <= fine.from),
      ...fine.points,
      ...base.filter(([t]) => t >= fine.to),
    ];
  }

  /** Ranges without data: before, between, after. */
  function gaps() {
    const found = [];
    let [last, step] = [whole[0], 0];
    for (const point of [...points, [Math.min(+chart.dataset.now, whole[1]), 0]]) {
      // A day has up to 25 hours.
      if (point[0] - last - step > Math.max(chart.dataset.gap - step, step * 0.1)) found.push([last + step, point[0]]);
      [last, step] = point;
    }
    return found;
  }

  /** The address and the link to the CSV are those of the view, so that a reload shows it again. */
  function follow() {
    const [from, to] = view.map((t) => new Date(Math.round(t) * 1000).toISOString().replace(".000", ""));
    const query = `?from=${from}&to=${to}`;
    link.href = isWhole() ? csv : csv.replace(/\?.*/, query);
    history.replaceState(history.state, "", isWhole() ? address : query + location.hash);
  }

  async function read() {
    follow();
    const [from, to] = view;
    const length = to - from;
    const step = STEPS.find((step) => length / step <= MAX_VISIBLE) ?? 86400;
    if (isWhole()) fine = null;
    else if (!(fine?.step <= step && fine.from <= from && fine.to >= to)) {
      reading?.abort();
      reading = new AbortController();
      const [a, b] = [from - length / 2, to + length / 2].map((t) => Math.min(Math.max(Math.floor(t / step) * step, whole[0]), whole[1]));
      const [since, until] = [a, b].map((t) => new Date(t * 1000).toISOString());
      try {
        const response = await fetch(`${chart.dataset.history}?from=${since}&to=${until}&step=${step}s`, { signal: reading.signal });
        if (!response.ok) throw new Error(response.status);
        const history = await response.json();
        const known = history.points.filter((point) => point.power_w !== null);
        // Where finer figures are gone, those of the page do.
        if (history.step_s < chart.dataset.step) {
          fine = { from: a, to: b, step, points: known.map((point) => [Date.parse(point.t) / 1000, history.step_s, point.power_w, point.power_min_w, point.power_max_w]) };
        }
      } catch (error) {
        if (error.name === "AbortError") return;
        summary.textContent = "No finer figures.";
        return;
      }
    }
    merge();
    draw();
  }

  // ---- the zoom

  const isWhole = () => view[0] <= whole[0] && view[1] >= whole[1];

  function zoom(from, to) {
    const length = Math.min(Math.max(to - from, MIN_LENGTH), whole[1] - whole[0]);
    from = Math.min(Math.max((from + to - length) / 2, whole[0]), whole[1] - length);
    view = [from, from + length];
    if (isWhole()) {
      plot?.destroy();
      plot = null;
    }
    draw();
    clearTimeout(delay);
    delay = setTimeout(read, READ_DELAY);
  }

  /** Changes the length of the view; `at` keeps its place. */
  function zoomBy(factor, at) {
    at ??= scrubbed >= view[0] && scrubbed <= view[1] ? scrubbed : (view[0] + view[1]) / 2;
    zoom(at - (at - view[0]) * factor, at + (view[1] - at) * factor);
  }

  const visible = () => points.filter(([t, step]) => t + step > view[0] && t < view[1]);

  function draw() {
    const shown = visible();
    if (!isWhole()) {
      top = scale(Math.max(1, ...shown.map((point) => point[4])));
      missing = gaps();
      const columns = [[], [], [], []];
      const put = (...values) => values.forEach((value, column) => columns[column].push(value));
      let next = 0;
      for (const [t, step, mean, min, max] of points) {
        while (missing[next]?.[1] <= t) put(missing[next++][0], null, null, null);
        put(t + step / 2, max, min, mean);
      }
      plot ??= build();
      plot.setData(columns, false);
      plot.setScale("x", { min: view[0], max: view[1] });
    }
    const figures = shown.map((point) => point[2]);
    const mean = figures.reduce((sum, value) => sum + value, 0) / figures.length;
    const [min, max] = [Math.min(...shown.map((point) => point[3])), Math.max(...shown.map((point) => point[4]))];
    const range = view.map((t) => words(t, 60)).join(" to ");
    const text = isWhole() ? "" : figures.length
      ? `${range}: ${watts(mean)}\u00a0W on average, between ${watts(min)} and ${watts(max)}\u00a0W.`
      : `${range}: no data.`;
    if (summary.textContent !== text) summary.textContent = text;
    plot?.root.setAttribute("aria-label", text);
    out.disabled = all.disabled = isWhole();
    inn.disabled = view[1] - view[0] <= MIN_LENGTH;
    place();
  }

  /** A time of the hub's zone, with day and seconds where the chart needs them. */
  function words(t, step) {
    const length = whole[1] - whole[0];
    const format = new Intl.DateTimeFormat("en-GB", {
      timeZone: zone,
      ...(length > 90000 ? { weekday: "short", day: "numeric", month: "short" } : {}),
      ...(step < 86400 ? { hour: "2-digit", minute: "2-digit" } : {}),
      ...(step < 60 ? { second: "2-digit" } : {}),
      // A day with a change of the clock has an hour twice.
      ...(Math.abs(length - 86400) === 3600 ? { timeZoneName: "short" } : {}),
    });
    // In the middle of a day its date is right on either side of a change of the clock.
    return format.format((t + (step < 86400 ? 0 : step / 2)) * 1000);
  }

  function build() {
    const axis = { stroke: () => token("--ink-2"), ticks: { show: false }, font: `12px ${getComputedStyle(chart).fontFamily}` };
    const label = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit", second: "2-digit", day: "numeric", month: "short" });
    const time = (t, length) => {
      const part = Object.fromEntries(label.formatToParts(t * 1000).map(({ type, value }) => [type, value]));
      const clock = `${part.hour}:${part.minute}`;
      return length >= 86400 || (clock === "00:00" && part.second === "00") ? `${part.day} ${part.month}` : length < 60 ? `${clock}:${part.second}` : clock;
    };
    const box = area();
    // As wide as its labels: nothing moves below a finger.
    const left = Math.max(box.offsetLeft - box.parentNode.offsetLeft, 50);
    const hidden = { points: { show: false }, stroke: null };
    // A figure between two gaps is a point, else it would not be seen.
    const isAlone = (values, place) => values[place] !== null && (values[place - 1] ?? null) === null && (values[place + 1] ?? null) === null;
    const built = new uPlot({
      width: box.parentNode.clientWidth,
      height: box.clientHeight,
      legend: { show: false },
      cursor: { show: false },
      padding: [8, 0, 0, 0],
      tzDate: (t) => (zone ? uPlot.tzDate(new Date(t * 1000), zone) : new Date(t * 1000)),
      scales: { x: { range: () => view }, y: { range: () => [0, top.top] } },
      series: [
        {},
        hidden,
        hidden,
        {
          stroke: () => token("--series"),
          fill: () => token("--fill"),
          width: 2,
          points: { show: true, size: 4, filter: (plot, series) => plot.data[series].flatMap((_, place) => (isAlone(plot.data[series], place) ? [place] : [])) },
        },
      ],
      bands: [{ series: [1, 2], fill: () => token("--band") }],
      axes: [
        { ...axis, grid: { show: false }, size: 26, space: 64, values: (_, splits, __, ___, length) => splits.map((t) => (view[1] - t < (view[1] - view[0]) / 20 ? "" : time(t, length))) },
        {
          ...axis,
          grid: { stroke: () => token("--grid"), width: 1 },
          size: left,
          splits: () => Array.from({ length: top.parts + 1 }, (_, part) => (top.top * part) / top.parts),
          values: (_, splits) => {
            const [unit, name] = top.top >= 1000 ? [1000, " kW"] : [1, " W"];
            return splits.map((value, part) => +(value / unit).toFixed(5) + (part === top.parts ? name : ""));
          },
        },
      ],
      hooks: {
        drawClear: [({ ctx, bbox, valToPos }) => {
          ctx.fillStyle = token("--sunken");
          for (const range of missing) {
            const [from, to] = range.map((t) => Math.min(Math.max(valToPos(t, "x", true), bbox.left), bbox.left + bbox.width));
            if (to > from) ctx.fillRect(from, bbox.top, to - from, bbox.height);
          }
        }],
      },
    }, null, box);
    built.root.dataset.keep = "";
    built.root.setAttribute("role", "img");
    return built;
  }

  // ---- the cursor: a slider, for finger, mouse and keys

  const readout = make("p", { className: "readout", role: "status" });
  const slider = make("input", { type: "range", className: "scrub" });
  slider.setAttribute("aria-label", "Point in time");
  const summary = make("p", { className: "quiet small" });
  summary.setAttribute("role", "status");
  const press = (text, ariaLabel, onclick) => make("button", { type: "button", className: "btn plain", ariaLabel, onclick }, text);
  const inn = press("+", "Zoom in", () => zoomBy(0.5));
  const out = press("\u2212", "Zoom out", () => zoomBy(2));
  const all = press("Show all", null, () => zoom(...whole));
  const tools = make("div", { className: "row zoom" }, inn, out, all, summary);
  const range = make("div", { className: "picked", hidden: true });
  for (const own of [readout, slider, tools, range]) own.dataset.keep = "";

  /** Puts the controls where the chart is. */
  function place() {
    const over = plot?.over ?? area();
    if (slider.parentNode !== over) over.append(range, slider);
    if (!readout.isConnected) chart.prepend(readout);
    if (!tools.isConnected) chart.querySelector(".plot").after(tools);
    const known = visible();
    const step = known.at(-1)?.[1] ?? +chart.dataset.step;
    const at = scrubbed ?? known.at(-1)?.[0] ?? view[0];
    Object.assign(slider, { min: view[0], max: view[1], step: Math.min(step, (view[1] - view[0]) / 2), value: at });
    tell();
  }

  function tell() {
    const t = Math.min(+slider.value, view[1] - 0.001);
    const point = points.find(([from, step]) => from <= t && t < from + step)
      // Between two readings the first holds.
      ?? points.findLast(([from]) => from <= t && t - from <= chart.dataset.gap);
    const time = words(point ? point[0] : t, point?.[1] ?? 60);
    const value = make("b", {}, point ? `${watts(point[2])}\u00a0W` : "No data");
    readout.replaceChildren(value, point ? `${time}, between ${watts(point[3])} and ${watts(point[4])}\u00a0W` : time);
    slider.setAttribute("aria-valuetext", point ? `${time}, ${watts(point[2])} watts` : `${time}, no data`);
  }

  const rect = () => (plot?.over ?? area()).getBoundingClientRect();
  const timeAt = (x) => {
    const { left, width } = rect();
    return view[0] + Math.min(Math.max((x - left) / width, 0), 1) * (view[1] - view[0]);
  };

  slider.oninput = () => {
    scrubbed = +slider.value;
    tell();
  };
  slider.onkeydown = (event) => {
    const act = { "+": () => zoomBy(0.5), "-": () => zoomBy(2), 0: () => zoom(...whole), Escape: () => zoom(...whole) }[event.key];
    if (!act || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    act();
  };
  slider.ondblclick = () => zoom(...whole);
  slider.addEventListener("wheel", (event) => {
    // Two fingers on a pad are a wheel with the control key.
    if (!event.ctrlKey) return;
    event.preventDefault();
    zoomBy(Math.exp(event.deltaY / 100), timeAt(event.clientX));
  }, { passive: false });

  // ---- mouse: drag over a range; touch: two fingers

  const fingers = new Map();
  let dragged = null;
  let pinch = null;

  slider.onpointerdown = (event) => {
    if (event.pointerType === "touch") {
      fingers.set(event.pointerId, event.clientX);
      if (fingers.size === 2) pinch = [...fingers.values()].map(timeAt);
    } else if (!event.button) {
      dragged = event.clientX;
      slider.setPointerCapture(event.pointerId);
    }
  };
  slider.onpointermove = (event) => {
    if (fingers.has(event.pointerId)) {
      fingers.set(event.pointerId, event.clientX);
      if (pinch) pinched();
    } else if (event.pointerType !== "touch") {
      slider.value = scrubbed = timeAt(event.clientX);
      tell();
      const isRange = dragged !== null && Math.abs(event.clientX - dragged) >= MIN_DRAG;
      range.hidden = !isRange;
      if (isRange) {
        const { left, width } = rect();
        const [a, b] = [dragged, event.clientX].map((x) => Math.min(Math.max(x - left, 0), width)).sort((a, b) => a - b);
        Object.assign(range.style, { left: `${a}px`, width: `${b - a}px` });
      }
    }
  };
  /** Keeps the times below both fingers. */
  function pinched() {
    const { left, width } = rect();
    const [[x, t], [y, u]] = [...fingers.values()].map((x, finger) => [(x - left) / width, pinch[finger]]).sort(([x], [y]) => x - y);
    if (y - x < 0.02) return;
    const length = Math.abs(u - t) / (y - x);
    zoom(Math.min(t, u) - x * length, Math.min(t, u) + (1 - x) * length);
  }
  function released(event) {
    fingers.delete(event.pointerId);
    if (fingers.size < 2) pinch = null;
    if (dragged === null) return;
    const times = [dragged, event.clientX].map(timeAt).sort((a, b) => a - b);
    const isRange = event.type === "pointerup" && !range.hidden;
    dragged = null;
    range.hidden = true;
    if (isRange) zoom(...times);
  }
  slider.onpointerup = slider.onpointercancel = released;

  new ResizeObserver(() => {
    if (plot) plot.setSize({ width: area().clientWidth, height: area().clientHeight });
  }).observe(area());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plot?.redraw(false));
  main.addEventListener("renewed", () => {
    parse();
    // What was read is older than the page.
    if (!isWhole() && fine?.to > (points.at(-1)?.[0] ?? 0)) fine = null;
    if (isWhole()) draw();
    else read();
  });
  parse();
  draw();
}
