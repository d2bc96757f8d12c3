// Compares the runs that the address names, ?runs=a,b: their numbers, options, curves and figures.
"use strict";

const [NAMES, MAIN, DIRECTIONS] = ["names", "main", "directions"].map((id) => JSON.parse(document.getElementById(id).textContent));
const message = document.getElementById("message");
const loaded = new Map();

function addRun(run) {
  loaded.set(run.slug, run);
}

function element(tag, content = "", attributes = {}) {
  const node = Object.assign(document.createElement(tag), attributes);
  node.append(...[content].flat());
  return node;
}

function headRow(first, runs) {
  const heads = runs.map((run, i) => {
    const chip = element("span", "", { className: "chip" });
    chip.style.background = seriesColor(i);
    return element("th", [chip, element("a", run.name, { href: `run/${run.slug}/index.html` })], { scope: "col" });
  });
  return element("thead", element("tr", [element("th", first, { scope: "col" }), ...heads]));
}

function fill(id, first, runs, rows) {
  const body = rows.map(([name, cells]) => element("tr", [element("th", name, { scope: "row" }), ...cells]));
  document.getElementById(id).append(headRow(first, runs), element("tbody", body));
}

const union = (lists) => [...new Set(lists.flat())];
const number = (value) => (Math.abs(value) >= 0.1 || value === 0 ? value.toFixed(2) : value.toPrecision(3));

// One row per metric that any run has. The best value is marked if all runs are of one section.
function numberRows(runs, names) {
  const comparable = new Set(runs.map((run) => run.section)).size === 1;
  return names.filter((name) => runs.some((run) => name in run.metrics)).map((name) => {
    const values = runs.map((run) => run.metrics[name]);
    const present = values.filter((value) => value !== undefined);
    const best = comparable && new Set(present).size > 1 && { lower: Math.min(...present), higher: Math.max(...present) }[DIRECTIONS[name]];
    return [name.replace(/^test\//, ""), values.map((value) => element("td", value === undefined ? "" : number(value), { className: value !== undefined && value === best ? "number best" : "number" }))];
  });
}

function optionRows(runs) {
  const names = union(runs.map((run) => Object.keys(run.options)));
  const different = names.filter((name) => new Set(runs.map((run) => run.options[name])).size > 1);
  document.getElementById("same").textContent = `${names.length - different.length} options are the same.`;
  return different.map((name) => [name, runs.map((run) => element("td", run.options[name] ?? "–"))]);
}

function figureRows(runs) {
  const names = union(runs.map((run) => run.figures.map((figure) => figure.name)));
  return names.map((name) => [name, runs.map((run) => {
    const figure = run.figures.find((candidate) => candidate.name === name);
    if (!figure) return element("td", "–");
    const image = element("img", "", { src: `run/${run.slug}/${figure.file}`, alt: `${name}, ${run.name}`, loading: "lazy" });
    return element("td", element("button", image, { type: "button", className: "enlarge" }));
  })]);
}

function show(runs) {
  const sections = union(runs.map((run) => run.section));
  if (sections.length > 1) message.textContent = `Numbers of different data cannot be compared: ${sections.join("; ")}.`;
  const others = union(runs.map((run) => Object.keys(run.metrics))).filter((name) => !MAIN.includes(name) && !/_(se|std)$/.test(name));
  fill("numbers", "", runs, numberRows(runs, MAIN));
  fill("others", "", runs, numberRows(runs, others.sort()));
  fill("options", "", runs, optionRows(runs));
  fill("figures", "", runs, figureRows(runs));
  document.getElementById("comparison").hidden = false;
  const container = document.querySelector(".curves");
  if (!container) return;
  const draw = () => drawCurves(container, runs);
  draw();
  onColorChange(draw);
}

function load(slug) {
  return new Promise((resolve, reject) => {
    document.head.append(element("script", "", { src: `run/${slug}/data.js`, onload: resolve, onerror: reject }));
  });
}

{
  const wanted = union([(new URLSearchParams(location.search).get("runs") ?? "").split(",")]);
  const known = wanted.filter((slug) => Object.hasOwn(NAMES, slug));
  document.getElementById("back").href = `report.html#runs=${known.join()}`;
  if (known.length < 2) message.textContent = "Select at least two runs in the report.";
  else Promise.all(known.map(load)).then(() => show(known.map((slug) => loaded.get(slug))), () => { message.textContent = "The data of a run cannot be read. Write the report again."; });
}
