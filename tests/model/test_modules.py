"""Modules of PyTorch's as tutorials have them: the value of the same lines that PyTorch runs."""

from __future__ import annotations

from textwrap import dedent

import numpy as np
import pytest

from symbackprop import verify
from symbackprop.errors import ModelError
from symbackprop.model import Model
from symbackprop.model.text import parse, to_text
from tests.core.helpers import value

HEAD = "dim N\ndata x: N x 6, images: N x 2 x 8 x 8, words: N x 3 int < 5, y: N int < 4\n"
MODULES = {
    "a class": """
        class Net(nn.Module):
            def __init__(self):
                super(Net, self).__init__()
                self.fc1 = nn.Linear(6, 5)
                self.fc2 = nn.Linear(5, 4, bias=False)

            def forward(self, x):
                x = F.relu(self.fc1(x))
                return self.fc2(x)

        model = Net()
        criterion = nn.CrossEntropyLoss()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        logits = model(x)
        loss = criterion(logits, y)
        loss.backward()
        optimizer.step()""",
    "so many layers as an object is given": """
        class Net(nn.Module):
            def __init__(self, d, n_layers=5):
                super().__init__()
                self.n_layers = n_layers
                self.layers = nn.ModuleList([nn.Linear(d, d) for _ in range(n_layers)])

            def forward(self, x):
                for i in range(self.n_layers):
                    x = torch.tanh(self.layers[i](x))
                return x

        model = Net(6, 2)
        loss = model(x).mean()""",
    "layers by name": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.layers = nn.ModuleDict({"enc": nn.Linear(6, 3), "dec": nn.Linear(3, 6)})
                self.act = F.silu

            def forward(self, x):
                return self.layers["dec"](self.act(self.layers["enc"](x)))

        model = Net()
        loss = model(x).mean()""",
    "one after another": """
        model = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.LayerNorm(5), nn.Linear(in_features=5, out_features=4))
        loss = F.cross_entropy(model(x), y)""",
    "images": """
        class CNN(nn.Module):
            def __init__(self):
                super().__init__()
                self.features = nn.Sequential(
                    nn.Conv2d(2, 3, kernel_size=3, padding=1), nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d((2, 2)),
                    nn.Conv2d(3, 4, (3, 1), bias=False))
                self.pool = nn.AdaptiveAvgPool2d((1, 1))
                self.classifier = nn.Linear(4, 4)
            def forward(self, images):
                h = self.pool(self.features(images))
                return self.classifier(torch.flatten(h, 1))
        model = CNN()
        loss = F.cross_entropy(model(images), y)""",
    "sizes, options and parameters of its own": """
        class Block(nn.Module):
            def __init__(self, dim, hidden, slope=0.1):
                super().__init__()
                self.up = nn.Linear(dim, hidden)
                self.down = nn.Linear(hidden, dim)
                self.gamma = nn.Parameter(torch.ones(dim) * 0.5)
                self.register_buffer("m", torch.tril(torch.ones(dim, dim)))
                self.slope = slope
            def forward(self, x):
                return x @ self.m + self.gamma * self.down(F.leaky_relu(self.up(x), self.slope))
        class Net(nn.Module):
            def __init__(self, dim, n_out=4, scale=2.0):
                super().__init__()
                self.dim, self.scale = dim, scale
                self.block = Block(dim, 2 * dim, slope=0.3)
                self.W = nn.Parameter(torch.randn(self.dim, n_out) / dim**0.5)
                self.b = nn.Parameter(torch.zeros(n_out))
            def forward(self, x):
                return (self.block(x) @ self.W + self.b) * self.scale / self.dim
        model = Net(6).to("cpu")
        loss = F.cross_entropy(model(x), y)""",
    "two objects of a class, in another": """
        class Tower(nn.Module):
            def __init__(self, n_in, n_out):
                super().__init__()
                self.fc = nn.Linear(n_in, n_out)
                self.scale = nn.Parameter(torch.randn(n_out))
            def act(self, z):
                return torch.tanh(z) * self.scale
            def forward(self, x):
                return self.act(self.fc(x))
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.left = Tower(6, 3)
                self.right = Tower(6, 4)
                self.last = nn.Linear(3, 4)
            def forward(self, x):
                return self.last(self.left(x)) * self.right(x)
        model = Net()
        loss = F.cross_entropy(model(x), y)""",
    "a table, and one module in another": """
        class Block(nn.Module):
            def __init__(self):
                super().__init__()
                self.inner = nn.Linear(6, 6)
            def forward(self, x):
                return x + torch.sigmoid(self.inner(x))
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.emb = nn.Embedding(5, 6)
                self.block = Block()
                self.head = nn.Linear(6, 4)
            def forward(self, words):
                h = self.emb(words).mean(dim=1)
                return self.head(self.block(h))
        model = Net()
        loss = F.cross_entropy(model(words), y)""",
}


@pytest.mark.oracle
@pytest.mark.parametrize("lines", MODULES.values(), ids=MODULES)
def test_a_module_has_the_value_that_pytorch_computes(lines: str) -> None:
    torch = pytest.importorskip("torch")
    found, rng = Model.parse(HEAD + dedent(lines)), np.random.default_rng(5)
    given = {"x": rng.normal(size=(7, 6)), "images": rng.normal(size=(7, 2, 8, 8)),
             "words": rng.integers(0, 5, (7, 3)), "y": rng.integers(0, 4, 7)}
    names = {"torch": torch, "nn": torch.nn, "F": torch.nn.functional,
             **{name: torch.tensor(array) for name, array in given.items()}}
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    try:
        exec(dedent(lines).replace("optimizer.step()", ""), names)
    finally:
        torch.set_default_dtype(torch.float32)
    learnt = {name.replace(".", "_").removeprefix("model_"): array.detach().numpy()
              for name, array in names["model"].named_parameters()}
    ours = {name: next(array for known, array in learnt.items() if known.endswith(name) or name.endswith(known))
            for name in found.params}
    assert len(ours) == len(learnt)
    assert found.loss_row is not None
    loss = value(found.loss_row, **{name: a for name, a in given.items() if name in found.leaves()}, **ours)
    np.testing.assert_allclose(loss, names["loss"].item(), rtol=1e-10)
    assert to_text(Model.parse(to_text(found))) == to_text(found)


def test_arrays_of_a_module_that_are_no_parameters_are_what_they_are() -> None:
    """Where nothing else is learnt they are: of NumPy's classes."""
    body = ("(nn.Module):\n    def __init__(self):\n        self.w = nn.Parameter(torch.randn(6))\n"
            "        self.m = torch.ones(6)\n    def forward(self, x):\n        return x @ (self.w * self.m)\n")
    text = f"{HEAD}class Net{body}net = Net()\nloss L = sum(net(x))"
    assert [*Model.parse(text).params] == ["w"]
    assert [*Model.parse(text.replace("(nn.Module)", "")).params] == ["w", "m"]


