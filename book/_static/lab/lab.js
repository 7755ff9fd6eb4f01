// The lab: draws trainings side by side, and lets the reader choose, play, step, and put labels and fakes into the plane.

"use strict";

const COLORS = { classes: ["#0072b2", "#e69f00"], fake: "#cc79a7", real: "#666666" };
const GRID = 56; // places along each side at which the regions are computed
const PACE = 8; // updates in a frame, at most: faster, and nobody could watch
const BUDGET = 7; // milliseconds of updates in a frame, at most
const EXPERIMENT = 1000; // updates after which an experiment rests
const SELDOM = 4; // frames between two pictures of the regions, which cost more than the rest

/** One training with its picture, its choice of fakes and its figures. */
class Panel {
  constructor(lab, fakes) {
    this.lab = lab;
    this.fakes = fakes;
    this.element = document.createElement("div");
    this.element.className = "lab-panel";
    this.element.innerHTML = `<label>Fakes <select></select> <button type="button" hidden>Undo</button></label>
      <canvas width="600" height="600" tabindex="0" role="img"></canvas>
      <p class="lab-here">Point at a place to read its log Z.</p><p class="lab-figures" role="status"></p>`;
    [this.select, this.undo, this.canvas, this.here, this.figures] = "select button canvas .lab-here .lab-figures"
      .split(" ")
      .map((selector) => this.element.querySelector(selector));
    for (const [value, text] of Object.entries(FAKES)) this.select.add(new Option(text, value));
    this.select.value = fakes;
    this.select.addEventListener("change", () => {
      this.fakes = this.select.value;
      this.restart();
    });
    this.undo.addEventListener("click", () => {
      this.training.placed.length -= 2;
      this.draw();
    });
    this.canvas.addEventListener("pointerdown", (event) => this.put(...this.placeOf(event)));
    this.canvas.addEventListener("pointermove", (event) => {
      if (event.buttons && this.lab.draws) this.put(...this.placeOf(event));
      else this.read(...this.placeOf(event));
    });
    this.canvas.addEventListener("pointerup", () => this.lab.draws && this.lab.restart());
    this.canvas.addEventListener("keydown", (event) => this.press(event));
    this.canvas.addEventListener("blur", () => this.draw());
    this.cursor = [0, 0];
    this.restart();
  }

  restart() {
    const placed = this.training?.placed ?? [];
    this.training = new Training({ ...this.lab.choices, fakes: this.fakes, own: this.lab.own });
    if (this.fakes === "hand") this.training.placed = placed;
    this.layer = drawLayer(this.canvas.width, this.lab.draws ? this.lab.own.points : this.training.points);
    this.canvas.style.touchAction = this.lab.draws ? "none" : "";
    this.draw();
    this.tell();
  }

