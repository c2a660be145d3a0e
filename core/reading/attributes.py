"""What `owner.name` stands for in PyTorch code, and what `owner.name = value` does."""

from __future__ import annotations

from core.reading.hints import guess
from core.reading.module_methods import ITSELF, LISTS, METHODS
from core.reading.python_library import OF_FIELDS
from core.reading.statements import Statements
from core.reading.torch_functions import TRAINING
from core.reading.values import Bound, Class, Dotted, Function, Module, Super, Tensor, Unknown, Value, Weight


class Attributes(Statements):
    """Finds and sets the attributes of modules, classes, maps and whatever else has a dot."""

    def attribute(self, owner: Value, name: str, line: int) -> Value:
        match owner:
            case Module():
                return self.of_module(owner, name, line)
            case Class():
                found = owner.find(name)
                of_class = isinstance(found, Function) and found.kind == "classmethod"
                return found if found is not None and not of_class else Bound(owner, found or name)
            case Super(instance, after):
                found = instance.cls.find(name, after) if instance.cls else None
                if isinstance(found, Function) and found.kind == "property":
                    return self.call(found, (instance,), {}, line)
                return Bound(instance, found) if isinstance(found, Function) else Bound(owner, name)
            case Tensor():
                return self._of_tensor(owner, name, line)
            case Dotted() if name == "__init__":
                return Bound(owner, name)
            case Dotted():
                if owner.name in ("math", "numpy") and name in ("pi", "e", "inf"):
                    return {"pi": 3.141592653589793, "e": 2.718281828459045, "inf": float("inf")}[name]
                return Dotted(f"{owner.name}.{name}")
            case Unknown():
                return owner
            case Weight():
                return owner.shape if name == "shape" else owner if name == "data" else Bound(owner, name)
            case int() | float() | str() if name == "value":  # of an Enum whose members are numbers or texts
                return owner
            case tuple() if name == "values" and owner:
                return owner[0]
            case _:
                return Bound(owner, name)

    def of_module(self, owner: Module, name: str, line: int) -> Value:
        for names in (owner.attributes, owner.children, owner.fields):
            if name in names:
                return names[name]
        found = owner.cls.find(name) if owner.cls else None
        if isinstance(found, Function):
            if found.kind == "property":
                return self.call(found, (owner,), {}, line)
            bound_to = owner.cls if found.kind == "classmethod" else owner
            return found if found.kind == "staticmethod" else Bound(bound_to, found)
        if found is not None:
            return found
        if name in ("training", "_modules"):
            return TRAINING if name == "training" else dict(owner.children)
        if name == "__class__" and owner.cls is not None:
            return owner.cls
        if name == "__dict__":
            return owner.attributes
        if owner.kind == "configuration":
            return guess(name)
        if name in ("weight", "bias") and not owner.is_own:
            return Weight(None, owner.line)
        known = name in ITSELF or name in LISTS or name in METHODS or name in OF_FIELDS
        if owner.is_own and not known:
            return Unknown(f"`self.{name[:40]}` is never made", line)
        return Bound(owner, name)

    def _of_tensor(self, owner: Tensor, name: str, line: int) -> Value:
        if name in ("shape", "ndim"):
            if owner.shape is None:
                return Unknown("a shape that is not known", line)
            return owner.shape if name == "shape" else len(owner.shape)
        if name == "data":
            return owner
        if name in ("device", "dtype"):
            return Unknown(name, line)
        return False if name == "is_cuda" else Bound(owner, name)

    def set_attribute(self, owner: Value, name: str, value: Value) -> None:
        if isinstance(owner, Module):
            if isinstance(value, Module) and value.kind != "object":
                owner.attributes.pop(name, None)
                owner.children[name] = value
            elif name in owner.fields and not owner.is_own:
                owner.fields[name] = value
            else:
                owner.children.pop(name, None)
                owner.attributes[name] = value
