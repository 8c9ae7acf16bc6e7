"use strict";
// The rows of a run against time, a band at a time, to be explored. Plain SVG made here from the
// numbers in the page (#explore-data): nothing is fetched, and every text is set as text, never as
// markup. The chart is a list box to assistive technology: one stop of the tab key, whose options
// are the rows in order of time.
(() => {
  const byId = (id) => document.getElementById(`explore-${id}`);
  const data = JSON.parse(byId("data").textContent);
  const chart = byId("chart"), tip = byId("tip");
  const margin = { left: 62, right: 12, top: 24, bottom: 44 };
  const reach = 28; // pixels within which a pointer finds a row: a finger is not finer
  const wide = 10; // error of a row, in that of the median row, above which it sets no limits
  const hiddenStars = new Set();
  let points = []; // of the rows shown, in order of time
  let active = -1; // place in `points` of the row that is read

  function make(parent, name, attributes = {}, text = "") {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (text) node.textContent = text;
    return parent.appendChild(node);
  }

  function element(parent, name, text = "", attributes = {}) {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    node.textContent = text;
    return parent.appendChild(node);
  }

  const minus = (text) => text.replace("-", "−");
  const fixed = (value, digits) => (value === null ? "–" : minus(value.toFixed(digits)));
  const signed = (value, digits) => (value > 0 ? "+" : "") + fixed(value, digits);

  const decimals = (step) => Math.max(0, -Math.floor(Math.log10(step) + 1e-9));

  function ticks(low, high, about) {
    const rough = (high - low) / about, power = 10 ** Math.floor(Math.log10(rough));
    const step = power * [1, 2, 5, 10].find((one) => one * power >= 0.999 * rough);
    const found = [];
    for (let at = Math.ceil(low / step); at * step <= high; at += 1) found.push(at * step);
    return { step, at: found };
  }

  // Where the first of January of each year lies, MJD: epochs are remembered by years.
  function years(low, high) {
    const found = [];
    const year = (mjd) => new Date((mjd - 40587) * 86400000).getUTCFullYear();
    for (let one = year(low); one <= year(high); one += 1) {
      const mjd = Date.UTC(one, 0, 1) / 86400000 + 40587;
      if (mjd >= low && mjd <= high) found.push([mjd, String(one)]);
    }
    return found;
  }

  function drawMark(parent, marker, x, y, size, attributes) {
    const shapes = {
      o: [[0, 0]],
      s: [[-1, -1], [1, -1], [1, 1], [-1, 1]],
      "^": [[0, -1.2], [1.1, 0.9], [-1.1, 0.9]],
      D: [[0, -1.35], [1.35, 0], [0, 1.35], [-1.35, 0]],
      v: [[0, 1.2], [1.1, -0.9], [-1.1, -0.9]],
    };
    const corners = shapes[marker];
    if (corners.length === 1) return make(parent, "circle", { cx: x, cy: y, r: size * 1.1, ...attributes });
    const at = corners.map(([dx, dy]) => `${x + size * dx},${y + size * dy}`).join(" ");
    return make(parent, "polygon", { points: at, ...attributes });
  }

  // What is asked for by the controls.
  function asked() {
    return {
      band: data.bands[Number(byId("band").value)],
      percent: byId("scale").value === "percent",
      aligned: byId("aligned").checked,
      outliers: byId("outliers").checked,
      published: byId("published")?.checked,
    };
  }

  function rowsShown(want) {
    const of = want.band.rows, found = [];
    for (let i = 0; i < of.row.length; i += 1) {
      const outlier = of.outlier[i] > data.outlier;
      if (hiddenStars.has(of.star[i]) || (outlier && !want.outliers)) continue;
      const factor = (want.aligned ? of.aligned : of.factor)[i];
      const off = 100 * (factor / of.curve[i] - 1);
      const error = of.error[i] * (want.aligned ? factor / of.factor[i] : 1);
      found.push({
        place: i, outlier, factor, off, factorError: error, star: of.star[i], mjd: of.mjd[i],
        y: want.percent ? off : factor,
        error: want.percent ? (100 * error) / of.curve[i] : error,
      });
    }
    return found;
  }

  // Curves in what is shown: their distance from our median, or themselves.
  function curvesShown(want) {
    const of = want.band.curve;
    const scaled = (values) =>
      want.percent ? values.map((one, i) => 100 * (one / of.q50[i] - 1)) : values;
    const found = {};
    for (const name of ["q025", "q16", "q50", "q84", "q975"]) found[name] = scaled(of[name]);
    if (of.published && want.published) {
      found.published = scaled(of.published);
      found.lower = scaled(of.published.map((one, i) => one - of.published_std[i]));
      found.upper = scaled(of.published.map((one, i) => one + of.published_std[i]));
    }
    return found;
  }

  // An outlier, or a row of a large error, would leave no room to the others: it gets an arrow.
  function limits(rows, curves) {
    const errors = rows.map((row) => row.error).sort((a, b) => a - b);
    const most = wide * (errors[Math.floor(errors.length / 2)] || 0);
    const all = Object.values(curves).flat();
    for (const row of rows) {
      if (!row.outlier && row.error <= most) all.push(row.y - row.error, row.y + row.error);
    }
    const low = Math.min(...all), high = Math.max(...all), room = 0.06 * (high - low) || 1;
    return [low - room, high + room];
  }

  function draw() {
    const want = asked(), rows = rowsShown(want), curves = curvesShown(want);
    const width = Math.max(280, byId("plot").clientWidth);
    const height = Math.round(Math.min(460, Math.max(280, 0.5 * width)));
    chart.replaceChildren();
    chart.setAttribute("viewBox", `0 0 ${width} ${height}`);
    chart.setAttribute("width", width);
    chart.setAttribute("height", height);
    chart.setAttribute("aria-label", `${data.simulated ? "Simulated rows" : "Rows"} of ${want.band.name} against time, ${rows.length} shown`);
    const ends = want.band.mjd, first = ends[0], last = ends[ends.length - 1];
    const [low, high] = limits(rows, curves);
    const right = width - margin.right, bottom = height - margin.bottom;
    const x = (mjd) => margin.left + ((mjd - first) / (last - first)) * (right - margin.left);
    const y = (value) => bottom - ((value - low) / (high - low)) * (bottom - margin.top);
    const frame = { x: margin.left, y: margin.top, width: right - margin.left, height: bottom - margin.top };
    const under = make(chart, "g", { "aria-hidden": "true" });
    make(make(under, "clipPath", { id: "explore-clip" }), "rect", frame);
    drawCurves(make(under, "g", { "clip-path": "url(#explore-clip)" }), want, curves, x, y, frame);
    drawAxes(under, want, [first, last, low, high], x, y, frame);
    points = rows.map((row, i) => drawRow(want, row, i, [low, high], x, y));
    if (!rows.length) {
      const at = { x: (margin.left + right) / 2, y: (margin.top + bottom) / 2, class: "axis", "text-anchor": "middle" };
      make(under, "text", at, "no row is shown");
    }
    show(-1);
    fillTable(want, rows);
  }

  function drawCurves(parent, want, curves, x, y, frame) {
    const mjd = want.band.mjd, [begin, end] = want.band.within;
    for (const [from, to] of [[mjd[0], begin], [end, mjd[mjd.length - 1]]]) {
      make(parent, "rect", { x: x(from), y: frame.y, width: Math.max(0, x(to) - x(from)), height: frame.height, class: "without" });
    }
    const along = (values) => values.map((one, i) => `${x(mjd[i]).toFixed(1)},${y(one).toFixed(1)}`);
    const area = (lower, upper, kind) =>
      make(parent, "polygon", { points: [...along(lower), ...along(upper).reverse()].join(" "), class: kind });
    area(curves.q025, curves.q975, "ours wide");
    area(curves.q16, curves.q84, "ours narrow");
    if (curves.published) area(curves.lower, curves.upper, "theirs");
    make(parent, "polyline", { points: along(curves.q50).join(" "), class: "ours line" });
    if (curves.published) make(parent, "polyline", { points: along(curves.published).join(" "), class: "theirs line" });
  }

  function drawAxes(parent, want, [first, last, low, high], x, y, frame) {
    const right = frame.x + frame.width, bottom = frame.y + frame.height;
    make(parent, "rect", { ...frame, class: "frame" });
    if (data.simulated) make(parent, "text", { x: right - 8, y: frame.y + 18, class: "simulated", "text-anchor": "end" }, "simulated data");
    const epochs = ticks(first, last, frame.width / 110), values = ticks(low, high, frame.height / 45);
    for (const at of epochs.at) {
      make(parent, "line", { x1: x(at), x2: x(at), y1: bottom, y2: bottom - 5, class: "frame" });
      make(parent, "text", { x: x(at), y: bottom + 16, class: "axis", "text-anchor": "middle" }, String(at));
    }
    for (const [at, year] of years(first, last)) {
      make(parent, "line", { x1: x(at), x2: x(at), y1: frame.y, y2: frame.y + 5, class: "frame" });
      make(parent, "text", { x: x(at), y: frame.y - 7, class: "axis", "text-anchor": "middle" }, year);
    }
    for (const at of values.at) {
      make(parent, "line", { x1: frame.x, x2: right, y1: y(at), y2: y(at), class: "grid" });
      make(parent, "text", { x: frame.x - 7, y: y(at) + 4, class: "axis", "text-anchor": "end" }, fixed(at, decimals(values.step)));
    }
    make(parent, "text", { x: frame.x + frame.width / 2, y: bottom + 36, class: "axis", "text-anchor": "middle" }, "Epoch (MJD; years above)");
    const label = want.percent ? "Off the curve (%)" : `C [${data.unit}]`;
    const middle = frame.y + frame.height / 2;
    make(parent, "text", { x: 13, y: middle, class: "axis", "text-anchor": "middle", transform: `rotate(-90 13 ${middle})` }, label);
  }

  function drawRow(want, row, i, [low, high], x, y) {
    const look = data.types[data.stars[row.star][1]], over = row.y > high, beyond = over || row.y < low;
    const at = { x: x(row.mjd), y: beyond ? y(over ? high : low) + (over ? 14 : -14) : y(row.y) };
    const text = sentences(want, row);
    const group = make(chart, "g", {
      id: `explore-row-${i}`, role: "option", "aria-selected": "false", "aria-label": text.join(", "), class: "row",
    });
    if (beyond) {
      const tipY = at.y + (over ? -11 : 11), foot = at.y + (over ? -7 : 7);
      make(group, "path", { d: `M${at.x - 4},${foot} L${at.x},${tipY} L${at.x + 4},${foot}`, class: "arrow" });
    } else {
      make(group, "line", { x1: at.x, x2: at.x, y1: y(Math.max(low, row.y - row.error)), y2: y(Math.min(high, row.y + row.error)), stroke: look.colour, class: "error" });
    }
    if (row.outlier) make(group, "circle", { cx: at.x, cy: at.y, r: 8.5, class: "ring" });
    drawMark(group, look.marker, at.x, at.y, 3.8, { fill: look.colour, class: "mark" });
    return { ...row, ...at, group, text };
  }

  // What is said of a row.
  function sentences(want, row) {
    const of = want.band.rows, i = row.place, [name, type] = data.stars[row.star];
    const digits = decimals(row.factorError) + 1;
    return [
      name,
      data.types[type].label,
      `${of.date[i]} (MJD ${fixed(of.mjd[i], 2)})`,
      `program ${of.pid[i]}, ${of.subarray[i]}, row ${of.row[i]}`,
      `C = ${fixed(row.factor, digits)} ± ${fixed(row.factorError, digits)}, ${signed(row.off, 2)} % off the curve`,
      `residual ${signed(of.residual[i], 1)} σ` + (row.outlier ? ", probably an outlier" : ""),
    ];
  }

  // Read a row of `points`, or none.
  function show(place) {
    for (const point of points) point.group.classList.remove("active", "kin");
    points[active]?.group.setAttribute("aria-selected", "false");
    active = place;
    const one = points[place];
    tip.hidden = !one;
    if (!one) {
      chart.removeAttribute("aria-activedescendant");
      return;
    }
    for (const point of points) if (point.star === one.star) point.group.classList.add("kin");
    one.group.classList.add("active");
    one.group.setAttribute("aria-selected", "true");
    chart.setAttribute("aria-activedescendant", one.group.id);
    tip.replaceChildren();
    element(tip, "b", one.text[0]);
    element(tip, "span", ` ${one.text[1]}`);
    for (const line of one.text.slice(2)) element(tip, "div", line);
    const width = byId("plot").clientWidth, beside = one.x + 14;
    const left = beside + tip.offsetWidth <= width ? beside : one.x - 14 - tip.offsetWidth;
    tip.style.left = `${Math.max(0, Math.min(left, width - tip.offsetWidth))}px`;
    const above = one.y - tip.offsetHeight - 12;
    tip.style.top = `${above >= 0 ? above : one.y + 14}px`;
  }

  function nearest(event) {
    const box = chart.getBoundingClientRect();
    let best = -1, least = reach;
    points.forEach((point, i) => {
      const away = Math.hypot(point.x - (event.clientX - box.left), point.y - (event.clientY - box.top));
      if (away < least) [best, least] = [i, away];
    });
    return best;
  }

  function fillTable(want, rows) {
    const table = byId("table"), of = want.band.rows, body = table.tBodies[0];
    table.caption.textContent = `${data.simulated ? "Simulated rows" : "Rows"} of ${want.band.name} that the chart shows`;
    if (!byId("details").open) return;
    const heads = ["Row", "Star", "Date", "MJD", "Program", "Subarray", `C (${data.unit})`, "Error", "Off the curve (%)", "Residual (σ)", "Outlier probability"];
    table.tHead.replaceChildren();
    body.replaceChildren();
    const head = table.tHead.insertRow();
    heads.forEach((text, i) => element(head, "th", text, { scope: "col", class: [1, 2, 4, 5].includes(i) ? "text" : "number" }));
    for (const row of rows) {
      const i = row.place, line = body.insertRow(), digits = decimals(row.factorError) + 1;
      const cells = [data.stars[row.star][0], of.date[i], fixed(of.mjd[i], 2), of.pid[i], of.subarray[i], fixed(row.factor, digits), fixed(row.factorError, digits), signed(row.off, 2), signed(of.residual[i], 1), fixed(of.outlier[i], 3)];
      element(line, "th", String(of.row[i]), { scope: "row" });
      cells.forEach((text, k) => element(line, "td", text, { class: [0, 1, 3, 4].includes(k) ? "text" : "number" }));
    }
  }

  // A switch for each star of the band, before them two for all.
  function offerStars() {
    const host = byId("stars"), present = [...new Set(asked().band.rows.star)].sort((a, b) => a - b);
    const switches = new Map();
    const press = () => {
      for (const [star, button] of switches) button.setAttribute("aria-pressed", String(!hiddenStars.has(star)));
      draw();
    };
    host.replaceChildren();
    element(host, "button", "all stars", { type: "button" }).onclick = () => { hiddenStars.clear(); press(); };
    element(host, "button", "none", { type: "button" }).onclick = () => { present.forEach((star) => hiddenStars.add(star)); press(); };
    for (const star of present) {
      const [name, type] = data.stars[star], look = data.types[type];
      const button = element(host, "button", "", { type: "button", class: "star", title: look.label });
      const icon = make(button, "svg", { width: 14, height: 12, "aria-hidden": "true" });
      drawMark(icon, look.marker, 7, 6, 3.8, { fill: look.colour, class: "mark" });
      element(button, "span", name);
      switches.set(star, button);
      button.onclick = () => { if (!hiddenStars.delete(star)) hiddenStars.add(star); press(); };
    }
    press();
  }

  const moves = {
    ArrowRight: (at) => at + 1, ArrowDown: (at) => at + 1,
    ArrowLeft: (at) => at - 1, ArrowUp: (at) => at - 1,
    Home: () => 0, End: () => points.length - 1, Escape: () => -1,
  };
  chart.addEventListener("keydown", (event) => {
    if (!(event.key in moves) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const to = moves[event.key](active);
    show(event.key === "Escape" ? -1 : Math.max(0, Math.min(points.length - 1, to)));
  });
  chart.addEventListener("focus", () => { if (active < 0 && chart.matches(":focus-visible")) show(0); });
  chart.addEventListener("blur", () => show(-1));
  chart.addEventListener("pointermove", (event) => { if (event.pointerType === "mouse") show(nearest(event)); });
  chart.addEventListener("pointerdown", (event) => show(nearest(event)));
  chart.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") show(-1); });

  data.bands.forEach((band, i) => element(byId("band"), "option", `${band.name}, ${band.pivot} µm`, { value: i }));
  const theirs = byId("published-label"); // none where the instrument has no published coefficients
  if (theirs) theirs.hidden = !data.bands.some((band) => band.curve.published);
  byId("band").onchange = offerStars;
  for (const id of ["scale", "aligned", "outliers"]) byId(id).onchange = draw;
  if (theirs) byId("published").onchange = draw;
  byId("details").ontoggle = draw;
  document.getElementById("explore").hidden = false;
  offerStars();
  addEventListener("resize", draw);
})();