  placeOf(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, box.bottom - event.clientY].map((place) => REACH * ((2 * place) / box.width - 1));
  }

  /** Say what the discriminator thinks of a place, until another one is pointed at. */
  read(...place) {
    this.place = place;
    const { heights, probabilities } = realLogitsOf(
      this.training.discriminator.forward(Float32Array.from(place), 1),
      1
    );
    const kind = probabilities[1] > 0.5 ? "a square" : "a circle";
    const height = heights[0].toFixed(1).replace("-", "−");
    const sure = `${kind} with ${(100 * Math.max(...probabilities)).toFixed(0)} %`;
    const verdict = `${heights[0] > 0 ? "real" : "fake"}; if real, ${sure}`;
    this.here.textContent = this.training.updates
      ? `Where you point: log Z is ${height}, ${this.fakes === "none" ? `which means nothing without fakes; ${sure}` : verdict}.`
      : "Where you point: nothing is learned yet.";
  }

  /** Arrows move a cursor over the plane, and Enter or the space bar does what a click does there. */
  press(event) {
    const steps = { ArrowLeft: [-0.07, 0], ArrowRight: [0.07, 0], ArrowUp: [0, 0.07], ArrowDown: [0, -0.07] };
    if (event.key in steps) {
      this.cursor = this.cursor.map((place, axis) => Math.min(Math.max(place + steps[event.key][axis], -REACH), REACH));
      this.draw();
      this.read(...this.cursor);
    } else if (event.key === "Enter" || event.key === " ") {
      this.put(...this.cursor);
      if (this.lab.draws) this.lab.restart();
    } else return;
    event.preventDefault();
  }

  /** Put down points or a fake, take away the label at a place, or give the nearest point a label. */
  put(x, y) {
    const { training } = this;
    const tool = this.lab.tool.value;
    if (this.lab.draws) {
      this.lab.drawOwn(x, y);
      this.layer = drawLayer(this.canvas.width, this.lab.own.points);
    } else if (tool === "fake") {
      training.fakes = this.fakes = this.select.value = "hand";
      training.placed.push(x, y);
    } else if (training.classes.length) {
      const row = training.classes.reduce(
        (best, _, each) => (this.far(each, x, y) < this.far(best, x, y) ? each : best),
        0
      );
      const near = training.labeled.find((each) => this.far(each, x, y) < 0.08);
      for (const panel of this.lab.panels) panel.changeLabel(near ?? row, near !== undefined); // all have the same data
    }
    this.draw();
    this.tell();
  }

  /** Take the label of a point away, or give it one. */
  changeLabel(row, away) {
    const others = this.training.labeled.filter((each) => each !== row);
    this.training.labeled = away ? others : [...others, row];
    this.draw();
    this.tell();
  }

  far(row, x, y) {
    return Math.hypot(this.training.points[2 * row] - x, this.training.points[2 * row + 1] - y);
  }

  draw({ regions = true } = {}) {
    const { canvas, training } = this;
    const pen = canvas.getContext("2d");
    const size = canvas.width;
    const at = (value) => ((value / REACH + 1) * size) / 2;
    if (regions) this.ground = drawRegions(training.discriminator, this.lab.height.checked);
    pen.imageSmoothingEnabled = this.lab.height.checked;
    pen.fillStyle = "white"; // an untrained network has nothing to say
    pen.fillRect(0, 0, size, size);
    if (training.updates) pen.drawImage(this.ground, 0, 0, size, size);
    pen.drawImage(this.layer, 0, 0);
    pen.strokeStyle = COLORS.fake;
    pen.lineWidth = 2.5;
    const fakes = this.fakes === "hand" ? training.placed : (training.shown ?? []);
    this.undo.hidden = this.fakes !== "hand" || !fakes.length;
    for (let place = 0; place < fakes.length; place += 2) {
      const [x, y] = [at(fakes[place]), size - at(fakes[place + 1])];
      pen.beginPath();
      for (const slope of [-5, 5]) {
        pen.moveTo(x - 5, y - slope);
        pen.lineTo(x + 5, y + slope);
      }
      pen.stroke();
    }
    pen.strokeStyle = "black";
    for (const row of training.labeled) {
      const kind = training.classes[row];
      pen.fillStyle = COLORS.classes[kind];
      const [x, y] = [at(training.points[2 * row]), size - at(training.points[2 * row + 1])];
      pen.beginPath();
      if (kind) pen.rect(x - 9, y - 9, 18, 18);
      else pen.arc(x, y, 10, 0, 7);
      pen.fill();
      pen.stroke();
    }
    if (document.activeElement === canvas && canvas.matches(":focus-visible")) {
      pen.lineWidth = 3;
      pen.strokeRect(at(this.cursor[0]) - 14, size - at(this.cursor[1]) - 14, 28, 28);
    }
  }

  tell() {
    const { updates, losses, labeled } = this.training;
    if (this.place) this.read(...this.place);
    const parts = Object.entries(losses).map(([name, loss]) => `${name} ${loss.toFixed(2)}`);
    const accuracy = this.training.accuracy().toFixed(0);
    this.figures.textContent = this.lab.empty
      ? "Draw points of both classes into the plane: hold and drag, or Enter at the cursor."
      : `${updates} updates, ${labeled.length} labels: ${accuracy} % of new points right. ${parts.join(", ")}`;
    this.canvas.setAttribute(
      "aria-label",
      `The plane after ${updates} updates, with the regions of two classes: ${accuracy} % right. Arrow keys move a cursor, Enter clicks there.`
    );
  }
}

