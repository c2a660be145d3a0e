"""What Keras's `model.to_json()` writes, as a module that is followed like code."""

from __future__ import annotations

from core.errors import SpecError
from core.reading.graph import Graph
from core.reading.keras import PREFIX, apply_layer, layer_of, size_of
from core.reading.values import BATCH, Module, NotUnderstood, Tensor, Value
from core.record import Json, parse

MAX_LAYERS = 500


def is_keras_json(text: str) -> bool:
    return text.lstrip().startswith("{") and '"class_name"' in text[:400] and '"config"' in text


def read_model(text: str) -> Module:
    """The model as a module: a Sequential of layers, or a graph with its output. Raises SpecError."""
    data = parse(text, "the model", SpecError)
    config = data.get("config") if isinstance(data, dict) else None
    layers = config.get("layers") if isinstance(config, dict) else config  # a list alone, before Keras 2.2
    if not isinstance(layers, list) or not layers or not all(isinstance(each, dict) for each in layers):
        raise SpecError("the model has no list of layers")
    if len(layers) > MAX_LAYERS:
        raise SpecError(f"the model has {len(layers):,} layers, at most {MAX_LAYERS} are read")
    known = [each for each in layers if isinstance(each, dict)]
    if any(each.get("inbound_nodes") for each in known):
        return _of_graph(known, config if isinstance(config, dict) else {})
    model = Module("Sequential", 1)
    for index, each in enumerate(known):
        layer = _layer(each)
        model.children[_name(each) or str(index)] = layer
    return model


def _config(layer: dict[str, Json]) -> dict[str, Json]:
    config = layer.get("config")
    return config if isinstance(config, dict) else {}


def _name(layer: dict[str, Json]) -> str:
    name = layer.get("name") or _config(layer).get("name")
    return name[:100] if isinstance(name, str) else ""


def _layer(layer: dict[str, Json]) -> Module:
    kind = layer.get("class_name")
    fields: dict[str, Value] = {key: _plain(value) for key, value in _config(layer).items()}
    try:
        return layer_of(str(kind)[:60], (), fields, 1)
    except NotUnderstood as failure:
        return Module("unknown", 1, {"why": str(failure)})


def _plain(value: Json) -> Value:
    """An activation that Keras 3 writes as an object is its name."""
    if isinstance(value, dict) and "class_name" in value:
        inner = value.get("config")
        return inner if isinstance(inner, str) else str(value["class_name"]).lower()
    return value


def _of_graph(layers: list[dict[str, Json]], config: dict[str, Json]) -> Module:
    """A functional model: each layer is applied to those it names."""
    graph, found = Graph(), dict[str, Tensor]()
    last: Tensor | None = None
    children: dict[str, Module] = {}
    for each in layers:
        name, layer = _name(each), _layer(each)
        children[name] = layer
        sources = [found[source] for source in _sources(each.get("inbound_nodes"), 0) if source in found]
        if not sources:
            shape = layer.fields.get("batch_input_shape", layer.fields.get("batch_shape"))
            found[name] = graph.start((BATCH, *(size_of(shape) or (1, 28, 28))))
            continue
        graph.seen.add(id(layer))
        graph.line, graph.module = 1, layer
        try:
            if layer.kind == "unknown":
                raise NotUnderstood(str(layer.fields["why"]))
            last = apply_layer(graph, layer, sources if len(sources) > 1 else sources[0])
        except (NotUnderstood, SpecError) as failure:
            graph.complain(f"{name}: {failure}", failure.instead if isinstance(failure, NotUnderstood) else "")
            last = graph.step("skip", (sources[0],), sources[0].shape)
        found[name] = last
    outputs = [found[name] for name in _sources(config.get("output_layers"), 0) if name in found]
    end = outputs[0] if outputs else last
    return Module(f"{PREFIX}Model", 1, {"graph": graph, "end": end}, children=children)


def _sources(data: Json, depth: int) -> list[str]:
    """The names in inbound_nodes: [[["conv", 0, 0, {}]]], or in Keras 3 objects with a keras_history."""
    if depth > 12:
        return []
    if isinstance(data, dict):
        return [name for value in data.values() for name in _sources(value, depth + 1)]
    if not isinstance(data, list):
        return []
    if len(data) >= 3 and isinstance(data[0], str) and isinstance(data[1], int):
        return [data[0]]
    return [name for each in data for name in _sources(each, depth + 1)]
