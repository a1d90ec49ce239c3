// Draws the scans that viewer.py wrote into the page as SCANS. A control changes `state`, `draw` turns state into
// traces and table marks; nothing else touches the plot. Lengths arrive as integer millimeters.
"use strict";

const LINES = 1500; // offsets drawn of one scan
const LABELS = 60; // more instance numbers than this, of the largest, would cover the view
const BUTTONS = [["toImage", "tableRotation", "pan3d", "resetCameraDefault3d"]]; // none that sends data anywhere
// one line along the edges of a box, by its corners: around the bottom, up, around the top; then three uprights
const EDGES = [0, 1, 2, 3, 0, 4, 5, 6, 7, 4, null, 1, 5, null, 2, 6, null, 3, 7, null];
const plot = document.getElementById("plot");
// columns: the scan per point, from `unpack`; hidden: rows of the table
const state = {
  ...{ scan: null, columns: null, hidden: new Set() },
  ...{ points: "instances", centers: false, offsets: false, boxes: false },
};

const meters = (columns) => columns.map((column) => column.map((mm) => mm / 1000));
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const inkOn = (rgb) => {
  const [r, g, b] = rgb.match(/\d+/g);
  return 0.3 * r + 0.6 * g + 0.1 * b > 140 ? "#000" : "#fff";
};
const count = (number) => number.toLocaleString("en");

// Points lie in the order of the table: `drawn` of its first row, then those of the second, ...
function unpack(scan) {
  const perPoint = (rows, row, value) => {
    const values = rows.map(value);
    return row.map((r) => values[r]);
  };
  const row = scan.instances.flatMap((instance, r) => Array(instance.drawn).fill(r));
  const coord = meters(scan.coord);
  const offset = meters(scan.offset);
  return {
    row,
    coord,
    shifted: coord.map((column, axis) => column.map((value, i) => value + offset[axis][i])),
    input: scan.color.match(/.{6}/g).map((hex) => "#" + hex),
    color: perPoint(scan.instances, row, (instance) => instance.color),
    text: perPoint(scan.instances, row, describe),
    truthColor: perPoint(scan.truth || [], scan.truth_row || [], (object) => object.color),
    truthText: perPoint(scan.truth || [], scan.truth_row || [], describeTruth),
    centers: scan.instances.map((instance, r) => ({ ...instance, row: r })).filter((instance) => instance.id >= 0),
  };
}

function describe(instance) {
  const about = `${instance.size === 1 ? "1 point" : count(instance.size) + " points"}<br>${instance.extent}`;
  if (instance.id < 0) return `<b>no instance</b><br>${about}`;
  return `<b>instance ${title(instance)}</b><br>${about}<br>score ${score(instance)}`;
}

function title(instance) {
  return `${instance.id < 0 ? "none" : instance.id}${instance.plane ? " · plane" : ""}`;
}

function score(instance) {
  return typeof instance.score === "number" ? instance.score.toFixed(2) : "–";
}

function describeTruth(object) {
  return `<b>${object.id < 0 ? "no true object" : "true object " + object.id}</b><br>${count(object.size)} points`;
}

function traces() {
  const { row, coord, shifted, input, color, text, truthColor, truthText } = state.columns;
  const kept = [...row.keys()].filter((i) => !state.hidden.has(row[i]));
  const assigned = kept.filter((i) => state.scan.instances[row[i]].id >= 0);
  const overlay = state.centers || state.offsets;
  const [size, opacity] = overlay ? [1.5, 0.2] : [2.5, 1];
  const scan = (name, colors, texts) =>
    cloud(name, state.points === name, kept, coord, colors, texts, { size, opacity });
  const step = Math.ceil(row.length / LINES);
  return [
    scan("input", input, text),
    scan("instances", color, text),
    ...(truthColor.length ? [scan("truth", truthColor, truthText)] : []),
    cloud("predicted centers", state.centers, assigned, shifted, color, text, { size: 1.5, opacity: 0.6 }),
    centerMarkers(shownCenters()),
    offsetLines(assigned.filter((i) => i % step === 0)),
    boxLines(shownCenters().filter((instance) => instance.box)),
  ];
}

function cloud(name, visible, index, columns, colors, texts, marker) {
  const pick = (column) => index.map((i) => column[i]);
  const [x, y, z] = columns.map(pick);
  const style = { ...marker, color: pick(colors), line: { width: 0 } };
  const hover = { text: pick(texts), hoverinfo: "text" };
  return { type: "scatter3d", mode: "markers", name, visible, x, y, z, marker: style, ...hover };
}

function shownCenters() {
  return state.columns.centers.filter((instance) => !state.hidden.has(instance.row));
}

function centerMarkers(shown) {
  const columns = [0, 1, 2].map((axis) => shown.map((instance) => instance.center[axis] / 1000));
  const [colors, texts] = [shown.map((instance) => instance.color), shown.map(describe)];
  return cloud("centers", state.centers, [...shown.keys()], columns, colors, texts, { symbol: "diamond", size: 8 });
}

function offsetLines(index) {
  const { coord, shifted, color } = state.columns;
  const [x, y, z] = coord.map((column, axis) => index.flatMap((i) => [column[i], shifted[axis][i], null]));
  const line = { width: 2, color: index.flatMap((i) => [color[i], color[i], color[i]]) };
  const about = { name: "offsets", visible: state.offsets, hoverinfo: "skip" };
  return { type: "scatter3d", mode: "lines", ...about, x, y, z, line };
}

