"""The commands of symbackprop: each parses its options, calls the library, prints the result.

Results go to stdout, messages to stderr. Exit codes: 0 ok, 1 a check failed, 2 usage, 3 model
error, 4 a missing extra, 130 interrupted. Only click and lists of words are imported here; a command
imports what it needs when it runs, so `--help` answers at once.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial, wraps
from pathlib import Path
from time import monotonic
from typing import Any, NoReturn, TypeVar

import click
from click.shell_completion import CompletionItem

from symbackprop.apart import GIGABYTES, SECONDS, random_seed
from symbackprop.errors import ModelError, SymbackpropError, UsageError, as_notes, did_you_mean, nearest
from symbackprop.render.formats import FORMATS, pieces
from symbackprop.render.options import WORDS
from symbackprop.resources import resource
from symbackprop.targets import ALONG, DTYPES, TARGETS, WHOLE, WRAPS
from symbackprop.terminal import end_interrupted, visible

Command = TypeVar("Command", bound=Callable[..., Any])

EVERY = 10.0  # seconds between lines that say how far it is
GRAPHS = ("svg", "dot", "text")
EXERCISES, LEVELS = ("html", "latex"), ("easy", "medium", "hard")
NAMED = 20  # parameters without influence that are named, each in its line
BROKEN_PIPE = 141  # what a shell reports for a program that SIGPIPE ended


# ---------------------------------------------------------------- errors and exit codes


class Refusal(click.ClickException):
    """A SymbackpropError on its way out: what it says on stderr, its exit code, no traceback."""

    def __init__(self, error: SymbackpropError) -> None:
        super().__init__(error.told())
        vars(self)["exit_code"] = error.exit_code  # click declares it as a class variable

    def show(self, file: Any = None) -> None:
        tell(f"error: {self.format_message()}")


def tell(message: str) -> None:
    """A message to stderr; one that cannot be written is lost, and the exit code has to say it."""
    with suppress(OSError):
        click.echo(visible(message), err=True)


@contextmanager
def told_to_the_user() -> Iterator[None]:
    """Our errors, and those that any input may run into, as one line and an exit code; click's without what would
    steer a terminal."""
    try:
        yield
    except KeyboardInterrupt:  # click would say that a check failed
        end_interrupted()
    except SymbackpropError as error:
        raise Refusal(error) from error
    except MemoryError as error:
        raise Refusal(ModelError("there is not enough memory for this; give smaller sizes with --dim")) from error
    except RecursionError as error:
        raise Refusal(ModelError("the input is nested too deeply")) from error
    except OSError as error:
        if error.filename is None:  # a pipe's end, or what is told of stdout
            raise
        raise Refusal(UsageError(f"cannot reach {error.filename}: {error.strerror}")) from error
    except Refusal:
        raise
    except click.ClickException as error:
        error.message = visible(error.message)
        if isinstance(error, click.NoSuchOption) and error.ctx is not None:  # click takes --check for --help
            known = [word for p in error.ctx.command.get_params(error.ctx) for word in p.opts]
            near = nearest(error.option_name, known)
            error.possibilities = [near] if near else []
        vars(error)["show"] = partial(show_usage, error)  # click would write Error:
        raise


def show_usage(error: click.ClickException, file: Any = None) -> None:
    """What is wrong with how a command was called, in our spelling; of a call of nothing, what can be called."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return tell(error.format_message())
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is not None:
        tell(f"{context.get_usage()}\nTry '{context.command_path} --help' for help.\n")
    tell(f"error: {error.format_message()}")


class Commands(click.Group):
    """The group of commands: names the nearest command, turns our errors into exit codes."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        word = args[0]
        if not word.startswith("-") and self.get_command(ctx, word) is None:
            hint = did_you_mean(word, self.list_commands(ctx))
            ctx.fail(f"No such command {word!r}.{hint}")
        name, command, rest = super().resolve_command(ctx, args)
        return name, command, rest if command is None else shielded(command, rest)

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        with told_to_the_user():
            return super().make_context(*args, **options)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with told_to_the_user():
                return super().invoke(ctx)
        except BrokenPipeError:  # the reader of our output went away (`| head`): leave quietly, as other tools do
            abandon_stdout()
            ctx.exit(BROKEN_PIPE)


def shielded(command: click.Command, args: list[str]) -> list[str]:
    """The arguments of a command; with `-e` a formula that begins with a minus has a blank before it, and is no
    option."""
    if not {"-e", "--expression"} & {*args}:
        return args
    known = {word for param in command.params for word in param.opts}

    def is_formula(word: str) -> bool:
        option = word in known or word[:2] in {*known, "--"} or re.fullmatch(r"-\w?", word)
        return word.startswith("-") and (not option or re.match(r"-\w+\s*[-+*@^(]", word) is not None)

    return [f" {word}" if is_formula(word) else word for word in args]


def abandon_stdout() -> None:
    """What is still to be written there goes nowhere."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


