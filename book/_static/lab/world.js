// A training in the plane, without a page around it: data on two curves, a few labels, fakes of some kind, one update.

"use strict";

const SHAPES = { rings: "rings", moons: "moons", spiral: "spiral", own: "drawn by you" };
const FAKES = {
  none: "none: a plain classifier",
  perfect: "perfect: drawn like the data",
  collapsed: "collapsed: all in one spot",
  gaps: "in the gaps between the data",
  hand: "where you put them",
  fool: "a generator that learns to fool",
  match: "a generator that learns to match features",
};
const REACH = 1.4; // the plane goes from -1.4 to 1.4
const BATCH = 100;
const MARGIN = 0.12; // the distance to the nearest point at which a gap begins

/** Draw points (count, 2) on two curves, with a little noise, and the class of each: those of chapter 9. */
function drawPoints(shape, count, random) {
  const points = new Float32Array(2 * count);
  const classes = new Uint8Array(count);
  for (let row = 0; row < count; row++) {
    const kind = row % 2;
    const side = 1 - 2 * kind;
    const along = random.uniform();
    let angle = Math.PI * along;
    let radius = 0.75 * side;
    let [x, y] = [0, 0];
    if (shape === "rings") [angle, radius] = [2 * Math.PI * along, kind ? 1 : 0.45];
    else if (shape === "spiral") [angle, radius] = [Math.PI * (1.5 * along + kind), 0.25 + 0.85 * along];
    else [x, y] = [-0.37 * side, -0.18 * side];
    classes[row] = kind;
    points[2 * row] = x + radius * Math.cos(angle) + 0.05 * random.normal();
    points[2 * row + 1] = y + radius * Math.sin(angle) + 0.05 * random.normal();
  }
  return { points, classes };
}

/** Draw points (count, 2) around those that the reader has drawn, {points, classes}, and the class of each. */
function drawAround({ points, classes }, count, random) {
  const rows = Array.from({ length: count }, () => random.below(classes.length));
  const places = rows.flatMap((row) => [points[2 * row], points[2 * row + 1]]);
  return {
    points: Float32Array.from(places, (place) => place + 0.02 * random.normal()),
    classes: Uint8Array.from(rows, (row) => classes[row]),
  };
}

/** Return the distance of a place to the nearest of some points. */
function distanceTo(points, x, y) {
  let least = Infinity;
  for (let place = 0; place < points.length; place += 2) {
    least = Math.min(least, (points[place] - x) ** 2 + (points[place + 1] - y) ** 2);
  }
  return Math.sqrt(least);
}

/** One training from a seed: the same choices and the same seed give the same numbers. `own`: the reader's points. */
class Training {
  constructor({ shape = "moons", labels = 4, fakes = "none", seed = 1, own = { points: [], classes: [] } } = {}) {
    Object.assign(this, { shape, fakes, seed, own });
    this.random = new RandomNumbers(1000 * seed + 17); // of the data, alike for all kinds of fakes
    const task = this.drawReal(800);
    const test = this.drawReal(1000);
    Object.assign(this, task, { test });
    this.labeled = [];
    for (let row = 0; row < 2 * labels; row++) {
      const ofClass = [...task.classes.keys()].filter((each) => task.classes[each] === row % 2);
      if (ofClass.length) this.labeled.push(ofClass[this.random.below(ofClass.length)]);
    }
    this.placed = []; // fakes of the reader's hand
    this.networkRandom = new RandomNumbers(1000 * seed + 91);
    this.discriminator = new Network([2, 48, 48, 2], this.networkRandom);
    this.optimizer = new Adam(this.discriminator, { learningRate: 0.002 });
    this.generator = new Network([2, 48, 48, 2], this.networkRandom);
    this.generatorOptimizer = new Adam(this.generator, { learningRate: 0.002 });
    this.updates = 0;
    this.losses = {};
    this.drawPool();
  }

  /** Draw real points, and the class of each. */
  drawReal(count) {
    if (this.shape !== "own") return drawPoints(this.shape, count, this.random);
    return drawAround(this.own, this.own.classes.length ? count : 0, this.random);
  }

