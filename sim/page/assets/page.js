"use strict";
// The script of a report page. All texts come from guests, peers and files: they are put in as text nodes and through
// textContent only, never as markup. Everything that grows with the run is drawn only as far as it can be seen.
(() => {
const D = JSON.parse(document.getElementById("data").textContent);
const $ = id => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";

// Characters that steer a terminal or turn the direction of writing are shown as what they are.
const STEERING = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g;
const plain = text => String(text).replace(STEERING, c => "\\u{" + c.charCodeAt(0).toString(16) + "}");

function fill(node, attributes, kids) {
  for (const name in attributes) {
    const value = attributes[name];
    if (value === undefined || value === null || value === false) continue;
    if (name === "text") node.textContent = plain(value);
    else if (typeof value === "function") node.addEventListener(name, value);
    else node.setAttribute(name, value === true ? "" : name === "title" ? plain(value) : value);
  }
  for (const kid of kids) if (kid !== null && kid !== undefined) node.append(kid instanceof Node ? kid : plain(kid));
  return node;
}
const el = (tag, attributes, ...kids) => fill(document.createElement(tag), attributes, kids);
const svg = (tag, attributes, ...kids) => fill(document.createElementNS(SVG, tag), attributes, kids);
const cut = (text, most) => text.length > most ? text.slice(0, Math.max(1, most - 1)) + "…" : text;
const count = (n, noun) => n + " " + noun + (n === 1 ? "" : "s");

function span(ns) {
  for (const [unit, size] of [["s", 1e9], ["ms", 1e6], ["µs", 1e3]]) {
    if (ns >= size) return +(ns / size).toPrecision(6) + " " + unit;
  }
  return ns + " ns";
}

// ---- The runs -----------------------------------------------------------------------------------------------------

const EVERY = 512; // Steps between two states that are kept.
const STATES = ["ready", "waits", "waits for bytes", "waits for budget", "waits for a time", "not started"];
const STATE_COLOURS = ["--ready", "--unseen", "--bytes", "--budget", "--time", "--unborn"];

class RunView {
  constructor(data, place) {
    Object.assign(this, data);
    this.place = place;
    this.count = this.steps.text.length;
    this.films = this.shots.count > 0;
    this.pipeStarts = starts(this.shots.pipes, 7, this.shots.count);
    this.taskStarts = starts(this.shots.tasks, 4, this.shots.count);
    this.callStarts = starts(this.shots.calls, 3, this.shots.count);
    this.blockedStarts = starts(this.shots.blocked, 3, this.shots.count);
    this.menuStarts = new Int32Array(this.shots.count + 1);
    this.shots.menu_lengths.forEach((length, step) => { this.menuStarts[step + 1] = this.menuStarts[step] + length; });
    this.more = new Map();
    for (let at = 0; at < this.shots.more.length; at += 2) this.more.set(this.shots.more[at], this.shots.more[at + 1]);
    this.key = [];
    this.segments = this.lanes.map(() => []);
    this.plots = this.pipes.map(() => []);
    this.bands = [];
    this.sentAt = new Map();
    this.messages.forEach((message, at) => { message.at = at; message.caps = message.caps || []; push(this.sentAt, message.sent, message); });
    this.notesAt = new Map();
    for (const note of this.notes) push(this.notesAt, note.step, note);
    this.heardAt = new Set(this.messages.map(message => message.received));
    this.chosenAt = new Map(this.steps.chosen);
    this.faults = new Set(this.steps.faults);
    this.develop();
  }
  text(place) { return this.texts[place]; }
  lane(place) { return this.lanes[place] ? this.lanes[place].name : "–"; }
  move(step) { return step > 0 ? this.text(this.steps.text[step - 1]) : "before the first step"; }
  time(step) { return step > 0 ? this.steps.now_ns[step - 1] : 0; }
  // Applies a step's differences to a state, which refers to the places in the lists.
  apply(state, step) {
    const { pipes, tasks, calls, blocked } = this.shots;
    for (let at = this.pipeStarts[step]; at < this.pipeStarts[step + 1]; at += 7) state.pipes.set(pipes[at + 1], at);
    for (let at = this.taskStarts[step]; at < this.taskStarts[step + 1]; at += 4) {
      if (tasks[at + 2] < 0) state.tasks.delete(tasks[at + 1]); else state.tasks.set(tasks[at + 1], at);
    }
    for (let at = this.callStarts[step]; at < this.callStarts[step + 1]; at += 3) {
      if (calls[at + 2] < 0) state.calls.delete(calls[at + 1]); else state.calls.set(calls[at + 1], calls[at + 2]);
    }
    for (let at = this.blockedStarts[step]; at < this.blockedStarts[step + 1]; at += 3) {
      if (blocked[at + 2] < 0) state.blocked.delete(blocked[at + 1]); else state.blocked.set(blocked[at + 1], blocked[at + 2]);
    }
  }
  // The pipes of a state: id, staged bytes, visible bytes, budget, capacity, flags.
  pipesOf(state) { return [...state.pipes.values()].map(at => this.shots.pipes.slice(at + 1, at + 7)); }
  // Notes the state of a lane: ready if any of its tasks is, otherwise what one of them waits for.
  segment(lane, places, step) {
    const tasks = this.shots.tasks;
    let now = -1;
    for (const at of places.values()) {
      if (now < 0 || tasks[at + 2] === 0 || tasks[at + 2] > tasks[now + 2]) now = at;
      if (tasks[now + 2] === 0) break;
    }
    const segments = this.segments[lane], last = segments[segments.length - 1];
    if (last && last.to === undefined) {
      if (now >= 0 && last.on === tasks[now + 2] && last.text === tasks[now + 3]) return;
      last.to = step;
    }
    if (now >= 0) segments.push({ from: step, to: undefined, on: tasks[now + 2], text: tasks[now + 3] });
  }
  state(step) {
    if (!this.films) return null;
    step = Math.min(step, this.shots.count - 1);
    const kept = this.key[Math.floor(step / EVERY)];
    const state = copy(kept);
    for (let at = Math.floor(step / EVERY) * EVERY + 1; at <= step; at++) this.apply(state, at);
    return state;
  }
  // Goes through all steps once: keeps some states, and what the timeline and the bands are drawn from.
  develop() {
    const state = { pipes: new Map(), tasks: new Map(), calls: new Map(), blocked: new Map() };
    const byLane = this.lanes.map(() => new Map());
    const staged = new Map();
    const { pipes, tasks } = this.shots;
    for (let step = 0; step < this.shots.count; step++) {
      this.apply(state, step);
      if (step % EVERY === 0) this.key.push(copy(state));
      for (let at = this.taskStarts[step]; at < this.taskStarts[step + 1]; at += 4) {
        const lane = this.tasks[tasks[at + 1]].lane;
        if (tasks[at + 2] < 0) byLane[lane].delete(tasks[at + 1]); else byLane[lane].set(tasks[at + 1], at);
        const isLast = !hasMore(tasks, at + 4, this.taskStarts[step + 1], task => this.tasks[task].lane === lane);
        if (isLast) this.segment(lane, byLane[lane], step);
      }
      for (let at = this.pipeStarts[step]; at < this.pipeStarts[step + 1]; at += 7) {
        const pipe = pipes[at + 1];
        this.plots[pipe].push(at);
        const holds = (pipes[at + 6] & 1) && pipes[at + 2] > 0;
        const band = staged.get(pipe);
        if (holds && !band) staged.set(pipe, { pipe, from: step });
        if (!holds && band) { band.to = step; this.bands.push(band); staged.delete(pipe); }
      }
    }
    for (const band of staged.values()) { band.to = this.count + 1; this.bands.push(band); }
    for (const segments of this.segments) for (const segment of segments) if (segment.to === undefined) segment.to = this.count + 1;
  }
}
// Where the groups of each step begin in a flat list.
function starts(list, size, count) {
  const from = new Int32Array(count + 1);
  let at = 0;
  for (let step = 0; step <= count; step++) {
    while (at < list.length && list[at] < step) at += size;
    from[step] = at;
  }
  return from;
}
function hasMore(tasks, from, to, is) {
  for (let at = from; at < to; at += 4) if (is(tasks[at + 1])) return true;
  return false;
}
function push(map, key, value) { const list = map.get(key); if (list) list.push(value); else map.set(key, [value]); }
function copy(state) {
  return { pipes: new Map(state.pipes), tasks: new Map(state.tasks), calls: new Map(state.calls), blocked: new Map(state.blocked) };
}

const runs = D.runs.map((run, place) => new RunView(run, place));
const main = runs[0];
const twin = runs[1];
const decidingSteps = D.deciding ? D.deciding.steps : [];

// Rows: the steps of both runs, laid beside each other.
const rows = [];
{
  const put = (one, other) => rows.push([one, other]);
  put(0, twin ? 0 : -1);
  if (!twin) for (let step = 1; step <= main.count; step++) put(step, -1);
  else {
    let one = 1, other = 1;
    const gap = (toOne, toOther) => {
      while (one < toOne || other < toOther) put(one < toOne ? one++ : -1, other < toOther ? other++ : -1);
    };
    for (const [a, b, length] of D.same) {
      gap(a, b);
      for (let i = 0; i < length; i++) put(one++, other++);
    }
    gap(main.count + 1, twin.count + 1);
  }
}
const rowOf = runs.map(run => new Int32Array(run.count + 2).fill(rows.length));
rows.forEach((row, at) => row.forEach((step, side) => { if (step >= 0) rowOf[side][step] = at; }));

const ui = { step: 0, side: 0, message: null, note: null };

// ---- The head -----------------------------------------------------------------------------------------------------

// A line in which each "step N" can be followed.
function linked(text) {
  const node = el("span");
  let from = 0;
  for (const found of text.matchAll(/\bstep (\d+)/g)) {
    const step = +found[1];
    if (step > main.count) continue;
    node.append(plain(text.slice(from, found.index)));
    node.append(el("button", { type: "button", class: "step", text: found[0], click: () => { ui.side = 0; go(step); } }));
    from = found.index + found[0].length;
  }
  node.append(plain(text.slice(from)));
  return node;
}

function head() {
  $("badge").textContent = plain(D.outcome);
  $("badge").classList.toggle("bad", D.failed);
  $("title").textContent = plain(D.title);
  $("sentence").textContent = plain(D.sentence);
  const words = el("div"), side = el("div");
  if (D.deciding) words.append(el("p", { class: "deciding" }, linked("The deciding change: " + D.deciding.says + ".")));
  if (D.blame && !D.report.length) words.append(el("p", { text: "Whose fault: " + D.blame }));
  for (const section of D.report) {
    words.append(el("h3", { text: section.heading }));
    words.append(el("ul", {}, ...section.lines.map(line => el("li", {}, linked(line)))));
  }
  if (!D.report.length && !D.failed) words.append(el("p", { text: "Nothing failed." }));
  const facts = el("dl", { class: "facts" });
  for (const [name, value] of D.facts) facts.append(el("dt", { text: name }), el("dd", { text: value }));
  side.append(el("h3", { text: "The run" }), facts);
  if (D.replay) side.append(el("h3", { text: "Replay it" }), el("code", { class: "replay", tabindex: "0", text: D.replay }));
  $("words").append(words, side);
}

// ---- The sequence diagram -----------------------------------------------------------------------------------------

const ROW = 24, LABELS = 8;
let shown = [];      // The rows that are shown: places in `rows`.
let top_ = [0];      // Where each of them begins, in pixels.
let shownOf = [];    // For each side, the place in `shown` of each step.
let sides = [];      // How each side is laid out.
const SMALL = new Set(["finish", "release", "closed"]);
const DRAWN_NOTES = new Set(["ended", "fault", "dropped", "stdout", "stderr"]);

function isSaid(run, step) {
  const small = $("bookkeeping").checked;
  const loud = message => small || !SMALL.has(message.kind);
  return (run.sentAt.get(step) || []).some(loud) || run.chosenAt.has(step)
    || (run.notesAt.get(step) || []).some(note => DRAWN_NOTES.has(note.kind) || note.kind === "born")
    || run.faults.has(run.steps.kind[step - 1]);
}
function labels(run, step) {
  const small = $("bookkeeping").checked;
  const messages = (run.sentAt.get(step) || []).filter(message => small || !SMALL.has(message.kind));
  const notes = (run.notesAt.get(step) || []).filter(note => DRAWN_NOTES.has(note.kind));
  return [...messages, ...notes];
}

function layRows() {
  const fold = $("fold").checked;
  const heard = runs.map(run => {
    const steps = new Set(run.heardAt);
    if (!$("bookkeeping").checked) {
      steps.clear();
      for (const message of run.messages) if (!SMALL.has(message.kind) && message.received) steps.add(message.received);
    }
    return steps;
  });
  const keep = new Set(decidingSteps);
  shown = [];
  top_ = [0];
  for (let at = 0; at < rows.length; at++) {
    const steps = rows[at];
    let lines = 1, isLoud = !fold || at === 0 || at === rows.length - 1 || keep.has(steps[0]);
    if (D.differs_at && (D.differs_at[0] === steps[0] || D.differs_at[1] === steps[1])) isLoud = true;
    for (let side = 0; side < runs.length; side++) {
      if (steps[side] < 0) continue;
      if (!isLoud && (isSaid(runs[side], steps[side]) || heard[side].has(steps[side]))) isLoud = true;
      if (runs[side].sentAt.has(steps[side]) || runs[side].notesAt.has(steps[side])) {
        lines = Math.max(lines, Math.min(labels(runs[side], steps[side]).length, LABELS + 1));
      }
    }
    if (!isLoud) continue;
    shown.push(at);
    top_.push(top_[top_.length - 1] + ROW * lines);
  }
  shownOf = runs.map((run, side) => {
    const places = new Int32Array(run.count + 2);
    let place = 0;
    for (let step = 0; step <= run.count; step++) {
      while (place + 1 < shown.length && shown[place + 1] <= rowOf[side][step]) place++;
      places[step] = place;
    }
    places[run.count + 1] = shown.length - 1;
    return places;
  });
}

function layOut() {
  const width = $("diagram").clientWidth - 2 || 800;
  const each = width / runs.length;
  sides = runs.map(run => {
    const gutter = each > 560 ? 200 : each > 380 ? 120 : 40;
    const lanes = Math.max(run.lanes.length, 1);
    const pitch = Math.max(72, Math.min(260, (each - gutter - 8) / lanes));
    return { gutter, pitch, width: Math.max(each, gutter + pitch * lanes + 8) };
  });
  let x = 0;
  for (const side of sides) { side.x = x; x += side.width; }
  const heads = el("div", { class: "heads" });
  runs.forEach((run, at) => {
    const lanes = el("div", { class: "lanes" });
    run.lanes.forEach((lane, place) => {
      const name = el("span", { class: lane.kind, text: lane.name, title: lane.kind + " " + lane.name });
      name.style.left = laneX(at, place) + "px";
      name.style.width = sides[at].pitch + "px";
      lanes.append(name);
    });
    const side = el("div", { class: "side" });
    side.style.width = sides[at].width + "px";
    if (twin) side.append(el("div", { class: "name", text: run.name + ": " + run.sentence, title: run.sentence }));
    side.append(lanes);
    heads.append(side);
  });
  const body = el("div", { class: "body" });
  body.style.height = top_[top_.length - 1] + 12 + "px";
  body.style.width = x + "px";
  $("diagram").replaceChildren(heads, body);
  diagram.body = body;
  diagram.heads = heads;
  diagram.drawn = null;
}
const diagram = { body: null, heads: null, drawn: null };
const laneX = (side, lane) => sides[side].gutter + sides[side].pitch * (lane + 0.5);

function placeAt(y) {
  let low = 0, high = shown.length - 1;
  while (low < high) { const middle = (low + high + 1) >> 1; if (top_[middle] <= y) low = middle; else high = middle - 1; }
  return low;
}

function draw(everything) {
  const box = $("diagram");
  if (!diagram.body) return;
  const headHeight = diagram.heads.offsetHeight;
  let first = 0, last = shown.length - 1;
  if (!everything) {
    first = Math.max(0, placeAt(box.scrollTop - headHeight) - 4);
    last = Math.min(shown.length - 1, placeAt(box.scrollTop + box.clientHeight) + 4);
  } else if (shown.length > 400) {
    const middle = shownOf[0][ui.side === 0 ? ui.step : Math.min(ui.step, main.count)];
    first = Math.max(0, middle - 200);
    last = Math.min(shown.length - 1, middle + 200);
  }
  const key = [first, last, ui.step, ui.side, ui.message && ui.message.at, everything].join();
  if (diagram.drawn === key) return;
  diagram.drawn = key;
  const top = top_[first], height = top_[last + 1] - top;
  const width = sides[sides.length - 1].x + sides[sides.length - 1].width;
  const picture = svg("svg", { width, height, viewBox: `0 ${top} ${width} ${height}`, "aria-hidden": "true" });
  picture.style.top = top + "px";
  runs.forEach((run, side) => drawSide(picture, run, side, first, last));
  if (everything) { diagram.body.style.height = height + "px"; picture.style.top = "0"; picture.style.position = "static"; }
  diagram.body.replaceChildren(picture);
}

function drawSide(picture, run, side, first, last) {
  const { x, width, gutter, pitch } = sides[side];
  const g = svg("g", { transform: `translate(${x} 0)` });
  const at = run === main ? decidingSteps : [];
  const differs = D.differs_at ? D.differs_at[side] : -1;
  const now = ui.side === side ? ui.step : pairStep(ui.side, ui.step, side);
  const nowPlace = now >= 0 ? shownOf[side][now] : -1;
  const top = top_[first], bottom = top_[last + 1];
  for (let place = first; place <= last; place++) {
    const step = rows[shown[place]][side], y = top_[place], h = top_[place + 1] - y;
    if (step < 0) { g.append(svg("rect", { class: "absent", x: 0, y, width, height: h })); continue; }
    const classes = place === nowPlace ? "nowrow" : at.includes(step) ? "deciderow" : step === differs ? "diffrow" : null;
    if (classes) g.append(svg("rect", { class: classes, x: 0, y, width, height: h }));
    if (at.includes(step)) g.append(svg("rect", { class: "mark-decide", x: 0, y, width: 4, height: h }));
    else if (step === differs) g.append(svg("rect", { class: "mark-diff", x: 0, y, width: 4, height: h }));
    g.append(svg("line", { class: "rule", x1: 0, x2: width, y1: y + h, y2: y + h }));
    const most = gutter >= 200 ? 26 : gutter >= 120 ? 13 : 0;
    const words = step === 0 ? "set up" : most ? step + " " + run.move(step) : String(step);
    const label = svg("text", { class: "gutter", x: 8, y: y + 16, text: cut(words, most ? most + 4 : 6) });
    label.append(svg("title", { text: words }));
    g.append(label);
  }
  // Lanes, from birth to end.
  run.lanes.forEach((lane, place) => {
    const lx = laneX(side, place);
    const from = Math.max(top, top_[shownOf[side][Math.min(lane.born, run.count)]]);
    const end = lane.ended === null ? bottom : top_[shownOf[side][Math.min(lane.ended, run.count)]] + ROW / 2;
    if (from < bottom) g.append(svg("line", { class: "lane", x1: lx, x2: lx, y1: from, y2: Math.min(bottom, Math.max(end, from)) }));
    if (end < bottom) g.append(svg("line", { class: "lane dead", x1: lx, x2: lx, y1: Math.max(end, top), y2: bottom }));
  });
  // Bytes that a held pipe keeps back, beside the lane of its reader.
  const beside = new Map();
  for (const band of run.bands) {
    const a = shownOf[side][Math.min(band.from, run.count)], b = shownOf[side][Math.min(band.to, run.count + 1)];
    if (b < first || a > last) continue;
    const reader = run.pipes[band.pipe].reader;
    if (reader === null) continue;
    if (!beside.has(reader)) beside.set(reader, []);
    const pipes = beside.get(reader);
    if (!pipes.includes(band.pipe)) pipes.push(band.pipe);
    const offset = 8 + 7 * pipes.indexOf(band.pipe);
    if (offset > pitch / 2) continue;
    const y1 = Math.max(top, top_[a]), y2 = Math.min(bottom, Math.max(top_[b], top_[a] + 6));
    const rect = svg("rect", { class: "band", x: laneX(side, reader) + offset, y: y1, width: 5, height: Math.max(4, y2 - y1), rx: 2 });
    rect.append(svg("title", { text: `${run.pipes[band.pipe].name} holds bytes back, steps ${band.from} to ${band.to - 1}` }));
    g.append(rect);
  }
  // Calls, from their arrival to their answer.
  for (const message of run.messages) {
    if (message.kind !== "call" || message.received === null) continue;
    const answer = message.pair === null ? null : run.messages[message.pair];
    const a = shownOf[side][message.received], b = shownOf[side][answer ? answer.sent : run.count + 1];
    if (b < first || a > last) continue;
    const y1 = Math.max(top, top_[a] + 8), y2 = Math.min(bottom, top_[b] + (answer ? 16 : ROW));
    if (y2 > y1) g.append(svg("rect", { class: "busy" + (answer ? "" : " open"), x: laneX(side, message.to) - 6, y: y1, width: 12, height: y2 - y1, rx: 3 }));
  }
  // What each step did.
  for (let place = first; place <= last; place++) {
    const step = rows[shown[place]][side];
    if (step <= 0) continue;
    const lane = run.steps.lane[step - 1];
    if (lane < 0) continue;
    const kind = run.steps.kinds[run.steps.kind[step - 1]];
    const isFault = run.faults.has(run.steps.kind[step - 1]);
    const isPoll = kind === "poll" || kind === "start";
    const mark = svg("rect", { class: "act" + (isFault ? " fault" : isPoll ? "" : " pipe"), x: laneX(side, lane) - (isPoll ? 4 : 3), y: top_[place] + (isPoll ? 6 : 9), width: isPoll ? 8 : 6, height: isPoll ? 12 : 6, rx: isPoll ? 2 : 3 });
    mark.append(svg("title", { text: run.move(step) }));
    g.append(mark);
  }
  drawMessages(g, run, side, first, last);
  picture.append(g);
}

function drawMessages(g, run, side, first, last) {
  const small = $("bookkeeping").checked;
  const { gutter, pitch, width } = sides[side];
  const texts = [];
  for (const message of run.messages) {
    if (!small && SMALL.has(message.kind)) continue;
    const a = shownOf[side][Math.min(message.sent, run.count)];
    const b = message.received === null ? a : shownOf[side][Math.min(message.received, run.count)];
    if (b < first || a > last) continue;
    const siblings = labels(run, message.sent);
    const line = Math.min(siblings.indexOf(message), LABELS);
    const y1 = top_[a] + 16 + ROW * line;
    const from = laneX(side, message.from), to = laneX(side, message.to);
    const way = Math.sign(to - from) || 1;
    const isLost = message.received === null;
    const x2 = isLost ? from + way * Math.min(60, Math.abs(to - from) / 2) : to - way * 7;
    let y2 = isLost ? y1 : top_[b] + 16;
    if (!isLost && b === a) y2 = y1;
    if (!isLost && b !== a) {
      const heard = (run.hearing || (run.hearing = new Map()));
      if (!heard.size) for (const other of run.messages) if (other.received !== null) push(heard, other.received + ":" + other.to, other);
      const all = heard.get(message.received + ":" + message.to) || [];
      y2 = Math.min(top_[b + 1] - 4, y2 + 4 * Math.max(0, all.indexOf(message)));
    }
    const kind = SMALL.has(message.kind) ? "small" : message.error ? "error" : message.kind === "return" ? "return" : "";
    const isChosen = ui.message === message;
    const isPair = ui.message && ui.message.pair === message.at && runs[ui.side] === run;
    const classes = ["arrow", kind, isLost ? "lost" : "", isChosen ? "chosen" : isPair ? "pair" : ""].join(" ");
    g.append(svg("line", { class: classes, x1: from + way * 4, y1, x2, y2 }));
    if (isLost) g.append(svg("path", { class: classes, d: `M${x2 - 4} ${y2 - 4}L${x2 + 4} ${y2 + 4}M${x2 - 4} ${y2 + 4}L${x2 + 4} ${y2 - 4}` }));
    else {
      const angle = Math.atan2(y2 - y1, x2 - from), c = Math.cos(angle), s = Math.sin(angle);
      const tip = (dx, dy) => `${x2 + dx * c - dy * s} ${y2 + dx * s + dy * c}`;
      g.append(svg("path", { class: "head " + kind, d: `M${tip(3, 0)}L${tip(-6, -4)}L${tip(-6, 4)}Z` }));
    }
    const hit = svg("line", { class: "hit", x1: from, y1, x2, y2, click: () => pick(message, side) });
    hit.append(svg("title", { text: run.text(message.line) }));
    g.append(hit);
    if (a >= first && line < LABELS) {
      const room = Math.floor(Math.max(Math.abs(to - from), pitch) * 0.92 / 6.3);
      let words = run.text(message.short);
      if (message.caps.length) words += "  ⇄" + message.caps.length;
      const label = svg("text", { class: "label " + kind + (isChosen ? " chosen" : ""), x: from + way * 12, y: y1 - 4, "text-anchor": way > 0 ? "start" : "end", text: cut(words, Math.max(room, 8)), click: () => pick(message, side) });
      label.append(svg("title", { text: run.text(message.line) }));
      texts.push(label);
    } else if (a >= first && line === LABELS && siblings.indexOf(message) === LABELS) {
      texts.push(svg("text", { class: "note", x: from + 12, y: y1 - 4, text: `… ${siblings.length - LABELS} more` }));
    }
  }
  for (let place = first; place <= last; place++) {
    const step = rows[shown[place]][side];
    if (step < 0) continue;
    const siblings = labels(run, step);
    siblings.forEach((note, line) => {
      if (note.at !== undefined || line >= LABELS) return;
      const nx = note.lane < 0 ? gutter : laneX(side, note.lane);
      const sign = { ended: "■", fault: "⚡", dropped: "✕", stdout: "›", stderr: "›" }[note.kind];
      const isRight = nx > width * 0.6;
      const room = Math.floor((isRight ? nx - gutter : width - nx) / 6);
      const label = svg("text", { class: "note " + note.kind, x: nx + (isRight ? -10 : 10), y: top_[place] + 14 + ROW * line, "text-anchor": isRight ? "end" : "start", text: sign + " " + cut(run.text(note.text), Math.max(10, room)) });
      label.append(svg("title", { text: run.text(note.text) }));
      texts.push(label);
    });
  }
  for (const label of texts) g.append(label);
}

// The step of the other run that stands in the same row, or the last before it.
function pairStep(side, step, other) {
  if (side === other) return step;
  for (let at = rowOf[side][step]; at >= 0; at--) if (rows[at][other] >= 0) return rows[at][other];
  return 0;
}

function reveal() {
  const box = $("diagram"), place = shownOf[ui.side][ui.step];
  const y = top_[place], head = diagram.heads ? diagram.heads.offsetHeight : 0;
  if (y < box.scrollTop || top_[place + 1] + head > box.scrollTop + box.clientHeight) box.scrollTop = Math.max(0, y - (box.clientHeight - head) / 2);
}

// ---- The world at a step ------------------------------------------------------------------------------------------

const MOST = 60;
function table(headings, lines, numeric) {
  const head = el("tr", {}, ...headings.map((heading, at) => el("th", { text: heading, scope: "col", class: numeric && numeric.has(at) ? "num" : null })));
  const body = el("tbody");
  for (const line of lines.slice(0, MOST)) {
    body.append(el("tr", {}, ...line.map((cell, at) => el("td", { class: numeric && numeric.has(at) ? "num" : null }, cell instanceof Node ? cell : String(cell)))));
  }
  const node = el("div", {}, el("table", {}, el("thead", {}, head), body));
  if (lines.length > MOST) node.append(el("p", { class: "tag", text: `… ${lines.length - MOST} more` }));
  return node;
}

// A long table that shows its next lines on request.
function longTable(headings, numeric, lineAt, length) {
  const body = el("tbody");
  const node = el("div", {}, el("table", {}, el("thead", {}, el("tr", {}, ...headings.map((heading, at) => el("th", { text: heading, scope: "col", class: numeric.has(at) ? "num" : null })))), body));
  let at = 0;
  const more = el("button", { type: "button", click: () => add() });
  const add = () => {
    const to = Math.min(length, at + 200);
    for (; at < to; at++) body.append(el("tr", {}, ...lineAt(at).map((cell, place) => el("td", { class: numeric.has(place) ? "num" : null, text: String(cell) }))));
    more.textContent = `Show more: ${length - at} left`;
    more.hidden = at >= length;
  };
  add();
  node.append(more);
  return node;
}

function openQuestions(run, step) {
  const open = [];
  for (const message of run.messages) {
    if (message.sent > step) break;
    if (message.kind !== "call") continue;
    const answer = message.pair === null ? null : run.messages[message.pair];
    if (answer && answer.sent <= step) continue;
    if (run.lanes[message.from].ended !== null && run.lanes[message.from].ended <= step) continue;
    if (run.lanes[message.to].ended !== null && run.lanes[message.to].ended <= step) continue;
    open.push(message);
  }
  return open;
}

function world() {
  const run = runs[ui.side], step = ui.step, parts = [];
  $("which").replaceChildren(...(twin ? runs.map((other, side) => el("label", {}, el("input", { type: "radio", name: "side", checked: side === ui.side, change: () => { const to = pairStep(ui.side, ui.step, side); ui.side = side; go(to); } }), " " + other.name)) : []));
  parts.push(el("p", {}, el("b", { text: step ? `After step ${step}: ` : "Before the first step" }), step ? run.move(step) : ""));
  const chosen = run.chosenAt.get(step);
  if (chosen) parts.push(el("p", { class: "tag", text: "not the calm choice: " + chosen }));
  const fuel = run.lanes.filter(lane => lane.fuel !== null && lane.ended <= step).reduce((sum, lane) => sum + lane.fuel, 0);
  parts.push(el("p", { class: "tag", text: `clock ${span(run.time(step))} · fuel of ended cells ${fuel}` }));
  const state = run.state(step);
  const open = openQuestions(run, step);
  parts.push(el("h3", { text: "Who waits for whom" }), graph(run, state, open, step));
  if (state) {
    const shown = Math.min(step, run.shots.count - 1), chosenAt = run.shots.chosen[shown];
    const menu = run.shots.menu.slice(run.menuStarts[shown], run.menuStarts[shown + 1]), next = step < run.count ? run.move(step + 1) : null;
    parts.push(el("h3", { text: "Next, one of" }));
    const list = el("ol", { class: "menu" });
    menu.forEach((text, at) => {
      const isChosen = chosenAt === at;
      const words = isChosen ? next : run.text(text);
      const item = el("li", { class: isChosen ? (at ? "chosen other" : "chosen") : null, "aria-current": isChosen ? "true" : null, text: words });
      if (isChosen) item.append(el("span", { class: "tag", text: at ? "  ← chosen, ahead of the calm choice" : "  ← chosen" }));
      list.append(item);
    });
    if (!menu.length) list.append(el("li", { text: next === null ? "nothing: the run ends here" : next }));
    else if (next !== null && chosenAt < 0) list.append(el("li", { class: "chosen other", text: next }, el("span", { class: "tag", text: "  ← came instead" })));
    parts.push(list);
    if (run.more.has(shown)) parts.push(el("p", { class: "tag", text: `… ${run.more.get(shown)} more` }));
  }
  const calls = open.map(message => [message.question ? "q" + message.question : "", run.text(message.method ?? message.short), run.lane(message.from), run.lane(message.to), message.received !== null && message.received <= step ? "at its server" : "on its way", step - message.sent]);
  parts.push(el("h3", { text: "Open calls" }), calls.length ? table(["", "method", "of", "by", "", "age"], calls, new Set([5])) : el("p", { class: "tag", text: "none" }));
  if (state) {
    if (state.calls.size) parts.push(table(["at the servers"], [...state.calls.values()].map(text => [run.text(text)])));
    const cells = [];
    run.lanes.forEach((lane, place) => {
      if (lane.kind !== "cell" || lane.born > step) return;
      const isOver = lane.ended !== null && lane.ended <= step;
      const blocked = state.blocked.get(place);
      cells.push([lane.name, isOver ? lane.exit : blocked !== undefined ? "blocked in " + run.text(blocked) : "lives", isOver ? lane.fuel : ""]);
    });
    if (cells.length) parts.push(el("h3", { text: "Cells" }), table(["cell", "state", "fuel"], cells, new Set([2])));
    const tasks = [...state.tasks].map(([task, at]) => [run.tasks[task].name, run.lane(run.tasks[task].lane), run.text(run.shots.tasks[at + 3])]);
    parts.push(el("h3", { text: "Tasks" }), tasks.length ? table(["task", "of", "state"], tasks) : el("p", { class: "tag", text: "none" }));
    const FLAGS = ["held", "mute", "its reader waits", "its writer waits", "its reader is gone", "its writer is gone"];
    const pipes = run.pipesOf(state).filter(pipe => (pipe[5] & 48) !== 48).map(([id, staged, visible, budget, capacity, flags]) => [run.pipes[id].name, staged, visible, budget, FLAGS.filter((_, bit) => flags & (1 << bit)).join(", ")]);
    parts.push(el("h3", { text: "Pipes" }), pipes.length ? table(["pipe", "staged", "visible", "budget", ""], pipes, new Set([1, 2, 3])) : el("p", { class: "tag", text: "none" }));
  } else parts.push(el("p", { class: "tag", text: "The state at each step was not recorded." }));
  $("state").replaceChildren(...parts);
}

// The wait-for graph: solid edges are answers that are owed and room that is waited for. Dashed ones are calls that are
// still on their way, and cells that block on bytes.
function graph(run, state, open, step) {
  const edges = new Map();
  const add = (from, to, label, isWeak) => {
    if (from === to) return;
    const key = from + ">" + to;
    const edge = edges.get(key) || { from, to, labels: [], weak: true };
    edge.labels.push(label);
    edge.weak = edge.weak && isWeak;
    edges.set(key, edge);
  };
  for (const message of open) add(message.from, message.to, run.text(message.method ?? message.short), !(message.received !== null && message.received <= step));
  if (state) {
    for (const pipe of run.pipesOf(state)) {
      const { writer, reader, name } = run.pipes[pipe[0]];
      const isCell = reader !== null && run.lanes[reader].kind === "cell";
      // A cell that blocks on bytes. That alone is no deadlock: its host may have nothing to say.
      if ((pipe[5] & 4) && !(pipe[5] & 48) && isCell && state.blocked.has(reader) && writer !== null) {
        if (!edges.has(reader + ">" + writer)) add(reader, writer, "bytes from " + name, true);
      }
      if ((pipe[5] & 8) && !(pipe[5] & 48) && writer !== null && reader !== null) add(writer, reader, "room in " + name, false);
    }
  }
  const hot = new Set();
  const isHost = lane => run.lanes[lane].kind === "host";
  if (step >= run.count && run.cycle.length) for (const [from, to] of run.cycle) hot.add(from + ">" + to);
  else {
    // Everything from which one can come back to itself. The host is several parties: its servers work side by side.
    const next = new Map();
    for (const edge of edges.values()) if (!edge.weak && !isHost(edge.from) && !isHost(edge.to)) push(next, edge.from, edge.to);
    const reaches = (from, to) => {
      const seen = new Set(), left = [...(next.get(from) || [])];
      while (left.length) { const at = left.pop(); if (at === to) return true; if (!seen.has(at)) { seen.add(at); left.push(...(next.get(at) || [])); } }
      return false;
    };
    for (const edge of edges.values()) if (!edge.weak && reaches(edge.to, edge.from)) hot.add(edge.from + ">" + edge.to);
  }
  const nodes = new Set();
  for (const edge of edges.values()) nodes.add(edge.from).add(edge.to);
  if (!nodes.size) return el("p", { class: "tag", text: "nobody waits for another party" });
  const all = [...nodes].sort((a, b) => a - b).slice(0, 14);
  const W = 372, H = all.length <= 2 ? 110 : Math.min(360, 120 + all.length * 26);
  const place = new Map(all.map((lane, at) => {
    if (all.length <= 2) return [lane, [W * (0.18 + 0.64 * at), H / 2]];
    const angle = 2 * Math.PI * at / all.length - Math.PI / 2;
    return [lane, [W / 2 + (W / 2 - 62) * Math.cos(angle), H / 2 + (H / 2 - 24) * Math.sin(angle)]];
  }));
  const picture = svg("svg", { class: "graph", viewBox: `0 0 ${W} ${H}`, role: "img" });
  const words = [];
  for (const edge of edges.values()) {
    const isHot = hot.has(edge.from + ">" + edge.to);
    words.push([run.lane(edge.from), run.lane(edge.to), edge.labels.join(", "), isHot ? "in the cycle" : edge.weak ? "may be on its way" : ""]);
    const a = place.get(edge.from), b = place.get(edge.to);
    if (!a || !b) continue;
    const bend = edges.has(edge.to + ">" + edge.from) ? 26 : 0;
    const dx = b[0] - a[0], dy = b[1] - a[1], length = Math.hypot(dx, dy) || 1;
    const mx = (a[0] + b[0]) / 2 - dy / length * bend, my = (a[1] + b[1]) / 2 + dx / length * bend;
    const clip = (p, q) => {
      const ux = q[0] - p[0], uy = q[1] - p[1], scale = Math.min(50 / Math.abs(ux || 1e-6), 14 / Math.abs(uy || 1e-6));
      return [p[0] + ux * scale, p[1] + uy * scale];
    };
    const from = clip(a, [mx, my]), to = clip(b, [mx, my]);
    picture.append(svg("path", { class: (isHot ? "hot " : "") + (edge.weak ? "weak" : ""), d: `M${from}Q${mx} ${my} ${to}` }));
    const angle = Math.atan2(to[1] - my, to[0] - mx), c = Math.cos(angle), s = Math.sin(angle);
    const tip = (x, y) => `${to[0] + x * c - y * s} ${to[1] + x * s + y * c}`;
    picture.append(svg("path", { class: "tip" + (isHot ? " hot" : ""), d: `M${tip(2, 0)}L${tip(-7, -4)}L${tip(-7, 4)}Z`, stroke: "none" }));
    const lx = (mx + (a[0] + b[0]) / 2) / 2, ly = (my + (a[1] + b[1]) / 2) / 2;
    const label = svg("text", { class: "edge" + (isHot ? " hot" : ""), x: lx, y: ly + (all.length <= 2 ? (bend ? (my > (a[1] + b[1]) / 2 ? 22 : -18) : -24) : bend ? (my > (a[1] + b[1]) / 2 ? 10 : -4) : -5), text: cut(edge.labels.join(", "), 34) });
    label.append(svg("title", { text: edge.labels.join(", ") }));
    picture.append(label);
  }
  for (const lane of all) {
    const [x, y] = place.get(lane);
    const isHot = [...hot].some(key => key.startsWith(lane + ">"));
    const name = svg("text", { x, y: y + 4, text: cut(run.lane(lane), 14) });
    picture.append(svg("g", { class: isHot ? "hot" : null }, svg("rect", { x: x - 50, y: y - 14, width: 100, height: 28, rx: 7 }), name));
  }
  picture.append(svg("title", { text: hot.size ? "A wait-for graph with a cycle" : "A wait-for graph" }));
  const node = el("div", {}, picture);
  if (hot.size) node.append(el("p", { class: "cycle", text: "Deadlock: " + words.filter(line => line[3] === "in the cycle").map(line => `${line[0]} waits for ${line[1]} (${line[2]})`).join(", ") }));
  node.append(el("details", {}, el("summary", { text: "The graph as a table" }), table(["waits", "for", "because of", ""], words)));
  return node;
}

// ---- The timeline -------------------------------------------------------------------------------------------------

const STRIP = 20, PLOT = 46, NAMES = 150;
const timeline = { canvases: [], cursor: null, run: 0 };
function scaleOf(run, width) {
  const inner = width - NAMES - 8;
  if ($("bytime").checked) {
    const most = run.time(run.count) || 1;
    return step => NAMES + inner * (run.time(Math.min(step, run.count)) / most);
  }
  return step => NAMES + inner * (Math.min(step, run.count + 1) / (run.count + 1));
}
function plotted(run) {
  return run.pipes.map((_, at) => at).filter(at => run.plots[at].length && ($("allpipes").checked || run.plots[at].some(place => run.shots.pipes[place + 2] + run.shots.pipes[place + 3] > 0))).slice(0, 60);
}
function drawTimeline() {
  const box = $("plots"), width = Math.max(320, box.clientWidth), run = runs[ui.side];
  const pipes = plotted(run), lanes = run.lanes.length;
  const height = 8 + lanes * STRIP + 10 + pipes.length * PLOT + 4;
  const ratio = Math.min(2, window.devicePixelRatio || 1);
  const canvas = el("canvas", { role: "img", "aria-label": `Timeline of ${run.name}: the tables below hold the same` });
  canvas.width = width * ratio;
  canvas.height = Math.min(height, 8000) * ratio;
  canvas.style.height = Math.min(height, 8000) + "px";
  const c = canvas.getContext("2d");
  c.scale(ratio, ratio);
  const css = getComputedStyle(document.documentElement);
  const colour = name => css.getPropertyValue(name).trim();
  const x = scaleOf(run, width);
  c.font = "12px system-ui, sans-serif";
  c.textBaseline = "middle";
  const name = (text, y) => { c.fillStyle = colour("--ink"); c.fillText(cut(plain(text), 22), 4, y, NAMES - 10); };
  run.lanes.forEach((lane, at) => {
    const y = 8 + at * STRIP;
    name(lane.name, y + 7);
    const end = lane.ended === null ? run.count + 1 : lane.ended;
    let lastPixel = -1;
    for (const segment of run.segments[at]) {
      const a = x(segment.from), b = x(Math.min(segment.to, end));
      if (b - a < 0.5 && Math.floor(a) === lastPixel) continue;
      lastPixel = Math.floor(a);
      c.fillStyle = colour(STATE_COLOURS[segment.on]);
      c.fillRect(a, y, Math.max(0.7, b - a), 14);
    }
  });
  const seen = new Set();
  c.fillStyle = colour("--ran");
  for (let step = 1; step <= run.count; step++) {
    const lane = run.steps.lane[step - 1], kind = run.steps.kinds[run.steps.kind[step - 1]];
    if (lane < 0 || (kind !== "poll" && kind !== "start")) continue;
    const px = Math.floor(x(step) * 2), key = lane * 1e6 + px;
    if (seen.has(key)) continue;
    seen.add(key);
    c.fillRect(px / 2, 8 + lane * STRIP, 1, 14);
  }
  pipes.forEach((pipe, at) => {
    const y = 8 + lanes * STRIP + 10 + at * PLOT, h = PLOT - 10, points = run.plots[pipe], list = run.shots.pipes;
    name(run.pipes[pipe].name, y + 8);
    let most = 1;
    for (const at of points) most = Math.max(most, list[at + 2] + list[at + 3]);
    let mostBudget = 1;
    for (const at of points) mostBudget = Math.max(mostBudget, list[at + 4]);
    c.fillStyle = colour("--soft");
    c.textAlign = "right";
    c.fillText("up to " + most + " bytes", NAMES - 6, y + 24);
    c.textAlign = "left";
    c.strokeStyle = colour("--hair");
    c.strokeRect(NAMES, y, width - NAMES - 8, h);
    // At most one bar for each half pixel: the highest.
    const bars = new Map();
    points.forEach((point, place) => {
      const staged = list[point + 2], visible = list[point + 3];
      const a = x(list[point]), b = x(place + 1 < points.length ? list[points[place + 1]] : run.count + 1);
      const px = Math.floor(a * 2), bar = bars.get(px);
      if (!bar || bar.staged + bar.visible <= staged + visible || b - a > 1) bars.set(px, { a, b: Math.max(b, bar ? bar.b : 0), staged, visible });
    });
    for (const { a, b, staged, visible } of bars.values()) {
      const w = Math.max(0.7, b - a), v = h * visible / most, s = h * staged / most;
      c.fillStyle = colour("--visible");
      c.fillRect(a, y + h - v, w, v);
      c.fillStyle = colour("--staged");
      c.fillRect(a, y + h - v - s, w, s);
    }
    c.strokeStyle = colour("--free");
    c.beginPath();
    let lastX = -1;
    let level = y + h;
    points.forEach((point, place) => {
      const a = x(list[point]), next = y + h - h * list[point + 4] / mostBudget;
      if (place && a - lastX < 0.4) return;
      lastX = a;
      if (place) c.lineTo(a, level); else c.moveTo(a, next);
      c.lineTo(a, next);
      level = next;
    });
    c.lineTo(x(run.count + 1), level);
    c.stroke();
  });
  canvas.addEventListener("click", event => {
    const at = event.offsetX;
    let low = 0, high = run.count;
    while (low < high) { const middle = (low + high + 1) >> 1; if (x(middle) <= at) low = middle; else high = middle - 1; }
    go(low);
  });
  timeline.cursor = el("div", { class: "cursor" });
  timeline.x = x;
  timeline.run = ui.side;
  box.replaceChildren(canvas, timeline.cursor);
  moveCursor();
}
function moveCursor() {
  if (timeline.run !== ui.side) drawTimeline();
  else if (timeline.cursor) timeline.cursor.style.left = timeline.x(ui.step) + "px";
}
function swatches(node, list) {
  node.replaceChildren(...list.map(([colour, text]) => { const mark = el("i"); mark.style.background = `var(${colour})`; return el("span", {}, mark, text); }));
}

// ---- Messages and output ------------------------------------------------------------------------------------------

const LINE = 24;
let items = [], found = [];
function layLog() {
  const run = runs[ui.side];
  items = [];
  for (const message of run.messages) {
    const method = message.method === null ? "" : run.text(message.method);
    const dot = method.indexOf(".");
    items.push({ step: message.sent, message, kind: message.kind, lanes: [message.from, message.to], who: run.lane(message.from) + " → " + run.lane(message.to), text: run.text(message.line), method, interface: dot > 0 ? method.slice(0, dot) : "", error: message.error });
  }
  for (const note of run.notes) items.push({ step: note.step, note, kind: note.kind, lanes: [note.lane], who: note.lane < 0 ? "" : run.lane(note.lane), text: run.text(note.text), method: "", interface: "" });
  items.forEach((item, at) => { item.order = at; });
  items.sort((a, b) => a.step - b.step || a.order - b.order);
  const select = (id, first, values) => {
    const before = $(id).value;
    $(id).replaceChildren(...[["", first], ...values].map(([value, text]) => el("option", { value, text })));
    if (values.some(([value]) => value === before)) $(id).value = before;
  };
  const once = key => [...new Set(items.map(item => item[key]).filter(Boolean))].sort().map(value => [value, value]);
  select("f-lane", "all", run.lanes.map((lane, place) => [String(place), lane.name]));
  select("f-interface", "all", once("interface"));
  select("f-method", "all", once("method"));
  select("f-kind", "all but Finish and Release", [["*", "all"], ["output", "stdout and stderr"], ...once("kind")]);
  filter();
}
function filter() {
  const words = $("search").value.toLowerCase(), lane = $("f-lane").value, kind = $("f-kind").value;
  const ofInterface = $("f-interface").value, method = $("f-method").value;
  found = items.filter(item => {
    if (kind === "" && (item.kind === "finish" || item.kind === "release")) return false;
    if (kind === "output" ? item.kind !== "stdout" && item.kind !== "stderr" : kind !== "" && kind !== "*" && item.kind !== kind) return false;
    if (lane !== "" && !item.lanes.includes(+lane)) return false;
    if (ofInterface && item.interface !== ofInterface) return false;
    if (method && item.method !== method) return false;
    return !words || item.text.toLowerCase().includes(words) || item.who.toLowerCase().includes(words) || item.kind.includes(words);
  });
  const hidden = items.length - found.length;
  $("count").textContent = `${found.length} of ${items.length}` + (hidden ? " shown" : "");
  list.at = Math.min(list.at, Math.max(0, found.length - 1));
  drawList();
}
const list = { at: 0 };
function drawList(everything) {
  const box = $("list");
  const first = everything ? 0 : Math.max(0, Math.floor(box.scrollTop / LINE) - 5);
  const last = everything ? Math.min(found.length, 500) : Math.min(found.length, first + Math.ceil((box.clientHeight || 420) / LINE) + 10);
  const inner = el("div", { role: "presentation" });
  inner.style.height = (everything ? last : found.length) * LINE + "px";
  inner.style.position = "relative";
  for (let at = first; at < last; at++) {
    const item = found[at];
    const row = el("div", { class: ["row", item.kind, item.error ? "error" : "", item.step > ui.step ? "later" : "", isPicked(item) ? "picked" : ""].join(" "), id: "row" + at, role: "option", "aria-selected": isPicked(item) ? "true" : "false", "aria-setsize": found.length, "aria-posinset": at + 1, click: () => pickAt(at) },
      el("span", { class: "num", text: item.step }), el("span", { text: item.who, title: item.who }), el("span", { class: "kind", text: item.kind }), el("span", { class: "text", text: item.text, title: item.text }));
    row.style.top = at * LINE + "px";
    inner.append(row);
  }
  if (!found.length) inner.append(el("p", { class: "tag", text: "Nothing fits." }));
  box.replaceChildren(inner);
  if (found.length) box.setAttribute("aria-activedescendant", "row" + list.at);
}
const isPicked = item => (item.message && item.message === ui.message) || (item.note && item.note === ui.note);
function pickAt(at) {
  list.at = at;
  const item = found[at];
  if (!item) return;
  ui.message = item.message || null;
  ui.note = item.note || null;
  go(item.step, true);
  detail(item);
}
function pick(message, side) {
  if (side !== ui.side) { ui.side = side; layLog(); }
  ui.message = message;
  ui.note = null;
  go(message.sent, true);
  const at = found.findIndex(item => item.message === message);
  if (at >= 0) { list.at = at; showListAt(at); }
  detail(items.find(item => item.message === message));
}
function showListAt(at) {
  const box = $("list");
  if (at * LINE < box.scrollTop || (at + 1) * LINE > box.scrollTop + box.clientHeight) box.scrollTop = Math.max(0, at * LINE - box.clientHeight / 2);
  drawList();
}
function fields(value) {
  if (typeof value === "string") return el("span", { class: "mono", text: value });
  if (!value.length) return el("span", { class: "tag", text: "empty" });
  return el("ul", {}, ...value.map(([name, inner]) => el("li", {}, el("span", { class: "key", text: name + (typeof inner === "string" ? " = " : "") }), fields(inner))));
}
function detail(item) {
  const run = runs[ui.side], parts = [];
  if (!item) return;
  parts.push(el("p", {}, el("b", { text: item.kind + " " }), item.who, " ", el("button", { type: "button", class: "step", text: "step " + item.step, click: () => go(item.step) })));
  parts.push(el("p", { class: "mono", text: item.text }));
  const message = item.message;
  if (message) {
    const read = message.received === null ? "never read" : "read at step " + message.received;
    parts.push(el("p", { class: "tag", text: `${message.bytes} bytes, written at step ${message.sent}, ${read}` }));
    if (message.pair !== null) {
      const other = run.messages[message.pair];
      parts.push(el("p", {}, el("button", { type: "button", text: `Its ${other.kind}, at step ${other.sent}`, click: () => pick(other, ui.side) })));
    } else if (message.kind === "call") parts.push(el("p", { class: "tag", text: "It was never answered." }));
    if (message.fields) parts.push(fields(message.fields));
    if (message.caps.length) parts.push(el("h3", { text: "Capabilities" }), el("ul", {}, ...message.caps.map(cap => el("li", { class: "mono", text: cap }))));
  }
  $("detail").replaceChildren(...parts);
}

// ---- The steps ----------------------------------------------------------------------------------------------------

let logStep = -1;
function go(step, keep) {
  const run = runs[ui.side];
  step = Math.max(0, Math.min(run.count, step));
  ui.step = step;
  const slider = $("slider");
  slider.max = run.count;
  slider.value = step;
  const words = step ? `step ${step} of ${run.count}: ${run.move(step)}` : `before the first of ${count(run.count, "step")}`;
  slider.setAttribute("aria-valuetext", plain(words));
  $("now").textContent = plain((twin ? run.name + ", " : "") + words + (step ? ` · clock ${span(run.time(step))}` : ""));
  for (const id of ["first", "before"]) $(id).disabled = step === 0;
  for (const id of ["last", "after"]) $(id).disabled = step === run.count;
  if (timeline.run !== ui.side) layLog();
  world();
  reveal();
  draw();
  moveCursor();
  if (!keep) {
    // The last line that was said by now.
    let low = 0, high = found.length;
    while (low < high) { const middle = (low + high) >> 1; if (found[middle].step <= step) low = middle + 1; else high = middle; }
    if (low !== logStep) { logStep = low; $("list").scrollTop = Math.max(0, low * LINE - $("list").clientHeight * 0.6); }
  }
  drawList();
}
function neighbour(way) {
  const run = runs[ui.side];
  let best = null;
  for (const message of run.messages) {
    if (SMALL.has(message.kind)) continue;
    if (way > 0 && message.sent > ui.step) { best = message; break; }
    if (way < 0 && message.sent < ui.step) best = message;
    if (way < 0 && message.sent >= ui.step) break;
  }
  if (best) pick(best, ui.side);
}
function decide() { if (decidingSteps.length) { ui.side = 0; const at = decidingSteps.indexOf(ui.step); go(decidingSteps[(at + 1) % decidingSteps.length]); } }
function differ() { if (D.differs_at) go(D.differs_at[ui.side]); }

const THEMES = ["auto", "light", "dark"];
function theme(next) {
  const root = document.documentElement;
  if (next === "auto") root.removeAttribute("data-theme"); else root.setAttribute("data-theme", next);
  $("theme").textContent = "Theme: " + next;
  drawTimeline();
}
function nextTheme() {
  const now = document.documentElement.getAttribute("data-theme") || "auto";
  theme(THEMES[(THEMES.indexOf(now) + 1) % THEMES.length]);
}

const KEYS = [["← →", "one step back or on"], ["Shift ← →", "ten steps"], ["Home End", "before the first, the last step"], ["n p", "the next or previous message"], ["d", "the deciding steps, in turn"], ["f", "the first difference from the run that passes"], ["w", "the other run"], ["/", "search"], ["↑ ↓ in the list", "one line up or down; its message is shown beside it"], ["t", "theme"], ["?", "this list"], ["Esc", "leave a field"]];
function keys() {
  $("keys").replaceChildren(el("h2", { text: "Keys" }), el("dl", { class: "facts" }, ...KEYS.flatMap(([key, text]) => [el("dt", {}, el("kbd", { text: key })), el("dd", { text })])), el("p", {}, el("button", { type: "button", text: "Close", click: () => $("keys").close() })));
  $("keys").showModal();
}

document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || $("keys").open) return;
  const target = event.target, tag = target.tagName;
  const isField = tag === "SELECT" || (tag === "INPUT" && target.type !== "range" && target.type !== "checkbox");
  if (isField) { if (event.key === "Escape") target.blur(); return; }
  const isSlider = target === $("slider");
  const run = runs[ui.side];
  const actions = { n: () => neighbour(1), p: () => neighbour(-1), d: decide, f: differ, t: nextTheme, "/": () => $("search").focus(), "?": keys,
    w: () => { if (twin) { const to = pairStep(ui.side, ui.step, 1 - ui.side); ui.side = 1 - ui.side; go(to); } } };
  const far = event.shiftKey ? 10 : 1;
  if (!isSlider || event.shiftKey) {
    actions.ArrowLeft = () => go(ui.step - far);
    actions.ArrowRight = () => go(ui.step + far);
  }
  if (target === $("list")) {
    actions.ArrowDown = () => { pickAt(Math.min(found.length - 1, list.at + 1)); showListAt(list.at); };
    actions.ArrowUp = () => { pickAt(Math.max(0, list.at - 1)); showListAt(list.at); };
    actions.Home = () => { pickAt(0); showListAt(0); };
    actions.End = () => { pickAt(found.length - 1); showListAt(list.at); };
    actions.Enter = () => pickAt(list.at);
  } else if (!isSlider) {
    actions.Home = () => go(0);
    actions.End = () => go(run.count);
  }
  const action = actions[event.key];
  if (action) { event.preventDefault(); action(); }
});