# ---------------------------------------------------------------- options that commands share


class Choice(click.Choice):
    """One of several words; a mistyped one is told the nearest."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            error.message += did_you_mean(str(value), map(str, self.choices))
            raise


def read_dims(_ctx: click.Context, _param: click.Parameter, text: str | None) -> dict[str, int]:
    """`N=4,D=3` as a dictionary."""
    sizes: dict[str, int] = {}
    for item in (text or "").replace(" ", "").split(","):
        if item:
            name, size = read_dim(item)
            sizes[name] = size
    return sizes


def read_dim(item: str) -> tuple[str, int]:
    """`N=4` as a pair: a name and a size that is zero or more."""
    name, equals, size = item.partition("=")
    if not (name.isidentifier() and equals and size.isdecimal()):
        raise click.BadParameter(f"{item!r} is not NAME=SIZE, as in N=4,D=3")
    return name, int(size)


def read_shard(_ctx: click.Context, _param: click.Parameter, texts: tuple[str, ...]) -> dict[str, str] | None:
    """`N=data,W.1=model`, in one or several options, as a dictionary."""
    from symbackprop.codegen.wrapping import read_sharding

    return read_sharding(",".join(texts)) if texts else None


def read_functions(_ctx: click.Context, _param: click.Parameter, texts: tuple[str, ...]) -> dict[str, str]:
    """`f=tanh,g=x*sigmoid(x)` as a dictionary; a comma inside a formula is followed by no name and equals sign."""
    functions: dict[str, str] = {}
    for item in [item for text in texts for item in re.split(r",(?=\s*\w+\s*=[^=])", text)]:
        name, equals, formula = (part.strip() for part in item.partition("="))
        if not (name.isidentifier() and equals and formula):
            raise click.BadParameter(f"{item!r} is not NAME=FUNCTION, as in f=tanh")
        functions[name] = formula
    return functions


def read_names(_ctx: click.Context, _param: click.Parameter, texts: tuple[str, ...]) -> dict[str, str]:
    """`a=z1,b=h1` as a dictionary of names that print and stand in code."""
    names: dict[str, str] = {}
    for item in [item for text in texts for item in text.replace(" ", "").split(",")]:
        name, _, wanted = item.partition("=")
        if not (name.isidentifier() and wanted.isidentifier() and wanted.isascii()):
            raise click.BadParameter(f"{item!r} is not NAME=NAME, as in a=z1")
        names[name] = wanted
    return names


def read_renamed(_ctx: click.Context, _param: click.Parameter, texts: tuple[str, ...]) -> dict[str, str]:
    """`fc.weight=W,fc.bias=b` as a dictionary: names of a module's parameters, and those of a model."""
    names: dict[str, str] = {}
    for item in [item for text in texts for item in text.replace(" ", "").split(",")]:
        theirs, _, ours = item.rpartition("=")
        if not (theirs and ours.isidentifier() and ours.isascii()):
            raise click.BadParameter(f"{item!r} is not NAME=NAME, as in fc.weight=W")
        names[theirs] = ours
    return names


@dataclass(frozen=True)
class Given:
    """The model that a command is about: what it was called, and the switches that every command on a model takes."""

    spec: str
    relu0: str | None
    sizes: dict[str, int]
    define: dict[str, str]
    alone: bool = False

    def model(self, called: Mapping[str, str] | None = None) -> Any:
        """The model, with what derivations call its nameless rows."""
        from symbackprop.model import load

        model = load(self.spec, relu0=self.relu0, dims=self.sizes, define=self.define, expression=self.alone)
        model.called |= called or {}
        for note in as_notes(model.remarks):
            tell(note)
        return model


