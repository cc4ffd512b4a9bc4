// Charts on canvas: a line with what was usual, lanes of cells, the timeline of an incident.

import { clock, h, number, tplus } from "./core.js";

const FONT = "11px system-ui, sans-serif";
const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** A canvas that is drawn again whenever its size or the theme changes. */
function drawn(label, height, draw) {
  const canvas = h("canvas", { role: "img", "aria-label": label, tabindex: "0" });
  canvas.style.height = `${height}px`;
  const redraw = () => {
    const width = canvas.clientWidth;
    if (!width || !canvas.isConnected) return;
    const scale = devicePixelRatio || 1;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    const context = canvas.getContext("2d");
    context.scale(scale, scale);
    context.font = FONT;
    draw(context, width, height);
    canvas.dataset.drawn = "yes";
  };
  new ResizeObserver(redraw).observe(canvas);
  const themed = () => canvas.isConnected ? redraw() : removeEventListener("themed", themed);
  addEventListener("themed", themed);
  return { canvas, redraw };
}

function ticks(low, high, count) {
  const rough = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough) ?? rough;
  const found = [];
  for (let at = Math.ceil(low / step) * step; at <= high + step * 1e-6; at += step) found.push(at);
  return found;
}

const DAY = 86400000;

/** The shortest round step of time that divides a span into so many parts at most. */
function stepOf(span, count) {
  const steps = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10080].map((minutes) => minutes * 60000);
  return steps.find((one) => span / one <= count) ?? Math.ceil(span / count / DAY) * DAY;
}

function times(from, to, count) {
  const step = stepOf(to - from, count);
  const found = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) found.push(at);
  return found;
}

const known = (values) => values.filter((one) => one !== null && one !== undefined);

/**
 * A line over time, with the range that was usual, marks where it was rare, and a limit.
 * data: {at, value, low, high, rare, unit}; each a list with one entry a point.
 */
export function line(title, data, { height = 170, limit = null, from, to, note, path } = {}) {
  const { at, value, low = [], high = [], rare = [], unit = "" } = data;
  const values = known(value);
  const last = values.at(-1);
  // A rare window is marked where this feature is out of what was usual; the others were not the cause.
  const outside = (i) => low[i] === null || low[i] === undefined || value[i] < low[i] || value[i] > high[i];
  const marked = at.map((_, i) => Boolean(rare[i]) && value[i] !== null && outside(i));
  const marks = marked.filter(Boolean).length;
  const said = values.length
    ? `${title}: ${number(last)} ${unit} at last, from ${number(Math.min(...values))} to ${number(Math.max(...values))}, ${marks} rare`
    : `${title}: no data`;
  const reading = h("strong.value", null, number(last));
  const beside = h("span.note", null, unit);
  let cursor = null;

  const begin = from ?? at[0], end = to ?? at.at(-1);
  const bounds = [...values, ...known(low), ...known(high)];
  let bottom = Math.min(...bounds), top = Math.max(...bounds);
  if (limit !== null && limit <= top + 1.5 * (top - bottom || 1)) top = Math.max(top, limit);
  if (top === bottom) { top += Math.abs(top) * 0.1 || 1; bottom -= bottom > 0 ? Math.abs(bottom) * 0.1 : 0; }
  const room = (top - bottom) * 0.06;
  top += room;
  bottom = bottom >= 0 && bottom - room < 0 ? 0 : bottom - room;

  const { canvas, redraw } = drawn(said, height, (c, width, tall) => {
    const left = 46, right = width - 8, floor = tall - 20, ceiling = 6;
    const x = (time) => left + ((time - begin) / (end - begin || 1)) * (right - left);
    const y = (one) => floor - ((one - bottom) / (top - bottom)) * (floor - ceiling);
    c.clearRect(0, 0, width, tall);
    c.fillStyle = color("muted");
    c.strokeStyle = color("grid");
    c.lineWidth = 1;
    c.textBaseline = "middle";
    c.textAlign = "right";
    for (const one of ticks(bottom, top, 4)) {
      const level = Math.round(y(one)) + 0.5;
      if (level < ceiling) continue;
      c.beginPath(); c.moveTo(left, level); c.lineTo(right, level); c.stroke();
      c.fillText(number(one), left - 6, level);
    }
    c.textAlign = "center";
    for (const one of times(begin, end, Math.max(2, (right - left) / 80))) {
      if (x(one) > left + 14 && x(one) < right - 14) c.fillText(clock(one, false), x(one), tall - 7);
    }
    band(c, at, low, high, x, y);
    if (limit !== null && limit <= top) {
      c.strokeStyle = color("amber"); c.setLineDash([5, 4]);
      c.beginPath(); c.moveTo(left, y(limit)); c.lineTo(right, y(limit)); c.stroke();
      c.setLineDash([]);
    }
    stroke(c, at, value, x, y);
    c.fillStyle = color("red");
    at.forEach((time, i) => marked[i] && triangle(c, x(time), y(value[i])));
    if (cursor !== null) {
      c.strokeStyle = color("muted");
      c.beginPath(); c.moveTo(x(at[cursor]), ceiling); c.lineTo(x(at[cursor]), floor); c.stroke();
    }
  });

  const point = (index) => {
    cursor = index;
    if (index === null) { reading.textContent = number(last); beside.textContent = unit; }
    else {
      reading.textContent = number(value[index]);
      const usual = low[index] === null || low[index] === undefined ? "" : ` · usual ${number(low[index])} to ${number(high[index])}`;
      beside.textContent = `${unit} at ${clock(at[index])}${usual}`;
    }
    redraw();
  };
  canvas.addEventListener("pointermove", (event) => {
    const time = begin + ((event.offsetX - 46) / (canvas.clientWidth - 54)) * (end - begin);
    let best = 0;
    at.forEach((one, i) => { if (Math.abs(one - time) < Math.abs(at[best] - time)) best = i; });
    if (at.length) point(best);
  });
  canvas.addEventListener("pointerleave", () => point(null));
  canvas.addEventListener("blur", () => point(null));
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || !at.length) return;
    event.preventDefault();
    point(Math.min(Math.max((cursor ?? at.length - 1) + step, 0), at.length - 1));
  });
  const heading = h("h2", null, path ? h("a", { href: path }, title) : title);
  return h("figure.card.chart", { data: { points: at.length, rare: marks } },
    h("figcaption", null, heading, beside, note && h("span.note", null, note), reading),
    values.length ? canvas : h("p.empty", null, "No data in this range."));
}

