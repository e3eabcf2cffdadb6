"""Whole texts as they are pasted: from notebooks, interpreters, chats, listings and training scripts."""

from __future__ import annotations

import pytest

from symbackprop.errors import ModelError
from symbackprop.model import Model
from tests.core.helpers import value
from tests.model.helpers import described

HEAD = "dim N, D, H\ndata X: N x D, t: N\nparam w: D, b, W1: D x H, b1: H, v: H\n"
PLAIN = "z = X @ w + b\nr = z - t\nloss loss = mean(r**2)"
READ = {
    "prompts": ">>> z = X @ w + b\n>>> r = z - t\n>>> r.shape\n(4,)\n>>> loss = (r ** 2).mean()\n>>> loss\n0.35",
    "answers of several lines": ">>> z = X @ w + b\n>>> z\narray([1., 2.,\n       3.])\n>>> r = z - t\n"
                                ">>> loss = np.mean(r**2)",
    "prompts of IPython": "In [1]: import numpy as np\n\nIn [2]: z = X @ w + b\n\nIn [3]: r = z - t\n\n"
                          "In [4]: loss = np.mean(r**2)\n\nIn [5]: loss\nOut[5]: 0.35",
    "numbers": "1  z = X @ w + b\n2  r = z - t\n3  loss = np.mean(r**2)",
    "numbers with a colon": " 9: z = X @ w + b\n10: r = z - t\n11: loss = np.mean(r**2)",
    "a list": "- z = X @ w + b\n- r = z - t\n* loss = mean(r**2)",
    "an enumeration": "1. z = X @ w + b\n2. r = z - t\n\n3. loss = mean(r**2)",
    "a quote": "> z = X @ w + b\n> r = z - t\n> loss = mean(r**2)",
    "fences": "Here is the code:\n\n```python\nz = X @ w + b\nr = z - t\nloss = np.mean(r**2)\n```\nThis is the loss.",
    "a notebook": "%matplotlib inline\n!pip install numpy\nimport numpy as np\nimport matplotlib.pyplot as plt\n"
                  "np.random.seed(0)\n\"\"\"One layer.\"\"\"\nz = X @ w + b   # (N,)\nprint(z.shape)\n"
                  "assert z.shape == (N,)\nr = z - t\nplt.plot(t, z)\nloss = np.mean(r**2)\nloss",
    "lines that go on": "z = X @ w \\\n    + b\nr = z \\\n  - t\nloss = (\n    r ** 2\n).mean()",
    "lines that go on in Matlab": "z = X @ w + ...\n    b;\nr = z - t;\nloss = mean(r.^2);".replace(".^", "^"),
    "comments behind the dots of Matlab": "z = X @ w + ... % the product\n    b;\nr = z - t;\nloss = mean(r^2);",
    "comments on several lines": "/* the residual\n   z = 1 */\nz = X @ w + b /* and\n of it */\nr = z - t\n"
                                 "loss = mean(r^2)",
    "comments that end as such": "z = X @ w + b  # one number each ...\nr = z - t  # back\\\nloss = mean(r**2)",
    "line ends of Windows": "z = X @ w + b\r\nr = z - t\r\nloss = mean(r**2)\r\n",
    "comments of other languages": "% the residual\nz = X @ w + b; % a line\n// forward\nr = z - t; // minus\n"
                                   "/* squared */\nloss = mean(r^2)",
    "types": "z: np.ndarray = X @ w + b\nr: Float[Array, \"N\"] = z - t\nloss: torch.Tensor = (r**2).mean()",
    "a training step": "optimizer = torch.optim.SGD([w, b], lr=0.1)\nz = X @ w + b\nr = z - t\nloss = mean(r**2)\n"
                       "dz = 2 * r / N\ndz[r > 1] = 0\ndz /= 2\ndw = X.T @ dz\ngrad_b = dz.sum()\nw -= lr * dw\n"
                       "b -= lr * grad_b",
    "an array of a class": "z = X @ self.w + self.b\nr = z - t\nloss = mean(r**2)",
}