function boxLines(shown) {
  const edges = shown.flatMap((instance) => EDGES.map((corner) => (corner === null ? null : instance.box[corner])));
  const [x, y, z] = [0, 1, 2].map((axis) => edges.map((point) => point && point[axis] / 1000));
  const line = { width: 4, color: shown.flatMap((instance) => EDGES.map(() => instance.color)) };
  const about = { name: "boxes", visible: state.boxes, hoverinfo: "skip" };
  return { type: "scatter3d", mode: "lines", ...about, x, y, z, line };
}

// Instance numbers at the centers: the points around a marker hide it, a label lies on top.
function labels() {
  if (!state.centers) return [];
  return shownCenters().slice(0, LABELS).map(({ id, color, center }) => {
    const [x, y, z] = center.map((mm) => mm / 1000);
    const ink = inkOn(color);
    const box = { bgcolor: color, bordercolor: ink, borderpad: 2, font: { color: ink, size: 12 }, showarrow: false };
    return { x, y, z, text: `<b>${id}</b>`, ...box };
  });
}

function layout() {
  // Fixed ranges: the picture must not jump when an instance is hidden.
  const axis = (name, i) => [name, { visible: false, range: state.scan.range[i].map((mm) => mm / 1000) }];
  const axes = Object.fromEntries(["xaxis", "yaxis", "zaxis"].map(axis));
  const size = state.scan.range.map(([low, high]) => high - low);
  const far = (0.68 * Math.hypot(...size)) / Math.cbrt(size[0] * size[1] * size[2]); // in the units of the camera
  const camera = { eye: { x: far, y: far, z: 0.9 * far }, center: { x: 0, y: 0, z: -0.1 * far } };
  return {
    scene: { ...axes, aspectmode: "data", annotations: labels(), camera, bgcolor: css("--page") },
    uirevision: `scan ${SCANS.indexOf(state.scan)}`, // the camera stays until this changes; 0 would not count
    margin: { l: 0, r: 0, t: 0, b: 0 },
    paper_bgcolor: css("--page"),
    modebar: { bgcolor: "rgba(0,0,0,0)", color: css("--soft"), activecolor: css("--mark") },
    hoverlabel: { bgcolor: css("--page"), bordercolor: css("--soft"), font: { color: css("--ink"), size: 14 } },
    showlegend: false,
  };
}

function draw() {
  const bar = { displayModeBar: true, displaylogo: false, modeBarButtons: BUTTONS };
  Plotly.react(plot, traces(), layout(), { responsive: true, ...bar });
  const rows = document.querySelectorAll("tbody tr");
  rows.forEach((tr, r) => tr.classList.toggle("off", state.hidden.has(r)));
  rows.forEach((tr, r) => (tr.querySelector("input").checked = !state.hidden.has(r)));
  document.getElementById("all").checked = state.hidden.size === 0;
}

function toggle(row) {
  if (!state.hidden.delete(row)) state.hidden.add(row);
  draw();
}

function toggleAll() {
  state.hidden = new Set(state.hidden.size ? [] : state.scan.instances.keys());
  draw();
}

function fillTable(instances) {
  const cell = (tag, text) => Object.assign(document.createElement(tag), { textContent: text });
  const rows = instances.map((instance, row) => {
    const tr = document.createElement("tr");
    const name = title(instance);
    const box = Object.assign(document.createElement("input"), { type: "checkbox", ariaLabel: `instance ${name}` });
    box.style.accentColor = instance.color;
    const first = document.createElement("td");
    first.append(box, Object.assign(cell("i", ""), { style: `background: ${instance.color}` }), name);
    tr.append(first, cell("td", count(instance.size)), cell("td", score(instance)));
    tr.title = instance.extent;
    tr.onclick = () => toggle(row);
    return tr;
  });
  document.querySelector("tbody").replaceChildren(...rows);
}

function choose(scan) {
  Object.assign(state, { scan, columns: unpack(scan), hidden: new Set() });
  const truth = document.querySelector("input[value=truth]");
  truth.parentElement.hidden = !scan.truth;
  if (!scan.truth && truth.checked) document.querySelector("input[value=instances]").click();
  const drawn = state.columns.row.length;
  const part = drawn < scan.total ? `, ${count(drawn)} drawn` : "";
  const number = state.columns.centers.length;
  document.getElementById("about").textContent =
    `${number} instance${number === 1 ? "" : "s"}, ${count(scan.total)} points${part}`;
  fillTable(scan.instances);
  draw();
}

const select = document.getElementById("scan");
SCANS.forEach((scan, i) => select.add(new Option(scan.name, i)));
select.hidden = SCANS.length === 1;
select.onchange = () => choose(SCANS[select.value]);
document.querySelectorAll("input[name=points]").forEach((radio) => {
  radio.onchange = () => draw((state.points = radio.value));
});
for (const name of ["centers", "offsets", "boxes"]) {
  document.getElementById(name).onchange = (event) => draw((state[name] = event.target.checked));
}
document.getElementById("all").onclick = toggleAll;
matchMedia("(prefers-color-scheme: dark)").onchange = draw;
choose(SCANS[0]);
