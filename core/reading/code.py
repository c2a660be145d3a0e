"""PyTorch or Keras code, pasted or from a file, as architectures. It is read, never run."""

from __future__ import annotations

import ast
from collections import Counter
from dataclasses import dataclass, field, replace

from core.architecture.trace import CLASSES
from core.errors import SpecError
from core.reading import hints
from core.reading.interpreter import Interpreter
from core.reading.keras import is_keras
from core.reading.keras_json import is_keras_json, read_model
from core.reading.network import Made, read_network
from core.reading.python_values import FAILURES, items
from core.reading.record import CodeRead, Network, Note
from core.reading.source import MAX_TEXT, Source, read_source
from core.reading.statements import Break, Continue, Return
from core.reading.values import Class, Dotted, Function, Module, NotUnderstood, Scope, TooMuch, Unknown, Value
from core.record import short

MAX_NETWORKS = 24  # of one text, the likeliest first
BUILDERS = ("add", "append", "add_module", "extend", "insert", "update", "setdefault", "add_argument", "set_defaults")
FOLLOWED = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign, ast.AugAssign)


def read_code(text: str, name: str = "") -> CodeRead:
    """The networks in a text: Python, a notebook's JSON, or Keras's to_json. `name`: of the file, if it is one.

    Raises SpecError, one sentence, where there is no network in it.
    """
    if len(text) <= MAX_TEXT and is_keras_json(text):
        made = Made("model", 1, read_model(text))
        return CodeRead(text, (read_network(Interpreter(), made, [], [short(text)]),))
    source = read_source(text, name)
    try:
        networks = _Reader(source).networks()
    except (TooMuch, RecursionError) as failure:
        why = str(failure) if isinstance(failure, TooMuch) else "the code nests too deep"
        raise SpecError(f"{why}: paste the network's class only") from None
    if not networks:
        if why := hints.elsewhere(source.body):
            raise SpecError(why)
        raise SpecError(
            "there is no network in this text: paste a class that derives from nn.Module, with its forward, "
            f"or an nn.Sequential{f'; {source.problems[0].message}' if source.problems else ''}"
        )
    return CodeRead(source.code, tuple(networks), source.problems, source.cells)


