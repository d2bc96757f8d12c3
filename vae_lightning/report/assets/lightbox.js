// A click on a figure enlarges it; arrow keys show the others.
"use strict";

{
  const box = document.getElementById("lightbox");
  let current = 0;

  const buttons = () => [...document.querySelectorAll("button.enlarge")];

  function show(index) {
    const all = buttons();
    current = (index + all.length) % all.length;
    const image = all[current].querySelector("img");
    box.querySelector("img").src = image.src;
    box.querySelector("img").alt = image.alt;
    box.querySelector("span").textContent = `${image.alt} (${current + 1} of ${all.length})`;
    if (!box.open) box.showModal();
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button.enlarge");
    if (button) show(buttons().indexOf(button));
  });
  box.addEventListener("click", (event) => {
    const step = event.target.dataset?.step;
    if (step) show(current + Number(step));
    else if (event.target === box || "close" in event.target.dataset) box.close();
  });
  box.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step) show(current + step);
  });
  box.addEventListener("close", () => buttons()[current]?.focus());
}
