"""A window language model on a novel: the next word from the three before it, with the module of window-lm.

Prints held-out perplexity beside the unigram model's, and sampled text. Run: python examples/window_language_model.py
"""

from __future__ import annotations

from types import ModuleType

import numpy as np
from prose import Corpus, draw, spelled, unigram_perplexity, words
from training import Arrays, adam, batches, generated, print_curve, progress

EPOCHS, BATCH, WINDOW, EMBEDDING, HIDDEN = 5, 128, 3, 32, 64


def windows(tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every run of WINDOW words, and the word that follows it."""
    runs = np.lib.stride_tricks.sliding_window_view(tokens, WINDOW + 1)
    return runs[:, :-1], runs[:, -1]


def perplexity(model: ModuleType, params: Arrays, tokens: np.ndarray) -> float:
    """exp of the mean cross-entropy over a text."""
    seen, following = windows(tokens)
    total = 0.0
    for i in range(0, len(seen), 512):
        batch = {"words": seen[i : i + 512], "y": following[i : i + 512]}
        total += float(model.forward(params, batch)[0]) * len(batch["y"])
    return float(np.exp(total / len(seen)))


def sample(model: ModuleType, params: Arrays, corpus: Corpus, rng: np.random.Generator, length: int = 40) -> str:
    """Text drawn word by word; the unknown word is drawn again."""
    text = [corpus.vocabulary.index(w) for w in (".", "she", "was")]
    while len(text) < length:
        given = {"words": np.array([text[-WINDOW:]]), "y": np.array([0])}
        logits = model.outputs(params, given)["logits"][0]
        logits[0] = -np.inf
        text.append(draw(rng, logits, 0.8))
    return spelled([corpus.vocabulary[i] for i in text[1:]])


def main() -> tuple[float, float]:
    """Trains and prints; returns (held-out perplexity, the unigram model's)."""
    model, rng, corpus = generated("window_lm"), np.random.default_rng(0), words()
    size = len(corpus.vocabulary)
    params = model.init_params(rng, K=WINDOW, V=size, E=EMBEDDING, H=HIDDEN)
    params = {name: value.astype(np.float32) for name, value in params.items()}
    seen, following = windows(corpus.train)
    step, losses = adam(3e-3), []
    for _ in progress(EPOCHS):
        total, count = 0.0, 0
        for chosen in batches(rng, len(seen), BATCH):
            loss, grads = model.loss_and_grads(params, {"words": seen[chosen], "y": following[chosen]})
            params = step(params, grads)
            total, count = total + float(loss), count + 1
        losses.append(total / count)
    print_curve("training loss", losses)
    found, simple = perplexity(model, params, corpus.held_out), unigram_perplexity(corpus)
    print(f"held-out perplexity: {found:.1f} (unigram model: {simple:.1f}), {size} words")
    for _ in range(3):
        print("  " + sample(model, params, corpus, rng))
    return found, simple


if __name__ == "__main__":
    main()