@dataclass(eq=False)
class _Reader:
    """One text on its way to networks."""

    source: Source
    run: Interpreter = field(default_factory=Interpreter)
    scope: Scope = field(default_factory=Scope)

    def __post_init__(self) -> None:
        self.calls = hints.calls_by_name(self.source.body)

    def networks(self) -> list[Network]:
        for each in self.source.body:
            self._follow(each)
        sizes = hints.sizes(self.source.body)
        lines = self.source.code.split("\n")
        made = self._candidates()
        self.run.within |= {each.cls for one in made for path, each in one.module.named() if path and each.cls}
        found: list[tuple[tuple[int, ...], Network]] = []
        for number, candidate in enumerate(made[:MAX_NETWORKS]):
            network = read_network(self.run, candidate, sizes, lines)
            found.append((self._rank(network, candidate, number), network))
        found.sort(key=lambda pair: pair[0], reverse=True)
        networks = [network for _, network in found]
        whole = [each for each in networks if each.architecture is not None]
        return self._distinct(whole) or networks[:1]

    # ------------------------------------------------------------------------------------------ the file as a whole

    def _follow(self, node: ast.stmt) -> None:
        """One statement of the file itself: names, functions and classes count, what trains or prints does not."""
        run = self.run
        run.quiet, run.most_steps = True, run.steps + 20_000
        try:
            if isinstance(node, ast.If | ast.Try | ast.With):
                if isinstance(node, ast.If) and not run.truth(run.value(node.test, self.scope)):
                    inner = node.orelse
                else:
                    inner = node.body
                for each in inner:
                    self._follow(each)
            elif isinstance(node, ast.For) and not _builds(node):
                self._follow_rounds(node)
            elif isinstance(node, ast.Expr) and _is_sequential(node.value):
                self.scope.names["nn.Sequential"] = run.value(node.value, self.scope)
            elif isinstance(node, FOLLOWED) or _builds(node):
                run.statement(node, self.scope)
        except TooMuch:
            if run.out_of_time():
                raise
        except (Return, Break, Continue, NotUnderstood, *FAILURES):
            pass
        finally:
            run.depth, run.most_steps = 0, run.steps + 200_000

    def _follow_rounds(self, node: ast.For) -> None:
        """A loop that trains one network after the other: only what it makes counts."""
        names = {each.name for each in self.run.classes}
        makes = [
            each
            for each in node.body
            if isinstance(each, ast.Assign)
            and any(isinstance(inner, ast.Name) and inner.id in names for inner in ast.walk(each.value))
        ]
        for value in items(self.run.value(node.iter, self.scope))[:8] if makes else []:
            self.run.assign(node.target, value, self.scope)
            for each in makes:
                self.run.statement(each, self.scope)

    # --------------------------------------------------------------------------------------------------- candidates

    def _candidates(self) -> list[Made]:
        """What may be a network: made in the file itself, made elsewhere in it, or made here with its defaults."""
        found: dict[int, Made] = {}
        taken: set[Class] = set()
        parts = self._parts()
        for name, value in self._values():
            if not isinstance(value, Module) or id(value) in parts:
                continue
            if value.cls is not None and value.kind != "object" and _has_forward(value.cls):
                taken.add(value.cls)
                found[id(value)] = Made(value.cls.name, value.cls.line, value, self._complaints(value), variable=name)
            elif (value.kind == "Sequential" and value.children) or "graph" in value.fields:
                found[id(value)] = Made(name, value.line, value)
        for cls in self.run.classes[::-1]:
            if len(found) < MAX_NETWORKS and cls not in taken and _has_forward(cls):
                made = self._made(cls)
                if made is not None:
                    found[id(made.module)] = made
        found = found or self._from_functions()
        several = Counter(each.module.cls for each in found.values())
        named = [
            replace(each, name=f"{each.name} as {each.variable}")
            if each.variable and several[each.module.cls] > 1
            else each
            for each in found.values()
        ]
        return sorted(named, key=lambda each: -self._weight(each))

    def _values(self) -> list[tuple[str, Value]]:
        """The file's names and values, with those in its lists and dicts."""
        found: list[tuple[str, Value]] = []
        for name, value in self.scope.names.items():
            if isinstance(value, list):
                found += [(f"{name}[{number}]", each) for number, each in enumerate(value[:8])]
            elif isinstance(value, dict):
                found += [(f"{name}[{key!r}]"[:60], each) for key, each in list(value.items())[:8]]
            found.append((name, value))
        return found

    def _from_functions(self) -> dict[int, Made]:
        """Where there is no class: methods that were pasted without theirs, or a function that makes the network."""
        run, functions = self.run, {name: each for name, each in self.scope.names.items() if isinstance(each, Function)}
        if {"__init__", "forward"} <= set(functions):
            cls = Class("Net", functions["forward"].node.lineno, (Dotted("torch.nn.Module"),), {**functions})
            for each in functions.values():
                each.owner = cls
            made = self._made(cls)
            return {id(made.module): made} if made is not None else {}
        found: dict[int, Made] = {}
        for name, function in functions.items():
            run.quiet, run.depth = True, 0
            value = run.call(function, (), {}, function.node.lineno)
            if isinstance(value, Module) and value.kind != "object":
                found[id(value)] = Made(name, function.node.lineno, value)
        return found

    def _complaints(self, module: Module) -> tuple[tuple[int, str, str], ...]:
        return tuple(self.run.making.get(id(module), ()))

    def _weight(self, made: Made) -> int:
        """The line of the last place that makes it: what comes last in a notebook is what people mean."""
        cls = made.module.cls
        if cls is None or made.variable:
            return made.module.line + (cls not in self.run.within) * 1_000_000
        calls = self.calls.get(cls.name, [])
        return max((call.lineno for call, _ in calls), default=0) + (cls not in self.run.within) * 1_000_000

    def _parts(self) -> set[int]:
        """Modules that stand within others."""
        modules = [each for each in self.scope.names.values() if isinstance(each, Module)]
        return {id(inner) for module in modules for path, inner in module.named() if path}

    def _made(self, cls: Class) -> Made | None:
        """A class made as the code makes it somewhere, or with its defaults and guesses for what has none."""
        run = self.run
        given: tuple[Value, ...] = ()
        keywords: dict[str, Value] = {}
        calls = self.calls.get(cls.name, [])
        notes: list[Note] = []
        run.quiet = True
        if calls:
            call, around = calls[-1]
            given, keywords = run.arguments(call, self._around(around, call.lineno))
        given, keywords = self._filled(cls, given, keywords, notes)
        try:
            kind = run.call(cls, given, keywords, cls.line)
        except TooMuch as failure:
            if run.out_of_time():
                raise
            kind = Unknown(str(failure), cls.line)
        run.depth = 0
        if not isinstance(kind, Module):
            return self._broken(cls, kind, notes)
        return Made(cls.name, cls.line, kind, self._complaints(kind), tuple(notes))

    def _around(self, body: list[ast.stmt], line: int) -> Scope:
        """The names that a function gives values before a line."""
        scope = Scope({}, self.scope)
        for each in body:
            if (isinstance(each, ast.Assign | ast.AnnAssign) or _builds(each)) and each.lineno < line:
                self.run.statement(each, scope)
        return scope

    def _broken(self, cls: Class, value: Value, notes: list[Note]) -> Made | None:
        if cls in self.run.within or not isinstance(value, Unknown):
            return None
        complaint = (value.line or cls.line, value.why, "give each argument of __init__ a default value")
        return Made(cls.name, cls.line, Module("Module", cls.line), (complaint,), tuple(notes))

    def _filled(
        self, cls: Class, given: tuple[Value, ...], keywords: dict[str, Value], notes: list[Note]
    ) -> tuple[tuple[Value, ...], dict[str, Value]]:
        """The arguments of `__init__`, with a guess where the code gives none."""
        start = cls.find("__init__")
        if not isinstance(start, Function):
            return given, keywords
        arguments = start.node.args
        names = [each.arg for each in (*arguments.posonlyargs, *arguments.args)][1:]
        filled = dict(zip(names, given, strict=False)) | keywords
        told = []
        for name in (*names, *(each.arg for each in arguments.kwonlyargs)):
            known = name in filled and not isinstance(filled[name], Unknown | Dotted)
            if known or (name not in filled and name in start.defaults):
                continue
            if name in start.defaults and not isinstance(start.defaults[name], Unknown):
                filled[name] = start.defaults[name]
            elif not isinstance(value := self._guess(cls, name), Unknown):
                filled[name] = value
                told.append(name if isinstance(value, Module) else f"{name} = {getattr(value, 'last', value)}")
        if told and cls not in self.run.within:
            notes.append(
                Note(cls.line, f"the code does not say what {cls.name} is made with; read with {', '.join(told)}")
            )
        return given[len(names) :], filled

    def _guess(self, cls: Class, name: str) -> Value:
        methods: list[ast.AST] = [each.node for each in cls.names.values() if isinstance(each, Function)]
        wanted = hints.compared_with(methods, name)
        return wanted if wanted is not None else hints.guess(name)

    # ------------------------------------------------------------------------------------------------ the best guess

    def _rank(self, network: Network, made: Made, number: int) -> tuple[int, ...]:
        architecture = network.architecture
        ten = bool(network.ops) and _ends_in_ten(network)
        within = made.module.cls in self.run.within if made.module.cls else False
        return (architecture is not None, not within, ten, -len(network.problems) if not ten else 0, -number)

    def _distinct(self, networks: list[Network]) -> list[Network]:
        """Without blocks, if there is a network that they are blocks of."""
        within = {each.name for each in self.run.within}
        whole = [each for each in networks if each.name not in within or _ends_in_ten(each)]
        return whole or networks


def _ends_in_ten(network: Network) -> bool:
    outer = [each.op for each in network.ops if "." not in each.path]
    widths = [getattr(op, "out_features", getattr(op, "out_channels", None)) for op in outer]
    return next((width for width in reversed(widths) if width is not None), None) == CLASSES


def _has_forward(cls: Class) -> bool:
    base = cls.dotted_base()
    own = cls.find("forward") or (base is not None and is_keras(base.name) and cls.find("call"))
    return cls.is_module() and (bool(own) or (base is not None and base.last == "Sequential"))


def _is_sequential(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "Sequential"


def _builds(node: ast.stmt) -> bool:
    """Whether a statement adds to a network that the file itself makes: `model.add(...)`, or a loop of these."""
    if isinstance(node, ast.For):
        return all(_builds(each) or isinstance(each, ast.Assign | ast.AugAssign) for each in node.body)
    call = node.value if isinstance(node, ast.Expr) else None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        return False
    return call.func.attr in BUILDERS
