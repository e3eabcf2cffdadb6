"""False alarms of verify: modules that are right, under verify at many seeds. Whatever does not pass is printed.

    .venv/bin/python scripts/alarms.py                        # all groups, three seeds each: an hour of one core
    .venv/bin/python scripts/alarms.py --groups built-in      # of one group
    .venv/bin/python scripts/alarms.py --target jax --seeds 1

Groups are the built-in models, their second derivatives (gradients and Hessian-vector products as outputs), the loops
of the tests, the models of the documentation and the examples, models written out in steps, and random ones: of
functions, of masks and integers, of loops, each also with second derivatives. The level changes from seed to seed;
every second module (the other ones at odd seeds) has the products with a direction too, where these can be had, and
whole Hessians, their diagonals and Jacobians.
"""

from __future__ import annotations

import argparse
import random
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import product
from multiprocessing import Pool
from pathlib import Path
from time import monotonic
from types import MappingProxyType
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from hypothesis.errors import UnsatisfiedAssumption  # noqa: E402

from symbackprop import Model  # noqa: E402
from symbackprop.codegen import codegen  # noqa: E402
from symbackprop.core import functions as F  # noqa: E402
from symbackprop.errors import ModelError, ShapeError  # noqa: E402
from symbackprop.model import zoo  # noqa: E402
from symbackprop.verified import verify_source  # noqa: E402
from tests.codegen import test_kinds, test_looping, test_random_loops  # noqa: E402
from tests.core import test_random_models  # noqa: E402
from tests.docs.pages import PAGES, Block, items, read  # noqa: E402
from tests.verify.in_steps import TEXTS  # noqa: E402
from tests.zoo.second_order import second_order, with_outputs  # noqa: E402

PRODUCTS, WHOLE = ("hvp", "jvp", "ggn"), (("hessian", "hessian_diagonal", "jacobian"), ("jacobian",))
SMALL = {"neural-turing-machine": {"T": 2, "N": 2, "I": 2, "O": 2, "H": 2, "R": 3, "W": 2},
         "elementwise-relu": {"N": 12}}
UNDECIDED = ("window.sbp", "masked.sbp", "nowhere.sbp")  # an abstract function, and what the page calls undecided
Made = Callable[[], Model]


class Case(NamedTuple):
    """A model, how it is made, and sizes that have to be given."""

    group: str
    name: str
    made: Made
    sizes: Mapping[str, int] = MappingProxyType({})


def cases(count: int) -> Iterator[Case]:
    """All of them; ``count`` random models of each kind."""
    yield from (Case("built-in", n, partial(zoo.build, n), SMALL.get(n, {})) for n in zoo.names())
    yield from (Case("second", n, partial(second, n), SMALL.get(n, {})) for n in zoo.names())
    yield from (Case("loops", n, partial(looping, n)) for n in test_looping.LOOPS)
    yield from (Case("texts", n, partial(Model.parse, text, name="text")) for n, text in texts())
    yield from (Case("steps", n, partial(Model.parse, text, name="steps")) for n, text in TEXTS.items())
    for k in range(count):
        for name, make in RANDOM.items():
            yield Case("random", f"{name} {k}", partial(make, k, k % 2 == 1))


def second(name: str) -> Model:
    return second_order(zoo.build(name)).model


def looping(name: str) -> Model:
    return test_looping.made(name).model


def texts() -> Iterator[tuple[str, str]]:
    """The model texts of the documentation and of the examples."""
    for path in sorted((ROOT / "examples").rglob("*.sbp")):
        yield path.stem, path.read_text(encoding="utf-8")
    for page in PAGES:
        for block in items(read(page)):
            if isinstance(block, Block) and block.role == "file" and block.argument.endswith(".sbp") and (
                    block.argument not in UNDECIDED):
                yield f"{Path(page).name}: {block.argument}", block.text


