"""Warnings of a collapse, of a dead discriminator and of losses out of bounds, and none for healthy runs."""

import numpy as np
import pytest

from sgan_helpers import health
from sgan_helpers.methods.build import build_model
from sgan_helpers.run_folder import RunFolder

HEALTHY = {"class_loss": 0.25, "real_loss": 0.55, "fake_loss": 0.58}  # of an SGAN after 500 iterations


@pytest.fixture
def seen(sample):
    """What is seen of a healthy training: real images, generated ones, and logits of both."""
    real = sample.test_images[::10]
    generated = np.round((sample.train_images[::40, ..., 0] + 1.0) * 127.5).astype(np.uint8)
    logits = np.random.default_rng(0).normal(size=(200, 1))
    return {"losses": HEALTHY, "num_classes": 10, "real_images": real, "samples": generated, "real_logits": logits}


@pytest.mark.parametrize(
    ("change", "sign"),
    [
        (lambda seen: {}, None),
        (lambda seen: {"samples": None, "real_logits": None, "losses": {"class_loss": 2.0}}, None),
        (lambda seen: {"samples": np.tile(seen["samples"][:1], (100, 1, 1))}, "it has collapsed"),
        (lambda seen: {"samples": np.tile(seen["samples"][:5], (20, 1, 1))}, "it has collapsed"),
        (lambda seen: {"real_images": seen["real_images"][:1]}, None),  # one image is like no other
        (lambda seen: {"samples": seen["samples"][:1]}, None),
        (lambda seen: {"real_images": seen["real_images"][:2], "samples": seen["samples"][:2]}, None),
        (lambda seen: {"real_logits": np.full((200, 1), 3.0)}, "it is dead"),
        (
            lambda seen: {"losses": {**HEALTHY, "real_loss": 0.003, "fake_loss": 0.004}},
            "the generator no longer learns",
        ),
        (
            lambda seen: {"losses": {**HEALTHY, "class_loss": 15.5}},
            "the class loss is 15.5, and guessing would have 2.3",
        ),
    ],
)
def test_each_sign_has_its_sentence_with_a_remedy_and_health_has_none(seen, change, sign):
    found = health.warnings_of(500, **{**seen, **change(seen)})
    assert len(found) == (sign is not None)
    assert all(sign in sentence and "Try " in sentence for sentence in found)
    assert health.warnings_of(499, **{**seen, **change(seen)}) == []


def test_a_test_of_a_run_tells_what_it_sees(bars, monkeypatch):
    """The generator draws the same grey from any noise."""
    monkeypatch.setattr(health, "JUDGED_FROM", 0)
    model = build_model("sgan", 3, seed=0)
    model.generator.get_layer("pixels").kernel.assign(np.zeros((128, 784)))
    line, warning = RunFolder(None, {}).evaluate(model, *bars).splitlines()
    assert line.startswith("iteration      0  test accuracy") and warning.startswith(
        "warning: the generator draws nearly"
    )
