"""Model texts of any length, of the kinds that programs and people write: each is a function of a size, and stands
with the size at which its text has about 100 kB (or 3,000 terms, whichever is met first)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from string import ascii_letters
from typing import NamedTuple


class Large(NamedTuple):
    """A kind of text, and how large it is measured."""

    write: Callable[[int], str]
    size: int


INPUTS: dict[str, Large] = {}


def large(size: int) -> Callable[[Callable[[int], str]], Callable[[int], str]]:
    """Makes a function an input that is measured at this size."""

    def register(write: Callable[[int], str]) -> Callable[[int], str]:
        INPUTS[write.__name__] = Large(write, size)
        return write

    return register


def joined(terms: Iterable[str], width: int = 8) -> str:
    """A sum in brackets, a few terms a line."""
    found = list(terms)
    lines = [" + ".join(found[k : k + width]) for k in range(0, len(found), width)]
    return "(" + " +\n    ".join(lines) + ")"


# ---------------------------------------------------------------- one long expression


@large(3000)
def powers(n: int) -> str:
    return f"data x\nparam w\nloss L = {joined(f'(w*x)**{k + 2}' for k in range(n))}\n"


@large(3000)
def exponentials(n: int) -> str:
    return f"data x\nparam w\nloss L = {joined(f'exp(w*x*{k + 2})' for k in range(n))}\n"


@large(3000)
def quotients(n: int) -> str:
    return f"data x\nparam w\nloss L = {joined(f'x/(w + {k + 2})' for k in range(n))}\n"


@large(3000)
def products(n: int) -> str:
    factors = [f"(w*x + {k + 2})" for k in range(n)]
    return "data x\nparam w\nloss L = (" + " *\n    ".join(factors) + ")\n"


@large(3000)
def stacked(n: int) -> str:
    return f"data x\nparam w\nv = stack({', '.join(f'w*x**{k + 2}' for k in range(n))})\nloss L = sum(v**2)\n"


@large(3000)
def concatenated(n: int) -> str:
    return f"data x: 4\nparam w: 4\nv = concat({', '.join(f'w*{k + 2}' for k in range(n))})\nloss L = sum(v**2)\n"


@large(2000)
def conditions(n: int) -> str:
    return f"data x\nparam w\nloss L = {joined(f'where(w > {k}, w*x, {k}*w)' for k in range(n))}\n"


@large(300)
def nested_conditions(n: int) -> str:
    lines = ["data x", "param w", "c0 = w*x"]
    lines += [f"c{k + 1} = where(w > {k}, c{k}*x, w + {k})" for k in range(n)]
    return "\n".join([*lines, f"loss L = c{n}**2", ""])


@large(48)
def brackets(n: int) -> str:
    return "data x\nparam w\n" + "".join(
        f"a{k} = " + "(" * n + "w*x" + f" + {k})" * n + "\n" for k in range(200)
    ) + f"loss L = {joined(f'a{k}**2' for k in range(200))}\n"


@large(48)
def calls(n: int) -> str:
    return "data x\nparam w\n" + "".join(
        f"a{k} = " + "tanh(" * n + f"w*x + {k}" + ")" * n + "\n" for k in range(300)
    ) + f"loss L = {joined(f'a{k}' for k in range(300))}\n"


@large(3000)
def entries(n: int) -> str:
    return f"data x\nparam w: {n}\nloss L = {joined(f'w[{k}]*x**{k % 7 + 1}' for k in range(n))}\n"


@large(3000)
def literal(n: int) -> str:
    return f"data x: {n}\nparam w: {n}\nc = stack({', '.join(str(k % 97) for k in range(n))})\nloss L = sum(c*w*x)\n"


# ---------------------------------------------------------------- many equations


@large(3000)
def layers(n: int) -> str:
    lines = ["data h0"] + [f"param w{k + 1}" for k in range(n)]
    lines += [f"h{k + 1} = tanh(w{k + 1}*h{k})" for k in range(n)]
    return "\n".join([*lines, f"loss L = h{n}**2/2", ""])


@large(1500)
def matrix_layers(n: int) -> str:
    lines = ["dim N, D", "data H0: N x D"] + [f"param W{k + 1}: D x D, b{k + 1}: D" for k in range(n)]
    lines += [f"H{k + 1} = relu(H{k} @ W{k + 1} + b{k + 1})" for k in range(n)]
    return "\n".join([*lines, f"loss L = mean(H{n}**2)", ""])


@large(3000)
def equations(n: int) -> str:
    lines = ["data x", "param w"] + [f"a{k} = sin(w*x + {k})*{k + 2}" for k in range(n)]
    return "\n".join([*lines, f"loss L = {joined(f'a{k}' for k in range(n))}", ""])


@large(3000)
def read_often(n: int) -> str:
    return f"data x\nparam w\na = tanh(w*x)\nloss L = {joined(f'a*{k + 2}**2*x' for k in range(n))}\n"


@large(3000)
def unused(n: int) -> str:
    lines = ["data x", "param w"] + [f"a{k} = sin(w*x + {k})" for k in range(n)]
    return "\n".join([*lines, "loss L = (w*x)**2", ""])


@large(3000)
def outputs(n: int) -> str:
    lines = ["data x", "param w"] + [f"output a{k} = sin(w*x + {k})" for k in range(n)]
    return "\n".join([*lines, ""])


@large(10000)
def parameters(n: int) -> str:
    names = [f"w{k}" for k in range(n)]
    declared = "".join(f"param {', '.join(names[k : k + 10])}\n" for k in range(0, n, 10))
    return f"data x\n{declared}loss L = {joined(f'{name}*x' for name in names)}\n"


@large(100)
def long_names(n: int) -> str:
    name = "a" * 60
    lines = ["data x"] + [f"param {name}_{k}" for k in range(n)]
    lines += [f"{name}_h{k} = tanh({name}_{k}*{'x' if k == 0 else f'{name}_h{k - 1}'})" for k in range(n)]
    return "\n".join([*lines, f"loss L = {name}_h{n - 1}**2", ""])


@large(3000)
def dimensions(n: int) -> str:
    dims = "".join(f"dim D{k}\n" for k in range(n))
    arrays = "".join(f"param w{k}: D{k}\n" for k in range(n))
    return f"data x\n{dims}{arrays}loss L = {joined(f'sum(w{k})*x' for k in range(n))}\n"


@large(2000)
def small_matrices(n: int) -> str:
    lines = ["data x: 2"] + [f"param A{k}: 2 x 2" for k in range(n)]
    return "\n".join([*lines, f"loss L = {joined(f'sum(A{k} @ x)' for k in range(n))}", ""])


@large(2000)
def notes(n: int) -> str:
    lines = ["# a summary that goes on", "data x", "param w"]
    lines += [f"a{k} = w*x + {k}  # what equation {k} is for" for k in range(n)]
    return "\n".join([*lines, f"loss L = a{n - 1}**2", ""])


@large(3000)
def notations(n: int) -> str:
    lines = ["data x"] + [f'param w{k}\nnotation w{k} = "\\omega_{{{k}}}"' for k in range(n)]
    return "\n".join([*lines, f"loss L = {joined(f'w{k}*x' for k in range(n))}", ""])


@large(1000)
def functions(n: int) -> str:
    lines = ["data x", "param w"] + [f"f{k} = lambda z: tanh(z + {k})" for k in range(n)]
    return "\n".join([*lines, f"loss L = {joined(f'f{k}(w*x)' for k in range(n))}", ""])


# ---------------------------------------------------------------- loops


@large(300)
def literal_loops(n: int) -> str:
    """A loop in a loop over numbers: n² equations in two lines."""
    return f"param w\nfor i in 1..{n}:\n    for j in 1..{n}:\n        a = w*i*j\nloss L = w\n"


@large(800)
def loops(n: int) -> str:
    lines = ["dim T", "data x: T", *[f"param w{k}" for k in range(n)]]
    for k in range(n):
        lines += [f"h{k}x[0] = w{k}", "for t in 1..T:", f"    h{k}x[t] = tanh(w{k}*h{k}x[t-1] + x[t])"]
    return "\n".join([*lines, f"loss L = {joined(f'h{k}x[T]' for k in range(n))}", ""])


@large(800)
def long_loop(n: int) -> str:
    lines = ["dim T", "data x: T", "param w", "h[0] = w", "for t in 1..T:", "    a0 = h[t-1]*x[t]"]
    lines += [f"    a{k + 1} = tanh(w*a{k} + {k})" for k in range(n)]
    return "\n".join([*lines, f"    h[t] = a{n}", "loss L = h[T]", ""])


@large(500)
def carried(n: int) -> str:
    """One loop that carries many states, each of which reads its neighbour."""
    lines = ["dim T", "data x: T", "param w", *[f"h{k}x[0] = w*{k + 1}" for k in range(n)], "for t in 1..T:"]
    lines += [f"    h{k}x[t] = tanh(w*h{k}x[t-1] + h{max(k - 1, 0)}x[t-1]*x[t])" for k in range(n)]
    return "\n".join([*lines, f"loss L = {joined(f'h{k}x[T]' for k in range(n))}", ""])


# ---------------------------------------------------------------- arrays with many axes, many operations


@large(16)
def wide_einsum(n: int) -> str:
    """Einsums of arrays with as many axes as there may be, after each other."""
    letters = ascii_letters[:n]
    shape, turned = " x ".join("2" * n), letters[1:] + letters[0]
    lines = [f"data X: {shape}", f"param W: {shape}", "V0 = X"]
    lines += [f'V{k + 1} = einsum("{letters},{letters}->{turned}", W, V{k})' for k in range(300)]
    return "\n".join([*lines, "loss L = sum(V300)", ""])


@large(31)
def many_operands(n: int) -> str:
    """As many arrays as one einsum takes."""
    arrays = [f"W{k}" for k in range(n)]
    pattern = ",".join(a + b for a, b in pairwise(ascii_letters[: n + 1]))
    return "".join(f"param {a}: 2 x 2\n" for a in arrays) + (
        f'loss L = einsum("{pattern}->", {", ".join(arrays)})\n')


@large(2000)
def slices(n: int) -> str:
    return f"data x\nparam w: {n + 2}\nloss L = {joined(f'sum(w[{k}:{k + 2}])*x' for k in range(n))}\n"


@large(1000)
def reshapes(n: int) -> str:
    lines = ["data X: 4 x 6", "param w: 24", "v0 = w*2"]
    lines += [f"v{k + 1} = reshape(reshape(v{k}, 4, 6)*X, 24) + v{k}" for k in range(n)]
    return "\n".join([*lines, f"loss L = sum(v{n})", ""])


@large(1000)
def softmaxes(n: int) -> str:
    lines = ["dim N, D", "data X: N x D", "param W: D", "S0 = X*W"]
    lines += [f"S{k + 1} = softmax(S{k}*W, axis=1)" for k in range(n)]
    return "\n".join([*lines, f"loss L = sum(log(S{n}))", ""])


@large(1000)
def numbers(n: int) -> str:
    """Long decimal numbers in one sum."""
    terms = (f"w*{k}.{'123456789' * 4}" for k in range(n))
    return f"data x\nparam w\nloss L = x*{joined(terms, 2)}\n"
