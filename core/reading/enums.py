"""Enum classes: their members, by name and by value."""

from __future__ import annotations

from core.reading.python_values import SCALARS, is_plain
from core.reading.values import Class, Dotted, Function, Module, NotUnderstood, Value

ENUMS = ("Enum", "IntEnum", "StrEnum", "Flag", "IntFlag")
AUTO = Dotted("enum.auto")
MEMBERS = "<members>"


def fill_members(cls: Class) -> None:
    """Make the constants of an Enum class its members. One that is a number or a text too stays just that."""
    bases = [base.last for each in cls.line_up() for base in each.bases if isinstance(base, Dotted)]
    if not any(each in ENUMS for each in bases):
        return
    plain = any(each in ("IntEnum", "StrEnum", "IntFlag", "str", "int", "float") for each in bases)
    text = "StrEnum" in bases
    members: list[Value] = []
    for name, value in cls.names.items():
        if name.startswith(("_", "<")) or isinstance(value, Function | Class):
            continue
        if isinstance(value, Module) and value.kind == AUTO.name:
            value = name.lower() if text else len(members) + 1
        if not (plain and isinstance(value, SCALARS)):
            value = Module("object", cls.line, cls=cls, attributes={"name": name, "value": value})
        members.append(value)
        cls.names[name] = value
    cls.names[MEMBERS] = members


def member(cls: Class, wanted: Value) -> Value:
    """`Act("relu")`: the member with that value. Raises NotUnderstood where there is none."""
    members = cls.names[MEMBERS]
    assert isinstance(members, list)
    for each in members:
        value = each.attributes["value"] if isinstance(each, Module) else each
        if each is wanted or value is wanted or (is_plain(value) and is_plain(wanted) and value == wanted):
            return each
    raise NotUnderstood(f"{cls.name} has no member {str(wanted)[:40]!r}" if is_plain(wanted) else "a member of an Enum")
