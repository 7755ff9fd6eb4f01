// Draw a digit: a board for mouse, finger and keyboard, and what three classifiers of 100 labels make of the drawing.

"use strict";

const FOLDER = document.currentScript.src.replace(/[^/]*$/, "");
const NAMES = ["supervised", "sgan", "noisy-student"];
const BOARD = 280; // pixels of the board along each side
const PEN = 22; // its line in pixels: as broad as in MNIST, once the digit is shrunk
const PREPARATIONS = {
  cleaned: ["cleaned as MNIST was", (picture) => likeMnist(picture, BOARD)],
  shrunk: ["only shrunk", (picture) => onlyShrunk(picture, BOARD)],
  inverted: ["only shrunk, dark on white", (picture) => onlyShrunk(picture, BOARD).map((value) => -value)],
};

/** One board with its answers. With `data-small` it has neither choices nor bars: for the front page. */
class Drawing {
  constructor(root) {
    this.small = "small" in root.dataset;
    root.innerHTML = `<div><canvas class="draw-board" width="${BOARD}" height="${BOARD}" tabindex="0" role="img"
      aria-label="A board to draw a digit on, by mouse or finger. With the keyboard, arrows move the pen, the space bar puts it down and lifts it, Delete clears."></canvas>
      <div class="lab-controls"><button type="button">Clear</button><button type="button">Undo</button><label>as <select></select></label></div>
      <figure><canvas class="draw-seen" width="28" height="28" role="img" aria-label="The image that the classifiers see"></canvas>
      <figcaption>what the classifiers see</figcaption></figure></div>
      <div><div class="draw-answers"></div><p class="draw-says" role="status"></p></div>`;
    const find = (selector) => root.querySelector(selector);
    [this.board, this.seen, this.answers] = [".draw-board", ".draw-seen", ".draw-answers"].map(find);
    [this.says, this.preparation] = [".draw-says", "select"].map(find);
    for (const [name, [words]] of Object.entries(PREPARATIONS)) this.preparation.add(new Option(words, name));
    this.preparation.closest("label").hidden = find("figure").hidden = this.small;
    this.preparation.addEventListener("change", () => this.show(this.strokes));
    const [clear, undo] = root.querySelectorAll("button");
    clear.addEventListener("click", () => this.show([]));
    undo.addEventListener("click", () => this.show(this.strokes.slice(0, -1)));
    this.board.addEventListener("pointerenter", loadClassifiers, { once: true });
    this.board.addEventListener("focus", loadClassifiers, { once: true });
    this.board.addEventListener("pointerdown", (event) => {
      this.board.setPointerCapture(event.pointerId);
      this.strokes.push([this.placeOf(event)]);
      this.change();
    });
    this.board.addEventListener("pointermove", (event) => {
      if (!this.board.hasPointerCapture(event.pointerId)) return;
      this.strokes.at(-1).push(...(event.getCoalescedEvents?.() ?? [event]).map((each) => this.placeOf(each)));
      this.change();
    });
    this.board.addEventListener("pointerup", () => this.answer());
    this.board.addEventListener("keydown", (event) => this.press(event));
    this.show([]);
  }

  /** Return where a pointer is on the board, in hundredths of its side. */
  placeOf(event) {
    const box = this.board.getBoundingClientRect();
    return [(100 * (event.clientX - box.left)) / box.width, (100 * (event.clientY - box.top)) / box.height];
  }

  press(event) {
    const steps = { ArrowLeft: [-3, 0], ArrowRight: [3, 0], ArrowUp: [0, -3], ArrowDown: [0, 3] };
    if (event.key === "Delete") this.show([]);
    else if (event.key === " ") {
      this.down = !this.down;
      if (this.down) this.strokes.push([[...this.pen]]);
    } else if (event.key in steps) {
      this.pen = this.pen.map((place, axis) => Math.min(Math.max(place + steps[event.key][axis], 0), 100));
      if (this.down) this.strokes.at(-1).push([...this.pen]);
    } else return;
    event.preventDefault();
    this.change();
    if (!this.down) this.answer();
  }

  /** Show strokes, lists of places in hundredths of the board's side, and what the classifiers say. */
  show(strokes, preparation = this.preparation.value) {
    this.strokes = strokes.map((stroke) => [...stroke]);
    this.preparation.value = preparation;
    this.pen = [50, 50];
    this.down = false;
    this.change();
    this.answer();
  }

