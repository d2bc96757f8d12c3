// Filter, sort, fold, choose columns and select the rows of all tables. The state is kept in the address.
"use strict";

{
  const $ = (selector, parent = document) => parent.querySelector(selector);
  const all = (selector, parent = document) => [...parent.querySelectorAll(selector)];
  const sections = all("section");
  const [filter, fold, chooser, compare, clear] = ["filter", "fold", "chooser", "compare", "clear"].map((id) => document.getElementById(id));
  const boxes = all("input", chooser);
  const initial = boxes.filter((box) => box.checked).map((box) => box.value).join();
  const selected = new Set();
  let sorting = null; // [key of the column, 1 or -1]

  const columnOf = (table, test) => [...table.tHead.rows[0].cells].findIndex(test);
  const titleOf = (head) => head.textContent;
  const runsOf = (row) => row.dataset.runs.split(" ");
  const valueOf = (cell) => (cell.dataset.v === undefined ? cell.textContent : Number(cell.dataset.v));

  // A term is a word, or a comparison with a column of the table, such as nelbo<100.
  function matches(row, table, title, term) {
    const [, name, operator, text] = term.match(/^(.+?)(<=|>=|=|<|>)(.+)$/) ?? [];
    const index = name ? columnOf(table, (head) => head.dataset.key === name || titleOf(head).toLowerCase() === name) : -1;
    if (index < 0) return `${title} ${row.textContent}`.toLowerCase().includes(term);
    const value = valueOf(row.cells[index]);
    if (operator === "=") return String(value).toLowerCase() === text || (value !== "" && Number(value) === Number(text));
    if (typeof value !== "number") return false;
    return { "<": value < text, "<=": value <= text, ">": value > text, ">=": value >= text }[operator];
  }

  function applyFilter() {
    const terms = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const count = { shown: 0, all: 0 };
    for (const section of sections) {
      const table = $("table", section);
      for (const body of table.tBodies) {
        for (const row of body.rows) row.hidden = !terms.every((term) => matches(row, table, titleOf($("h2", section)), term));
      }
      const rows = [...visibleBody(table).rows];
      const shown = rows.filter((row) => !row.hidden).length;
      section.hidden = !shown;
      count.shown += shown;
      count.all += rows.length;
    }
    const noun = fold?.checked ? "settings" : "runs";
    document.getElementById("status").textContent = terms.length ? `${count.shown} of ${count.all} ${noun}` : "";
  }

  const visibleBody = (table) => $(fold?.checked ? "tbody.settings" : "tbody.runs", table);

  function applyFold() {
    for (const body of all("tbody.runs, tbody.settings")) body.hidden = body.classList.contains("settings") !== Boolean(fold?.checked);
  }

  function applyColumns() {
    const shown = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    for (const table of all("table.runs")) {
      [...table.tHead.rows[0].cells].forEach((head, i) => {
        const hidden = head.dataset.key !== undefined && !shown.has(head.dataset.key);
        if (head.hidden !== hidden) for (const row of table.rows) row.cells[i].hidden = hidden;
      });
    }
  }

  // Numbers by value, text by the order of the alphabet and its numbers; empty cells stay last.
  function applySorting() {
    for (const table of all("table.runs")) {
      for (const head of table.tHead.rows[0].cells) head.removeAttribute("aria-sort");
      const index = sorting ? columnOf(table, (head) => (head.dataset.key ?? "run") === sorting[0] && $("button", head)) : -1;
      if (index < 0) continue;
      const sign = sorting[1];
      table.tHead.rows[0].cells[index].setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
      for (const body of table.tBodies) {
        const keyed = [...body.rows].map((row) => [valueOf(row.cells[index]), row]);
        keyed.sort(([a], [b]) => {
          if (a === "" || b === "") return (a === "") - (b === "");
          if (typeof a === "number" && typeof b === "number") return sign * (a - b);
          return sign * String(a).localeCompare(String(b), undefined, { numeric: true });
        });
        body.append(...keyed.map(([, row]) => row));
      }
    }
  }

  function applySelection() {
    for (const row of all("tbody tr[data-runs]")) {
      const chosen = runsOf(row).every((run) => selected.has(run));
      $("input", row).checked = chosen;
      row.classList.toggle("selected", chosen);
    }
    compare.textContent = selected.size ? `Compare ${selected.size}` : "Compare";
    compare.setAttribute("aria-disabled", selected.size < 2);
    if (selected.size > 1) compare.href = `compare.html?runs=${[...selected].join()}`;
    else compare.removeAttribute("href");
    clear.hidden = !selected.size;
  }

  function drawPlanes() {
    for (const section of sections.filter((section) => !section.hidden)) {
      const plane = $(".plane", section);
      if (!plane || !window.Plotly) continue;
      const table = $("table", section);
      const [nelbo, distortion, rate] = ["nelbo", "distortion", "rate"].map((name) => columnOf(table, (head) => head.dataset.key === `test/${name}`));
      const series = [...new Set(all("tbody.runs tr", table).map((row) => row.dataset.series))].sort((a, b) => a.localeCompare(b, undefined, { numeric: true }));
      const rows = rate < 0 || distortion < 0 ? [] : [...visibleBody(table).rows];
      const points = rows.filter((row) => !row.hidden && row.cells[rate].dataset.v && row.cells[distortion].dataset.v).map((row) => ({
        x: Number(row.cells[rate].dataset.v),
        y: Number(row.cells[distortion].dataset.v),
        dx: Number(row.cells[rate].dataset.h ?? 0),
        dy: Number(row.cells[distortion].dataset.h ?? 0),
        nelbo: row.cells[nelbo]?.textContent ?? "",
        name: titleOf($(".name", row)),
        href: $("a", row).getAttribute("href"),
        series: row.dataset.series,
        color: seriesColor(series.indexOf(row.dataset.series)),
        selected: row.classList.contains("selected"),
      }));
      plane.hidden = !points.length;
      if (points.length) drawPlane(plane, points);
    }
  }

  function saveState() {
    const columns = boxes.filter((box) => box.checked).map((box) => box.value).join();
    const state = { q: filter.value, fold: fold?.checked ? 1 : "", sort: sorting?.join() ?? "", runs: [...selected].join(), columns: columns === initial ? "" : columns };
    const given = Object.entries(state).filter(([, value]) => value);
    history.replaceState(null, "", `#${new URLSearchParams(given)}`);
  }

  function loadState() {
    const state = new URLSearchParams(location.hash.slice(1));
    filter.value = state.get("q") ?? "";
    if (fold) fold.checked = state.has("fold");
    const [key, sign] = state.get("sort")?.split(/,(?=-?1$)/) ?? [];
    if (key) sorting = [key, Number(sign)];
    state.get("runs")?.split(",").forEach((run) => selected.add(run));
    const columns = (state.get("columns") ?? initial).split(",");
    for (const box of boxes) box.checked = columns.includes(box.value);
  }

  function update(...steps) {
    for (const step of steps) step();
    saveState();
  }

  filter.addEventListener("input", () => update(applyFilter, drawPlanes));
  fold?.addEventListener("change", () => update(applyFold, applyFilter, drawPlanes));
  clear.addEventListener("click", () => update(() => selected.clear(), applySelection, drawPlanes));
  chooser.addEventListener("change", () => update(applyColumns));
  $(".toolbar").addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.target.matches("input")) {
      event.preventDefault();
      filter.focus();
    }
    if (event.key === "Escape" && chooser.open) {
      chooser.open = false;
      $("summary", chooser).focus();
    }
  });
  document.addEventListener("click", (event) => {
    if (!chooser.contains(event.target)) chooser.open = false;
  });
  for (const table of all("table.runs")) {
    table.addEventListener("change", ({ target }) => {
      for (const run of runsOf(target.closest("tr"))) selected[target.checked ? "add" : "delete"](run);
      update(applySelection, drawPlanes);
    });
    table.tHead.addEventListener("click", ({ target }) => {
      const head = target.closest("button")?.parentElement;
      if (!head) return;
      sorting = [head.dataset.key ?? "run", head.getAttribute("aria-sort") === "ascending" ? -1 : 1];
      update(applySorting);
    });
  }
  onColorChange(drawPlanes);
  loadState();
  for (const step of [applyColumns, applySorting, applyFold, applyFilter, applySelection, drawPlanes]) step();
}
