// A perceptron with its gradients and Adam, in typed arrays: with the same weights and batch, the numbers of Keras.

"use strict";

/** Random numbers that depend on a seed alone: uniform in [0, 1), normal, and whole numbers below a bound. */
class RandomNumbers {
  constructor(seed) {
    this.state = seed >>> 0;
  }

  uniform() {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let mixed = this.state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  }

  normal() {
    return Math.sqrt(-2 * Math.log(1 - this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }

  below(bound) {
    return Math.floor(this.uniform() * bound);
  }
}

/** Dense layers with a ReLU between them. A batch is a flat array, row by row; a kernel is (inputs, outputs), as in Keras. */
class Network {
  constructor(sizes, random) {
    this.layers = sizes.slice(1).map((outputs, number) => {
      const inputs = sizes[number];
      const limit = Math.sqrt(6 / (inputs + outputs)); // Glorot's, Keras's default
      const kernel = Float32Array.from({ length: inputs * outputs }, () => limit * (2 * random.uniform() - 1));
      const bias = new Float32Array(outputs);
      return { inputs, outputs, kernel, bias, kernelGradient: kernel.map(() => 0), biasGradient: bias.map(() => 0) };
    });
  }

  /** Return the outputs of a batch of `count` rows, and keep what each layer has received. */
  forward(batch, count) {
    this.received = [];
    let values = batch;
    for (const [number, layer] of this.layers.entries()) {
      this.received.push(values);
      values = multiply(values, count, layer);
      if (number < this.layers.length - 1) {
        for (let place = 0; place < values.length; place++) if (values[place] < 0) values[place] = 0;
      }
    }
    this.count = count;
    return values;
  }

  /** What the last hidden layer made of the last batch: (count, features). */
  get features() {
    return this.received.at(-1);
  }

  /**
   * Add the gradients of the weights to what is there, and return the gradient of the batch. `gradient` is that of the
   * outputs, or with `fromFeatures` that of the last hidden layer.
   */
  backward(gradient, { fromFeatures = false } = {}) {
    const first = this.layers.length - (fromFeatures ? 2 : 1);
    let incoming = gradient;
    for (let number = first; number >= 0; number--) {
      if (number < this.layers.length - 1) {
        const active = this.received[number + 1];
        incoming = incoming.map((value, place) => (active[place] > 0 ? value : 0));
      }
      incoming = takeBack(incoming, this.received[number], this.count, this.layers[number]);
    }
    return incoming;
  }

  clearGradients() {
    for (const layer of this.layers) {
      layer.kernelGradient.fill(0);
      layer.biasGradient.fill(0);
    }
  }
}

function multiply(batch, count, { inputs, outputs, kernel, bias }) {
  const values = new Float32Array(count * outputs);
  for (let row = 0; row < count; row++) {
    const start = row * outputs;
    values.set(bias, start);
    for (let input = 0; input < inputs; input++) {
      const value = batch[row * inputs + input];
      if (value === 0) continue; // half of them, after a ReLU
      const line = input * outputs;
      for (let output = 0; output < outputs; output++) values[start + output] += value * kernel[line + output];
    }
  }
  return values;
}

function takeBack(gradient, batch, count, { inputs, outputs, kernel, kernelGradient, biasGradient }) {
  const back = new Float32Array(count * inputs);
  for (let row = 0; row < count; row++) {
    const start = row * outputs;
    for (let output = 0; output < outputs; output++) biasGradient[output] += gradient[start + output];
    for (let input = 0; input < inputs; input++) {
      const value = batch[row * inputs + input];
      const line = input * outputs;
      let sum = 0;
      for (let output = 0; output < outputs; output++) {
        const slope = gradient[start + output];
        sum += kernel[line + output] * slope;
        kernelGradient[line + output] += value * slope;
      }
      back[row * inputs + input] = sum;
    }
  }
  return back;
}

/** Adam (Kingma and Ba 2015), as Keras computes it. */
class Adam {
  constructor(network, { learningRate = 0.002, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7 } = {}) {
    this.network = network;
    this.settings = { learningRate, beta1, beta2, epsilon };
    this.step = 0;
    this.moments = network.layers.flatMap(({ kernel, bias }) =>
      [kernel, bias].map(({ length }) => [new Float32Array(length), new Float32Array(length)])
    );
  }

  /** Move the weights by their gradients, and clear these. */
  update() {
    const { learningRate, beta1, beta2, epsilon } = this.settings;
    this.step++;
    const rate = (learningRate * Math.sqrt(1 - beta2 ** this.step)) / (1 - beta1 ** this.step);
    const pairs = this.network.layers.flatMap((layer) => [
      [layer.kernel, layer.kernelGradient],
      [layer.bias, layer.biasGradient],
    ]);
    for (const [number, [weights, gradients]] of pairs.entries()) {
      const [means, squares] = this.moments[number];
      for (let place = 0; place < weights.length; place++) {
        const slope = gradients[place];
        means[place] += (1 - beta1) * (slope - means[place]);
        squares[place] += (1 - beta2) * (slope * slope - squares[place]);
        weights[place] -= (rate * means[place]) / (Math.sqrt(squares[place]) + epsilon);
      }
    }
    this.network.clearGradients();
  }
}
