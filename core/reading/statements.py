"""Statements of Python code, followed as Python would: assignments, loops, conditions, functions and classes."""

from __future__ import annotations

import ast
from collections.abc import Callable

from core.reading.enums import fill_members
from core.reading.expressions import Expressions
from core.reading.module_methods import extend
from core.reading.patterns import fits
from core.reading.python_values import FAILURES, items
from core.reading.values import Class, Dotted, Function, Module, NotUnderstood, Partial, Scope, TooMuch, Unknown, Value

Definition = ast.FunctionDef | ast.AsyncFunctionDef


class Return(Exception):
    def __init__(self, value: Value) -> None:
        self.value = value


class Break(Exception):
    pass


class Continue(Exception):
    pass


class Statements(Expressions):
    """Follows statements; the names end up in the scope."""

    def __init__(self) -> None:
        super().__init__()
        self.classes: list[Class] = []  # in the order in which they are defined
        self.in_class = False  # whether the body of a class is being followed
        self.inside = False  # of a class of the code that is being made
        self.within: set[Class] = set()  # those that another class makes
        self.making: dict[int, list[tuple[int, str, str]]] = {}  # the complaints of each that the file itself makes

    def follow(self, body: list[ast.stmt], scope: Scope) -> None:
        for each in body:
            self.statement(each, scope)

    def statement(self, node: ast.stmt, scope: Scope) -> None:
        self.count()
        found = _BY_KIND.get(type(node))
        if found is None:
            return
        try:
            found(self, node, scope)
        except NotUnderstood as failure:
            if self.graph is not None:
                self.complain(node.lineno, str(failure), failure.instead)
        except FAILURES as failure:
            self.complain(node.lineno, f"Python would stop here: {failure}"[:160])

    def _expression(self, node: ast.Expr, scope: Scope) -> None:
        if isinstance(node.value, ast.Yield | ast.YieldFrom):
            made = scope.names.setdefault("<yielded>", [])
            inner = self.value(node.value.value, scope) if node.value.value else None
            if isinstance(made, list):
                made += items(inner) if isinstance(node.value, ast.YieldFrom) else [inner]
                if len(made) > 10_000:
                    raise TooMuch("a loop is too long")
            return
        self.value(node.value, scope)

    def _assign(self, node: ast.Assign, scope: Scope) -> None:
        value = self.value(node.value, scope)
        for target in node.targets:
            self.assign(target, value, scope)

    def _annotated(self, node: ast.AnnAssign, scope: Scope) -> None:
        if node.value is not None:
            self.assign(node.target, self.value(node.value, scope), scope)

    def _augmented(self, node: ast.AugAssign, scope: Scope) -> None:
        old = self.value(node.target, scope)
        value = self.value(node.value, scope)
        if isinstance(node.op, ast.Add) and isinstance(old, list):
            old.extend(items(value))
            return
        if isinstance(node.op, ast.Add) and isinstance(old, Module) and old.kind in ("ModuleList", "Sequential"):
            extend(old, items(value))
            return
        try:
            new = self.operate(type(node.op), old, value, node.lineno)
        except NotUnderstood as failure:
            new = Unknown(str(failure), node.lineno)
        self.assign(node.target, new, scope)

    def _return(self, node: ast.Return, scope: Scope) -> None:
        raise Return(self.value(node.value, scope) if node.value else None)

    def _if(self, node: ast.If, scope: Scope) -> None:
        self.follow(node.body if self.holds(node.test, scope) else node.orelse, scope)

    def _for(self, node: ast.For, scope: Scope) -> None:
        over = self.value(node.iter, scope)
        try:
            rounds = items(over)
        except NotUnderstood as failure:
            self.complain(node.lineno, f"a loop whose length is not known: {failure}", "write the steps one by one")
            return
        for each in rounds:
            self.count()
            self.assign(node.target, each, scope)
            if not self._goes_on(node.body, scope):
                return
        self.follow(node.orelse, scope)

    def _while(self, node: ast.While, scope: Scope) -> None:
        while self.holds(node.test, scope):
            self.count()
            if not self._goes_on(node.body, scope):
                return

    def _goes_on(self, body: list[ast.stmt], scope: Scope) -> bool:
        """One round of a loop; False after a break."""
        try:
            self.follow(body, scope)
        except Break:
            return False
        except Continue:
            pass
        return True

    def _break(self, node: ast.Break, scope: Scope) -> None:
        raise Break

    def _continue(self, node: ast.Continue, scope: Scope) -> None:
        raise Continue

    def _with(self, node: ast.With | ast.AsyncWith, scope: Scope) -> None:
        for each in node.items:
            value = self.value(each.context_expr, scope)
            if each.optional_vars is not None:
                self.assign(each.optional_vars, value, scope)
        self.follow(node.body, scope)

    def _try(self, node: ast.Try, scope: Scope) -> None:
        self.follow(node.body, scope)
        self.follow(node.orelse, scope)
        self.follow(node.finalbody, scope)

    def _raise(self, node: ast.Raise, scope: Scope) -> None:
        self.complain(node.lineno, "the code raises an error here", "use a branch that builds a network")
        raise Return(None)

    def _delete(self, node: ast.Delete, scope: Scope) -> None:
        for each in node.targets:
            if isinstance(each, ast.Name):
                scope.names.pop(each.id, None)

    def _match(self, node: ast.Match, scope: Scope) -> None:
        subject = self.value(node.subject, scope)
        for case in node.cases:
            if fits(self.value, case.pattern, subject, scope) and (case.guard is None or self.holds(case.guard, scope)):
                self.follow(case.body, scope)
                return

    # ------------------------------------------------------------------------------------- definitions and imports

    def _import(self, node: ast.Import, scope: Scope) -> None:
        for each in node.names:
            if each.asname:
                scope.names[each.asname] = Dotted(each.name)
            else:
                first = each.name.partition(".")[0]
                scope.names[first] = Dotted(first)

    def _import_from(self, node: ast.ImportFrom, scope: Scope) -> None:
        for each in node.names:
            name = each.asname or each.name
            known = scope.find(name)
            if each.name == "*" or (known is not None and isinstance(known.names[name], Class)):
                continue  # a class that another file would give is here already, pasted along
            scope.names[name] = Dotted(f"{node.module or ''}.{each.name}")

    def _function(self, node: Definition, scope: Scope) -> None:
        function = Function(node, scope, self.defaults(node.args, scope))
        for each in node.decorator_list:
            name = each.attr if isinstance(each, ast.Attribute) else each.id if isinstance(each, ast.Name) else ""
            if name in ("staticmethod", "classmethod", "property", "cached_property"):
                function.kind = "property" if name.endswith("property") else name
            if name == "setter":
                return
        scope.names[node.name] = function if self.in_class else self._decorated(function, node.decorator_list, scope)

    def _decorated(self, value: Value, decorators: list[ast.expr], scope: Scope) -> Value:
        """A function or class as the code's own decorators change it; those of libraries change no shape."""
        for each in reversed(decorators):
            decorator = self.value(each, scope)
            if isinstance(decorator, Function | Class):
                changed = self.call(decorator, (value,), {}, each.lineno)
                value = changed if isinstance(changed, Function | Class | Module | Partial) else value
        return value

    def _class(self, node: ast.ClassDef, scope: Scope) -> None:
        bases = tuple(self.value(each, scope) for each in node.bases)
        inner = Scope({}, scope)
        made = Class(node.name, node.lineno, bases, inner.names)
        fields: list[str] = []
        outside, self.in_class = self.in_class, True
        try:
            for each in node.body:
                self.statement(each, inner)
                if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
                    fields.append(each.target.id)
        finally:
            self.in_class = outside
        for value in inner.names.values():
            if isinstance(value, Function) and isinstance(value.node, Definition):
                value.owner = made
                value.scope = scope  # a method does not see its class's names without `self.`
        inner.names.setdefault("<fields>", fields)
        fill_members(made)
        self.classes.append(made)
        scope.names[node.name] = made
        scope.names[node.name] = self._decorated(made, node.decorator_list, scope)

    # --------------------------------------------------------------------------------------- functions of the code

    def run_function(
        self, function: Function, given: tuple[Value, ...], keywords: dict[str, Value], line: int
    ) -> Value:
        """What a function of the code returns."""
        names = bound_arguments(function, given, keywords)
        scope = Scope(names, function.scope)
        if function.owner is not None:
            names["<class>"] = function.owner
            names["<self>"] = given[0] if given else None
        if isinstance(function.node, ast.Lambda):
            return self.value(function.node.body, scope)
        self.depth += 1
        if self.depth > 40:
            raise TooMuch("functions call each other more than 40 deep")
        try:
            self.follow(function.node.body, scope)
        except Return as result:
            return result.value
        finally:
            self.depth -= 1
        return names.get("<yielded>")