  /** Draw the fakes that are made by hand before the training. */
  drawPool() {
    this.pool = [];
    if (this.fakes === "perfect") this.pool = [...this.drawReal(800).points];
    if (!["collapsed", "gaps"].includes(this.fakes)) return;
    while (this.pool.length < 1600) {
      const [x, y] = [0, 0].map(() => REACH * (2 * this.random.uniform() - 1));
      if (distanceTo(this.points, x, y) <= MARGIN) continue;
      if (this.fakes === "gaps") this.pool.push(x, y);
      else for (let row = 0; row < 800; row++) this.pool.push(x + this.wiggle(), y + this.wiggle());
    }
  }

  wiggle() {
    return 0.05 * this.random.normal();
  }

  /** Return a batch of fakes (BATCH, 2), or null where there is none. */
  drawFakes() {
    if (this.fakes === "fool" || this.fakes === "match") {
      return this.generator.forward(
        Float32Array.from({ length: 2 * BATCH }, () => this.random.normal()),
        BATCH
      );
    }
    const pool = this.fakes === "hand" ? this.placed : this.pool;
    if (!pool.length) return null;
    return this.pick(pool, this.fakes === "hand" ? 0.03 : 0);
  }

  pick(pool, spread = 0) {
    const batch = new Float32Array(2 * BATCH);
    for (let row = 0; row < BATCH; row++) {
      const from = 2 * this.random.below(pool.length / 2);
      batch[2 * row] = pool[from] + spread * this.random.normal();
      batch[2 * row + 1] = pool[from + 1] + spread * this.random.normal();
    }
    return batch;
  }

  /** Make one update: labels, real points and fakes; then, where it learns, the generator's. Without points, none. */
  update() {
    if (!this.classes.length) return this.losses;
    const rows = this.labeled;
    const labeledPoints = Float32Array.from(rows.flatMap((row) => [this.points[2 * row], this.points[2 * row + 1]]));
    const losses = {};
    const learn = (name, { loss, gradient }) => {
      losses[name] = loss;
      this.discriminator.backward(gradient);
    };
    if (rows.length) {
      const logits = this.discriminator.forward(labeledPoints, rows.length);
      learn(
        "class loss",
        classLoss(
          logits,
          rows.map((row) => this.classes[row])
        )
      );
    }
    const real = this.pick(this.points);
    const fake = this.drawFakes();
    if (fake) {
      learn("real loss", realLoss(this.discriminator.forward(real, BATCH), BATCH));
      learn("fake loss", fakeLoss(this.discriminator.forward(fake, BATCH), BATCH));
      this.shown = fake;
    }
    this.optimizer.update();
    if (this.fakes === "fool" || this.fakes === "match") losses["generator loss"] = this.moveGenerator(real);
    this.losses = losses;
    this.updates++;
    return losses;
  }

  moveGenerator(real) {
    this.discriminator.forward(real, BATCH);
    const wanted = this.discriminator.features;
    const fake = this.drawFakes();
    const logits = this.discriminator.forward(fake, BATCH);
    const matches = this.fakes === "match";
    const { loss, gradient } = matches
      ? featureMatchingLoss(wanted, this.discriminator.features, BATCH, BATCH)
      : generatorLoss(logits, BATCH);
    this.generator.backward(this.discriminator.backward(gradient, { fromFeatures: matches }));
    this.discriminator.clearGradients(); // it stays where it is
    this.generatorOptimizer.update();
    return loss;
  }

  /** Return the share of 1,000 new points of the curves that get their class, in per cent. */
  accuracy() {
    const { points, classes } = this.test;
    if (!classes.length) return 0;
    const logits = this.discriminator.forward(points, classes.length);
    let right = 0;
    for (let row = 0; row < classes.length; row++)
      right += Number(logits[2 * row + 1] > logits[2 * row]) === classes[row];
    return (100 * right) / classes.length;
  }
}
