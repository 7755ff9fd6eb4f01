// Walk through a recorded training: one slider moves digits, losses and accuracy; another goes from noise to noise.

"use strict";

const SIDE = 28; // pixels of a digit
const LOWEST_ACCURACY = 88; // of the plot, in per cent: what comes before is the first moments
const [SHOWN, STEPS] = [24, 11]; // digits at each moment, and places on the way between two noise vectors
const LOSS_COLORS = {
  "class loss": "#e69f00",
  "real loss": "#009e73",
  "fake loss": "#cc79a7",
  "generator loss": "#0072b2",
};
const [WIDTH, HEIGHT, LEFT, BOTTOM] = [340, 190, 44, 36]; // of a plot, in units of its drawing

/** One walk: {moments, every, losses, lossesAt, accuracies, noise} of tools/record_walks.py, and its picture. */
class Walk {
  constructor(root, record, source) {
    Object.assign(this, { root, record });
    const last = record.moments.length - 1;
    const views = `<div class="film-controls"><button type="button">Play</button>
      <label>iteration <input type="range" min="0" max="${last}" value="${last}"><output></output></label></div>
      <div class="walk-views"><div><canvas class="walk-digits" width="${8 * SIDE}" height="${3 * SIDE}" role="img"></canvas>
      <p class="walk-says" role="status"></p>
      <div class="walk-morph"><figure><canvas width="10" height="10" role="img" aria-label="100 numbers of noise, dark to bright"></canvas>
      <figcaption>noise</figcaption></figure><figure><canvas width="${SIDE}" height="${SIDE}" role="img"></canvas>
      <figcaption>its image</figcaption></figure><label>from one noise vector to another
      <input type="range" min="0" max="${STEPS - 1}" value="0"><output></output></label></div></div>
      <div class="walk-plots"></div></div>`;
    root.insertAdjacentHTML("afterbegin", views);
    const every = (selector) => [...root.querySelectorAll(selector)];
    [this.moment, this.way] = every("input");
    [this.digits, this.noise, this.image] = every("canvas");
    this.play = root.querySelector("button");
    this.says = root.querySelector(".walk-says");
    const plots = root.querySelector(".walk-plots");
    this.plots = [new Plot(plots, record, "loss (nats)", record.losses, record.every)];
    if (record.accuracies) {
      const accuracy = { "test accuracy": record.accuracies.map((share) => 100 * share) };
      this.plots.push(new Plot(plots, record, "test accuracy (%)", accuracy));
    }
    this.play.addEventListener("click", () => this.run(!this.timer));
    for (const input of [this.moment, this.way]) {
      input.addEventListener("input", () => {
        this.run(false);
        this.show();
      });
    }
    this.sprite = new Image();
    this.sprite.onload = () => this.show();
    this.sprite.src = source;
  }

  /** Play from the left, or from where the slider is; a click on the button is the only thing that starts it. */
  run(on) {
    clearInterval(this.timer);
    this.timer = 0;
    this.play.textContent = on ? "Pause" : "Play";
    if (!on) return;
    const last = Number(this.moment.max);
    if (Number(this.moment.value) === last) this.moment.value = 0;
    this.show();
    this.timer = setInterval(() => {
      this.moment.value = Number(this.moment.value) + 1;
      this.show();
      if (Number(this.moment.value) === last) this.run(false);
    }, 700);
  }

