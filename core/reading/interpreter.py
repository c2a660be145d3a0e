"""Calls in PyTorch code: its own classes and functions, torch's modules and functions, and methods of both."""

from __future__ import annotations

import ast
from math import prod

from core.errors import SpecError
from core.reading import command_line, einops, kornia, mathematics, python_values
from core.reading.command_line import PARSER
from core.reading.dummies import MAKERS, method_of, sent_through, size_of_numbers, takes_trials, trials
from core.reading.graph import Graph
from core.reading.instead import OTHERS, WHAT_THERE_IS
from core.reading.keras import apply_layer, is_keras
from core.reading.keras_calls import call_keras
from core.reading.module_methods import ITSELF, LISTS, METHODS, fill
from core.reading.objects import Objects
from core.reading.python_library import LIBRARY, OF_FIELDS, call_library, of_fields
from core.reading.python_values import items, tensors_in
from core.reading.torch_functions import call_on_tensor
from core.reading.torch_modules import apply_module
from core.reading.torch_signatures import CONTAINERS, SIGNATURES, module_of
from core.reading.values import (
    Bound,
    Class,
    Dotted,
    Function,
    Module,
    NotUnderstood,
    Partial,
    Scope,
    Super,
    Tensor,
    TooMuch,
    Unknown,
    Value,
    Weight,
    is_instance,
    names_of,
)