  /** Draw the strokes, and answer with the next frame. */
  change() {
    const pen = this.board.getContext("2d", { willReadFrequently: true });
    const dark = this.preparation.value === "inverted";
    pen.fillStyle = dark ? "white" : "black";
    pen.fillRect(0, 0, BOARD, BOARD);
    Object.assign(pen, { strokeStyle: dark ? "black" : "white", lineWidth: PEN, lineCap: "round", lineJoin: "round" });
    for (const stroke of this.strokes) {
      pen.beginPath();
      pen.moveTo(...stroke[0].map((place) => (place * BOARD) / 100));
      for (const place of stroke) pen.lineTo(...place.map((each) => (each * BOARD) / 100));
      pen.stroke();
    }
    const pixels = pen.getImageData(0, 0, BOARD, BOARD).data.filter((_, place) => place % 4 === 0);
    this.picture = dark ? pixels.map((value) => 255 - value) : pixels; // the sign is bright here, whatever is shown
    if (document.activeElement === this.board && this.board.matches(":focus-visible")) this.showPen(pen);
    if (!this.waiting) this.waiting = requestAnimationFrame(() => this.answer({ aloud: false }));
  }

  showPen(pen) {
    pen.strokeStyle = this.down ? "#d55e00" : "#56b4e9";
    pen.lineWidth = 3;
    pen.beginPath();
    pen.arc(...this.pen.map((place) => (place * BOARD) / 100), 12, 0, 7);
    pen.stroke();
  }

  /** Ask the classifiers, and show their bars; say the result in words when a stroke has ended. */
  async answer({ aloud = true } = {}) {
    this.waiting = 0;
    const image = this.strokes.length ? PREPARATIONS[this.preparation.value][1](this.picture) : null;
    this.showSeen(image);
    const classifiers = image ? await loadClassifiers() : [];
    this.probabilities = classifiers.map(({ classifier }) => [...classifier.probabilities(image)]);
    const found = classifiers.map(({ title, accuracy }, number) => {
      const best = this.probabilities[number].indexOf(Math.max(...this.probabilities[number]));
      return { title, accuracy, best, sure: Math.round(100 * this.probabilities[number][best]) };
    });
    this.answers.replaceChildren(
      ...(this.small ? [] : found.map((each, number) => barsOf(each, this.probabilities[number])))
    );
    if (aloud || this.small) {
      const lines = found.map(({ title, best, sure }) => `${title}: ${best} (${sure} %)`);
      this.says.textContent = image ? lines.join("\n") : "Draw a digit with mouse, finger or arrow keys.";
    }
  }

  showSeen(image) {
    const shown = new ImageData(28, 28);
    for (let place = 0; place < 784; place++) {
      shown.data.fill(image ? (image[place] + 1) * 127.5 : 0, 4 * place, 4 * place + 3);
      shown.data[4 * place + 3] = 255;
    }
    this.seen.getContext("2d").putImageData(shown, 0, 0);
  }
}

/** Return the ten bars of one classifier. */
function barsOf({ title, accuracy, best, sure }, probabilities) {
  const element = document.createElement("div");
  element.className = "draw-answer";
  const bars = probabilities.map((probability, digit) => {
    return `<span${digit === best ? ' class="best"' : ""} style="--share: ${probability}"><i></i>${digit}</span>`;
  });
  element.innerHTML = `<p><strong></strong>: ${best} (${sure} %)</p><div class="draw-bars" aria-hidden="true">${bars.join("")}</div>
    <p class="draw-accuracy">right for ${(100 * accuracy).toFixed(1)} % of MNIST's test images</p>`;
  element.querySelector("strong").textContent = title;
  return element;
}

let loading;

/** Load the classifiers' scripts, once, and return [{title, accuracy, classifier}]. */
function loadClassifiers() {
  loading ??= Promise.all(
    NAMES.map(
      (name) =>
        new Promise((resolve, reject) => {
          const script = document.createElement("script");
          script.onload = () => {
            const { layers, ...about } = window.CLASSIFIERS[name];
            resolve({ ...about, classifier: Classifier.decode(layers) });
          };
          script.onerror = () => reject(new Error(`The weights of ${name} could not be read.`));
          script.src = `${FOLDER}weights-${name}.js`;
          document.head.append(script);
        })
    )
  );
  return loading;
}

for (const root of document.querySelectorAll(".draw")) {
  const drawing = new Drawing(root);
  for (const button of root.hasAttribute("data-small") ? [] : document.querySelectorAll("[data-drawing]")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      const { strokes, preparation } = JSON.parse(button.dataset.drawing);
      drawing.show(strokes, preparation);
      root.scrollIntoView({ block: "start" });
    });
  }
}