// ---- Tables behind the pictures -----------------------------------------------------------------------------------

function whenOpened(id, make) {
  $(id).addEventListener("toggle", () => {
    const node = $(id);
    while (node.children.length > 1) node.lastChild.remove();
    if (node.open) node.append(make());
  });
}
function tables() {
  whenOpened("sequence-t", () => {
    const run = runs[ui.side];
    return longTable(["written", "read", "from", "to", "message"], new Set([0, 1]), at => { const m = run.messages[at]; return [m.sent, m.received ?? "never", run.lane(m.from), run.lane(m.to), run.text(m.line)]; }, run.messages.length);
  });
  whenOpened("timeline-t", () => {
    const run = runs[ui.side], lines = [];
    run.segments.forEach((segments, lane) => segments.forEach(segment => lines.push([segment.from, lane, segment])));
    lines.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    return longTable(["from step", "to step", "party", "state"], new Set([0, 1]), at => [lines[at][0], lines[at][2].to - 1, run.lane(lines[at][1]), run.text(lines[at][2].text)], lines.length);
  });
  whenOpened("pipes-t", () => {
    const run = runs[ui.side], lines = [];
    const list = run.shots.pipes;
    run.plots.forEach((points, pipe) => points.forEach(point => lines.push([point, pipe])));
    lines.sort((a, b) => list[a[0]] - list[b[0]] || a[1] - b[1]);
    return longTable(["step", "pipe", "staged", "visible", "budget"], new Set([0, 2, 3, 4]), at => { const [place, pipe] = lines[at]; return [list[place], run.pipes[pipe].name, list[place + 2], list[place + 3], list[place + 4]]; }, lines.length);
  });
}