function band(c, at, low, high, x, y) {
  c.fillStyle = color("band");
  let run = [];
  const fill = () => {
    if (run.length > 1) {
      c.beginPath();
      for (const i of run) c.lineTo(x(at[i]), y(high[i]));
      for (const i of run.reverse()) c.lineTo(x(at[i]), y(low[i]));
      c.fill();
    }
    run = [];
  };
  at.forEach((_, i) => { if (low[i] === null || low[i] === undefined || high[i] === null) fill(); else run.push(i); });
  fill();
}

function stroke(c, at, value, x, y) {
  c.strokeStyle = color("accent");
  c.lineWidth = 1.4;
  c.lineJoin = "round";
  const usual = at.length > 1 ? (at.at(-1) - at[0]) / (at.length - 1) : 0;
  c.beginPath();
  let open = false;
  at.forEach((time, i) => {
    if (value[i] === null || (i && time - at[i - 1] > 6 * usual)) open = false;
    if (value[i] === null) return;
    if (open) c.lineTo(x(time), y(value[i])); else { c.moveTo(x(time), y(value[i])); c.lineTo(x(time) + 0.01, y(value[i])); }
    open = true;
  });
  c.stroke();
}

function triangle(c, x, y) {
  c.beginPath(); c.moveTo(x, y - 5); c.lineTo(x + 5, y + 4); c.lineTo(x - 5, y + 4); c.fill();
}

const GRADES = ["quiet", "some", "much", "grave"];
const grade = (severity) => severity === null || severity === undefined ? "none" : GRADES[Math.min(Math.floor(severity / 25), 3)];

/** Entities by time, one cell a bucket; `pick` is told which entity and when. */
export function lanes({ at, lanes: rows }, pick, chosen) {
  if (!rows.length) return h("p.empty", null, "No scores in this range.");
  return h("div.lanes", null, rows.map((lane) => {
    const worst = lane.cells.reduce((best, one, i) => (one ?? -1) > (lane.cells[best] ?? -1) ? i : best, 0);
    const said = `severity ${Math.round(lane.most)} of 100 at ${clock(at[worst], false)}`;
    const cells = h("span.cells", { "aria-hidden": "true" }, lane.cells.map((one, i) =>
      h(`i.${grade(one)}`, { title: one === null ? null : `${clock(at[i], false)}: ${Math.round(one)}`, data: { i } })));
    return h("button.lane", { type: "button", title: said, "aria-pressed": chosen === undefined ? null : String(lane.entity === chosen),
      onclick: (event) => pick(lane.entity, at[event.target.dataset.i ?? worst]) },
      h("span.name", { title: lane.entity }, lane.entity), " ", cells, " ", h("span.most", null, String(Math.round(lane.most))));
  }));
}