# -- random models: the same number gives the same one
def of_functions(number: int, twice: bool) -> Model:
    rng = random.Random(number)
    steps = [(rng.choice(sorted(test_random_models.RULES)), (rng.randint(0, 40), rng.randint(0, 40)),
              rng.random() < 0.5) for _ in range(rng.randint(2, 9))]
    program, m = test_random_models.Program(steps), Model("functions")
    results = [m.param(name, shape) for name, shape in test_random_models.LEAVES.items()]
    for k, (rule, args, named) in enumerate(program.steps):
        row = program._row(rule, [results[a] for a in args])
        results.append(m.let(f"r{k}", row) if named else row)
    loss = sum((F.sum(F.sin(results[k] + k)) for k in program.ends), F.sum(results[0] ** 2))
    return with_outputs(m, m.let("J", loss), list(m.params)).model if twice else with_loss(m, loss)


def of_masks(number: int, twice: bool) -> Model:
    rng = random.Random(number)
    steps = [(rng.choice(sorted(test_kinds.RULES)), tuple(rng.randint(0, 40) for _ in range(3)), rng.random() < 0.5)
             for _ in range(rng.randint(2, 8))]
    model = test_kinds.Composition(steps).model()
    return second_order(model).model if twice else model


def of_loops(number: int, twice: bool) -> Model:
    rng = random.Random(number)

    def lines() -> list[tuple[str, int, int]]:
        return [(rng.choice(sorted(test_random_loops.STEPS)), rng.randint(0, 9), rng.randint(0, 9))
                for _ in range(rng.randint(1, 4))]

    plans = [{"lines": lines(), "after": lines(), "carries": rng.randint(1, 2),
              **{name: rng.random() < 0.5 for name in ("reverse", "stacked", "previous", "ragged")}}
             for _ in range(rng.randint(1, 2))]
    return test_random_loops.model_of(plans, rng.random() < 0.5, twice)


def with_loss(model: Model, loss: Any) -> Model:
    model.loss("L", loss)
    return model


RANDOM = {"functions": of_functions, "masks": of_masks, "loops": of_loops}


# -- what verify says
def said(job: tuple[int, int, Options]) -> tuple[int, int, str, str, float]:
    """A case, the seed, the verdict, the report and how long it took."""
    number, seed, options = job
    case, start = CASES[number], monotonic()
    warnings.simplefilter("ignore")
    try:
        model = case.made()
    except (UnsatisfiedAssumption, ModelError, ShapeError):
        return number, seed, "no model", "", 0.0
    try:
        products = (number + seed) % 2 == 1 and case.group not in ("second", "loops")
        source = emitted(model, seed % 3, options["target"], products)
        report = verify_source(source, model, seed=seed, sizes=dict(case.sizes), trials=options["trials"])
        return number, seed, report.verdict, report.text(), monotonic() - start
    except Exception as error:
        return number, seed, "crashed", repr(error), monotonic() - start


def emitted(model: Model, level: int, target: str, products: bool) -> str:
    """The module; with as many products and whole matrices as there are."""
    for along, whole in product((PRODUCTS, PRODUCTS[:2]), (*WHOLE, ())) if products else ():
        try:
            return codegen(model, level=min(level, 1) if target == "jax" else level, target=target, along=along,
                           whole=whole)
        except ModelError:  # no loss, or one that is convex in nothing
            continue
    return codegen(model, level=min(level, 1) if target == "jax" else level, target=target)


Options = dict[str, Any]
CASES: list[Case] = []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--groups", default="", help="built-in, second, loops, texts, steps, random")
    parser.add_argument("--names", default="", help="of these alone")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--random", type=int, default=20, help="random models of each kind")
    parser.add_argument("--target", default="numpy")
    parser.add_argument("--trials", type=int)
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args()
    groups, names = ({n for n in some.split(",") if n} for some in (options.groups, options.names))
    CASES.extend(c for c in cases(options.random) if (not groups or c.group in groups)
                 and (not names or c.name in names))
    asked = {"target": options.target, "trials": options.trials}
    jobs = [(k, seed, asked) for seed in range(options.first, options.first + options.seeds) for k in range(len(CASES))]
    found = Counter[tuple[str, str]]()
    with Pool(options.processes) as pool:
        for number, seed, verdict, text, seconds in pool.imap_unordered(said, jobs):
            case = CASES[number]
            found[case.group, verdict] += 1
            if verdict not in ("pass", "no model"):
                print(f"== {case.group}, {case.name}, seed {seed}, {seconds:.0f} s: {verdict}\n{text}", flush=True)
    for (group, verdict), count in sorted(found.items()):
        print(f"{group}: {count} {verdict}")


if __name__ == "__main__":
    main()