// ---- Begin --------------------------------------------------------------------------------------------------------

function redraw() { layRows(); layOut(); draw(); reveal(); draw(); }
head();
swatches($("legend"), [["--accent", "call"], ["--good", "return"], ["--bad", "error, fault"], ["--band", "held bytes"], ["--warn", "deciding"], ["--diff", "first difference"]]);
swatches($("colours"), [["--ran", "ran"], ...STATES.map((text, at) => [STATE_COLOURS[at], text]), ["--staged", "staged"], ["--visible", "visible"], ["--free", "budget"]]);
$("decide").hidden = !decidingSteps.length;
$("differ").hidden = !D.differs_at;
$("slider").addEventListener("input", () => go(+$("slider").value));
$("first").addEventListener("click", () => go(0));
$("last").addEventListener("click", () => go(runs[ui.side].count));
$("before").addEventListener("click", () => go(ui.step - 1));
$("after").addEventListener("click", () => go(ui.step + 1));
$("prevmessage").addEventListener("click", () => neighbour(-1));
$("nextmessage").addEventListener("click", () => neighbour(1));
$("decide").addEventListener("click", decide);
$("differ").addEventListener("click", differ);
$("theme").addEventListener("click", nextTheme);
$("help").addEventListener("click", keys);
$("fold").addEventListener("change", redraw);
$("bookkeeping").addEventListener("change", redraw);
$("diagram").addEventListener("scroll", () => draw(), { passive: true });
$("list").addEventListener("scroll", () => drawList(), { passive: true });
for (const id of ["bysteps", "bytime", "allpipes"]) $(id).addEventListener("change", drawTimeline);
$("search").addEventListener("input", filter);
for (const id of ["f-lane", "f-interface", "f-method", "f-kind"]) $(id).addEventListener("change", filter);
$("clear").addEventListener("click", () => { for (const id of ["search", "f-lane", "f-interface", "f-method", "f-kind"]) $(id).value = ""; filter(); });
window.addEventListener("resize", () => { redraw(); drawTimeline(); });
window.addEventListener("beforeprint", () => { draw(true); drawList(true); });
window.addEventListener("afterprint", () => { redraw(); drawList(); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawTimeline);
tables();
layLog();
layRows();
layOut();
const asked = /^#step=(\d+)$/.exec(location.hash);
ui.side = 0;
timeline.run = 0;
drawTimeline();
go(asked ? +asked[1] : decidingSteps.length ? decidingSteps[0] : main.count);
document.documentElement.setAttribute("data-ready", "true");
})();
