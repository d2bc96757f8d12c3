// The curves on the page of a run. Its data.js calls addRun.
"use strict";

function addRun(run) {
  const container = document.querySelector(".curves");
  const draw = () => drawCurves(container, [run]);
  if (!container) return;
  if (!Object.keys(run.curves).length) container.textContent = "No curves were logged.";
  else {
    draw();
    onColorChange(draw);
  }
}
