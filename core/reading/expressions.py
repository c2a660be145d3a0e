"""Expressions of Python code, worked out by allow-list: what is not on it is Unknown, and nothing is ever run."""

from __future__ import annotations

import ast
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator

from core.errors import SpecError
from core.reading import python_values
from core.reading.graph import Graph
from core.reading.module_methods import joined
from core.reading.names import outer_name
from core.reading.python_values import FAILURES, UNARY, binary, bounded, compared, is_plain, items, key, shown
from core.reading.torch_functions import TRAINING, hard_sigmoid, part_of, scaled
from core.reading.torch_signatures import CONTAINERS
from core.reading.values import (
    Function,
    Module,
    NotUnderstood,
    Scope,
    Tensor,
    TooMuch,
    Unknown,
    Value,
    Weight,
)

MAX_STEPS = 200_000
MAX_SECONDS = 1.2  # of processor time, for a whole text
MAX_DEPTH = 60  # calls within calls


class Expressions(ABC):
    """The values of expressions, and the bounds on how long finding them may take."""

    def __init__(self) -> None:
        self.graph: Graph | None = None  # of the forward that is being followed
        self.quiet = True  # outside networks, what is not understood is nobody's concern
        self.complaints: list[tuple[int, str, str]] = []  # outside forward
        self.steps = 0
        self.most_steps = MAX_STEPS
        self.depth = 0
        self.deadline = time.thread_time() + MAX_SECONDS

    @abstractmethod
    def call(self, function: Value, given: tuple[Value, ...], keywords: dict[str, Value], line: int) -> Value:
        """What a call gives."""

    @abstractmethod
    def attribute(self, owner: Value, name: str, line: int) -> Value:
        """`owner.name`."""

    def count(self) -> None:
        """One step more. Raises TooMuch beyond the bounds."""
        self.steps += 1
        if self.steps > self.most_steps or (self.steps % 256 == 0 and time.thread_time() > self.deadline):
            raise TooMuch("the code runs longer than any network needs")

    def out_of_time(self) -> bool:
        return time.thread_time() > self.deadline

    def complain(self, line: int, message: str, instead: str = "") -> None:
        if self.graph is not None:
            self.graph.line = line
            self.graph.complain(message, instead)
        elif not self.quiet and (line, message, instead) not in self.complaints:
            self.complaints.append((line, message, instead))

    def value(self, node: ast.expr, scope: Scope) -> Value:
        """The value of an expression; Unknown for what is not understood."""
        self.count()
        found = _BY_KIND.get(type(node))
        if found is None:
            return Unknown(f"{type(node).__name__} is not read here", node.lineno)
        try:
            return found(self, node, scope)
        except FAILURES as failure:
            return Unknown(f"{type(failure).__name__}: {failure}"[:120], node.lineno)
        except NotUnderstood as failure:
            return Unknown(str(failure), node.lineno, failure.instead)

    def truth(self, value: Value) -> bool | None:
        """Whether a condition holds; None where it is not known."""
        if isinstance(value, Unknown | Tensor):
            return None
        if value == TRAINING:
            if self.graph is not None:
                self.graph.note("`self.training` is read as true: the network as it trains")
            return True
        if isinstance(value, Module):
            return bool(value.children) or value.kind not in CONTAINERS
        return bool(value)

    # ------------------------------------------------------------------------------------------- one kind a method

    def _constant(self, node: ast.Constant, scope: Scope) -> Value:
        return node.value

    def _name(self, node: ast.Name, scope: Scope) -> Value:
        where = scope.find(node.id)
        if where is not None:
            return where.names[node.id]
        return outer_name(node.id, node.lineno)

    def _attribute(self, node: ast.Attribute, scope: Scope) -> Value:
        return self.attribute(self.value(node.value, scope), node.attr, node.lineno)

    def _call(self, node: ast.Call, scope: Scope) -> Value:
        if isinstance(node.func, ast.Name) and node.func.id in ("super", "print", "locals"):
            return self.special(node.func.id, node, scope)
        function = self.value(node.func, scope)
        given, keywords = self.arguments(node, scope)
        return self.call(function, given, keywords, node.lineno)

    def special(self, name: str, node: ast.Call, scope: Scope) -> Value:
        """super(), which needs to know where it stands; print and locals do nothing."""
        return None

    def arguments(self, node: ast.Call, scope: Scope) -> tuple[tuple[Value, ...], dict[str, Value]]:
        given = tuple(self._elements(node.args, scope))
        keywords: dict[str, Value] = {}
        for each in node.keywords:
            value = self.value(each.value, scope)
            if each.arg is not None:
                keywords[each.arg] = value
            elif isinstance(value, dict):
                keywords |= {name: inner for name, inner in value.items() if isinstance(name, str)}
        return given, keywords

    def _elements(self, nodes: list[ast.expr], scope: Scope) -> Iterator[Value]:
        for each in nodes:
            if isinstance(each, ast.Starred):
                yield from items(self.value(each.value, scope))
            else:
                yield self.value(each, scope)

    def _list(self, node: ast.List, scope: Scope) -> Value:
        return bounded(list(self._elements(node.elts, scope)))

    def _tuple(self, node: ast.Tuple, scope: Scope) -> Value:
        return bounded(tuple(self._elements(node.elts, scope)))

    def _set(self, node: ast.Set, scope: Scope) -> Value:
        return {key(each) for each in self._elements(node.elts, scope)}

    def _dict(self, node: ast.Dict, scope: Scope) -> Value:
        made: dict[Value, Value] = {}
        for name, each in zip(node.keys, node.values, strict=True):
            value = self.value(each, scope)
            if name is not None:
                made[key(self.value(name, scope))] = value
            elif isinstance(value, dict):
                made |= value
        return bounded(made)

    def _binary(self, node: ast.BinOp, scope: Scope) -> Value:
        return self.operate(type(node.op), self.value(node.left, scope), self.value(node.right, scope), node.lineno)

    def operate(self, kind: type[ast.operator], left: Value, right: Value, line: int) -> Value:
        """An operator between two values, of which one may be a map."""
        graph = self.graph
        if graph is None or not (isinstance(left, Tensor) or isinstance(right, Tensor)):
            if isinstance(left, Module) and left.kind in ("ModuleList", "Sequential"):
                return joined(kind, left, right, line)
            for each in (left, right):
                if isinstance(each, Unknown):
                    return each
            return binary(kind, left, right)
        graph.line = line
        values = left if isinstance(left, Tensor) else right
        assert isinstance(values, Tensor)
        try:
            if isinstance(left, Tensor) and isinstance(right, Tensor):
                if kind is ast.Add:
                    return graph.add(left, right)
                if kind is ast.Mult:
                    return graph.multiply(left, right)
                raise NotUnderstood("two maps can be added or multiplied only", "write a + b", False)
            other = right if values is left else left
            if kind is ast.Div and values is left and values.node.kind == "sum" and other == values.node.amount:
                return Tensor(values.node.inputs[0])  # the sum over the pixels, divided by how many they are
            left_out = 0 if kind in (ast.Add, ast.Sub) else 1 if kind in (ast.Mult, ast.Div) else None
            if other == left_out and (values is left or kind in (ast.Add, ast.Mult)):
                return values
            if kind is ast.Div and values is left and other == 6 and (gate := hard_sigmoid(graph, values)):
                return gate
            if isinstance(other, Weight):
                raise NotUnderstood("a map and a weight of the class's own", "write nn.Linear, nn.Conv2d or a norm")
            if kind is ast.Add and isinstance(other, list | tuple):
                raise NotUnderstood("a map and a list are added")
            if kind is ast.Add and other == 3 and values.node.kind != "input":
                return graph.step("shifted", (values,), values.shape)
            return scaled(graph, values, "a number is added" if kind is ast.Add else "a map and a number")
        except (NotUnderstood, SpecError) as failure:
            return self.refused(failure, values)

    def refused(self, failure: NotUnderstood | SpecError, values: Tensor) -> Tensor:
        """The map as it came in, after a step that is left out and told of."""
        graph = self.graph
        assert graph is not None
        instead = failure.instead if isinstance(failure, NotUnderstood) else ""
        graph.complain(str(failure), instead)
        reshapes = failure.reshapes if isinstance(failure, NotUnderstood) else True
        return graph.step("skip", (values,), None if reshapes else values.shape)

    def _unary(self, node: ast.UnaryOp, scope: Scope) -> Value:
        value = self.value(node.operand, scope)
        if isinstance(node.op, ast.Not):
            known = self.truth(value)
            return Unknown("a condition that is not known", node.lineno) if known is None else not known
        if isinstance(value, Tensor):
            return self.operate(ast.Mult, value, -1, node.lineno)
        return UNARY[type(node.op)](value) if is_plain(value) else value

    def _bool(self, node: ast.BoolOp, scope: Scope) -> Value:
        value: Value = None
        for each in node.values:
            value = self.value(each, scope)
            known = self.truth(value)
            if known is None:
                return Unknown("a condition that is not known", node.lineno)
            if known is isinstance(node.op, ast.Or):
                return value
        return value

    def _compare(self, node: ast.Compare, scope: Scope) -> Value:
        left = self.value(node.left, scope)
        for kind, each in zip(node.ops, node.comparators, strict=True):
            right = self.value(each, scope)
            holds = compared(type(kind), left, right)
            if holds is None:
                return Unknown("a comparison of values that are not known", node.lineno)
            if not holds:
                return False
            left = right
        return True

    def _choice(self, node: ast.IfExp, scope: Scope) -> Value:
        return self.value(node.body if self.holds(node.test, scope) else node.orelse, scope)

    def holds(self, test: ast.expr, scope: Scope) -> bool:
        """Whether a condition holds; one that is not known is told of, and does not."""
        known = self.truth(self.value(test, scope))
        if known is None:
            self.complain(
                test.lineno,
                "whether this condition holds cannot be known from the code; it is read as false",
                "leave only the branch that your network takes",
            )
        return bool(known)

    def _subscript(self, node: ast.Subscript, scope: Scope) -> Value:
        owner = self.value(node.value, scope)
        index = self.value(node.slice, scope)
        if isinstance(owner, Tensor) and self.graph is not None:
            self.graph.line = node.lineno
            try:
                return part_of(self.graph, owner, index)
            except (NotUnderstood, SpecError) as failure:
                return self.refused(failure, owner)
        if isinstance(owner, Module):
            return self.child(owner, index)
        if isinstance(owner, Weight) and owner.shape:
            return Weight(owner.shape[1:], owner.line)
        return python_values.item(owner, index)

    def child(self, owner: Module, index: Value) -> Value:
        """`module[i]`, `module["name"]`, `module[1:3]`."""
        if isinstance(of_tuple := owner.fields.get("<items>"), list):
            return python_values.item(of_tuple, index)
        if isinstance(index, str):
            return self.attribute(owner, index, owner.line) if not owner.children else owner.children[index]
        found = python_values.item(list(owner.children.values()), index)
        if isinstance(found, list):
            parts = {str(number): each for number, each in enumerate(found) if isinstance(each, Module)}
            return Module(owner.kind, owner.line, children=parts)
        return found

    def _slice(self, node: ast.Slice, scope: Scope) -> Value:
        parts = (self.value(each, scope) if each else None for each in (node.lower, node.upper, node.step))
        return slice(*(each if isinstance(each, int) else None for each in parts))

    def _text(self, node: ast.JoinedStr, scope: Scope) -> Value:
        parts = []
        for each in node.values:
            if isinstance(each, ast.FormattedValue):
                spec = self.value(each.format_spec, scope) if each.format_spec else ""
                parts.append(shown(self.value(each.value, scope), str(spec)))
            elif isinstance(each, ast.Constant):
                parts.append(str(each.value))
        return bounded("".join(parts))

    def _lambda(self, node: ast.Lambda, scope: Scope) -> Value:
        return Function(node, scope, self.defaults(node.args, scope))

    def defaults(self, arguments: ast.arguments, scope: Scope) -> dict[str, Value]:
        """The default of each argument that has one."""
        names = [each.arg for each in (*arguments.posonlyargs, *arguments.args)]
        late = names[len(names) - len(arguments.defaults) :] if arguments.defaults else []
        found = {name: self.value(each, scope) for name, each in zip(late, arguments.defaults, strict=True)}
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
            if default is not None:
                found[argument.arg] = self.value(default, scope)
        return found

    def _walrus(self, node: ast.NamedExpr, scope: Scope) -> Value:
        value = self.value(node.value, scope)
        scope.names[node.target.id] = value
        return value

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp, scope: Scope) -> Value:
        found = [self.value(node.elt, inner) for inner in self._rounds(node.generators, scope)]
        return bounded({key(each) for each in found} if isinstance(node, ast.SetComp) else found)

    def _dict_comprehension(self, node: ast.DictComp, scope: Scope) -> Value:
        rounds = self._rounds(node.generators, scope)
        return bounded({key(self.value(node.key, inner)): self.value(node.value, inner) for inner in rounds})

    def _rounds(self, generators: list[ast.comprehension], scope: Scope) -> Iterator[Scope]:
        """The names in each round of a comprehension."""
        first, *rest = generators
        for each in items(self.value(first.iter, scope)):
            self.count()
            inner = Scope({}, scope)
            self.assign(first.target, each, inner)
            if all(self.holds(test, inner) for test in first.ifs):
                yield from self._rounds(rest, inner) if rest else iter((inner,))

    def assign(self, target: ast.expr, value: Value, scope: Scope) -> None:
        """`target = value`."""
        match target:
            case ast.Name(id=name):
                scope.names[name] = value
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                self._unpack(parts, value, scope)
            case ast.Attribute(value=owner, attr=name):
                self.set_attribute(self.value(owner, scope), name, value)
            case ast.Subscript(value=owner, slice=index):
                self._set_item(self.value(owner, scope), self.value(index, scope), value)

    def _unpack(self, parts: list[ast.expr], value: Value, scope: Scope) -> None:
        try:
            values: list[Value] = [value] * len(parts) if isinstance(value, Tensor) else items(value)
        except NotUnderstood as failure:
            values = [Unknown(str(failure))] * len(parts)
        star = next((at for at, each in enumerate(parts) if isinstance(each, ast.Starred)), None)
        if star is not None and len(values) >= len(parts) - 1:
            end = len(values) - (len(parts) - star - 1)
            values = [*values[:star], values[star:end], *values[end:]]
        for each, inner in zip(parts, values, strict=False):
            self.assign(each.value if isinstance(each, ast.Starred) else each, inner, scope)

    @abstractmethod
    def set_attribute(self, owner: Value, name: str, value: Value) -> None:
        """`owner.name = value`."""

    def _set_item(self, owner: Value, index: Value, value: Value) -> None:
        if isinstance(owner, dict):
            owner[key(index)] = value
            bounded(owner)
        elif isinstance(owner, list) and isinstance(index, int):
            owner[index] = value
        elif isinstance(owner, list) and isinstance(index, slice):
            owner[index] = items(value)
            bounded(owner)
        elif isinstance(owner, Module) and isinstance(value, Module):
            names = list(owner.children)
            owner.children[names[index] if isinstance(index, int) else str(index)] = value


_BY_KIND: dict[type[ast.expr], Callable[..., Value]] = {
    ast.Constant: Expressions._constant,
    ast.Name: Expressions._name,
    ast.Attribute: Expressions._attribute,
    ast.Call: Expressions._call,
    ast.List: Expressions._list,
    ast.Tuple: Expressions._tuple,
    ast.Set: Expressions._set,
    ast.Dict: Expressions._dict,
    ast.BinOp: Expressions._binary,
    ast.UnaryOp: Expressions._unary,
    ast.BoolOp: Expressions._bool,
    ast.Compare: Expressions._compare,
    ast.IfExp: Expressions._choice,
    ast.Subscript: Expressions._subscript,
    ast.Slice: Expressions._slice,
    ast.JoinedStr: Expressions._text,
    ast.Lambda: Expressions._lambda,
    ast.NamedExpr: Expressions._walrus,
    ast.ListComp: Expressions._comprehension,
    ast.SetComp: Expressions._comprehension,
    ast.GeneratorExp: Expressions._comprehension,
    ast.DictComp: Expressions._dict_comprehension,
}
