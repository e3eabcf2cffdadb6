"""What LaTeX and Unicode text have in common: mathematics for reading, not for parsing.

Products of arrays are ⊙, matrix products stand side by side, reductions are Σ with an index letter, functions have
their mathematical names. The two notations below this one differ in how a fraction, a root or a power looks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

import sympy as sp

from symbackprop.core import formula as f
from symbackprop.core.graph import Node
from symbackprop.core.notation import ATOM, POWER, PRODUCT, SUM, Text
from symbackprop.core.scalars import Scalar
from symbackprop.render.axes import AxisLetters
from symbackprop.render.dims import size_terms
from symbackprop.render.notation_base import MATRIX, TERM, MatrixText, WrittenNotation, rank_of, shaped

FUNCTION_NAMES = {
    "cross_entropy": "CE", "binary_cross_entropy_with_logits": "BCEwithLogits", "layer_norm": "LayerNorm",
    "rms_norm": "RMSNorm", "gelu": "GELU", "gelu_tanh": "GELU", "gelu_sigmoid": "GELU", "silu": "SiLU",
    "swish": "Swish", "mish": "Mish", "one_hot": "onehot", "var": "Var", "trace": "tr", "scatter_add": "scatter",
    "put_along_axis": "scatter", "causal_mask": "mask", "leaky": "LeakyReLU", "elu_unit": "ELU",
    "log_softmax": "logsoftmax", "conv2d": "conv", "conv2d_kernel": "convKernel", "conv2d_input": "convInput",
    "max_pool2d": "maxpool", "avg_pool2d": "avgpool",
}  # fmt: skip


class MathNotation(WrittenNotation):
    """Formulas for reading. ``symbols`` says what rows are called, as finished text; a row without one is written out.

    ``plain`` holds the same names without links, ``gradients`` what the gradient of a row is called. ``mentioned``
    collects the functions that a glossary has to explain.
    """


    def __init__(self, symbols: Mapping[int, Text], letters: AxisLetters, expanded: Collection[int] = ()) -> None:
        super().__init__({}, expanded)
        self.symbols, self.letters = dict(symbols), letters
        self.mentioned: dict[str, None] = {}
        self.plain: dict[int, Text] = {}
        self.gradients: dict[int, Text] = {}
        self.linked_gradients: dict[int, Text] = {}
        self.written: dict[int, tuple[object, list[Text]]] = {}
        self.loss, self.partial = Text("L"), False
        self.dim_order: dict[str, int] = {}

    def ref(self, node: Node) -> Text:
        symbol = self.symbols.get(node.id)
        return self.row(node) if symbol is None else symbol

    def bare(self, node: Node) -> Text:
        """A row's name without a link."""
        return self.plain[node.id] if node.id in self.plain else self.ref(node)

    @contextmanager
    def called(self, node: Node, name: Text) -> Iterator[None]:
        """Inside this context a row goes by another name."""
        before = self.symbols.get(node.id)
        self.symbols[node.id] = name
        try:
            yield
        finally:
            if before is None:
                del self.symbols[node.id]
            else:
                self.symbols[node.id] = before

    def dim(self, dim: sp.Expr) -> Text:
        terms = size_terms(dim, self.dim_order)
        if terms is None:
            return self.num(dim)
        if len(terms) == 1:
            coefficient, factors = terms[0]
            return Text(self.monomial(coefficient, factors), ATOM if len(factors) < 2 else PRODUCT)
        written = [(coefficient < 0, self.monomial(abs(coefficient), factors)) for coefficient, factors in terms]
        return Text(self.plus_minus(written), SUM)

    # -- formulas: whether the result is an array follows from the parts
    def sum(self, terms: Sequence[tuple[bool, Text]]) -> Text:
        """Terms with their signs, as many as there are."""
        text = self.plus_minus([(negative, self.wrapped(t, TERM if negative else SUM)) for negative, t in terms])
        return shaped(Text(text, SUM), rank_of(*[t for _, t in terms]))

    def negative(self, body: Text) -> Text:
        return shaped(Text(self.minus + self.wrapped(body, TERM), SUM), rank_of(body))

    def product(self, factors: Sequence[Text]) -> Text:
        if len(factors) == 1:
            return factors[0]
        arrays = [rank_of(x) > 0 for x in factors]
        parts = [self.factor(x, first=not k, entrywise=sum(arrays) > 1) for k, x in enumerate(factors)]
        for k in range(len(parts) - 1, 0, -1):
            parts.insert(k, self.between(parts[k - 1], parts[k], any(arrays[:k]) and arrays[k]))
        return shaped(Text("".join(parts), PRODUCT), rank_of(*factors))

    def factor(self, x: Text, first: bool, entrywise: bool) -> str:
        """A factor in parentheses where it needs them."""
        if entrywise and rank_of(x) and x.level == MATRIX:
            return self.wrapped(x, POWER)
        return self.wrapped(x, PRODUCT if first else PRODUCT + 1)

    def scaled(self, coefficient: sp.Expr, factors: Sequence[Text]) -> Text:
        if not factors:
            return self.num(coefficient)
        if coefficient == 1:
            return self.product(factors)
        if f.is_negative(coefficient):
            return self.negative(self.scaled(-coefficient, factors))
        return shaped(self.coefficient(coefficient, factors), rank_of(*factors))

    def quotient(self, num: Text, den: Text) -> Text:
        return shaped(self.fraction(num, den), rank_of(num, den))

    def power(self, base: Text, exponent: Text) -> Text:
        """base^exponent; of a matrix entry by entry, written ^⊙ as it is no matrix power."""
        return shaped(self.raised(base, exponent, rank_of(base) > 1), rank_of(base))

    def scalar(self, record: Scalar, args: Sequence[Text], form: f.Call) -> Text:
        if record.name == "where_selected":
            return args[0]
        if record.name == "bernoulli_loss":
            return self.negative(self.likelihood(args[0], args[1]))
        shown = list(args[: record.arity])
        if record.name in ("truth", "where"):
            shown[0] = self.condition(args[0])
        return shaped(self.applied(record, shown, form), rank_of(*args))

    def condition(self, truth: Text) -> Text:
        """What stands inside an indicator 1[…]; anything else as it is."""
        opening, closing = self.brackets
        if truth.text.startswith(opening) and truth.text.endswith(closing) and truth.text.count(opening) == 1:
            return Text(truth.text[len(opening) : -len(closing)], SUM)
        return truth

    def transpose(self, a: Text) -> Text:
        return MatrixText(*self.transposed(a))

    def function(self, name: str, args: Sequence[Text], options: Mapping[str, str]) -> Text:
        self.mentioned.setdefault(name)
        said = [Text(self.words(f"{k} ") + self.literal(v)) for k, v in options.items() if k != "keepdims"]
        return self.operator(name, [*args, *said], [])

    def literal(self, value: str) -> str:
        """An option's value; a negative number with the minus sign of mathematics."""
        return value.replace("-", self.minus) if value.removeprefix("-").isdigit() else value

    def chain(self, factors: Sequence[Text]) -> Text:
        """Factors of the chain rule in the order given, a visible dot between them."""
        if len(factors) == 1:
            return factors[0]
        parts = [self.wrapped(x, PRODUCT + 1 if k else PRODUCT) for k, x in enumerate(factors)]
        return Text(self.dot.join(parts), PRODUCT)

    def likelihood(self, p: Text, y: Text) -> Text:
        """[y log p + (1 − y) log(1 − p)]."""
        one = Text("1")
        rest, other = self.sum([(False, one), (True, y)]), self.sum([(False, one), (True, p)])
        happens, does_not = self.beside(y, self.logarithm(p)), self.beside(rest, self.logarithm(other))
        inside = self.plus_minus([(False, happens), (False, does_not)])
        return shaped(Text(self.bracketed(inside)), rank_of(p, y))

    def beside(self, a: Text, b: Text) -> str:
        """A factor in front of a function, without a sign between them."""
        return f"{self.wrapped(a, POWER)} {b.text}"

    def flat_derivative(self, top: Text, bottom: Text) -> Text:
        """∂top/∂bottom in one line, for the entries of a matrix."""
        return self.derivative(top, bottom, True)
