"""Leads a search for a word of the book to the chapter that explains it, at the section that says most about it."""

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform

EXPLAINED = {  # the page that explains a word: what a reader may type
    "notebooks/00_gan_primer": "mode collapse; non-saturating loss; vanishing gradients; minimax; generator",
    "notebooks/01_data_split": "label leak; leakage; stratified; split; seed",
    "notebooks/02_discriminators": "logsumexp; log-sum-exp; trunk; dropout; cross-entropy; binary discriminator",
    "notebooks/03_generator": "batch normalisation; latent vector; noise vector; tanh",
    "notebooks/04_training": "resume; checkpoint; train_step; loss curves; Google Drive",
    "notebooks/05_evaluation": "calibration; expected calibration error; confusion matrix; confidence",
    "notebooks/06_fair_comparison": "baseline; label spreading; averaged weights; EMA; augmentation; distortion; "
    "paired difference; confidence interval",
    "notebooks/07_why_old_code_fails": "trainable; compile; Keras 3; softmax twice; class_weight",
    "notebooks/08_feature_matching": "feature matching; log Z; Improved GAN; Salimans",
    "notebooks/09_bad_gan": "bad generator; Bad GAN; gap; fakes",
    "notebooks/10_pseudo_labels": "pseudo-labels; pseudo-label; noisy student; ablation; FixMatch; self-training; "
    "distribution alignment; consistency loss",
    "book/using_this_book": "Dask; Colab; sweep; SGAN_MNIST; SGAN_FAST; download; install",
    "book/teaching": "nbgrader; lesson plan; JupyterHub; Binder; class",
}


class Explained(SphinxTransform):
    """Adds the words that a page explains to the index, which the search looks up first."""

    default_priority = 750

    def apply(self, **settings):
        """Point each word to the section that mentions it most."""
        sections = list(self.document.findall(nodes.section))
        for word in filter(None, EXPLAINED.get(self.env.docname, "").split("; ")):
            best = max(sections, key=lambda section, word=word: _mentions(section, word))
            index = addnodes.index(entries=[("single", word, best["ids"][0], "main", None)])
            best.insert(1, index)


def _mentions(section, word):
    own = (child.astext() for child in section.children if not isinstance(child, nodes.section))
    title = next(section.findall(nodes.title)).astext()
    return sum(text.lower().count(word.lower()) for text in own) + 100 * (word.lower() in title.lower())


def setup(app):
    """Register it."""
    app.add_transform(Explained)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
