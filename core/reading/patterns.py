"""The patterns of `match` statements, on values as they are read."""

from __future__ import annotations

import ast
from collections.abc import Callable

from core.reading.python_values import compared, items
from core.reading.values import Class, Dotted, Module, Scope, Value, is_instance

Evaluate = Callable[[ast.expr, Scope], Value]


def fits(evaluate: Evaluate, pattern: ast.pattern, subject: Value, scope: Scope) -> bool:
    """Whether a value fits a pattern; the names that the pattern binds end up in the scope."""
    match pattern:
        case ast.MatchValue(value=wanted):
            return compared(ast.Eq, evaluate(wanted, scope), subject) is True
        case ast.MatchSingleton(value=constant):
            return subject is constant
        case ast.MatchOr(patterns=several):
            return any(fits(evaluate, each, subject, scope) for each in several)
        case ast.MatchAs(pattern=inner, name=name):
            if inner is not None and not fits(evaluate, inner, subject, scope):
                return False
            if name is not None:
                scope.names[name] = subject
            return True
        case ast.MatchSequence(patterns=parts):
            return _sequence(evaluate, parts, subject, scope)
        case ast.MatchMapping(keys=keys, patterns=parts, rest=None):
            if not isinstance(subject, dict):
                return False
            wanted_keys = [evaluate(each, scope) for each in keys]
            return all(
                isinstance(key, str | int) and key in subject and fits(evaluate, part, subject[key], scope)
                for key, part in zip(wanted_keys, parts, strict=True)
            )
        case ast.MatchClass():
            return _of_class(evaluate, pattern, subject, scope)
        case _:
            return False


def _sequence(evaluate: Evaluate, parts: list[ast.pattern], subject: Value, scope: Scope) -> bool:
    if not isinstance(subject, list | tuple) and not (isinstance(subject, Module) and "<items>" in subject.fields):
        return False
    values = items(subject)
    star = next((at for at, each in enumerate(parts) if isinstance(each, ast.MatchStar)), None)
    if star is None:
        pairs = list(zip(parts, values, strict=False))
        return len(parts) == len(values) and all(fits(evaluate, part, each, scope) for part, each in pairs)
    if len(values) < len(parts) - 1:
        return False
    end = len(values) - (len(parts) - star - 1)
    named = parts[star]
    if isinstance(named, ast.MatchStar) and named.name:
        scope.names[named.name] = values[star:end]
    pairs = [*zip(parts[:star], values, strict=False), *zip(parts[star + 1 :], values[end:], strict=True)]
    return all(fits(evaluate, part, each, scope) for part, each in pairs)


def _of_class(evaluate: Evaluate, pattern: ast.MatchClass, subject: Value, scope: Scope) -> bool:
    cls = evaluate(pattern.cls, scope)
    if not is_instance(subject, (cls,)):
        return False
    if isinstance(cls, Dotted):
        return all(fits(evaluate, each, subject, scope) for each in pattern.patterns[:1]) and not pattern.kwd_attrs
    if not isinstance(cls, Class) or not isinstance(subject, Module):
        return False
    names = [*cls.fields()[: len(pattern.patterns)], *pattern.kwd_attrs]
    parts = [*pattern.patterns, *pattern.kwd_patterns]
    known = {name: subject.attributes.get(name, cls.find(name)) for name in names}
    return len(names) == len(parts) and all(
        fits(evaluate, part, known[name], scope) for name, part in zip(names, parts, strict=True)
    )