NET = "class Net(nn.Module):\n    def __init__(self):\n        self.fc = nn.Linear(6, 4)\n    def forward(self, x):\n" \
      "        return self.fc(x)\n"


@pytest.mark.parametrize(("lines", "says"), [
    (f"a = Net()\nloss L = sum(a(x))\n{NET}", "Net has to be a class above"),
    ("class V:\n    def __init__(self, v):\n        self.v = v\n    def step(self, g):\n        self.v = self.v + g\n"
     "        return self.v\no = V(x)\nloss L = sum(o.step(x))", "o.step changes self.v, which it reads"),
    (f"{NET.replace('forward', 'run')}l2 = Net()\nloss L = sum(l2(x))", "l2 is an object of a class without forward"),
    (f"{NET}b = Net()(x)\nloss L = sum(b)", "an object gets a name on a line of its own"),
    ("a = nn.Linear(5, 4)\nloss L = sum(a(x))", "inner sizes 6 and 5 differ"),
    ("a = nn.Linear(d, 4)\nloss L = sum(a(x))", "the dimension 'd' is not declared"),
    ("a = nn.Linear(6, 4, 3, 2, 1)\nloss L = sum(a(x))", "Linear has parameters of its own"),
    ("a = nn.Sequential(nn.Linear(6, 4), 3)\nloss L = sum(a(x))", "Sequential is several layers"),
    ("class Net:\n    def __init__(self):\n        self.f = nn.Tanh()\n    def forward(self, x):\n"
     "        self.f = nn.ReLU()\n        return self.f(x)\nnet = Net()\nloss L = sum(net(x))",
     "self.f is given a value above and called"),
])
def test_what_is_no_module_here_is_refused(lines: str, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        Model.parse(HEAD + lines)


def test_a_method_may_set_what_is_called_as_one_that_it_calls() -> None:
    text = ("class Net:\n    def z(self, x):\n        return np.tanh(x)\n    def forward(self, x):\n"
            "        self.z = self.z(x)\n        return 2 * self.z\nnet = Net()\nloss L = sum(net(x))")
    assert "sum(2 * tanh(x))" in Model.parse(HEAD + text).text()


@pytest.mark.parametrize("usual", ["max(1, 2)", "(1, 2)[1]"])
def test_what_is_left_out_may_have_brackets(usual: str) -> None:
    """The first ) ended the parameters."""
    found = Model.parse(f"{HEAD}def f(x, n={usual}):\n    return x * n\nloss L = sum(f(x))")
    assert value(found.loss_row, x=np.ones((2, 6))) == 24


def test_a_class_of_numpy_is_read_with_its_methods() -> None:
    pasted = """
        class MLP:
            def __init__(self, d, h, lam=0.25):
                self.W1 = np.random.randn(d, h) * 0.01
                self.b1 = np.zeros(h)
                self.v = np.random.normal(0, 0.1, (h,))
                self.lam = lam
            def forward(self, x):
                return np.maximum(0, x @ self.W1 + self.b1) @ self.v
            def backward(self, x, t):
                self.dz = 2 * (self.z - t) / len(x)
                for name in self.grads:
                    self.grads[name] += self.dz
            def loss(self, x, t):
                return np.mean((self.forward(x) - t)**2) + self.lam * np.sum(self.W1**2)
        net = MLP(6, 5)
        loss L = net.loss(x, x[:, 0]) + net.forward(x)[0]"""
    plain = """
        param W1: 6 x 5, b1: 5, v: 5
        loss L = mean((maximum(0, x @ W1 + b1) @ v - x[:, 0])**2) + 0.25 * sum(W1**2) + (maximum(0, x @ W1 + b1) @ v)[0]
        """
    assert to_text(Model.parse(HEAD + dedent(pasted))) == to_text(Model.parse(HEAD + dedent(plain)))


OBJECTS = {
    "objects of a class have their own arrays, under their names outside too": ("""
        class Unit:
            def __init__(self, w, b):
                self.w = w
                self.b = b
            def out(self, x):
                return np.tanh(np.dot(self.w, x) + self.b)
        h1 = Unit(w1, b1)
        h2 = Unit(w2, 0.5)
        loss L = h1.out(h2.out(x) * x) + h1.b * h2.w[0]""",
     "L = tanh(w1 @ (tanh(w2 @ x + 0.5) * x) + b1) + b1 * w2[0]"),
    "methods that two classes have": ("""
        class A:
            def __init__(self, w):
                self.w = w
            def act(self, x):
                return np.tanh(self.w * x)
            def twice(self, x):
                return self.act(2 * x)
        class B:
            def __init__(self, v):
                self.v = v
            def act(self, x):
                return np.exp(self.v * x)
        a = A(w1)
        b = B(w2)
        loss L = np.sum(a.act(x) + b.act(x) * a.twice(x))""",
     "L = sum(tanh(w1 * x) + exp(w2 * x) * tanh(2 * w1 * x))"),
    "what __init__ takes under the name of something else that is kept": ("""
        class A:
            def __init__(self, a, b):
                self.a = b
                self.b = a
            def __call__(self, x):
                return self.a * x + self.b
        l1 = A(w1, w2)
        a = 2 * b1
        loss L = np.sum(l1(x) * a) + np.sum(l1.b)""",
     "L = sum((w2 * x + w1) * 2 * b1) + sum(w1)"),
    "loops of methods": ("""
        class A:
            def __init__(self, w):
                self.w = w
            def act(self, x):
                s = 0
                for t in range(3):
                    s = np.tanh(s + self.w * x)
                return s
        a = A(w1)
        b = A(w2)
        loss L = np.sum(a.act(x) * b.act(x))""",
     "f = tanh(w1 * x)\ng = tanh(w2 * x)\nf = tanh(f + w1 * x)\ng = tanh(g + w2 * x)\n"
     "L = sum(tanh(f + w1 * x) * tanh(g + w2 * x))"),
}


@pytest.mark.parametrize("case", OBJECTS)
def test_each_object_has_what_is_its_own(case: str) -> None:
    head = "data x: 3\nparam w1: 3, w2: 3, b1\n"
    pasted, plain = (Model.parse(head + text) for text in (dedent(OBJECTS[case][0]), f"loss {OBJECTS[case][1]}".replace(
        "loss f", "f").replace("\nL", "\nloss L")))
    rng = np.random.default_rng(0)
    given = {"x": rng.normal(size=3), "w1": rng.normal(size=3), "w2": rng.normal(size=3), "b1": 0.7}
    found, right = (value(m.loss_row, **{n: a for n, a in given.items() if n in m.leaves()}) for m in (pasted, plain))
    assert found == pytest.approx(right, rel=1e-14)


def test_what_a_class_is_made_of_is_told_where_it_is_not_given() -> None:
    with pytest.raises(ModelError, match=r"Net is defined on line 3 with \(d\)"):
        Model.parse(HEAD + NET.replace("(self)", "(self, d)", 1) + "net = Net()\nloss L = sum(net(x))")


def test_the_parameters_are_told() -> None:
    read = Model.parse(HEAD + "model = nn.Sequential(nn.Linear(6, 4), nn.ReLU())\nloss L = sum(model(x))")
    assert any("model_0 is nn.Linear, its parameters are read as `param model_0_weight: 4 x 6, model_0_bias: 4`" in told
               for told in read.remarks)


@pytest.mark.parametrize("noise", ["torch.randn_like(std)", "torch.randn(*std.size())", "np.random.randn(*std.shape)"])
def test_noise_like_an_array_is_data(noise: str) -> None:
    text = f"dim N\ndata x: N\nparam w: N\nstd = exp(w)\neps = {noise}\nloss L = sum((x + eps * std)**2)"
    model = parse(text)
    assert "data eps: N\n" in to_text(model) and "eps = " not in to_text(model)
    assert any("eps is read as `data eps: N`" in said for said in model.remarks)
    assert verify(model, seed=1).verdict == "pass"


@pytest.mark.parametrize(("average", "reduced"), [("True", "mean"), ("False", "sum")])
def test_the_reduction_of_old_texts_is_read(average: str, reduced: str) -> None:
    head = "dim N\ndata x: N, y: N\nparam w: N\n"
    assert to_text(parse(f"{head}loss L = F.mse_loss(w * x, y, size_average={average})")) == to_text(
        parse(f"{head}loss L = F.mse_loss(w * x, y, reduction='{reduced}')"))


def test_only_a_shape_is_given_with_a_star() -> None:
    with pytest.raises(ModelError, match="what is given with a star is a shape"):
        parse("data x\nparam w\nloss L = max(*x) * w")
