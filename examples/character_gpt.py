"""A small GPT that writes prose, character by character, with the module of gpt: two blocks, about as many parameters
as the recurrent network of character_rnn.py.

Prints held-out bits per character beside the bigram model's, and a sample. Run: python examples/character_gpt.py
"""

from __future__ import annotations

from types import ModuleType

import numpy as np
from prose import Corpus, bigram_bits, characters, draw
from training import Arrays, adam, clipped, generated, print_curve, progress

EPOCHS, BATCH, STEPS, HEADS, WIDTH, INNER = 10, 32, 64, 2, 24, 160


def pieces(tokens: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """The text cut into pieces of ``steps`` characters, and the same moved on by one."""
    count = (len(tokens) - 1) // steps
    return tokens[: count * steps].reshape(count, steps), tokens[1 : count * steps + 1].reshape(count, steps)


def bits(model: ModuleType, params: Arrays, tokens: np.ndarray) -> float:
    """Bits per character over a text."""
    seen, following = pieces(tokens, STEPS)
    total = 0.0
    for i in range(0, len(seen), 64):
        batch = {"words": seen[i : i + 64], "target": following[i : i + 64]}
        total += float(model.forward(params, batch)[0]) * len(batch["words"])
    return total / len(seen) / np.log(2)


def sample(model: ModuleType, params: Arrays, corpus: Corpus, rng: np.random.Generator, length: int = 300) -> str:
    """Text drawn character by character; the window is filled up behind, which a causal model does not see."""
    text = [corpus.vocabulary.index("\n")]
    for _ in range(length):
        recent = text[-STEPS:]
        window = np.array([recent + [0] * (STEPS - len(recent))])
        logits = model.outputs(params, {"words": window, "target": window})["Z"]
        text.append(draw(rng, logits[0, len(recent) - 1], 0.7))
    return "".join(corpus.vocabulary[i] for i in text)


def main() -> tuple[float, float]:
    """Trains and prints; returns (held-out bits per character, the bigram model's)."""
    model, rng, corpus = generated("gpt"), np.random.default_rng(0), characters()
    params = model.init_params(rng, V=len(corpus.vocabulary), T=STEPS, h=HEADS, d=WIDTH, F=INNER)
    params = {name: value.astype(np.float32) for name, value in params.items()}
    print(f"{sum(p.size for p in params.values()):,} parameters")
    step, losses = adam(3e-3), []
    for epoch in progress(EPOCHS):
        seen, following = pieces(corpus.train[rng.integers(STEPS) :], STEPS)
        order, total = rng.permutation(len(seen)), []
        if epoch in (EPOCHS - 4, EPOCHS - 2):
            step = adam(1e-3 if epoch == EPOCHS - 4 else 3e-4)
        for start in range(0, len(order) - BATCH + 1, BATCH):
            chosen = order[start : start + BATCH]
            loss, grads = model.loss_and_grads(params, {"words": seen[chosen], "target": following[chosen]})
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
