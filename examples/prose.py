"""The prose that the language-model examples read, as words or as characters, and the simple models to beat."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

BOOK = Path(__file__).resolve().parent / "data" / "persuasion.txt"
HELD_OUT = 0.1
UNKNOWN = "<unk>"


@dataclass(frozen=True)
class Corpus:
    """Token numbers of the training and the held-out text, and what the numbers stand for."""

    train: np.ndarray
    held_out: np.ndarray
    vocabulary: list[str]


def words(least: int = 3) -> Corpus:
    """Lower-case words and punctuation; words that the training text has fewer than ``least`` times are unknown."""
    tokens = re.findall(r"[a-z]+(?:'[a-z]+)?|[.,;:!?]", BOOK.read_text(encoding="utf-8").lower())
    cut = round(len(tokens) * (1 - HELD_OUT))
    counts = Counter(tokens[:cut])
    kept = [UNKNOWN, *sorted(w for w, n in counts.items() if n >= least)]
    number = {w: i for i, w in enumerate(kept)}
    coded = np.array([number.get(w, 0) for w in tokens])
    return Corpus(coded[:cut], coded[cut:], kept)


def characters() -> Corpus:
    """Characters, the line breaks inside paragraphs turned into spaces."""
    text = re.sub(r"[ \n]*\n\n[ \n]*", "\n", BOOK.read_text(encoding="utf-8").replace("\r", ""))
    text = re.sub(r"(?<=\S)\n(?=[a-z])", " ", text)
    kept = sorted(set(text))
    number = {c: i for i, c in enumerate(kept)}
    coded = np.array([number[c] for c in text])
    cut = round(len(coded) * (1 - HELD_OUT))
    return Corpus(coded[:cut], coded[cut:], kept)


def unigram_perplexity(corpus: Corpus) -> float:
    """Perplexity on the held-out text of the model that knows only how frequent every token is (add-one smoothing)."""
    counts = np.bincount(corpus.train, minlength=len(corpus.vocabulary)) + 1.0
    return float(np.exp(-np.mean(np.log(counts / counts.sum())[corpus.held_out])))


def bigram_bits(corpus: Corpus) -> float:
    """Bits per token on the held-out text of the model that knows the token before (add-one smoothing)."""
    size = len(corpus.vocabulary)
    counts = np.ones((size, size))
    np.add.at(counts, (corpus.train[:-1], corpus.train[1:]), 1)
    logs = np.log2(counts / counts.sum(axis=1, keepdims=True))
    return float(-np.mean(logs[corpus.held_out[:-1], corpus.held_out[1:]]))


def draw(rng: np.random.Generator, logits: np.ndarray, temperature: float = 1.0) -> int:
    """A token drawn from the softmax of logits."""
    scaled = logits.astype(float) / temperature
    weights = np.exp(scaled - scaled.max())
    return int(rng.choice(len(weights), p=weights / weights.sum()))


def spelled(tokens: list[str]) -> str:
    """Words and punctuation as running text."""
    return re.sub(r" (?=[.,;:!?])", "", " ".join(tokens))
