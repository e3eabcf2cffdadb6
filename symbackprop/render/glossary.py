"""What has to be said beside the formulas: the conventions in force, and what the functions in them mean."""

from __future__ import annotations

from collections.abc import Iterator

from symbackprop.core import formula as f
from symbackprop.core.kernel import Kernel
from symbackprop.core.loops import Loop
from symbackprop.core.notation import Text
from symbackprop.core.noughts import weights_a_log
from symbackprop.model.model import Model
from symbackprop.render.axes import AxisLetters
from symbackprop.render.document import Math, Prose
from symbackprop.render.symbols import Pen

LAYOUTS = {
    "shape": "every gradient has the shape of its variable (shape convention)",
    "jacobian": "derivatives in Jacobian (numerator) layout: one row for every output, one column for every input",
}
NUMERATOR = "steps in numerator layout (a row for every output) where a step has a Jacobian matrix, else in matrix form"


def conventions(model: Model, layout: str, view: str) -> tuple[Prose, ...]:
    """What holds at the kinks that the model has, and the layout of gradients: stated in every output."""
    steps = f"{NUMERATOR}, " if view == "jacobian" and layout == "shape" else ""
    return (*_at_kinks(model), (steps + LAYOUTS[layout],))


TIES = "equal arguments of max and min share the gradient equally"


def _at_kinks(model: Model) -> Iterator[Prose]:
    used, relu0 = functions_of(model), str(model.graph.relu0)
    if used & {"relu", "leaky"}:
        yield (Math(f"ReLU′(0) = {relu0}", rf"\operatorname{{ReLU}}'(0) = {relu0}"),)
    if used & {"maximum", "minimum", "max"}:
        yield (TIES,)
    if "nought" in used:
        yield (Math("0 log 0 = 0", r"0 \log 0 = 0"), ", also in gradients")
    if "abs" in used:
        yield (Math("|x|′ = 0 at x = 0", r"|x|' = 0 \text{ at } x = 0"),)
    if used & {"norm", "root", "flat_power"}:
        yield ("the gradient of a norm, or of another root of a sum of squares, is 0 where that is 0",)
    if "elu_unit" in used:
        yield (Math("ELU′(0) = α", r"\operatorname{ELU}'(0) = \alpha"),)


def functions_of(model: Model) -> set[str]:
    """The ops and scalar functions that a model uses, those in its loops included."""
    used: set[str] = set()
    pending, seen = list(model.equations.values()), set()
    while pending:
        row = pending.pop()
        if row.id not in seen:
            seen.add(row.id)
            used |= f.calls(row.attr.form) if isinstance(row.attr, Kernel) else {row.op.name}
            used |= {"nought"} if weights_a_log(row) is not None else set()
            pending += [*row.args, *(row.attr.results() if isinstance(row.attr, Loop) else ())]
    return used


_MEANINGS: dict[str, Math] = {
    "softmax": Math("softmax(z)_c = e^(z_c) / Σ_k e^(z_k)", r"\operatorname{softmax}(z)_c = e^{z_c} / \sum_k e^{z_k}"),
    "logsumexp": Math("logsumexp(z) = log Σ_k e^(z_k)", r"\operatorname{logsumexp}(z) = \log \sum_k e^{z_k}"),
    "cross_entropy": Math("CE(z, y) = −log softmax(z)_y",
                          r"\operatorname{CE}(z, y) = -\log \operatorname{softmax}(z)_y"),
    "one_hot": Math("onehot(y)_c = 1[y = c]", r"\operatorname{onehot}(y)_c = \mathbf{1}[y = c]"),
    "layer_norm": Math("LayerNorm(x) = (x − mean x)/√(var x + ε)",
                       r"\operatorname{LayerNorm}(x) = (x - \bar{x}) / \sqrt{\operatorname{var} x + \varepsilon}"),
    "rms_norm": Math("RMSNorm(x) = x/√(mean x² + ε)",
                     r"\operatorname{RMSNorm}(x) = x / \sqrt{\overline{x^2} + \varepsilon}"),
    "scatter_add": Math("scatter(g, i)_k = Σ g_m over all m with i_m = k",
                        r"\operatorname{scatter}(g, i)_k = \sum_{m:\, i_m = k} g_m"),
    "unfold": Math("unfold(a)_ok = a_(s·o + k): window o of an axis, place k in it, stride s",
                   r"\operatorname{unfold}(a)_{ok} = a_{s o + k}"),
    "fold": Math("fold(g)_m = Σ g_ok over all o, k with s·o + k = m: overlapping windows added up",
                 r"\operatorname{fold}(g)_m = \sum_{s o + k = m} g_{ok}"),
    "conv2d": Math("conv(x, w)_noqk = Σ_i,j,c x[n, s·o+i−p, s·q+j−p, c]·w[i,j,c,k]: places from 0, outside is 0",
                   r"\operatorname{conv}(x, w)_{noqk} = \sum_{ijc} x_{n,\,so+i-p,\,sq+j-p,\,c} \, w_{ijck}"),
    "conv2d_input": Math("convInput(δ, w)_nabc = Σ_i,j,k δ[n, (a+p−i)/s, (b+p−j)/s, k]·w[i,j,c,k]: flipped kernel",
                         r"\operatorname{convInput}(\delta, w)_{nabc} = \sum_{so+i-p=a,\, sq+j-p=b,\, k}"
                         r" \delta_{noqk} \, w_{ijck}"),
    "conv2d_kernel": Math("convKernel(x, δ)_ijck = Σ_n,o,q x[n, s·o+i−p, s·q+j−p, c]·δ[n, o, q, k]: a correlation",
                          r"\operatorname{convKernel}(x, \delta)_{ijck} = \sum_{noq} x_{n,\,so+i-p,\,sq+j-p,\,c}"
                          r" \, \delta_{noqk}"),
}  # fmt: skip


def glossary(pen: Pen, letters: AxisLetters) -> tuple[Prose, ...]:
    """The functions and index letters that the document uses."""
    said: list[Prose] = [("products and transposes act on the last two axes",)] if "batched" in pen.mentioned else []
    meanings: list[Prose] = [(_MEANINGS[name],) for name in pen.mentioned if name in _MEANINGS]
    indices: list[Prose] = [
        (Math(letter, letter), " runs over ", pen(lambda n, d=size: Text(n.dim(d).text)), " entries")  # type: ignore[misc]
        for letter, size in letters.used.items()
    ]
    return (*said, *meanings, *indices)
