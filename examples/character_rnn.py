"""A recurrent network that writes prose, character by character, with the module of rnn-lm.

Prints held-out bits per character beside the bigram model's, and a sample. Run: python examples/character_rnn.py
"""

from __future__ import annotations

from types import ModuleType

import numpy as np
from prose import Corpus, bigram_bits, characters, draw
from training import Arrays, adam, clipped, generated, print_curve, progress

EPOCHS, BATCH, STEPS, EMBEDDING, HIDDEN = 8, 32, 64, 32, 192


def pieces(tokens: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """The text cut into pieces of ``steps`` characters, and the same moved on by one; time first."""
    count = (len(tokens) - 1) // steps
    seen = tokens[: count * steps].reshape(count, steps)
    return seen.T, tokens[1 : count * steps + 1].reshape(count, steps).T


def given(words: np.ndarray, target: np.ndarray) -> Arrays:
    """Data of the module for a batch of pieces, each beginning with an empty memory."""
    return {"words": words, "target": target, "h0": np.zeros((words.shape[1], HIDDEN), np.float32)}


def bits(model: ModuleType, params: Arrays, tokens: np.ndarray) -> float:
    """Bits per character over a text."""
    seen, following = pieces(tokens, STEPS)
    return float(model.forward(params, given(seen, following))[0]) / np.log(2)


def sample(model: ModuleType, params: Arrays, corpus: Corpus, rng: np.random.Generator, length: int = 300) -> str:
    """Text drawn character by character."""
    memory, last = np.zeros((1, HIDDEN), np.float32), corpus.vocabulary.index("\n")
    text = []
    for _ in range(length):
        found = model.outputs(params, {"words": [[last]], "target": [[0]], "h0": memory})
        memory, last = found["h"][-1], draw(rng, found["z"][0, 0], 0.7)
        text.append(corpus.vocabulary[last])
    return "".join(text)


def main() -> tuple[float, float]:
    """Trains and prints; returns (held-out bits per character, the bigram model's)."""
    model, rng, corpus = generated("rnn_lm"), np.random.default_rng(0), characters()
    params = model.init_params(rng, V=len(corpus.vocabulary), E=EMBEDDING, H=HIDDEN)
    params = {name: value.astype(np.float32) for name, value in params.items()}
    print(f"{sum(p.size for p in params.values()):,} parameters")
    step, losses = adam(2e-3), []
    for epoch in progress(EPOCHS):
        seen, following = pieces(corpus.train[rng.integers(STEPS) :], STEPS)
        order, total = rng.permutation(seen.shape[1]), []
        if epoch == EPOCHS - 2:
            step = adam(5e-4)
        for start in range(0, len(order) - BATCH + 1, BATCH):
            chosen = order[start : start + BATCH]
            loss, grads = model.loss_and_grads(params, given(seen[:, chosen], following[:, chosen]))
            params = step(params, clipped(grads, 1.0))
            total.append(float(loss))
        losses.append(float(np.mean(total)) / np.log(2))
    print_curve("training bits per character", losses)
    found, simple = bits(model, params, corpus.held_out), bigram_bits(corpus)
    print(f"held out: {found:.3f} bits per character (bigram model: {simple:.3f})")
    print(sample(model, params, corpus, rng))
    return found, simple


if __name__ == "__main__":
    main()
