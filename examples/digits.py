"""Handwritten digits with the module of ffnn-softmax: one hidden tanh layer, gradient descent, one image a step.

scikit-learn only loads the 1,797 images. Run: python examples/digits.py
"""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits
from training import Arrays, generated, print_curve, progress, split

EPOCHS, RATE, HIDDEN = 30, 0.02, 64


def predict(params: Arrays, images: np.ndarray) -> np.ndarray:
    """The most probable class of every image."""
    hidden = np.tanh(images @ params["W"].T + params["b"])
    return np.argmax(hidden @ params["U"].T, axis=1)


def main() -> float:
    """Trains, prints the learning curve and returns the held-out accuracy."""
    model, rng = generated("ffnn_softmax"), np.random.default_rng(0)
    digits = load_digits()
    images, labels = digits.data / 16, digits.target
    train, held_out = split(rng, len(images))
    params = model.init_params(rng, D=64, H=HIDDEN, C=10)
    losses = []
    for epoch in progress(EPOCHS):
        total, rate = 0.0, RATE / (1 + epoch / 10)
        for i in rng.permutation(train):
            loss, grads = model.loss_and_grads(params, {"x": images[i], "y": labels[i]})
            total += float(loss)
            for name, g in grads.items():
                params[name] = params[name] - rate * g
        losses.append(total / len(train))
    print_curve("training loss", losses)
    accuracy = float(np.mean(predict(params, images[held_out]) == labels[held_out]))
    print(f"held out: {accuracy:.1%} of {len(held_out)} digits right")
    return accuracy


if __name__ == "__main__":
    main()