def on_model(command: Command) -> Callable[..., Any]:
    """A command on a model: it has the switches of every such command and gets them, with the model, as ``given``. One
    that takes several runs for each, and ends with the worst exit code."""

    @wraps(command)
    def run(model: str | tuple[str, ...], relu0: str | None, dims: dict[str, int], define: dict[str, str], alone: bool,
            **options: Any) -> Any:
        specs = (model,) if isinstance(model, str) else model
        if not alone and [*specs, options.get("answers")].count("-") > 1:
            raise click.UsageError("stdin can be read once: only one argument can be -")
        calls = [partial(command, given=Given(spec, relu0, dims, define, alone), **options) for spec in specs]
        return calls[0]() if len(calls) == 1 else click.get_current_context().exit(max(map(exit_code, calls)))

    sizes = click.option(
        "--dim", "dims", metavar="N=4,D=3", callback=read_dims, help="Sizes for symbolic dimensions."
    )
    functions = click.option("--define", metavar="f=tanh", multiple=True, callback=read_functions,
                             help="What abstract functions are: a name, or a formula such as f=x*sigmoid(x).")
    default = "The derivative of relu at 0.  [default: what the model says, else 0]"
    alone_flag = click.option("-e", "--expression", "alone", is_flag=True,
                              help="MODEL is an expression, as in -e \"(y - tanh(w*x))^2/2\": the rest is guessed.")
    return click.option("--relu0", type=Choice(["0", "1", "0.5"]), help=default)(sizes(functions(alone_flag(run))))


def exit_code(call: Callable[[], Any]) -> int:
    """What one of several calls ends with; what is wrong with it is told at once."""
    try:
        with told_to_the_user():
            call()
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.UsageError:  # of the call, not of one of its models
        raise
    except click.ClickException as error:
        error.show()
        return error.exit_code
    return 0


def one_of(flag: str, words: Iterable[str], help: str, name: str | None = None, default: str | None = None
           ) -> Callable[[Command], Command]:
    """An option that takes one of some words, the first being the default where none is given."""
    words = [*words]
    names = (flag,) if name is None else (flag, name)
    return click.option(*names, type=Choice(words), default=default or words[0], show_default=True, help=help)


naming_option = click.option("--name", "called", metavar="a=z1", multiple=True, callback=read_names,
                             help="What to call a row that the derivation names a.")


def format_option(*formats: str) -> Callable[[Command], Command]:
    return click.option("--format", "form", type=Choice(formats),
                        help=f"How to print it.  [default: as the file's name says, else {formats[0]}]")


def for_a_file(command: Command) -> Callable[..., Any]:
    """The options of a command that executes a file of somebody's."""
    seed = click.option("--seed", type=click.IntRange(0), metavar="N", default=random_seed,
                        help="Of the random inputs; the report says which.  [default: a random one]")
    timeout = click.option("--timeout", type=click.FloatRange(0, min_open=True), metavar="SECONDS", default=SECONDS,
                           show_default=True, help="How long each call of a file may take.")
    memory = click.option("--memory", type=click.FloatRange(0, min_open=True), metavar="GIB", default=GIGABYTES,
                          show_default=True, help="How much memory a file may take.")
    return seed(timeout(memory(command)))


def tell_it_is_executed(path: str | Path) -> None:
    tell(f"note: {path} is executed, in a process of its own")


def completed(_ctx: click.Context, param: click.Parameter, begun: str) -> list[CompletionItem]:
    """What a shell completes: files, which it finds by itself, and for a model the built-in ones."""
    known = [path.stem for path in resource("model/zoo").glob("*.sbp")] if param.name == "model" else []
    return [CompletionItem(begun, type="file"), *(CompletionItem(k) for k in sorted(known) if k.startswith(begun))]


model_argument = click.argument("model", shell_complete=completed)
models_argument = click.argument("model", metavar="MODEL...", nargs=-1, required=True, shell_complete=completed)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
at_option = click.option("--at", metavar="VALUES", help="Numbers to put in: x=.5,y=1, a file (.json, .npz) or example.")
digits_option = click.option("--digits", type=click.IntRange(1, 17), metavar="N", help="Digits of printed numbers.")
output_option = click.option(
    "-o", "--output", metavar="FILE", default="-", help="Where to write; - is stdout (default).",
    shell_complete=completed,
)


# ---------------------------------------------------------------- output


def write_result(result: str | Iterable[str], output: str = "-", form: str = "", kind: str = "",
                 verdicts: bool = False) -> None:
    """Write a result, or its pieces as they are made, to stdout (`-`) or, whole or not at all, to a file; it ends in
    one newline. With a ``kind`` the file holds what is made of a result in this format; ``verdicts`` have colours on a
    terminal."""
    pieces = ended((result,) if isinstance(result, str) else result)
    if output == "-":
        for piece in pieces:
            write_stdout(piece, verdicts)
    elif kind:
        from symbackprop.render.convert import made

        write_file(made("".join(pieces), form, kind), output)
    else:
        whole = io.BytesIO()
        whole.writelines(map(str.encode, pieces))
        write_file(whole.getvalue(), output)


