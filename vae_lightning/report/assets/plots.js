// Plots, drawn by Plotly in the colors of the page.
"use strict";

const SERIES_COLORS = ["#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#3ca951", "#ff8ab7", "#a463f2", "#97bbf5", "#9c6b4e", "#9498a0"];
const seriesColor = (i) => SERIES_COLORS[i % SERIES_COLORS.length];
// Plotly renders some HTML in text, so names from runs are escaped.
const plotText = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
const CONFIG = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d", "toImage"] };

function plotLayout(x, y) {
  const style = getComputedStyle(document.documentElement);
  const color = (name) => style.getPropertyValue(name).trim();
  const axis = { gridcolor: color("--line"), zeroline: false, linecolor: color("--muted"), ticks: "outside", tickcolor: color("--line") };
  return {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, sans-serif", size: 12, color: color("--text") },
    margin: { l: 58, r: 12, t: 12, b: 44 },
    hovermode: "closest",
    hoverlabel: { bgcolor: color("--panel"), bordercolor: color("--muted"), font: { color: color("--text") }, align: "left" },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: color("--muted"), activecolor: color("--text") },
    legend: { orientation: "h", itemsizing: "constant", y: 1.02, yanchor: "bottom", x: 0, font: { size: 11 } },
    xaxis: { ...axis, title: { text: x } },
    yaxis: { ...axis, title: { text: y } },
  };
}

function paddedRange(values) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const pad = 0.08 * (high - low) || 0.05 * Math.abs(high) || 1;
  return [low - pad, high + pad];
}

// Lines of equal nelbo = distortion + rate that cross the ranges, and the value at the upper or left end of each.
function isoLines([left, right], [bottom, top], color) {
  const span = right + top - (left + bottom);
  const power = 10 ** Math.floor(Math.log10(span / 6));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power * 6 >= span);
  const [shapes, annotations] = [[], []];
  for (let nelbo = Math.ceil((left + bottom) / step) * step; nelbo < right + top; nelbo += step) {
    const x = Math.max(left, nelbo - top);
    shapes.push({ type: "line", layer: "below", x0: left - span, y0: nelbo - left + span, x1: right + span, y1: nelbo - right - span, line: { color, width: 1, dash: "dot" } });
    annotations.push({ x, y: nelbo - x, text: Number(nelbo.toPrecision(6)), showarrow: false, xanchor: "left", yanchor: "top", font: { size: 10, color } });
  }
  return { shapes, annotations };
}

// points: {x, y, dx, dy, name, series, color, href, nelbo, selected}
function drawPlane(element, points) {
  const layout = plotLayout("rate, nats per image", "distortion, nats per image");
  if (points.length) {
    layout.xaxis.range = paddedRange(points.map((p) => p.x));
    layout.yaxis.range = paddedRange(points.map((p) => p.y));
    const muted = getComputedStyle(document.documentElement).getPropertyValue("--muted").trim();
    Object.assign(layout, isoLines(layout.xaxis.range, layout.yaxis.range, muted));
  }
  const traces = [...new Set(points.map((p) => p.series))].map((series) => {
    const members = points.filter((p) => p.series === series);
    const errors = (key) => ({ type: "data", array: members.map((p) => p[key]), thickness: 1, width: 0, visible: members.some((p) => p[key]) });
    return {
      type: "scatter",
      mode: "markers",
      name: plotText(series),
      x: members.map((p) => p.x),
      y: members.map((p) => p.y),
      error_x: errors("dx"),
      error_y: errors("dy"),
      customdata: members.map((p) => [plotText(p.name), p.href, p.nelbo]),
      hovertemplate: "<b>%{customdata[0]}</b><br>nelbo %{customdata[2]}<br>distortion %{y:.2f}<br>rate %{x:.2f}<extra>%{fullData.name}</extra>",
      marker: {
        color: members[0].color,
        opacity: 1,
        size: members.map((p) => (p.selected ? 15 : 9)),
        line: { width: members.map((p) => (p.selected ? 2.5 : 0)), color: layout.font.color },
      },
    };
  });
  const isNew = !element.data;
  Plotly.react(element, traces, layout, CONFIG);
  if (isNew) element.on("plotly_click", (event) => { location.href = event.points[0].customdata[1]; });
}

// Draws nelbo, distortion and rate of some runs, each in its own color if there are several.
function drawCurves(container, runs) {
  container.replaceChildren();
  const single = runs.length === 1;
  const plots = [];
  for (const metric of ["nelbo", "distortion", "rate"]) {
    const traces = runs.flatMap((run, i) => ["train", "val"].flatMap((split, j) => {
      const curve = run.curves[`${split}/${metric}`];
      if (!curve) return [];
      const line = { color: seriesColor(single ? j : i), dash: single || split === "train" ? "solid" : "dash", width: 1.8 };
      const name = plotText(single ? split : `${run.name}, ${split}`);
      return [{ type: "scatter", mode: curve[0].length > 1 ? "lines" : "markers", name, x: curve[0], y: curve[1], line, hovertemplate: "%{y:.2f}<extra>%{fullData.name}</extra>" }];
    }));
    if (!traces.length) continue;
    const layout = plotLayout("", metric);
    layout.showlegend = single;
    layout.margin.t = 28;
    plots.push([container.appendChild(document.createElement("div")), traces, layout]);
  }
  for (const plot of plots) Plotly.newPlot(...plot, CONFIG); // once all have their place, which determines their width
}

const onColorChange = (draw) => matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
