"""Calls of Keras in code: layers, the functional API, and its Sequential."""

from __future__ import annotations

from core.reading.graph import Graph
from core.reading.keras import apply_layer, layer_of, size_of
from core.reading.module_methods import METHODS
from core.reading.python_values import items, tensors_in
from core.reading.statements import Statements
from core.reading.torch_functions import call_on_tensor
from core.reading.values import BATCH, Dotted, Module, NotUnderstood, Value


def call_keras(
    run: Statements, function: Dotted, given: tuple[Value, ...], keywords: dict[str, Value], line: int
) -> Value:
    """A layer, an input or a model of Keras. Raises NotUnderstood for another."""
    last, tensors = function.last, tensors_in((*given, *keywords.values()))
    if last == "Sequential":
        made = Module("Sequential", line)
        layers = given[0] if given else keywords.get("layers")
        for each in items(layers) if layers else []:
            METHODS["append"](made, (each,), {})
        run.graph = None
        return made
    if last == "Input" and not run.inside:
        run.graph = Graph()
        size = size_of(given[0] if given else keywords.get("shape"))
        return run.graph.start((BATCH, *(size or (1, 28, 28))))
    if last == "Model" and tensors and run.graph is not None:
        graph, run.graph = run.graph, None
        return Module("keras.Model", line, {"graph": graph, "end": tensors[-1]})
    if last in ("add", "concatenate") and tensors and run.graph is not None:
        return apply_layer(run.graph, layer_of(last.title(), (), {}, line), given[0])
    if last in ("relu", "softmax") and tensors and run.graph is not None:
        return call_on_tensor(run.graph, last, given, keywords)
    if last[:1].isupper():
        return layer_of(last, given, keywords, line)
    raise NotUnderstood(f"the lab does not know {function.name}", "leave it out")
