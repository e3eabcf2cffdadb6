"""Handwritten digits with the module of conv-net: two convolutions with pooling, minibatches, Adam.

scikit-learn only loads the 1,797 images. Run: python examples/digits_conv.py
"""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits
from training import adam, batches, generated, print_curve, progress, split

EPOCHS, BATCH = 40, 32


def main() -> float:
    """Trains, prints the learning curve and returns the held-out accuracy."""
    model, rng = generated("conv_net"), np.random.default_rng(0)
    digits = load_digits()
    images, labels = (digits.images[..., None] / 16).astype(np.float32), digits.target
    train, held_out = split(rng, len(images))
    params = model.init_params(rng, K=16, M=32, H=64, C=10)
    params = {name: value.astype(np.float32) for name, value in params.items()}
    step, losses = adam(2e-3), []
    for epoch in progress(EPOCHS):
        total = []
        if epoch == EPOCHS - 10:
            step = adam(4e-4)
        for chosen in batches(rng, len(train), BATCH):
            batch = train[chosen]
            loss, grads = model.loss_and_grads(params, {"X": images[batch], "y": labels[batch]})
            params = step(params, grads)
            total.append(float(loss))
        losses.append(float(np.mean(total)))
    print_curve("training loss", losses)
    logits = model.outputs(params, {"X": images[held_out], "y": labels[held_out]})["Z4"]
    accuracy = float(np.mean(np.argmax(logits, axis=1) == labels[held_out]))
    print(f"held out: {accuracy:.1%} of {len(held_out)} digits right")
    return accuracy


if __name__ == "__main__":
    main()