/** Return a small picture of the plane by class, or by the height log Z: light where the discriminator says "real". */
function drawRegions(discriminator, asHeight) {
  const places = new Float32Array(2 * GRID * GRID);
  for (let row = 0; row < GRID * GRID; row++) {
    places[2 * row] = REACH * ((2 * ((row % GRID) + 0.5)) / GRID - 1);
    places[2 * row + 1] = REACH * (1 - (2 * (Math.floor(row / GRID) + 0.5)) / GRID);
  }
  const { heights, probabilities } = realLogitsOf(discriminator.forward(places, GRID * GRID), GRID * GRID);
  const image = new ImageData(GRID, GRID);
  const [first, second] = COLORS.classes.map((color) =>
    [1, 3, 5].map((from) => parseInt(color.slice(from, from + 2), 16))
  );
  for (let row = 0; row < GRID * GRID; row++) {
    const share = asHeight ? sigmoid(heights[row]) : probabilities[2 * row + 1] > 0.5 ? 1 : 0;
    for (let part = 0; part < 3; part++) {
      const color = asHeight ? 60 + 190 * share : share ? second[part] : first[part];
      image.data[4 * row + part] = asHeight ? color : 255 - 0.35 * (255 - color);
    }
    image.data[4 * row + 3] = 255;
  }
  const small = new OffscreenCanvas(GRID, GRID);
  small.getContext("2d").putImageData(image, 0, 0);
  return small;
}

/** Return a picture of the points, which stay where they are. */
function drawLayer(size, points) {
  const layer = new OffscreenCanvas(size, size);
  const pen = layer.getContext("2d");
  pen.fillStyle = COLORS.real;
  for (let place = 0; place < points.length; place += 2) {
    pen.beginPath();
    pen.arc(((points[place] / REACH + 1) * size) / 2, size - ((points[place + 1] / REACH + 1) * size) / 2, 2.2, 0, 7);
    pen.fill();
  }
  return layer;
}

/** The lab of a page: its controls, and one panel or two. */
class Lab {
  constructor(root) {
    root.innerHTML = `<div class="lab-controls">
      <button type="button" data-act="play">Play</button><button type="button" data-act="step">Step</button>
      <button type="button" data-act="restart">Restart</button>
      <label>Data <select name="shape"></select></label>
      <label>Labels of each class <input name="labels" type="range" min="1" max="12"><output></output></label>
      <label>Seed <input name="seed" type="number" min="0" max="999"></label>
      <label>A click <select name="tool"><option value="fake">puts a fake</option>
        <option value="label">gives or takes a label</option><option value="0" hidden>draws blue points</option>
        <option value="1" hidden>draws orange points</option></select></label>
      <label><input name="height" type="checkbox"> show log Z: light is real, dark is fake</label>
      <label><input name="compare" type="checkbox"> compare two</label> <a class="lab-back" hidden></a></div>
      <div class="lab-panels"></div>`;
    const field = (name) => root.querySelector(`[name=${name}]`);
    [this.shape, this.labels, this.seed, this.tool, this.height, this.compare] = "shape labels seed tool height compare"
      .split(" ")
      .map(field);
    for (const [value, text] of Object.entries(SHAPES)) this.shape.add(new Option(text, value));
    this.own = { points: [], classes: [] };
    this.ownRandom = new RandomNumbers(1);
    this.play = root.querySelector("[data-act=play]");
    this.holder = root.querySelector(".lab-panels");
    this.play.addEventListener("click", () => this.run(!this.running));
    root.querySelector("[data-act=step]").addEventListener("click", () => this.step());
    root.querySelector("[data-act=restart]").addEventListener("click", () => this.restart());
    for (const input of [this.labels, this.seed]) input.addEventListener("change", () => this.restart());
    this.tool.addEventListener("change", () => this.shape.value === "own" && this.restart());
    this.shape.addEventListener("change", () => this.changeData());
    this.labels.addEventListener("input", () => this.showLabels());
    this.height.addEventListener("change", () => {
      for (const panel of this.panels) panel.draw();
    });
    this.compare.addEventListener("change", () => this.set({ ...this.choices, fakes: this.fakesNow() }));
    this.panels = [];
    this.set({ shape: "moons", labels: 2, seed: 1, fakes: ["none"] });
  }

