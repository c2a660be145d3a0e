"""argparse: the arguments of a script as they are where nobody gives any, from `add_argument` to `parse_args`."""

from __future__ import annotations

from collections.abc import Callable

from core.reading.values import Dotted, Module, NotUnderstood, Value

PARSER = "ArgumentParser"
_GROUPS = ("add_argument_group", "add_mutually_exclusive_group", "add_subparsers", "add_parser", "register")
_PARSED = ("parse_args", "parse_known_args", "parse_intermixed_args", "parse_known_intermixed_args")
_FLAGS = {"store_true": False, "store_false": True, "count": None, "append": None, "store_const": None}
Call = Callable[[Value, tuple[Value, ...], dict[str, Value], int], Value]


def parser(line: int) -> Module:
    """A parser without arguments yet."""
    return Module(PARSER, line)


def method(
    call: Call, owner: Module, name: str, given: tuple[Value, ...], keywords: dict[str, Value], line: int
) -> Value:
    """A method of a parser, or of a group of its arguments. Raises NotUnderstood for one that is not known."""
    if name == "add_argument":
        names = [each for each in given if isinstance(each, str)]
        if names:
            _add(call, owner, names, keywords, line)
    elif name == "set_defaults":
        owner.attributes |= keywords
    elif name == "get_default" and given:
        return owner.attributes.get(str(given[0]))
    elif name in _PARSED:
        values = Module("configuration", line, attributes=dict(owner.attributes))
        words = given[0] if given else keywords.get("args")
        if isinstance(words, list | tuple):
            _take(call, owner, values, [str(each) for each in words], line)
        return (values, []) if "known" in name else values
    elif name in _GROUPS:
        return owner
    elif name not in ("print_help", "print_usage", "format_help"):
        raise NotUnderstood(f".{name[:40]}() of a parser")
    return None


def _take(call: Call, owner: Module, values: Module, words: list[str], line: int) -> None:
    """What a list of words sets, as in a notebook: parse_args(["--width", "16"])."""
    waiting = [part for word in words for part in (word.split("=", 1) if word.startswith("--") else [word])]
    for number, word in enumerate(waiting):
        argument = owner.fields.get(word)
        if not isinstance(argument, tuple):
            continue
        name, action, kind = argument
        following = waiting[number + 1 :]
        count = next((at for at, each in enumerate(following) if each.startswith("--")), len(following))
        if isinstance(action, str):
            values.attributes[name] = action == "store_true"
        elif count:
            found = [call(kind, (each,), {}, line) if kind is not None else each for each in following[:count]]
            values.attributes[name] = found if isinstance(values.attributes.get(name), list) else found[0]


def _add(call: Call, owner: Module, names: list[str], keywords: dict[str, Value], line: int) -> None:
    """What argparse sets where the argument is not given; one that must be given stays without a value."""
    long = [each for each in names if each.startswith("--")]
    stated = keywords.get("dest")
    name = stated if isinstance(stated, str) else (long or names)[0].lstrip("-").replace("-", "_")
    action = keywords.get("action")
    default = keywords.get("default", _FLAGS.get(action) if isinstance(action, str) else None)
    owner.fields |= {each: (name, action, keywords.get("type")) for each in names}
    positional = not names[0].startswith("-") and keywords.get("nargs") not in ("?", "*")
    if "default" not in keywords and action is None and (keywords.get("required") or positional):
        return
    kind = keywords.get("type")
    if isinstance(default, str) and kind is not None and kind != Dotted("builtins.str"):
        default = call(kind, (default,), {}, line)  # argparse converts a default that is a text
    owner.attributes[name] = default