  show() {
    const [row, step] = [Number(this.moment.value), Number(this.way.value)];
    const { moments, lossesAt, accuracies, noise } = this.record;
    const iteration = moments[row].toLocaleString("en");
    for (let digit = 0; digit < SHOWN; digit++) this.copy(this.digits, row, digit, digit % 8, Math.floor(digit / 8));
    this.copy(this.image, row, SHOWN + step, 0, 0);
    const share = step / (STEPS - 1);
    const pixels = new ImageData(10, 10);
    for (let place = 0; place < 100; place++) {
      const value = (1 - share) * noise[0][place] + share * noise[1][place];
      pixels.data.set([...Array(3).fill(128 + 50 * value), 255], 4 * place);
    }
    this.noise.getContext("2d").putImageData(pixels, 0, 0);
    for (const plot of this.plots) plot.mark(moments[row]);
    const told = Object.entries(lossesAt).map(([name, values]) => `${name} ${values[row]?.toFixed(2) ?? "–"}`);
    if (accuracies) told.push(`test accuracy ${(100 * accuracies[row]).toFixed(1)} %`);
    this.says.textContent = `Iteration ${iteration}: ${told.join(", ")}.`;
    const [counted, way] = this.root.querySelectorAll("output");
    counted.textContent = iteration;
    way.textContent = `${Math.round(100 * share)} %`;
    this.digits.setAttribute("aria-label", `24 generated digits after ${iteration} iterations`);
    this.image.setAttribute("aria-label", `What the generator makes of this noise after ${iteration} iterations`);
  }

  copy(canvas, row, column, x, y) {
    const pen = canvas.getContext("2d");
    pen.drawImage(this.sprite, column * SIDE, row * SIDE, SIDE, SIDE, x * SIDE, y * SIDE, SIDE, SIDE);
  }
}

/** Curves against the iteration, with a line at the moment that is shown. */
class Plot {
  constructor(parent, { moments }, title, curves, every = 0) {
    this.last = moments.at(-1);
    const values = Object.values(curves).flat();
    const low = every ? 0 : LOWEST_ACCURACY;
    const high = Math.max(...values);
    const y = (value) => 8 + (HEIGHT - BOTTOM - 8) * (1 - Math.max(value - low, 0) / (high - low));
    const lines = Object.entries(curves).map(([name, points]) => {
      const places = points.map(
        (value, number) => `${this.x(every ? every * (number + 1) : moments[number])},${y(value)}`
      );
      return `<polyline fill="none" stroke="${LOSS_COLORS[name] ?? "#e69f00"}" stroke-width="2" points="${places.join(" ")}"/>`;
    });
    const ticks = [low, high].map(
      (value) => `<text x="${LEFT - 6}" y="${y(value) + 4}" text-anchor="end">${+value.toFixed(1)}</text>`
    );
    const iterations = [0, this.last].map((place, end) => {
      return `<text x="${this.x(place)}" y="${HEIGHT - BOTTOM + 16}" text-anchor="${end ? "end" : "start"}">${place.toLocaleString("en")}</text>`;
    });
    const names = every
      ? Object.keys(curves).map((name) => `<span style="--line: ${LOSS_COLORS[name]}">${name}</span>`)
      : [];
    parent.insertAdjacentHTML(
      "beforeend",
      `<div><p>${title} ${names.join(" ")}</p><svg viewBox="0 0 ${WIDTH} ${HEIGHT}" aria-hidden="true">
      <path d="M${LEFT} 8V${HEIGHT - BOTTOM}H${WIDTH - 8}" fill="none" stroke="currentColor"/>${lines.join("")}${ticks.join("")}
      ${iterations.join("")}<text x="${(WIDTH + LEFT) / 2}" y="${HEIGHT - BOTTOM + 16}" text-anchor="middle">iteration</text>
      <line class="walk-mark" y1="4" y2="${HEIGHT - BOTTOM}" stroke="currentColor" stroke-width="2"/></svg></div>`
    );
    this.line = parent.lastElementChild.querySelector(".walk-mark");
  }

  x(iteration) {
    return LEFT + ((WIDTH - LEFT - 8) * iteration) / this.last;
  }

  mark(iteration) {
    for (const end of ["x1", "x2"]) this.line.setAttribute(end, this.x(iteration));
  }
}

// A walk is built when its section comes near, and takes the place of the film there.
for (const root of document.querySelectorAll(".walk")) {
  const section = root.closest("section");
  const observer = new IntersectionObserver(
    ([entry]) => {
      if (!entry.isIntersecting) return;
      observer.disconnect();
      root.hidden = false;
      for (const film of section.querySelectorAll(".film")) (film.closest("figure") ?? film).hidden = true;
      new Walk(root, window.WALKS[root.dataset.walk], root.dataset.source);
    },
    { rootMargin: "600px" }
  );
  observer.observe(section);
}
