// One slider per latent, the most informative first.

const SHOWN = 12; // before "show all"

export class Sliders {
  /** onChange receives an index, its value, and whether the slider is still moving. */
  constructor(container, manifest, { onChange, onReset }) {
    this.rows = [];
    const largest = Math.max(...(manifest.kl ?? [1]), 1e-9);
    manifest.order.forEach((latent, place) => {
      const row = document.createElement("div");
      row.className = "slider";
      row.hidden = place >= SHOWN;
      const kl = manifest.kl?.[latent];
      row.innerHTML = `
        <label>z<sub>${latent}</sub></label>
        <input type="range" step="any" aria-label="z ${latent}">
        <input type="number" step="0.1" aria-label="z ${latent} as a number">
        <span class="kl"></span>`;
      const [range, number] = row.querySelectorAll("input");
      const bar = row.querySelector(".kl");
      if (kl !== undefined) {
        bar.style.setProperty("--share", kl / largest);
        row.title = `KL ${kl.toFixed(2)} nats; double-click the name for the prior mean`;
      }
      [range.min, range.max] = [manifest.low[latent], manifest.high[latent]];
      range.addEventListener("input", () => onChange(latent, range.valueAsNumber, true));
      range.addEventListener("change", () => onChange(latent, range.valueAsNumber, false));
      number.addEventListener("change", () => {
        if (Number.isFinite(number.valueAsNumber)) onChange(latent, number.valueAsNumber, false);
      });
      row.querySelector("label").addEventListener("dblclick", () => onReset(latent));
      container.append(row);
      this.rows.push({ latent, row, range, number });
    });
    if (manifest.order.length > SHOWN) this.addMore(container);
  }

  addMore(container) {
    const button = document.createElement("button");
    button.textContent = `Show all ${this.rows.length} latents`;
    button.addEventListener("click", () => {
      for (const { row } of this.rows) row.hidden = false;
      button.remove();
    });
    container.append(button);
  }

  show(z) {
    for (const { latent, range, number } of this.rows) {
      const value = z[latent];
      range.min = Math.min(range.min, value); // the code of an unusual image may lie outside
      range.max = Math.max(range.max, value);
      range.value = value;
      if (number !== document.activeElement) number.value = (Math.abs(value) < 0.005 ? 0 : value).toFixed(2);  // never -0.00
    }
  }
}