def bound_arguments(function: Function, given: tuple[Value, ...], keywords: dict[str, Value]) -> dict[str, Value]:
    """The arguments of a call by the function's own names. Raises NotUnderstood where one is missing or too many."""
    arguments = function.node.args
    name = "lambda" if isinstance(function.node, ast.Lambda) else function.node.name
    plain = [each.arg for each in (*arguments.posonlyargs, *arguments.args)]
    names: dict[str, Value] = dict(zip(plain, given, strict=False))
    if arguments.vararg is not None:
        names[arguments.vararg.arg] = tuple(given[len(plain) :])
    elif len(given) > len(plain):
        raise NotUnderstood(f"{name}() takes {len(plain)} arguments, {len(given)} are given")
    known = {*plain, *(each.arg for each in arguments.kwonlyargs)}
    names |= {key: value for key, value in keywords.items() if key in known}
    surplus = {key: value for key, value in keywords.items() if key not in known}
    if arguments.kwarg is not None:
        names[arguments.kwarg.arg] = surplus
    elif surplus:
        raise NotUnderstood(f"{name}() has no argument {next(iter(surplus))}")
    names = function.defaults | names
    if missing := [each for each in (*plain, *(one.arg for one in arguments.kwonlyargs)) if each not in names]:
        raise NotUnderstood(f"{name}() needs {missing[0]}", f"give {missing[0]} a default value")
    return names


_BY_KIND: dict[type[ast.stmt], Callable[..., None]] = {
    ast.Expr: Statements._expression,
    ast.Assign: Statements._assign,
    ast.AnnAssign: Statements._annotated,
    ast.AugAssign: Statements._augmented,
    ast.Return: Statements._return,
    ast.If: Statements._if,
    ast.For: Statements._for,
    ast.While: Statements._while,
    ast.Break: Statements._break,
    ast.Continue: Statements._continue,
    ast.With: Statements._with,
    ast.Try: Statements._try,
    ast.Raise: Statements._raise,
    ast.Delete: Statements._delete,
    ast.Match: Statements._match,
    ast.Import: Statements._import,
    ast.ImportFrom: Statements._import_from,
    ast.FunctionDef: Statements._function,
    ast.AsyncFunctionDef: Statements._function,
    ast.ClassDef: Statements._class,
}
