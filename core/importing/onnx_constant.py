"""What an ONNX graph computes from constants alone, such as the target of a Reshape; bounded, and without its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from onnx import AttributeProto, NodeProto, TensorProto, helper, numpy_helper

from core.errors import ImportingError
from core.importing.onnx_link import Constant
from core.importing.tensors import MAX_VALUES
from core.record import short


def attributes_of(node: NodeProto) -> dict[str, object]:
    """The node's attributes; texts as str."""
    found = dict[str, object]()
    for attribute in node.attribute:
        if attribute.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS):
            continue
        value = helper.get_attribute_value(attribute)
        found[attribute.name] = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    return found


def tensor_values(tensor: TensorProto) -> Constant:
    """A tensor in the file. Raises ImportingError for one that is in another file, or is too large."""
    if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
        raise ImportingError(
            f"{short(tensor.name)} is in another file; save the model in one file (`save_as_external_data=False`)"
        )
    if int(np.prod(tensor.dims, dtype=float)) > MAX_VALUES:
        raise ImportingError(f"{short(tensor.name)} claims more than {MAX_VALUES:,} values")
    try:
        return np.asarray(numpy_helper.to_array(tensor))
    except (ValueError, TypeError, KeyError) as error:
        raise ImportingError(f"{short(tensor.name)} is damaged: {' '.join(str(error).split())[:120]}") from None


def folded(node: NodeProto, given: Sequence[Constant | None], attributes: Mapping[str, object]) -> Constant | None:
    """The node's output, from constants; None for a node that is not among those understood."""
    constants = [each for each in given if each is not None]
    if node.op_type == "Constant":
        return _constant(node, attributes)
    if len(constants) < len([each for each in given if each is not None]) or not constants:
        return None
    if sum(each.size for each in constants) > MAX_VALUES or _broadcast(constants) > MAX_VALUES:
        return None
    try:
        return _computed(node.op_type, constants, attributes)
    except (ValueError, IndexError, TypeError, KeyError, ZeroDivisionError):
        return None


def _broadcast(constants: Sequence[Constant]) -> float:
    shapes = [each.shape for each in constants]
    return float(
        np.prod([max((shape[-k] for shape in shapes if len(shape) >= k), default=1) for k in range(1, 7)], dtype=float)
    )


def _constant(node: NodeProto, attributes: Mapping[str, object]) -> Constant | None:
    if isinstance(tensor := attributes.get("value"), TensorProto):
        return tensor_values(tensor)
    for name, kind in (("value_float", "f4"), ("value_floats", "f4"), ("value_int", "i8"), ("value_ints", "i8")):
        if name in attributes:
            return np.array(attributes[name], kind)
    return None


def _computed(kind: str, given: Sequence[Constant], attributes: Mapping[str, object]) -> Constant | None:
    first = given[0]
    match kind:
        case "Identity":
            return first
        case "Cast":
            wanted = helper.tensor_dtype_to_np_dtype(int(str(attributes["to"])))
            return first.astype(wanted) if wanted.kind in "biuf" else None
        case "Shape":
            return np.array(first.shape, np.int64)
        case "Gather":
            axis = int(str(attributes.get("axis", 0)))
            if first.size // max(1, first.shape[axis]) * given[1].size > MAX_VALUES:
                return None
            return np.take(first, given[1].astype(np.int64), axis=axis)
        case "Unsqueeze" | "Squeeze":
            axes = [int(each) for each in (given[1].ravel() if len(given) > 1 else list(attributes.get("axes", ())))]  # type: ignore[call-overload]
            return np.expand_dims(first, tuple(axes)) if kind == "Unsqueeze" else np.squeeze(first, tuple(axes) or None)
        case "Concat":
            return np.concatenate(given, axis=int(str(attributes["axis"])))
        case "Reshape":
            return first.reshape([int(each) or first.shape[k] for k, each in enumerate(given[1])])
        case "Transpose":
            return first.transpose(attributes.get("perm"))  # type: ignore[call-overload, no-any-return]
        case "Slice":
            starts, ends = given[1].ravel(), given[2].ravel()
            axes_of = given[3].ravel() if len(given) > 3 else np.arange(len(starts))
            steps = given[4].ravel() if len(given) > 4 else np.ones(len(starts), np.int64)
            cut = [slice(None)] * first.ndim
            for start, end, axis, step in zip(starts, ends, axes_of, steps, strict=True):
                cut[int(axis)] = slice(int(start), int(end), int(step))
            return first[tuple(cut)]
        case "Add" | "Sub" | "Mul" | "Pow" | "Max" | "Min":
            name = {
                "Add": "add",
                "Sub": "subtract",
                "Mul": "multiply",
                "Pow": "power",
                "Max": "maximum",
                "Min": "minimum",
            }
            return np.asarray(getattr(np, name[kind])(first, given[1]))
        case "Div":
            return first // given[1] if first.dtype.kind == "i" else first / given[1]
        case "Sqrt" | "Exp" | "Floor" | "Ceil" | "Abs" | "Neg" | "Reciprocal":
            return np.asarray(getattr(np, {"Neg": "negative", "Abs": "abs"}.get(kind, kind.lower()))(first))
        case "ConstantOfShape":
            value = attributes.get("value")
            filled = tensor_values(value).ravel()[0] if isinstance(value, TensorProto) else np.float32(0)
            sizes = [int(each) for each in first.ravel()]
            return np.full(sizes, filled) if np.prod(sizes, dtype=float) <= MAX_VALUES else None
        case "ReduceProd":
            return np.asarray(np.prod(first))
        case _:
            return None
