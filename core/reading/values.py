"""What a name stands for while code is read: numbers and lists as Python's own, and these for the rest."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from core.architecture.spec import Op

BATCH = 997  # images in the batch that is followed through forward: a prime that nobody's layer is as wide as
Value = object  # a Python constant, list, tuple, dict or range; or one of the classes below
Shape = tuple[int, ...]  # as torch's, with the batch first


class TooMuch(Exception):
    """The code runs longer or nests deeper than any network does."""


class NotUnderstood(Exception):
    """Something the lab does not know or does not have."""

    def __init__(self, message: str, instead: str = "", reshapes: bool = True) -> None:
        super().__init__(message)
        self.instead = instead
        self.reshapes = reshapes  # whether what comes out may have another shape than what goes in


@dataclass(eq=False)
class Unknown:
    """A value that was not understood, and why."""

    why: str
    line: int = 0
    instead: str = ""  # what to write instead, where that is known


@dataclass(frozen=True)
class Dotted:
    """Something from a library, by its full name: torch.nn.Conv2d."""

    name: str

    @property
    def last(self) -> str:
        return self.name.rpartition(".")[2]


@dataclass(eq=False)
class Scope:
    """The names of a function or a file, and of what is around it."""

    names: dict[str, Value] = field(default_factory=dict)
    outer: Scope | None = None

    def find(self, name: str) -> Scope | None:
        scope: Scope | None = self
        while scope is not None and name not in scope.names:
            scope = scope.outer
        return scope


@dataclass(eq=False)
class Function:
    """A function, method or lambda of the code itself."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    scope: Scope
    defaults: dict[str, Value] = field(default_factory=dict)
    owner: Class | None = None  # whose method it is, for super()
    kind: str = ""  # "staticmethod", "classmethod", "property"


_PLAIN_BASES = (
    "object ABC Generic Protocol NamedTuple TypedDict Enum IntEnum StrEnum Flag IntFlag dict OrderedDict list tuple "
    "str int float Namespace SimpleNamespace Exception ValueError"
)
PLAIN_BASES = set(_PLAIN_BASES.split())  # of Python: a class of these alone is no module


def _is_plain_base(base: Dotted) -> bool:
    return base.last in PLAIN_BASES or base.name.startswith("pydantic.")


@dataclass(eq=False)
class Class:
    """A class of the code itself."""

    name: str
    line: int
    bases: tuple[Value, ...]
    names: dict[str, Value]

    def line_up(self) -> list[Class]:
        """The class and its own bases, in the order in which a method is looked for."""
        found: list[Class] = []
        for base in self.bases:
            found += [each for each in base.line_up() if each not in found] if isinstance(base, Class) else []
        return [self, *found]

    def dotted_base(self) -> Dotted | None:
        """The first base that comes from a library and may be a module's, such as torch.nn.Module."""
        known = [base for each in self.line_up() for base in each.bases if isinstance(base, Dotted)]
        return next((base for base in known if not _is_plain_base(base)), None)

    def is_module(self) -> bool:
        """Whether it is, or by all signs should be, a network's module."""
        bases = [base for each in self.line_up() for base in each.bases]
        return any(isinstance(base, Unknown) for base in bases) or self.dotted_base() is not None

    def has_base(self, name: str) -> bool:
        """Whether a class of that name, from a library, is among its bases: NamedTuple, dict."""
        return any(isinstance(base, Dotted) and base.last == name for each in self.line_up() for base in each.bases)

    def fields(self) -> list[str]:
        """The names that the class states with a type, those of its bases first: a dataclass's arguments."""
        found: dict[str, None] = {}
        for each in reversed(self.line_up()):
            names = each.names.get("<fields>")
            found |= dict.fromkeys(map(str, names) if isinstance(names, list) else ())
        return list(found)

    def find(self, name: str, after: Class | None = None) -> Value | None:
        """An attribute of the class or of its bases; of those that come after one of them, for super()."""
        line = self.line_up()
        line = line[line.index(after) + 1 :] if after in line else line
        return next((each.names[name] for each in line if name in each.names), None)


@dataclass(eq=False)
class Module:
    """A module of torch, a module of the code's own, or any other object of the code's own classes."""

    kind: str  # torch's class, such as Conv2d or Sequential; "Module" of the code's own; "object" that is no module
    line: int
    fields: dict[str, Value] = field(default_factory=dict)  # torch's arguments
    cls: Class | None = None
    children: dict[str, Module] = field(default_factory=dict)  # as torch registers them
    attributes: dict[str, Value] = field(default_factory=dict)

    def named(self, prefix: str = "", seen: set[int] | None = None) -> Iterator[tuple[str, Module]]:
        """All modules within with torch's paths, each once."""
        seen = set() if seen is None else seen
        if id(self) in seen:
            return
        seen.add(id(self))
        yield prefix, self
        for name, child in self.children.items():
            yield from child.named(f"{prefix}.{name}" if prefix else name, seen)

    @property
    def is_own(self) -> bool:
        return self.kind in ("Module", "object", "Sequential", "ModuleList", "ModuleDict")


@dataclass(eq=False)
class Weight:
    """A tensor of numbers, such as an nn.Parameter of the code's own; shape None where it is not known."""

    shape: Shape | None
    line: int
    trained: bool = False


@dataclass(frozen=True, eq=False)
class Bound:
    """A function together with what it belongs to: a method, or `x.view`."""

    owner: Value
    function: Value  # a Function, or the name of a method that Python or torch has


@dataclass(frozen=True, eq=False)
class Super:
    """`super()` within a method of `after`."""

    instance: Module
    after: Class | None


@dataclass(frozen=True, eq=False)
class Partial:
    """functools.partial."""

    function: Value
    arguments: tuple[Value, ...]
    keywords: dict[str, Value]


@dataclass(eq=False)
class Node:
    """One step of forward."""

    kind: str  # input, op, reshape, pad, mean, add, cat, mul, shifted, skip
    inputs: tuple[Node, ...]
    shape: Shape | None  # what comes out; None after something that was not understood
    line: int
    op: Op | None = None
    module: Module | None = None
    number: int = 0  # in the order of calls
    amount: int = 0  # of a pad: pixels on each side; of a mean: the axis
    also: tuple[Module, ...] = ()  # the other modules of a step that stands for several


@dataclass(frozen=True, eq=False)
class Tensor:
    """What forward works on: the result of a step."""

    node: Node

    @property
    def shape(self) -> Shape | None:
        return self.node.shape


def names_of(value: Value) -> str:
    """What a value is, for a message."""
    if isinstance(value, Dotted):
        return value.name.replace("torch.nn.functional.", "F.").replace("torch.nn.", "nn.")
    if isinstance(value, Bound):
        return str(value.function) if isinstance(value.function, str) else "a method"
    return value.name if isinstance(value, Class) else "this"


def is_instance(value: Value, kinds: tuple[Value, ...]) -> bool:
    """What Python's isinstance says, of torch's and Python's own kinds."""
    names = {each.last for each in kinds if isinstance(each, Dotted)}
    if isinstance(value, Module):
        line = value.cls.line_up() if value.cls else []
        return value.kind in names or "Module" in names or any(each in line for each in kinds)
    if isinstance(value, Tensor):
        return "Tensor" in names
    own = {"int": int, "float": float, "str": str, "list": list, "tuple": tuple, "dict": dict, "bool": bool}
    return any(isinstance(value, kind) for name, kind in own.items() if name in names)
