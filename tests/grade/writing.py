"""Formulas as people write them, at random: Greek letters, ⊙, superscripts, products without signs, primes, ᵀ."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st


@dataclass(frozen=True)
class Language:
    """What a formula over one model may be made of."""

    names: tuple[str, ...]
    derivatives: tuple[str, ...]
    vectors: bool = False
    extra: tuple[str, ...] = ()


def formulas(language: Language) -> st.SearchStrategy[str]:
    """Right sides over the names of a model."""
    numbers = st.sampled_from(["2", "3", "½", "0.25", "1e-3", "1/2", "10", "pi"])
    names = st.sampled_from(language.names)
    atoms = st.one_of(
        names, names, st.sampled_from(language.derivatives), numbers, st.sampled_from((*language.extra, "1"))
    )
    return st.recursive(atoms, lambda inner: _larger(inner, language), max_leaves=7)


def _larger(inner: st.SearchStrategy[str], language: Language) -> st.SearchStrategy[str]:
    bracketed = st.builds(lambda b, x: f"{b[0]}{x}{b[1]}", st.sampled_from(["()", "()", "[]", "{}"]), inner)
    tight = st.one_of(bracketed, st.sampled_from(language.names))
    forms = [
        bracketed,
        st.builds(lambda a, s, b: f"{a}{s}{b}", inner, st.sampled_from([" + ", " - ", "−", " − "]), inner),
        st.builds(
            lambda a, s, b: f"{a}{s}{b}", tight, st.sampled_from(["*", "·", " ⊙ ", " ", " ", "/", " × ", " @ "]), tight
        ),
        st.builds(lambda a, s, b: f"{a}{s}{b}", inner, st.sampled_from(["*", "·", " ⊙ ", " ", "/"]), tight),
        st.builds(lambda s, a: f"{s}{a}", st.sampled_from(["-", "−"]), tight),
        st.builds(lambda a, p: f"{a}{p}", tight, st.sampled_from(["²", "^2", "**2", "⁻¹", "^{-1}", "^3", "^(1/2)"])),
        st.builds(
            lambda f, a: f"{f}({a})",
            st.sampled_from(
                ["tanh", "σ", "sigmoid", "exp", "np.exp", "tanh'", "σ'", "sin", "relu'", "tanh²", "sech", "step"]
            ),
            inner,
        ),
        st.builds(lambda f, a: f"{f} {a}", st.sampled_from(["tanh", "exp", "sin"]), st.sampled_from(language.names)),
        st.builds(lambda a: f"e^{a}", tight),
        st.builds(lambda a, s, b: f"1[{a} {s} {b}]", inner, st.sampled_from(["<", ">", "≥"]), inner),
        st.builds(lambda a, b: f"maximum({a}, {b})", inner, inner),
        st.builds(lambda a, b, c: f"where({a} > 0, {b}, {c})", inner, inner, inner),
    ]
    if language.vectors:
        forms += [
            st.builds(lambda a, t: f"{a}{t}", tight, st.sampled_from(["ᵀ", ".T", "'", "^T", "^{T}"])),
            st.builds(lambda a: f"{a}.sum(axis=0)", tight),
            st.builds(lambda a: f"np.sum({a}, axis=(0,), keepdims=True)", inner),
            st.builds(lambda a, b: f"{a}.dot({b})", tight, inner),
        ]
    return st.one_of(forms)