def ended(pieces: Iterable[str]) -> Iterator[str]:
    """The same, with one newline at the end."""
    newlines = ""
    for piece in pieces:
        whole = newlines + piece
        kept = whole.rstrip("\n")
        newlines = whole[len(kept):]
        yield kept
    yield "\n"


def write_file(content: str | bytes, output: str) -> None:
    """Write a file, whole or not at all."""
    from symbackprop.files import write_module

    path = not_an_input(Path(output))
    if not path.parent.is_dir():
        raise click.UsageError(f"cannot write {output}: there is no directory {path.parent}")
    write_module(content, path)


def chosen(form: str | None, output: str, formats: Iterable[str]) -> tuple[str, str]:
    """The format asked for, or the one that the file's name says, and what is to be made of it."""
    from symbackprop.render.convert import by_name

    return (form, "") if form else by_name(str(not_an_input(Path(output))), tuple(formats))


def as_text(data: Any) -> str:
    """Plain data as JSON."""
    return json.dumps(data, indent=2, ensure_ascii=False)


COLOURS = {"pass": "green", "ok": "green", "right": "green", "fail": "red", "wrong": "red", "inconclusive": "yellow"}
VERDICT = re.compile(rf"^(\S+: |  \S.*?  )({'|'.join(COLOURS)})\b", re.MULTILINE)


