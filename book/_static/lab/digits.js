// Images of digits: a drawing is cleaned as MNIST was, and a classifier gives its ten probabilities, as in Keras.

"use strict";

const BOX = 20; // pixels of the longer side of every digit of MNIST
const SIDE = 28;

/**
 * Cut out the sign of a picture (height * width, 0 to 255, bright on 0), scale it into 20 x 20 pixels, and lay it into
 * 28 x 28 by its centre of mass: `sgan_helpers.like_mnist`. Return 784 numbers in [-1, 1], or null for an empty picture.
 */
function likeMnist(picture, width) {
  const height = picture.length / width;
  const rows = range(height).filter((row) => range(width).some((column) => picture[row * width + column] > 0));
  const columns = range(width).filter((column) => range(height).some((row) => picture[row * width + column] > 0));
  if (!rows.length) return null;
  const [signHeight, signWidth] = [rows, columns].map((each) => each.at(-1) - each[0] + 1);
  const sign = range(signHeight * signWidth).map((place) => {
    const [row, column] = [Math.floor(place / signWidth), place % signWidth];
    return picture[(rows[0] + row) * width + columns[0] + column] / 255;
  });
  const longer = Math.max(signHeight, signWidth);
  const [smallHeight, smallWidth] = [signHeight, signWidth].map((side) => Math.max(1, nearest((BOX * side) / longer)));
  const small = shrink(sign, signWidth, smallHeight, smallWidth);
  const top = startOf(
    range(smallHeight).map((row) => sumOf(range(smallWidth), (column) => small[row * smallWidth + column]))
  );
  const left = startOf(
    range(smallWidth).map((column) => sumOf(range(smallHeight), (row) => small[row * smallWidth + column]))
  );
  const image = new Float32Array(SIDE * SIDE).fill(-1);
  for (const [place, value] of small.entries()) {
    const [row, column] = [top + Math.floor(place / smallWidth), left + (place % smallWidth)];
    image[row * SIDE + column] = 2 * value - 1;
  }
  return image;
}

/** Shrink a whole picture to 28 x 28 and change nothing else: what a program does that knows nothing of MNIST. */
function onlyShrunk(picture, width) {
  return Float32Array.from(shrink(picture, width, SIDE, SIDE), (value) => (2 * value) / 255 - 1);
}

/** Return the picture with new sides; each new pixel is the mean of the area that it covers. */
function shrink(picture, width, newHeight, newWidth) {
  const across = shrinkLines(picture, picture.length / width, width, newWidth, 1, width);
  return shrinkLines(across, newWidth, picture.length / width, newHeight, newWidth, 1);
}

/** Shrink `count` lines of a picture, whose pixels lie `step` apart and whose beginnings `line` apart. */
function shrinkLines(picture, count, length, cells, step, line) {
  const shrunk = new Float64Array(count * cells);
  const [newStep, newLine] = step === 1 ? [1, cells] : [step, 1];
  for (let cell = 0; cell < cells; cell++) {
    const [from, to] = [(cell * length) / cells, ((cell + 1) * length) / cells];
    for (let pixel = Math.floor(from); pixel < Math.min(Math.ceil(to), length); pixel++) {
      const share = ((Math.min(to, pixel + 1) - Math.max(from, pixel)) * cells) / length;
      for (let each = 0; each < count; each++) {
        shrunk[each * newLine + cell * newStep] += share * picture[each * line + pixel * step];
      }
    }
  }
  return shrunk;
}

/** Return where a line of masses begins, so that its centre of mass comes to pixel 14 of 0 to 27, as in MNIST. */
function startOf(masses) {
  const centre =
    sumOf(masses.keys(), (place) => place * masses[place]) / sumOf(masses.keys(), (place) => masses[place]);
  return Math.min(Math.max(nearest(SIDE / 2 - centre), 0), SIDE - masses.length);
}

const range = (count) => Array.from({ length: count }, (_, number) => number);
const nearest = (value) => Math.floor(value + 0.5);
const sumOf = (items, value) => [...items].reduce((sum, item) => sum + value(item), 0);

/** A classifier from its layers: convolutions of stride 2 and dense layers, the batch normalisation folded into them. */
class Classifier {
  constructor(layers) {
    this.layers = layers;
  }

  /** Return a classifier from a file of tools/make_classifiers.py: weights of 8 bits, a scale for each output. */
  static decode(coded) {
    return new Classifier(
      coded.map(({ weights, scales, biases, ...layer }) => {
        const [factors, bias] = [scales, biases].map((text) => new Float32Array(bytesOf(text).buffer));
        const kernel = Float32Array.from(new Int8Array(bytesOf(weights).buffer), (whole, place) => {
          return whole * factors[place % factors.length];
        });
        return { ...layer, kernel, bias };
      })
    );
  }

  /** Return the ten logits of an image of 784 numbers. */
  logits(image) {
    let values = image;
    let side = SIDE;
    for (const layer of this.layers) {
      values = layer.size
        ? convolve(values, side, layer)
        : multiply(values, 1, { ...layer, inputs: values.length, outputs: layer.bias.length });
      if (layer.size) side = Math.ceil(side / 2);
      if (layer.slope) values = values.map((value) => (value < 0 ? layer.slope * value : value));
    }
    return values;
  }

  /** Return the ten probabilities of an image of 784 numbers. */
  probabilities(image) {
    return realLogitsOf(this.logits(image), 1).probabilities;
  }
}

/** A convolution of stride 2 with Keras's padding "same": maps (side, side, inputs), kernel (size, size, inputs, outputs). */
function convolve(maps, side, { size, kernel, bias }) {
  const outputs = bias.length;
  const inputs = maps.length / side ** 2;
  const half = Math.ceil(side / 2);
  const before = Math.floor(Math.max((half - 1) * 2 + size - side, 0) / 2);
  const values = new Float32Array(half * half * outputs);
  for (let place = 0; place < half * half; place++) {
    const start = place * outputs;
    values.set(bias, start);
    const [top, left] = [2 * Math.floor(place / half) - before, 2 * (place % half) - before];
    for (let row = Math.max(0, -top); row < Math.min(size, side - top); row++) {
      for (let column = Math.max(0, -left); column < Math.min(size, side - left); column++) {
        const from = ((top + row) * side + left + column) * inputs;
        for (let input = 0; input < inputs; input++) {
          const value = maps[from + input];
          const line = ((row * size + column) * inputs + input) * outputs;
          for (let output = 0; output < outputs; output++) values[start + output] += value * kernel[line + output];
        }
      }
    }
  }
  return values;
}

const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
