// The losses of the book, each with its gradient: those of sgan_helpers.losses, for a batch of logits (count, K).

"use strict";

const softplus = (value) => Math.max(value, 0) + Math.log1p(Math.exp(-Math.abs(value)));
const sigmoid = (value) => 1 / (1 + Math.exp(-value));

/** Return log Z of each row, the logit of "real", and the softmax of each row. */
function realLogitsOf(logits, count) {
  const classes = logits.length / count;
  const heights = new Float64Array(count);
  const probabilities = new Float32Array(logits.length);
  for (let row = 0; row < count; row++) {
    const ofRow = logits.subarray(row * classes, (row + 1) * classes);
    const largest = Math.max(...ofRow);
    let sum = 0;
    for (const logit of ofRow) sum += Math.exp(logit - largest);
    heights[row] = largest + Math.log(sum);
    for (let each = 0; each < classes; each++) {
      probabilities[row * classes + each] = Math.exp(ofRow[each] - heights[row]);
    }
  }
  return { heights, probabilities };
}

/** Cross-entropy of the true classes: the mean of -log softmax(logits)[label]. */
function classLoss(logits, labels) {
  const count = labels.length;
  const classes = logits.length / count;
  const { heights, probabilities } = realLogitsOf(logits, count);
  let loss = 0;
  const gradient = probabilities.map((probability) => probability / count);
  for (let row = 0; row < count; row++) {
    loss += (heights[row] - logits[row * classes + labels[row]]) / count;
    gradient[row * classes + labels[row]] -= 1 / count;
  }
  return { loss, gradient };
}

/** The mean of softplus(sign * log Z), of which sign -1 asks for "real" and sign 1 for "fake". */
function heightLoss(logits, count, sign) {
  const { heights, probabilities } = realLogitsOf(logits, count);
  const classes = logits.length / count;
  let loss = 0;
  const gradient = probabilities.map((probability, place) => {
    return (sign * sigmoid(sign * heights[Math.floor(place / classes)]) * probability) / count;
  });
  for (const height of heights) loss += softplus(sign * height) / count;
  return { loss, gradient };
}

const realLoss = (logits, count) => heightLoss(logits, count, -1);
const fakeLoss = (logits, count) => heightLoss(logits, count, 1);
const generatorLoss = (logits, count) => heightLoss(logits, count, -1);

/** The mean distance of the mean features of both batches, with the gradient of the generated ones' features. */
function featureMatchingLoss(realFeatures, fakeFeatures, realCount, fakeCount) {
  const size = fakeFeatures.length / fakeCount;
  const differences = new Float64Array(size);
  for (let place = 0; place < realFeatures.length; place++)
    differences[place % size] -= realFeatures[place] / realCount;
  for (let place = 0; place < fakeFeatures.length; place++)
    differences[place % size] += fakeFeatures[place] / fakeCount;
  const loss = differences.reduce((sum, difference) => sum + Math.abs(difference), 0) / size;
  const gradient = fakeFeatures.map((_, place) => Math.sign(differences[place % size]) / (size * fakeCount));
  return { loss, gradient };
}
