"""Not an SGAN: a large float32 matrix product in TensorFlow, the most that the machine's cores can do."""

import tensorflow as tf

SIZE = 2048


class Implementation:
    operations = 2 * SIZE**3  # of one iteration

    def __init__(self, weights, data, settings):
        tf.config.threading.set_intra_op_parallelism_threads(settings["threads"])
        self.left, self.right = (tf.random.stateless_normal((SIZE, SIZE), (0, number)) for number in range(2))
        self.multiply = tf.function(lambda left, right: tf.matmul(left, right))

    def run(self, iterations):
        """Multiply so many times."""
        for _ in range(iterations):
            product = self.multiply(self.left, self.right)
        return [float(product[0, 0])]