def coloured(text: str) -> str:
    """A report with the first verdict of each line in its colour, on a terminal and where NO_COLOR is not set."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return text
    return VERDICT.sub(lambda found: found[1] + click.style(found[2], COLOURS[found[2]], bold=True), text)


def write_stdout(text: str, verdicts: bool = False) -> None:
    """Write to stdout, or say that it cannot be written."""
    if sys.stdout is None:
        raise UsageError("cannot write the result: stdout is closed")
    try:
        click.echo(coloured(visible(text)) if verdicts else visible(text), nl=False)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        abandon_stdout()
        raise UsageError(f"cannot write the result to stdout: {error.strerror or error}") from error


def not_an_input(path: Path) -> Path:
    """The path to write to; refused when it is a file that the command reads (the model, the answers)."""
    given = click.get_current_context().params
    models = m if isinstance(m := given["model"], tuple) else [m]
    read = [given.get("answers"), given.get("at"), *(re.sub(r"\.py:\w*$", ".py", str(m)) for m in models)]
    if path.exists() and any(_leads_to(path, str(v)) for v in read if v):
        raise click.UsageError(f"{path} is what the command reads; choose another file to write to")
    return path


def _leads_to(path: Path, spec: str) -> bool:
    """Whether the spec is the path of the file. A formula of -e is none, and may be too long for one."""
    with suppress(OSError, ValueError):
        return path.samefile(spec)
    return False


def unclaimed(path: Path, spec: str) -> Path:
    """The path, where no other model of this call is written to it."""
    first = click.get_current_context().meta.setdefault("written", {}).setdefault(path, spec)
    if first != spec:
        raise UsageError(f"{path} holds the module of {first}, and {spec} has the same name: give one another, "
                         "with `# name: …`, or write it elsewhere")
    return path


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """Yields ``report(done, total)``, which draws a bar on stderr: on a terminal, once the work has taken a second.
    Elsewhere a line says how far it is, every ten seconds."""
    began, bars, said = monotonic(), [], [monotonic()]

    def report(done: int, total: int) -> None:
        if not bars and sys.stderr.isatty() and monotonic() - began > 1:
            bars.append(click.progressbar(length=total, label=label, file=sys.stderr))
        if not bars and monotonic() - said[0] > EVERY:
            said[0] = monotonic()
            tell(f"{label}: {done} of {total}")
        for bar in bars:
            bar.length = total
            bar.update(done - bar.pos)

    try:
        yield report
    finally:
        for bar in bars:
            bar.render_finish()


# ---------------------------------------------------------------- the commands


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(None, "-V", "--version", package_name="symbackprop", message="%(prog)s %(version)s")
def cli() -> None:
    """Derives a model's backward pass, prints it, writes it as NumPy and checks it.

    MODEL is a built-in name (see `symbackprop models`), a model text (net.sbp), a Python file
    and a name in it (net.py:model), or - for model text on stdin.
    """


@cli.command()
@click.option("--tag", metavar="T", help="Only the models with this tag.")
@json_option
def models(tag: str | None, as_json: bool) -> None:
    """List the built-in models."""
    from symbackprop.model import zoo

    found = zoo.entries(tag)
    if not found and tag is not None:
        known = zoo.tags()
        hint = did_you_mean(tag, known)
        raise UsageError(f"no built-in model has the tag {tag!r}; tags are {', '.join(known)}.{hint}")
    write_result(as_text([e._asdict() for e in found]) if as_json else zoo.listing_text(found))


@cli.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@json_option
def ops(names: tuple[str, ...], as_json: bool) -> None:
    """List every op and function, or those of the given names.

    Each with its signature, shape rule, derivative rule, domain and convention.
    """
    from symbackprop.core.listing import entries, listing_text

    listed = entries()
    known = {entry["name"] for entry in listed}
    for name in names:
        if name not in known:
            raise UsageError(f"there is no op or function {name!r}.{did_you_mean(name, known)}")
    listed = [entry for entry in listed if not names or entry["name"] in names]
    write_result(as_text(listed) if as_json else listing_text(listed))


@cli.command()
@model_argument
@one_of("--format", ("text", "latex", "sbp", "json"), "How to print it.", "form")
@on_model
def show(given: Given, form: str) -> None:
    """Show the model itself: equations, shapes, parameters."""
    from symbackprop.render.show import show as shown

    write_result(shown(given.model(), form))


@cli.command()
@model_argument
@click.option("--wrt", metavar="A,B", help="Only the gradients of these (default: every parameter).")
@format_option(*FORMATS)
@one_of("--view", WORDS["view"], "How the steps are written.", default="auto")
@one_of("--layout", WORDS["layout"], "Gradients in the shape of the parameter, or in Jacobian layout.", default="shape")
@at_option
@digits_option
@one_of("--detail", WORDS["detail"], "How much is printed: a board, the chain rule, or every line.", default="full")
@click.option("--whole", is_flag=True, help="All of what is long: else of more than 1,000 steps or equations, ten "
              "parts of a formula as one of these, or 200 terms, the first and the last.  [json: always]")
@click.option("--lr", type=float, metavar="R", help="Gradient descent in numbers at this learning rate.")
@click.option("--steps", type=click.IntRange(1, 1000), default=1, show_default=True, help="Of that.")
@one_of("--order", ("1", "2"), "2: second derivatives too.")
@click.option("--hessian", metavar="W,V", help="Second derivatives by these alone.")
@click.option("--jacobian", metavar="Y", help="All derivatives of the entries of this intermediate or output.")
@click.option("--ggn", is_flag=True, help="The Gauss-Newton matrix in the place of second derivatives.")
@click.option("--standalone", is_flag=True, help="A LaTeX document that compiles, not a fragment.")
@naming_option
@output_option
@on_model
def derive(given: Given, called: dict[str, str], wrt: str | None, form: str | None, at: str | None, standalone: bool,
           output: str, order: str, hessian: str | None, jacobian: str | None, ggn: bool, **options: Any) -> None:
    """Print the derivation of the gradients."""
    form, kind = chosen(form, output, FORMATS)
    if standalone and form != "latex":
        raise click.UsageError("--standalone is for --format latex")
    from symbackprop.derive import derive as derived
    from symbackprop.render.numbers import values_at

    names, twice = (None if x is None else [n.strip() for n in x.split(",") if n.strip()] for x in (wrt, hessian))
    derivation = derived(given.model(called), names, int(order), twice, jacobian, ggn)
    options["values"] = values_at(at, derivation.model)
    made = pieces(derivation, form, standalone=standalone or bool(kind), sizes=given.sizes, **options)
    write_result(made, output, form, kind)


@cli.command()
@models_argument
@click.option(
    "-o", "--output", metavar="FILE|DIR", help="Where to write; - is stdout.  [default: generated/<name>.py]"
)
@one_of("--dtype", DTYPES, "Precision of init_params.", default="float64")
@click.option("--target", type=Choice(TARGETS), help="What the module computes with.  [default: numpy, or what --wrap "
              "or --shard needs]")
@one_of("-O", ["0", "1", "2"], "Optimisation: -O0, -O1 or -O2 (with a workspace).", "level", default="1")
@click.option("--optimizer", metavar="NAME", help="Add init_state and update: sgd, momentum, adagrad, adam or adamw.")
@click.option("--hvp", is_flag=True, help="Add hvp(params, data, v): the Hessian times a direction v.")
@click.option("--jvp", is_flag=True, help="Add jvp(params, data, v): how the loss, or outputs, change along v.")
@click.option("--ggn", is_flag=True, help="Add ggn(params, data, v): the Gauss-Newton matrix times a direction v.")
@click.option("--hessian", is_flag=True, help="Add hessian(params, data), in blocks, and hessian_dense.")
@click.option("--jacobian", is_flag=True, help="Add jacobian(params, data), in blocks.")
@click.option("--hessian-diagonal", is_flag=True, help="Add hessian_diagonal(params, data), or, with rng, an estimate.")
@click.option("--wrap", type=Choice(WRAPS), help="Make it part of another library too: operators and an nn.Module of "
              "PyTorch, or a function of JAX under custom_vjp.")
@click.option("--shard", is_flag=False, flag_value="", multiple=True, metavar="N=data,W.1=model", callback=read_shard,
              help="Add train_step for JAX, over the devices of a mesh: which dimension, or axis of an array, is split "
              "along which of its axes.  [without a value: a batch, along data]")
@click.option("--checkpoint", metavar="every:K|sqrt", help="In loops keep what is carried once in K steps, or in about "
              "the root of their number, and compute the steps between again; without loops the same for blocks.")
@click.option("--report", is_flag=True, help="Tell multiplications and memory in the dimensions and, with all sizes "
              "given, in numbers, and write nothing.")
@json_option
@click.option("--check", is_flag=True, help="Write nothing; exit 1 and show a diff if the file differs.")
@click.option("--verify/--no-verify", "check_gradients", default=True, help="Verify before writing.")
@naming_option
@on_model
def codegen(given: Given, called: dict[str, str], output: str | None, level: str, check: bool, check_gradients: bool,
            report: bool, as_json: bool, **options: Any) -> None:
    """Write models and their backward passes as modules.

    The module is verified as a file before it takes its place; a module that fails is not written.
    """
    from symbackprop.codegen import codegen as emit
    from symbackprop.files import module_path

    if as_json and not report:
        raise click.UsageError("--json is for --report")
    if report:
        told = account(given.model(called), int(level), options)
        write_result(as_text(told.to_json()) if as_json else told.text(), output or "-")
        return
    if check and output == "-":
        raise click.UsageError("--check compares with a file, so -o - makes no sense with it")
    several = len(click.get_current_context().params["model"]) > 1
    if several and output not in (None, "-") and module_path(output, "a") == Path(output):
        raise click.UsageError(f"several models are written into a folder, and {output} is none; for one: "
                               f"-o {Path(output).with_suffix('')}/")
    model = given.model(called)
    along, whole = ([name for name in names if options.pop(name)] for names in (ALONG, WHOLE))
    text = emit(model, level=int(level), along=along, whole=whole, **options)
    alone = model.unreached()
    for name in alone[:NAMED]:
        tell(f"note: no result depends on {name}; its gradient is zero")
    if len(alone) > NAMED:
        tell(f"note: nor on {len(alone) - NAMED} others")
    if check:
        require_unchanged(text, module_path(output, model.name))
    else:
        path = None if output == "-" else unclaimed(module_path(output, model.name), given.spec)
        write_verified(text, model, path, check_gradients)


def account(model: Any, level: int, options: dict[str, Any]) -> Any:
    """What the module of a model costs."""
    from symbackprop.codegen.report import report

    more = [*ALONG, *WHOLE, "optimizer", "wrap", "shard", *(() if options["target"] == "numpy" else ["target"])]
    for name in [name for name in more if options[name] not in (None, False)]:
        raise click.UsageError(f"--report is of forward and backward for NumPy: leave out --{name.replace('_', '-')}")
    return report(model, level=level, dtype=options["dtype"], checkpoint=options["checkpoint"])


def write_verified(text: str, model: Any, path: Path | None, check_gradients: bool) -> None:
    """Write a module to its path, or to stdout; verified first when wanted."""
    from symbackprop.files import replaced, write_module
    from symbackprop.verified import require_verified

    def check(module: Path | str) -> None:
        with progress_bar("verifying") as progress:
            for remark in require_verified(module, model, progress=progress):
                tell(f"note: {remark}")

    if path is None:
        if check_gradients:
            check(text)
        write_result(text)
        return
    remark, new = replaced(text, not_an_input(path)), not path.parent.exists()
    write_module(text, path, check if check_gradients else None)
    if remark:
        tell(f"note: {remark}")
    if new:
        tell(f"note: the folder {path.parent} is new")
    tell(f"wrote {path}")


def require_unchanged(text: str, path: Path) -> None:
    """Exit with 1 and a diff unless the file on disk is what would be written."""
    from symbackprop.files import difference

    if not path.exists():
        tell(f"error: there is no {path}: run codegen without --check")
        click.get_current_context().exit(1)
    diff = difference(text, path)
    if diff:
        write_stdout(diff)
        tell(f"error: {path} is not what would be written; run codegen without --check")
        click.get_current_context().exit(1)


@cli.command()
@click.argument("model", metavar="MODEL|FILE.py...", nargs=-1, required=True, shell_complete=completed)
@for_a_file
@click.option("--trials", type=click.IntRange(1), metavar="N", help="How many random inputs to try.")
@one_of("--method", ["auto", "central", "complex"],
        "How numeric slopes are taken: complex step, central differences, or the first where it applies.")
@json_option
@on_model
def verify(given: Given, timeout: float, memory: float, as_json: bool, **options: Any) -> None:
    """Check the gradients of models or of emitted modules.

    They are compared with numeric slopes of the model itself. FILE.py is executed, as your own code, in a process of
    its own. Exits with 1 when the check fails, and also when it could decide nothing or not everything.
    """
    from symbackprop.apart.source import is_emitted

    run = verified_file if is_emitted(given.spec) else verified_model
    with progress_bar("verifying") as progress:
        report = run(given, timeout, memory, sizes=given.sizes, progress=progress, **options)
    write_result(as_text(report.to_json()) if as_json else report.text(), verdicts=not as_json)
    if not report.passed:
        click.get_current_context().exit(1)


def verified_file(given: Given, timeout: float, memory: float, **options: Any) -> Any:
    from symbackprop.apart.process import Process

    with Process(given.spec, timeout, memory) as process:  # it starts while we import
        from symbackprop.verify import verify_process

        tell_it_is_executed(given.spec)
        return verify_process(process, relu0=given.relu0, **options)


def verified_model(given: Given, timeout: float, memory: float, **options: Any) -> Any:
    from symbackprop.verified import verify

    return verify(given.model(), **options)


@cli.command()
@model_argument
@click.argument("answers", metavar="ANSWERS|FOLDER", shell_complete=completed)
@click.option(
    "--hints", type=click.IntRange(0, 3), metavar="0..3", default=2, show_default=True,
    help="What to tell about a wrong answer: 0 that it is wrong, 1 the kind of mistake, 2 the factor, 3 the answer.",
)
@json_option
@output_option
@on_model
def grade(given: Given, answers: str, hints: int, as_json: bool, output: str) -> None:
    """Check a person's own gradients.

    ANSWERS is a file (or - for stdin) with lines like `dw2 = -(y-o)*(1-o^2)*h`, statements of NumPy or PyTorch, or
    LaTeX; it is read and never run. A folder of such files is graded in one call; the result is a CSV table. Exits
    with 1 when an answer is wrong, missing or not decided, with 3 when one cannot be read.
    """
    from symbackprop.grade import Grader, grade_path

    graded = grade_path(Grader(given.model(), given.sizes), answers)
    write_result(graded.json(hints) if as_json else graded.text(hints), output, verdicts=not as_json)
    click.get_current_context().exit(graded.exit_code)


@cli.command()
@model_argument
@click.argument("target", metavar="FILE.py[:NAME]", shell_complete=completed)
@click.option(
    "--returns", metavar="x,W", help="The names of what NAME returns.  [default: read off its return statement]"
)
@one_of("--dtype", DTYPES, "What the code is handed.")
@click.option(
    "--tolerance",
    type=click.FloatRange(0, min_open=True),
    metavar="R",
    help="How far a gradient may be off, relative to its largest entry.  [default: what fits its precision]",
)
@for_a_file
@click.option(
    "--trials", type=click.IntRange(1), metavar="N", default=3, show_default=True, help="How many random inputs to try."
)
@json_option
@on_model
def check(given: Given, target: str, timeout: float, memory: float, as_json: bool, **options: Any) -> None:
    """Check anybody's own backward pass, and name its mistakes.

    The file is executed, as your own code, in a process of its own. NAME is a function whose parameters are names of
    the model (upstream, dout or d and an output's name for the upstream gradient), a torch.autograd.Function, or a
    class with forward and backward; without NAME the file has forward(params, data) and backward(cache). Exits with 1
    when a gradient is wrong.
    """
    from symbackprop.apart.process import Process
    from symbackprop.apart.source import split_target

    path, name = split_target(target)
    with Process(path, timeout, memory) as process:  # it starts while we import
        from symbackprop.own import check_process

        model = given.model()
        tell_it_is_executed(path)
        report = check_process(model, process, name, dims=given.sizes, **options)
    write_result(report.json() if as_json else report.text(), verdicts=not as_json)
    if not report.passed:
        click.get_current_context().exit(1)


@cli.command()
@model_argument
@format_option(*EXERCISES)
@click.option("--seed", type=click.IntRange(0), metavar="N", default=0, show_default=True,
              help="Which steps are asked, and at which numbers answers are compared.")
@one_of("--difficulty", LEVELS, "easy asks for factors, medium for gradients below their chain rule, hard for both.",
        default="medium")
@click.option("--steps", metavar="N|a,b", default="", help="How many steps are asked, or those that find the gradients "
              "of a and b.  [default: a third of them, a half or all, by difficulty]")
@click.option("--key", is_flag=True, help="The sheet with its answers.")
@output_option
@on_model
def exercise(given: Given, form: str | None, key: bool, output: str, **options: Any) -> None:
    """Make an exercise of a derivation, as a page or a sheet.

    The page needs no network: steps are left out, and what is typed for them is checked in it, with hints. What it
    saves, `symbackprop grade` reads. The same seed gives the same page, and the sheet and key (-o sheet.tex) that go
    with it.
    """
    form, kind = chosen(form, output, EXERCISES)
    if key and form != "latex":
        raise click.UsageError("--key is for --format latex")
    from symbackprop.exercise import exercise as made

    asked = made(given.model(), sizes=given.sizes, **options)
    write_result(asked.latex(key) if form == "latex" else asked.html(), output, form, kind)


@cli.command("import")
@click.argument("model", metavar="FILE.py:NAME|net.onnx", shell_complete=completed)
@click.option("--weights", metavar="net.npz", help="Where to write the values of its parameters and buffers.")
@click.option("--rename", metavar="fc.weight=W", multiple=True, callback=read_renamed,
              help="What to call a parameter of the module.")
@click.option("--fold/--no-fold", default=True, show_default=True,
              help="Write blocks of a PyTorch module that come again and again as a loop, their parameters stacked.")
@click.option("--report", is_flag=True, help="List what it is made of, and all that cannot be read, and write nothing.")
@json_option
@output_option
def import_module(model: str, weights: str | None, rename: dict[str, str], fold: bool, report: bool, as_json: bool,
                  output: str) -> None:
    """Read a PyTorch module or an ONNX network as model text.

    NAME is a function that returns (module, args), or these and dynamic_shapes as torch.export takes them; the file is
    executed, as your own code. Exits with 3 when a part cannot be read.
    """
    from symbackprop.imported.report import archive, reading, report_data, report_text

    found = reading(model, rename, fold)
    if report or as_json:
        write_result(as_text(report_data(found)) if as_json else report_text(found), output)
        click.get_current_context().exit(ModelError.exit_code if found.problems else 0)
    imported = found.required()
    write_result(imported.model.text(), output)
    if weights:
        write_file(archive(imported.weights), weights)


@cli.command()
@model_argument
@format_option(*GRAPHS)
@at_option
@digits_option
@click.option("--expand", is_flag=True, help="Draw every block of a deep model, not one for all that are alike.")
@naming_option
@output_option
@on_model
def graph(given: Given, called: dict[str, str], form: str | None, at: str | None, output: str, **options: Any) -> None:
    """Draw the computation graph.

    With --at, the value of each node stands above it, the gradient below it, and on edges between scalars the local
    gradient.
    """
    from symbackprop.render.graph import draw
    from symbackprop.render.numbers import values_at

    form, kind = chosen(form, output, GRAPHS)
    model = given.model(called)
    write_result(draw(model, form, values_at(at, model), sizes=given.sizes, **options), output, form, kind)


def main() -> NoReturn:
    """Run the command line; ends the process with the command's exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # an encoding that lacks a sign is no reason to fail
    try:
        cli.main(prog_name="symbackprop")
    except OSError as error:  # help, or a message of click's, on a full disk
        abandon_stdout()
        tell(f"error: cannot write the result to stdout: {error.strerror or error}")
        sys.exit(UsageError.exit_code)
    raise AssertionError("click ends the process")


if __name__ == "__main__":
    main()
