"""Label spreading: no network, but a graph of all training images along which the labels spread."""

import numpy as np
from scipy import sparse
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

ENOUGH = 1e-7  # a step that moves no score further than this is the last that changes anything


def neighbor_weights(distances, sharpness=4.0):
    """Return how much each neighbour of an image counts: exp(-sharpness (d / s)^2), s the distance of the farthest.

    Args:
        distances: float array (N, neighbors), in rising order along a row.
        sharpness: float of at least 0; with 0 all neighbours count alike.

    Returns:
        float array (N, neighbors) in (0, 1].

    Source: Zelnik-Manor and Perona (2004), "Self-Tuning Spectral Clustering", section 2: a scale for each image.
    """
    scale = np.maximum(distances[:, -1:], np.finfo(distances.dtype).tiny)
    return np.exp(-sharpness * np.square(distances / scale))


def spread_labels(weights, labels, num_classes, iterations, alpha=0.99):
    """Let the labels of the first images of a graph spread to all of them.

    With W the weights, made symmetric, and S = D^-1/2 W D^-1/2, where D has the sums of W's rows, the scores R of all
    images start as Y, which is 1 at the labels, and an iteration is R <- alpha S R + (1 - alpha) Y. In the end the
    classes get equal mass, as their labels have.

    Args:
        weights: `scipy.sparse.csr_array` (N, N), the weight of image j as a neighbour of image i.
        labels: int array (L,), the classes of the first L images.
        num_classes: int K of at least 2.
        iterations: int of at least 1; fewer are done where the scores stand still.
        alpha: float in [0, 1), the share that comes from the neighbours.

    Returns:
        float32 array (N, K), probabilities of the classes.

    Source: Zhou et al. (2004), "Learning with Local and Global Consistency", section 2; equal mass is the class mass
    normalization of Zhu et al. (2003), "Semi-Supervised Learning Using Gaussian Fields and Harmonic Functions".
    """
    weights = weights.maximum(weights.T)
    degree = weights.sum(axis=1)
    scaling = sparse.diags_array(1.0 / np.sqrt(degree))
    spreading = (alpha * (scaling @ weights @ scaling)).astype(np.float32).tocsr()
    start = np.zeros((weights.shape[0], num_classes), np.float32)
    start[np.arange(len(labels)), labels] = 1.0 - alpha
    scores = start
    for _ in range(iterations):
        before, scores = scores, spreading @ scores + start
        if np.abs(scores - before).max() < ENOUGH:
            break
    scores = scores / scores.sum(axis=0)
    return scores / np.maximum(scores.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)


class LabelSpreading:
    """Spreads the labels over all training images, and gives a new image the classes of its neighbours among them.

    Args:
        seed: int, not used: nothing here is random.
        neighbors: int of at least 1, edges from each image.
        components: int of at least 1, principal components that distances are measured in, or all if there are fewer.
        alpha: float in [0, 1), see `spread_labels`.
        sharpness: float of at least 0, see `neighbor_weights`.
    """

    network_names = loss_names = ()
    networks = ()

    def __init__(self, *, seed, neighbors=10, components=50, alpha=0.99, sharpness=4.0):
        self.neighbors, self.components, self.alpha, self.sharpness = neighbors, components, alpha, sharpness

    @staticmethod
    def build_networks(num_classes):
        """Return no network."""
        return ()

    def classify(self, split, images, iterations):
        """Return class logits of new images.

        Args:
            split: a `LabeledSplit`.
            images: float32 array (M, 28, 28, 1) in [-1, 1].
            iterations: int of at least 1, see `spread_labels`.

        Returns:
            float32 array (M, K), logarithms of probabilities.
        """
        training = np.concatenate([split.labeled_images, split.unlabeled_images]).reshape(-1, images[0].size)
        pca = PCA(min(self.components, *training.shape), svd_solver="covariance_eigh")
        training = pca.fit_transform(training)
        index = NearestNeighbors(n_neighbors=min(self.neighbors, len(training) - 1), algorithm="brute").fit(training)
        distances, neighbors = index.kneighbors()  # of each training image, without itself
        edges = np.arange(0, neighbors.size + 1, neighbors.shape[1])
        weights = neighbor_weights(distances, self.sharpness)
        graph = sparse.csr_array((weights.ravel(), neighbors.ravel(), edges), shape=(len(training), len(training)))
        num_classes = int(split.labeled_labels.max()) + 1
        spread = spread_labels(graph, split.labeled_labels, num_classes, iterations, self.alpha)
        distances, neighbors = index.kneighbors(pca.transform(images.reshape(len(images), -1)))
        weights = neighbor_weights(distances, self.sharpness)[..., np.newaxis]
        probabilities = (weights * spread[neighbors]).sum(axis=1) / weights.sum(axis=1)
        return np.log(np.maximum(probabilities, np.finfo(np.float32).tiny)).astype(np.float32)