export const legend = () => h("span.legend", null, "severity:", ["0–25", "25–50", "50–75", "75–100"].map((text, i) =>
  h("span", null, h(`i.${GRADES[i]}`), text)));

/**
 * An incident against the clock of its playbook.
 * rows: {name, marks: [{at, tone}]} or {name, planned: [from, to], done: [from, to], tone}; times in ms from T+0.
 */
export function timeline(rows, now, length, earliest) {
  const tall = 34 + rows.length * 34;
  const said = `Timeline of ${rows.length} rows; now is ${tplus(now)}`;
  return drawn(said, tall, (c, width) => {
    const left = Math.min(170, width * 0.34), right = width - 22;
    const x = (time) => left + ((Math.min(Math.max(time, earliest), length) - earliest) / (length - earliest)) * (right - left);
    c.clearRect(0, 0, width, tall);
    c.textBaseline = "middle";
    c.textAlign = "center";
    const every = stepOf(length - earliest, Math.max(2, (right - left) / 85));
    for (let at = Math.ceil(earliest / every) * every; at <= length; at += every) {
      c.strokeStyle = color("grid");
      c.beginPath(); c.moveTo(x(at), 4); c.lineTo(x(at), tall - 26); c.stroke();
      c.fillStyle = color("muted");
      c.fillText(`T${at < 0 ? "−" : "+"}${Math.abs(at) / 60000}`, x(at), tall - 12);
    }
    rows.forEach((row, i) => {
      const y = 22 + i * 34;
      c.fillStyle = color("text");
      c.textAlign = "left";
      c.font = "13px system-ui, sans-serif";
      c.fillText(clip(c, row.name, left - 12), 0, y);
      c.font = FONT;
      c.textAlign = "center";
      const bar = (span, colour, high) => {
        c.fillStyle = color(colour);
        c.beginPath();
        c.roundRect(x(span[0]), y - high / 2, Math.max(x(span[1]) - x(span[0]), 4), high, 3);
        c.fill();
      };
      if (row.planned) bar(row.planned, "cell", 22);
      if (row.done) bar(row.done, row.tone, 9);
      for (const mark of row.marks ?? []) {
        c.fillStyle = color(mark.tone);
        if (mark.round) { c.beginPath(); c.arc(x(mark.at), y, 6, 0, 7); c.fill(); } else triangle(c, x(mark.at), y);
      }
    });
    c.strokeStyle = color("text");
    c.setLineDash([3, 4]);
    c.beginPath(); c.moveTo(x(now), 0); c.lineTo(x(now), tall - 26); c.stroke();
    c.setLineDash([]);
  }).canvas;
}

function clip(c, text, width) {
  if (c.measureText(text).width <= width) return text;
  let end = text.length;
  while (end && c.measureText(`${text.slice(0, end)}…`).width > width) end -= 1;
  return `${text.slice(0, end)}…`;
}

const TONES = ["t0", "t1", "t2", "t3", "t4"];

/** Shares side by side, named; widths are set by script, which a strict policy allows. */
export function arms(given) {
  const total = Object.values(given).reduce((sum, one) => sum + one, 0) || 1;
  const parts = Object.entries(given).sort((a, b) => b[1] - a[1]).slice(0, 5);
  if (!parts.length) return null;
  const text = parts.slice(0, 2).map(([name, part]) => name.startsWith("rule:") ? `rule ${name.slice(5)}` : `${name.replace(/_/g, " ")} ${Math.round(part * 100)} %`).join(", ");
  const bar = h("span.arms", { "aria-hidden": "true" }, parts.map(([, part], i) => {
    const one = h(`i.${TONES[i]}`);
    one.style.width = `${(part / total) * 100}%`;
    return one;
  }));
  return h("span.armline", null, bar, h("span.note", null, text));
}

/** Named parts as bars, the greatest first; negative ones are green. */
export function bars(rows) {
  const most = Math.max(...rows.map((row) => Math.abs(row.value)), 1e-9);
  return h("dl.bars", null, rows.map((row) => {
    const fill = h(row.value < 0 ? "i.less" : "i");
    fill.style.width = `${(Math.abs(row.value) / most) * 100}%`;
    return h("div", null, h("dt", { title: row.title ?? row.name }, row.name), h("dd", null, h("span.track", { "aria-hidden": "true" }, fill), h("span", null, row.text)));
  }));
}
