"""A course assignment, forward and backward with a cache between them: the 1/N is lost beside a regulariser."""

from __future__ import annotations

import numpy as np

from symbackprop import Model, check

MODEL = Model.parse("""
dim N, D, H, C
data X: N x D, y: N int < C
param W1: D x H, b1: H, W2: H x C, b2: C
const reg = 0.05
h = relu(X @ W1 + b1)
scores = h @ W2 + b2
loss L = mean(cross_entropy(scores, y)) + reg * (sum(W1**2) + sum(W2**2))
""", name="assignment")


def forward(X, y, W1, b1, W2, b2, reg):
    """The loss, and what backward reads."""
    h = np.maximum(0, X @ W1 + b1)
    scores = h @ W2 + b2
    probs = np.exp(scores - scores.max(axis=1, keepdims=True))
    probs /= probs.sum(axis=1, keepdims=True)
    loss = -np.log(probs[np.arange(len(y)), y]).mean() + reg * ((W1**2).sum() + (W2**2).sum())
    return loss, (X, y, h, probs, W1, W2)


def lost_mean(cache, reg):
    """As if the loss were a sum."""
    X, y, h, probs, W1, W2 = cache
    dscores = probs.copy()
    dscores[np.arange(len(y)), y] -= 1
    return _gradients(X, h, W1, W2, dscores, reg)


def backward(cache, reg):
    """The gradients of the mean."""
    X, y, h, probs, W1, W2 = cache
    dscores = probs.copy()
    dscores[np.arange(len(y)), y] -= 1
    return _gradients(X, h, W1, W2, dscores / len(y), reg)


def _gradients(X, h, W1, W2, dscores, reg):
    dh = dscores @ W2.T * (h > 0)
    return {
        "W1": X.T @ dh + 2 * reg * W1,
        "b1": dh.sum(axis=0),
        "W2": h.T @ dscores + 2 * reg * W2,
        "b2": dscores.sum(axis=0),
    }


def main() -> bool:
    """Print what is said of both; whether the second is right."""
    print(check(MODEL, lost_mean, forward=forward).text())
    report = check(MODEL, backward, forward=forward)
    print(report.text())
    return bool(report)


if __name__ == "__main__":
    main()
