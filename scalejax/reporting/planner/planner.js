"use strict";
(() => {
  // The functions of the law are put in above this one: LAW.plain(N, D, ...parameters), LAW.repeated(N, D, U, ...parameters).
  const root = document.getElementById("planner");
  const data = JSON.parse(document.getElementById("planner-data").textContent);
  const $ = (name) => root.querySelector(`[data-name="${name}"]`);
  const SHARE = data.level, GOLDEN = (Math.sqrt(5) - 1) / 2, GRID = 72;

  // The optimum of one set of parameters: the size of least loss among those that use up the budget.
  const tokens = (N, ask) => (ask.compute - 2 * N * ask.served) / (6 * N);
  const loss = (N, ask, p) => {
    const D = tokens(N, ask);
    if (!(D > 0)) return Infinity;
    const value = ask.unique === null ? LAW.plain(N, D, ...p) : LAW.repeated(N, D, ask.unique, ...p);
    return Number.isNaN(value) ? Infinity : value;
  };
  const best = (ask, p) => {
    const low = 0, high = Math.min(Math.log(ask.compute / 6), ask.served > 0 ? Math.log(ask.compute / (2 * ask.served)) : Infinity);
    const f = (x) => loss(Math.exp(x), ask, p);
    let place = -1, least = Infinity;
    for (let i = 0; i <= GRID; i++) {
      const value = f(low + ((high - low) * i) / GRID);
      if (value < least) { least = value; place = i; }
    }
    if (place <= 0 || place >= GRID) return null;
    let a = low + ((high - low) * (place - 1)) / GRID, b = low + ((high - low) * (place + 1)) / GRID;
    let c = b - GOLDEN * (b - a), d = a + GOLDEN * (b - a), fc = f(c), fd = f(d);
    for (let i = 0; i < 64; i++) {
      if (fc < fd) { b = d; d = c; fd = fc; c = b - GOLDEN * (b - a); fc = f(c); }
      else { a = c; c = d; fc = fd; d = a + GOLDEN * (b - a); fd = f(d); }
    }
    const N = Math.exp((a + b) / 2);
    return { N, D: tokens(N, ask), loss: loss(N, ask, p) };
  };
  const quantile = (sorted, share) => {
    const at = share * (sorted.length - 1), i = Math.floor(at);
    return i + 1 < sorted.length ? sorted[i] + (at - i) * (sorted[i + 1] - sorted[i]) : sorted[i];
  };
  const band = (values) => {
    if (values.length < 2) return null;
    const sorted = [...values].sort((a, b) => a - b);
    return [quantile(sorted, 0.5 - SHARE / 2), quantile(sorted, 0.5 + SHARE / 2)];
  };

  // What is asked: exact values, which the sliders show and the address after # may set.
  const defaults = data.defaults, scales = data.scales;
  const asked = { ...defaults };
  for (const part of location.hash.slice(1).split("&")) {
    const [name, text] = part.split("=");
    if (name === "group" && data.groups.some((g) => g.name === decodeURIComponent(text || ""))) asked.group = decodeURIComponent(text);
    else if (name in scales && text === "none") asked[name] = null;
    else if ((name in scales || name === "peak" || name === "mfu") && Number(text) > 0) asked[name] = Number(text);
  }
  const flop = (s) => ((s.budget / s.price) * 3600) * s.peak * s.mfu;
  const question = (s) => ({ compute: flop(s), served: s.served ?? 0, unique: s.unique });

  // Numbers as people say them.
  const digits = (v, n = 3) => (v >= 10 ** n || Number.isInteger(v) ? String(Number(v.toPrecision(n))) : v.toPrecision(n));
  const scientific = (v) => { const [lead, power] = v.toExponential(1).split("e"); return `${Number(lead)}e${Number(power)}`; };
  const short = (v) => String(Number(v.toPrecision(3)));
  const quantity = (v) => {
    for (const [size, letter] of [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "K"]])
      if (v >= 0.9995 * size && v < 999.5e12) return short(v / size) + letter;
    return v >= 1e6 || v < 1e-3 ? scientific(v) : short(v);
  };
  const money = (v) => (v < 0.01 ? `$${scientific(v)}` : v < 1000 ? `$${digits(v)}` : `$${quantity(v)}`);
  const times = (v) => (v < 1000 ? digits(v, 2) : scientific(v));
  const range = (ends, show) => (ends ? `${show(ends[0])} to ${show(ends[1])}` : "");

  const put = (name, text, value) => {
    const place = $(name);
    place.textContent = text;
    if (value !== undefined) place.dataset.value = JSON.stringify(value);
  };
  const show = () => {
    const group = data.groups.find((g) => g.name === asked.group) || data.groups[0], ask = question(asked);
    const found = best(ask, group.point), drawn = group.draws.map((p) => best(ask, p)).filter((one) => one !== null);
    put("budget-said", `${money(asked.budget)} = ${scientific(ask.compute)} FLOP`);
    put("price-said", `${money(asked.price)} an hour`);
    put("served-said", asked.served === null ? "none" : `${quantity(asked.served)} tokens`);
    put("unique-said", asked.unique === null ? "unlimited" : `${quantity(asked.unique)} tokens`);
    root.dataset.compute = String(ask.compute);
    root.dataset.unmet = String(1 - drawn.length / Math.max(group.draws.length, 1));
    if (found === null) {
      for (const name of ["N", "D", "loss"]) { put(name, "none", null); put(`${name}-band`, "", null); }
      put("words", "No size is best at these values: the loss falls up to the edge of what the budget buys. Move a slider.");
      charts(group, ask, null);
      return;
    }
    const ends = { N: band(drawn.map((o) => o.N)), D: band(drawn.map((o) => o.D)), loss: band(drawn.map((o) => o.loss)) };
    for (const [name, text] of [["N", quantity], ["D", quantity], ["loss", (v) => digits(v, 4)]]) {
      put(name, text(found[name]), found[name]);
      put(`${name}-band`, range(ends[name], text), ends[name]);
    }
    const training = (6 * found.N * found.D) / ask.compute, beyond = ask.compute / group.largest;
    const words = [`${digits(found.D / found.N)} tokens per parameter.`];
    words.push(beyond > 1 ? `The budget is ${times(beyond)} times the compute of the largest run.` : "The budget lies within the compute of the runs.");
    if (asked.served !== null) words.push(`${money(asked.budget * training)} go into training and ${money(asked.budget * (1 - training))} into serving.`);
    if (asked.unique !== null && found.D > asked.unique) words.push(`Every token is seen ${digits(found.D / asked.unique, 2)} times.`);
    if (drawn.length < group.draws.length) words.push(`${group.draws.length - drawn.length} of ${group.draws.length} draws have no best size here.`);
    put("words", words.join(" "));
    charts(group, ask, found);
  };

  // Two pictures: loss over the size of the model at this budget, and loss over budgets with the best sizes.
  const svg = (name, attributes, text) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const W = 340, H = 230, LEFT = 52, RIGHT = 18, TOP = 12, BOTTOM = 42;
  const picture = (where, label, rows, mark, text) => {
    const place = $(where);
    place.replaceChildren();
    const seen = rows.filter((r) => Number.isFinite(r.y));
    if (seen.length < 2) return;
    const x0 = Math.log(seen[0].x), x1 = Math.log(seen[seen.length - 1].x);
    const lows = seen.map((r) => r.band ? r.band[0] : r.y), highs = seen.map((r) => r.band ? r.band[1] : r.y);
    let y0 = Math.min(...lows), y1 = Math.max(...highs);
    const pad = 0.05 * (y1 - y0) || 0.01;
    y0 -= pad; y1 += pad;
    const X = (v) => LEFT + ((Math.log(v) - x0) / (x1 - x0)) * (W - LEFT - RIGHT), Y = (v) => H - BOTTOM - ((v - y0) / (y1 - y0)) * (H - TOP - BOTTOM);
    const step = 10 ** Math.floor(Math.log10((y1 - y0) / 2)), every = [1, 2, 5].map((k) => k * step).find((k) => (y1 - y0) / k <= 5) || 10 * step;
    for (let v = Math.ceil(y0 / every) * every; v <= y1; v += every) {
      place.append(svg("line", { x1: LEFT, x2: W - RIGHT, y1: Y(v), y2: Y(v), class: "grid" }));
      place.append(svg("text", { x: LEFT - 6, y: Y(v) + 4, "text-anchor": "end" }, String(Number(v.toPrecision(6)))));
    }
    const decades = Math.max(1, Math.ceil((x1 - x0) / Math.LN10 / 4));
    for (let k = Math.ceil(x0 / Math.LN10 - 1e-9); k <= x1 / Math.LN10 + 1e-9; k++) if (k % decades === 0)
      place.append(svg("text", { x: X(10 ** k), y: H - BOTTOM + 17, "text-anchor": "middle" }, text(10 ** k)));
    place.append(svg("text", { x: (LEFT + W - RIGHT) / 2, y: H - 6, "text-anchor": "middle", class: "name" }, label));
    place.append(svg("text", { x: 11, y: (TOP + H - BOTTOM) / 2, "text-anchor": "middle", transform: `rotate(-90 11 ${(TOP + H - BOTTOM) / 2})`, class: "name" }, data.output));
    const both = seen.filter((r) => r.band);
    if (both.length > 1) {
      const upper = both.map((r) => `${X(r.x)},${Y(r.band[1])}`), lower = both.map((r) => `${X(r.x)},${Y(r.band[0])}`).reverse();
      place.append(svg("polygon", { points: [...upper, ...lower].join(" "), class: "band" }));
    }
    place.append(svg("polyline", { points: seen.map((r) => `${X(r.x)},${Y(r.y)}`).join(" "), class: "curve" }));
    if (mark && Math.log(mark.x) >= x0 - 1e-9 && Math.log(mark.x) <= x1 + 1e-9) place.append(svg("circle", { cx: X(mark.x), cy: Y(mark.y), r: 5, class: "mark" }));
  };
  const charts = (group, ask, found) => {
    const some = group.draws.filter((_, i) => i % Math.ceil(group.draws.length / 60) === 0);
    if (found === null) { $("sizes").replaceChildren(); $("budgets").replaceChildren(); return; }
    const sizes = [];
    for (let i = 0; i <= 48; i++) {
      const N = found.N * 10 ** (-1.3 + (2.6 * i) / 48), y = loss(N, ask, group.point);
      if (Number.isFinite(y) && y < found.loss * 1.25) sizes.push({ x: N, y, band: band(some.map((p) => loss(N, ask, p)).filter(Number.isFinite)) });
    }
    picture("sizes", "parameters N at this budget", sizes, { x: found.N, y: found.loss }, quantity);
    const budgets = [];
    for (let i = 0; i <= 20; i++) {
      const compute = ask.compute * 10 ** (-2 + (3 * i) / 20), there = { ...ask, compute }, one = best(there, group.point);
      if (one !== null) budgets.push({ x: compute, y: one.loss, band: band(some.map((p) => best(there, p)).filter((o) => o !== null).map((o) => o.loss)) });
    }
    picture("budgets", "budget (FLOP), best sizes", budgets, { x: ask.compute, y: found.loss }, scientific);
  };

  // Sliders run over logarithms; those with an end called "none" keep their last place for it.
  const STEPS = 400;
  const to = (name, v) => {
    const s = scales[name];
    if (v === null) return s.none === "low" ? 0 : STEPS;
    const share = Math.log(v / s.low) / Math.log(s.high / s.low), first = s.none === "low" ? 1 : 0, last = s.none === "high" ? STEPS - 1 : STEPS;
    return Math.min(last, Math.max(first, Math.round(first + share * (last - first))));
  };
  const from = (name, place) => {
    const s = scales[name], first = s.none === "low" ? 1 : 0, last = s.none === "high" ? STEPS - 1 : STEPS;
    if ((s.none === "low" && place < first) || (s.none === "high" && place > last)) return null;
    return Number((s.low * (s.high / s.low) ** ((place - first) / (last - first))).toPrecision(3));
  };
  const words = { budget: "budget-said", price: "price-said", served: "served-said", unique: "unique-said" };
  let waiting = 0;
  const soon = () => { if (!waiting) waiting = requestAnimationFrame(() => { waiting = 0; show(); }); };
  for (const name of Object.keys(scales)) {
    const slider = $(name);
    slider.max = STEPS;
    slider.value = to(name, asked[name]);
    slider.setAttribute("aria-describedby", (($(words[name]).id = `planner-${words[name]}`)));
    slider.addEventListener("input", () => { asked[name] = from(name, Number(slider.value)); soon(); });
  }
  for (const name of ["peak", "mfu"]) {
    const field = $(name);
    field.value = name === "peak" ? asked.peak / 1e12 : 100 * asked.mfu;
    field.addEventListener("input", () => { if (Number(field.value) > 0) { asked[name] = name === "peak" ? Number(field.value) * 1e12 : Math.min(Number(field.value), 100) / 100; soon(); } });
  }
  const choice = $("group");
  for (const g of data.groups) { const option = document.createElement("option"); option.value = option.textContent = g.name; choice.append(option); }
  choice.value = asked.group;
  choice.closest("label").hidden = data.groups.length < 2;
  choice.addEventListener("change", () => { asked.group = choice.value; soon(); });
  $("output").textContent = `Predicted ${data.output}`;
  root.hidden = false;
  show();
})();
