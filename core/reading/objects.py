"""Objects of the code's own classes: how one is made, and what its fields are."""

from __future__ import annotations

import re

from core.reading.attributes import Attributes
from core.reading.enums import MEMBERS, member
from core.reading.module_methods import fill
from core.reading.statements import bound_arguments
from core.reading.torch_signatures import CONTAINERS, SIGNATURES, module_of
from core.reading.values import Class, Function, Module, Value

GHOST = re.compile(r"ghost|^gbn", re.IGNORECASE)


class Objects(Attributes):
    """Makes objects."""

    def make(self, cls: Class, given: tuple[Value, ...], keywords: dict[str, Value], line: int) -> Value:
        """An object of a class of the code."""
        if GHOST.search(cls.name) and cls.is_module():
            self.within.add(cls)
            return self._ghost(cls, given, keywords, line)
        if MEMBERS in cls.names:
            return member(cls, given[0] if given else next(iter(keywords.values()), None))
        base = cls.dotted_base()
        kind = "Module" if cls.is_module() else "object"
        if base is not None and (base.last in SIGNATURES or base.last in CONTAINERS):
            kind = base.last
        made = Module(kind, line, cls=cls)
        outermost, self.inside = not self.inside, True
        if not outermost:
            self.within.add(cls)
            self._start(made, cls, given, keywords)
            return made
        self.quiet, self.complaints = False, []
        try:
            self._start(made, cls, given, keywords)
            self.making[id(made)] = self.complaints
        finally:
            self.quiet, self.inside = True, False
        return made

    def _start(self, made: Module, cls: Class, given: tuple[Value, ...], keywords: dict[str, Value]) -> None:
        """`__init__` of a class of the code."""
        kind, start = made.kind, cls.find("__init__")
        if isinstance(start, Function):
            base = cls.dotted_base()
            if base is not None and base.last == "LightningModule":  # what save_hyperparameters() keeps
                passed = bound_arguments(start, (made, *given), keywords)
                made.attributes["hparams"] = Module("object", made.line, attributes=passed)
            self.run_function(start, (made, *given), keywords, made.line)
        elif kind in ("Module", "object"):
            if given and isinstance(given[0], dict) and cls.has_base("dict"):
                made.attributes |= {str(name): value for name, value in given[0].items()}
            made.attributes |= dict(zip(cls.fields(), given, strict=False)) | keywords
            if "<tuple>" in cls.names or cls.has_base("NamedTuple"):
                made.fields["<items>"] = [self.of_module(made, each, made.line) for each in cls.fields()]
            after = cls.find("__post_init__")
            if isinstance(after, Function):
                self.run_function(after, (made,), {}, made.line)
        else:
            fill(made, given, keywords)

    def _ghost(self, cls: Class, given: tuple[Value, ...], keywords: dict[str, Value], line: int) -> Module:
        """A ghost batch norm that the code writes by hand, known by its name: what matters are its numbers."""
        start = cls.find("__init__")
        arguments = bound_arguments(start, (None, *given), keywords) if isinstance(start, Function) else keywords
        values = list(arguments.items())[1:] if isinstance(start, Function) else []
        channels = next((value for name, value in values if "feat" in name or "chan" in name or "dim" in name), None)
        splits = next((value for name, value in values if "split" in name), 2)
        if channels is None:
            channels = given[0] if given else None
        rest = {name: value for name, value in arguments.items() if name in ("eps", "momentum")}
        return module_of("GhostBatchNorm", (channels, splits), rest, line)