  get choices() {
    return { shape: this.shape.value, labels: Number(this.labels.value), seed: Number(this.seed.value) };
  }

  /** Whether a click draws points of the reader's own, and whether there are too few of them to train. */
  get draws() {
    return this.shape.value === "own" && ["0", "1"].includes(this.tool.value);
  }

  get empty() {
    return this.shape.value === "own" && new Set(this.own.classes).size < 2;
  }

  /** Offer the tools of the chosen data, and begin own data anew. */
  changeData() {
    const own = this.shape.value === "own";
    for (const option of this.tool.options) option.hidden = ["0", "1"].includes(option.value) && !own;
    this.tool.value = own ? "0" : "fake";
    this.own = { points: [], classes: [] };
    this.restart();
  }

  /** Spray a few points of the chosen class around a place. */
  drawOwn(x, y) {
    for (let point = 0; point < 4; point++) {
      this.own.points.push(...[x, y].map((place) => place + 0.04 * this.ownRandom.normal()));
      this.own.classes.push(Number(this.tool.value));
    }
  }

  fakesNow() {
    const now = this.panels.map((panel) => panel.fakes);
    return this.compare.checked ? [now[0], now[1] ?? "gaps"] : [now[0]];
  }

  /** Set everything up for a training with one kind of fakes, or for two. */
  set({ shape, labels, seed, fakes }) {
    this.run(false);
    this.stopAt = Infinity;
    if (shape !== this.shape.value) {
      this.shape.value = shape;
      this.panels = [];
      this.changeData();
    }
    [this.labels.value, this.seed.value] = [labels, seed];
    this.compare.checked = fakes.length > 1;
    this.showLabels();
    this.panels = fakes.map((kind) => new Panel(this, kind));
    this.holder.replaceChildren(...this.panels.map((panel) => panel.element));
  }

  showLabels() {
    this.labels.nextElementSibling.textContent = this.labels.value;
  }

  restart() {
    this.run(false);
    for (const panel of this.panels) panel.restart();
  }

  step(updates = 1) {
    for (const panel of this.panels) {
      for (let update = 0; update < updates; update++) panel.training.update();
      panel.draw();
      panel.tell();
    }
  }

  run(on) {
    this.running = on;
    this.play.textContent = on ? "Pause" : "Play";
    if (on) requestAnimationFrame(() => this.frame());
    else for (const panel of this.panels) [panel.draw(), panel.tell()];
  }

  /** Use a frame's time for updates, the same number for each training, and draw. */
  frame() {
    if (!this.running) return;
    const started = performance.now();
    for (let update = 0; update < PACE && performance.now() - started < BUDGET; update++) {
      for (const panel of this.panels) panel.training.update();
    }
    if (this.panels[0].training.updates >= this.stopAt) {
      this.stopAt = Infinity; // who presses Play goes on
      return this.run(false);
    }
    this.frames = (this.frames ?? 0) + 1;
    for (const [number, panel] of this.panels.entries()) {
      panel.draw({ regions: this.frames % SELDOM === number });
      if (this.frames % 12 === number) panel.tell();
    }
    requestAnimationFrame(() => this.frame());
  }
}

const root = document.getElementById("lab");
if (root) {
  const lab = new Lab(root);
  for (const button of document.querySelectorAll("[data-experiment]")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      lab.set(JSON.parse(button.dataset.experiment));
      lab.stopAt = EXPERIMENT;
      lab.run(true);
      const section = button.closest("section");
      const back = root.querySelector(".lab-back");
      back.href = `#${section.id}`;
      back.textContent = `Experiment ${section.querySelector("h3").firstChild.textContent}: why?`;
      back.hidden = false;
      root.scrollIntoView({ block: "start" });
    });
  }
}