class Interpreter(Objects):
    """Follows `__init__` and `forward`."""

    def special(self, name: str, node: ast.Call, scope: Scope) -> Value:
        if name != "super":
            return None
        where = scope.find("<self>")
        instance, after = (where.names["<self>"], where.names["<class>"]) if where else (None, None)
        if not isinstance(instance, Module):
            return Unknown("super() outside a class", node.lineno)
        return Super(instance, after if isinstance(after, Class) else None)

    def call(self, function: Value, given: tuple[Value, ...], keywords: dict[str, Value], line: int) -> Value:
        self.count()
        if self.graph is None and trials(given) and takes_trials(function):
            self.graph = Graph()
            try:
                return sent_through(self.graph, given, lambda inside: self.call(function, inside, keywords, line))
            finally:
                self.graph = None
        self.depth += 1
        if self.depth > 90:
            raise TooMuch("calls within calls go more than 90 deep")
        before = self.graph.line if self.graph else 0
        if self.graph is not None:
            self.graph.line = line
        try:
            return self._call_any(function, given, keywords, line)
        except (NotUnderstood, SpecError) as failure:
            tensors = tensors_in((*given, *keywords.values()))
            if isinstance(function, Bound) and isinstance(function.owner, Tensor):
                tensors.insert(0, function.owner)
            if self.graph is None or not tensors:
                return Unknown(str(failure), line, getattr(failure, "instead", ""))
            return self.refused(failure, tensors[0])
        finally:
            self.depth -= 1
            if self.graph is not None:
                self.graph.line = before

    def _call_any(self, function: Value, given: tuple[Value, ...], keywords: dict[str, Value], line: int) -> Value:
        match function:
            case Function():
                return self.run_function(function, given, keywords, line)
            case Bound(owner, Function() as method):
                return self.run_function(method, (owner, *given), keywords, line)
            case Bound(owner, str(name)):
                return self.method(owner, name, given, keywords, line)
            case Class():
                return self.make(function, given, keywords, line)
            case Module():
                return self.forward(function, given, keywords)
            case Partial(inner, first, named):
                return self.call(inner, (*first, *given), named | keywords, line)
            case Dotted():
                return self.call_dotted(function, given, keywords, line)
            case _:
                why = function.why if isinstance(function, Unknown) else "this cannot be called"
                where = f" (line {function.line})" if isinstance(function, Unknown) and function.line else ""
                where = "" if where and why.endswith(where) else where
                known = function.instead if isinstance(function, Unknown) else ""
                raise NotUnderstood(f"{why}{where}", known or f"paste its definition too; {WHAT_THERE_IS}")

    def call_dotted(self, function: Dotted, given: tuple[Value, ...], keywords: dict[str, Value], line: int) -> Value:
        """A function or class of torch, Python or another library."""
        name, last = function.name, function.last
        if is_keras(name):
            return call_keras(self, function, given, keywords, line)
        if name.startswith("builtins."):
            return self.python(last, given, keywords, line)
        if name in ("functools.reduce", "collections.reduce") and len(given) > 1:
            start, *rest = (*given[2:], *items(given[1]))
            for each in rest:
                start = self.call(given[0], (start, each), {}, line)
            return start
        if last in ("Parameter", "UninitializedParameter"):
            return Weight(size_of_numbers(given[0] if given else None), line, trained=True)
        if name.startswith("einops.layers.") and last in einops.LAYERS:
            return einops.layer(last, given, keywords, line)
        if name.startswith("kornia.") and last in kornia.LAYERS:
            return kornia.layer(last, given, keywords, line)
        if name.startswith("torch.nn.") and last[:1].isupper():
            return self._library_module(last, given, keywords, line)
        if self.graph is not None and tensors_in((*given, *keywords.values())):
            if name.startswith(("torch.utils.checkpoint", "checkpoint")) and given:
                return self.call(given[0], given[1:], {}, line)
            if name.startswith("einops.") and last in einops.FUNCTIONS:
                return einops.call(self.graph, last, given, keywords)
            if name.startswith("kornia.") and last in kornia.FUNCTIONS:
                return kornia.call(self.graph, last, given, keywords)
            if last in ("numel", "size") and given and isinstance(given[0], Tensor):
                return self._tensor_method(given[0], last, given[1:], keywords, line)
            return call_on_tensor(self.graph, last, given, keywords)
        if last in ("QuantStub", "DeQuantStub"):
            return Module("Identity", line)
        if last in LIBRARY or name.endswith("environ.get") or name.startswith("itertools."):
            return call_library(self.call, function, given, keywords, line)
        if name in MAKERS:
            sizes = keywords.get("size", given[0] if len(given) == 1 else list(given))
            return Weight(size_of_numbers(sizes), line)
        if name.startswith(("operator.", "_operator.")):
            return mathematics.operation(last, given)
        if name.startswith(("math.", "numpy.", "torch.prod", "torch.linspace", "torch.arange")):
            return mathematics.mathematics(last, given)
        if last == "is_available":
            return False
        what = OTHERS.get(last, f"leave it out; {WHAT_THERE_IS}")
        raise NotUnderstood(f"the lab does not know {names_of(function)}", what)

    def _library_module(self, kind: str, given: tuple[Value, ...], keywords: dict[str, Value], line: int) -> Value:
        made = Module(kind, line)
        if kind in CONTAINERS:
            fill(made, given, keywords)
            return made
        return module_of(kind, given, keywords, line)

    def forward(self, module: Module, given: tuple[Value, ...], keywords: dict[str, Value]) -> Value:
        """`module(x)`."""
        if module.kind == "object":
            start = module.cls.find("__call__") if module.cls else None
            if isinstance(start, Function):
                return self.run_function(start, (module, *given), keywords, module.line)
            raise NotUnderstood("an object without __call__ is called")
        values = given[0] if given else next(iter(keywords.values()), None)
        own = module.cls and next(filter(None, map(module.cls.find, ("__call__", "forward", "call"))), None)
        if isinstance(own, Function):
            return self.run_function(own, (module, *given), keywords, module.line)
        if module.kind == "Sequential":
            for each in module.children.values():
                values = self.call(each, (values,), {}, each.line)
            return values
        if self.graph is None or not tensors_in((values,)):
            return Unknown("a module that is called without a map", module.line)
        self.graph.seen.add(id(module))
        if module.kind == "unknown":
            raise NotUnderstood(str(module.fields.get("why")), str(module.fields.get("instead") or WHAT_THERE_IS))
        if module.kind in ("ModuleList", "ModuleDict", "Module"):
            raise NotUnderstood(f"nn.{module.kind} has no forward of its own", "call its modules one by one")
        before, self.graph.module = self.graph.module, module
        self.graph.line = module.line
        try:
            if module.kind.startswith("keras."):
                return apply_layer(self.graph, module, values)
            if not isinstance(values, Tensor):
                raise NotUnderstood("a module gets a list of maps")
            return apply_module(self.graph, module, values)
        finally:
            self.graph.module = before

    def method(self, owner: Value, name: str, given: tuple[Value, ...], keywords: dict[str, Value], line: int) -> Value:
        match owner:
            case Tensor():
                return self._tensor_method(owner, name, given, keywords, line)
            case Super(instance, _):
                if name == "__init__":
                    if instance.kind not in ("Module", "object"):
                        fill(instance, given, keywords)
                    elif instance.kind == "object" and instance.cls is not None and instance.cls.has_base("dict"):
                        start = given[0] if given and isinstance(given[0], dict) else {}
                        instance.attributes |= {str(key): value for key, value in start.items()} | keywords
                    return None
                if name == "__call__" and instance.cls is not None:
                    own = instance.cls.find("forward")
                    if isinstance(own, Function):
                        return self.run_function(own, (instance, *given), keywords, line)
                if name in ("forward", "__call__") and instance.cls is not None:
                    plain = Module(instance.kind, instance.line, instance.fields, None, instance.children)
                    return self.forward(plain, given, keywords)
                return self.method(instance, name, given, keywords, line)
            case Module():
                return self._module_method(owner, name, given, keywords, line)
            case Class() | Dotted():  # `nn.Module.__init__(self)`
                if name == "__init__" and given and isinstance(given[0], Module) and given[0].kind in SIGNATURES:
                    fill(given[0], given[1:], keywords)
                return None
            case Weight():
                return method_of(owner, name, given, keywords)
            case _:
                return python_values.method(owner, name, given, keywords)

    def _tensor_method(
        self, owner: Tensor, name: str, given: tuple[Value, ...], keywords: dict[str, Value], line: int
    ) -> Value:
        shape = owner.shape
        if name in ("size", "dim", "numel", "nelement", "ndimension"):
            if shape is None:
                return Unknown("a shape that is not known", line)
            axis = given[0] if given else keywords.get("dim")
            if name == "size":
                return shape[axis] if isinstance(axis, int) else shape
            return prod(shape) if name in ("numel", "nelement") else len(shape)
        if self.graph is None:
            return Unknown("a map outside forward", line)
        return call_on_tensor(self.graph, name, (owner, *given), keywords)

    def _module_method(
        self, owner: Module, name: str, given: tuple[Value, ...], keywords: dict[str, Value], line: int
    ) -> Value:
        if owner.kind == PARSER:
            return command_line.method(self.call, owner, name, given, keywords, line)
        if name in ITSELF or (name == "parse_args" and owner.is_own):
            return owner
        if name in OF_FIELDS or (owner.kind == "object" and name in ("items", "keys", "values", "get")):
            return of_fields(owner, name, given, keywords)
        if name in LISTS:
            pairs = list(owner.named()) if LISTS[name] else list(owner.children.items())
            return [pair if name.startswith("named") else pair[1] for pair in pairs]
        if name in ("forward", "__call__"):
            return self.forward(owner, given, keywords)
        if name not in METHODS:
            if owner.is_own and owner.kind != "object" and tensors_in(given):
                raise NotUnderstood(f"`{name[:40]}` is not a method of the class")
            return Unknown(f".{name}()", line)
        return METHODS[name](owner, given, keywords)

    def python(self, name: str, given: tuple[Value, ...], keywords: dict[str, Value], line: int) -> Value:
        """One of Python's own functions."""
        match name, given:
            case "getattr", (owner, str(attribute), *rest):
                found = self.attribute(owner, attribute, line)
                return rest[0] if rest and isinstance(found, Unknown) else found
            case "setattr", (owner, str(attribute), value):
                self.set_attribute(owner, attribute, value)
                return None
            case "hasattr", (Module() as owner, str(attribute)):
                return not isinstance(self.of_module(owner, attribute, line), Unknown)
            case "isinstance", (value, kinds):
                return is_instance(value, kinds if isinstance(kinds, tuple) else (kinds,))
            case "callable", (value,):
                return isinstance(value, Function | Bound | Class | Module | Partial | Dotted)
            case "map", (function, *lists):
                return [self.call(function, each, {}, line) for each in zip(*map(items, lists), strict=False)]
            case "filter", (function, values):
                return [each for each in items(values) if self.truth(self.call(function, (each,), {}, line))]
            case "len", (Tensor(node=node),) if node.shape:
                return node.shape[0]
            case "vars", (Module() as owner,):
                return owner.attributes
            case "type", (Module(cls=Class() as cls),):
                return cls
            case "iter", (values,):
                return items(values)
            case "sum", (values, *rest) if tensors_in((values,)):
                total = rest[0] if rest else 0
                for each in items(values):
                    total = self.operate(ast.Add, total, each, line)
                return total
        return python_values.function(name, given, keywords)