UNTOLD = {"lines that go on", "lines that go on in Matlab", "comments behind the dots of Matlab",
          "comments that end as such", "line ends of Windows",
          "types", "an array of a class"}  # of which nothing is left out
TOLD = ("left out", "passed over", "answered", "around", "here")


@pytest.mark.parametrize("name", READ)
def test_what_stands_around_equations_is_left_out(name: str) -> None:
    read = Model.parse(HEAD + READ[name])
    assert described(read) == described(Model.parse(HEAD + PLAIN))
    assert name in UNTOLD or any(word in remark for remark in read.remarks for word in TOLD)


METHODS = {
    "of a module": "def forward(self, X):\n    h = torch.tanh(X @ self.W1 + self.b1)\n    return h @ self.v\n"
                   "loss L = mean((forward(X) - t)**2)",
    "with prompts": ">>> def forward(X):\n...     h = np.tanh(X @ W1 + b1)\n...     return h @ v\n...\n"
                    ">>> loss L = mean((forward(X) - t)**2)",
    "in a numbered listing": "1 def forward(X):\n2     h = np.tanh(X @ W1 + b1)\n3     return h @ v\n4\n"
                             "5 loss L = mean((forward(X) - t)**2)",
    "with types": "def forward(X: np.ndarray, k: float = 1.0) -> np.ndarray:\n    h: Array = np.tanh(X @ W1 + b1)\n"
                  "    return k * h @ v\nloss L = mean((forward(X) - t)**2)",
}


@pytest.mark.parametrize("text", METHODS.values(), ids=METHODS)
def test_functions(text: str) -> None:
    plain = "loss L = mean((K tanh(X @ W1 + b1) @ v - t)**2)".replace("K ", "1 * " * ("float" in text))
    assert described(Model.parse(HEAD + text)) == described(Model.parse(HEAD + plain))


def test_a_line_that_goes_on_may_do_so_with_what_looks_like_a_comment() -> None:
    read = Model.parse(HEAD + "q = b * b \\\n  // 2\nr = b * b ...\n  % 3\nloss L = q + r")
    assert described(read) == described(Model.parse(HEAD + "q = b * b // 2\nr = b * b % 3\nloss L = q + r"))


@pytest.mark.parametrize("last", ["loss L = q + d_b * b", "output Q = d_b + b"])
def test_what_sounds_like_training_is_none_where_the_model_reads_it(last: str) -> None:
    text = "loss = b * b\nd_b = b + loss\nb -= 1\nq = d_b ** 2\n" + last
    plain = "q0 = b * b\nq1 = b + q0\nb -= 1\nq = q1 ** 2\n" + last.replace("d_b", "q1")
    found, right = (value(Model.parse("param b\n" + lines).results()[0], b=3.0) for lines in (text, plain))
    assert found == right


def test_brackets_may_hold_lines_that_look_like_marks_and_comments() -> None:
    read = Model.parse(HEAD + "q = sum(w\n  - b\n  // 2)\nk = concat(w,\n  2 * w)\nloss L = q + sum(k)")
    plain = Model.parse(HEAD + "q = sum(w - b // 2)\nk = concat(w, 2 * w)\nloss L = q + sum(k)")
    assert described(read) == described(plain)


LEARNT = {
    "b0 = torch.zeros(H, requires_grad=True)": "param b0: H",
    "b0 = torch.zeros(D, H).requires_grad_()": "param b0: D x H",
    "b0 = torch.tensor(0.5, requires_grad=True)": "param b0",
    "x0 = torch.randn(N, D)": "data x0: N x D",
    "x0 = torch.randn(N, D, requires_grad=True)": "param x0: N x D",
    "W0 = torch.randn(N, D)": "param W0: N x D",
}


@pytest.mark.parametrize(("line", "declared"), LEARNT.items())
def test_an_array_with_a_gradient_is_no_number(line: str, declared: str) -> None:
    """Zeros with a gradient were read as the number 0."""
    with pytest.raises(ModelError) as caught:
        Model.parse(f"{HEAD}{line}\nloss L = sum({line[:2]})")
    assert caught.value.shown[-1] == f"{declared}   corrected"
