"""Keras's networks are read with the parameters and shapes that its own summary prints."""

from __future__ import annotations

import pytest

from core.architecture.spec import Concatenate, Conv, Residual
from core.architecture.trace import trace
from core.reading.code import read_code
from core.reading.record import Network

pytestmark = pytest.mark.own_data

# keras.io's convnet for MNIST; its summary prints 34,826 parameters and these shapes.
CONVNET = """
import keras
from keras import layers
num_classes = 10
input_shape = (28, 28, 1)
model = keras.Sequential(
    [
        keras.Input(shape=input_shape),
        layers.Conv2D(32, kernel_size=(3, 3), activation="relu"),
        layers.MaxPooling2D(pool_size=(2, 2)),
        layers.Conv2D(64, kernel_size=(3, 3), activation="relu"),
        layers.MaxPooling2D(pool_size=(2, 2)),
        layers.Flatten(),
        layers.Dropout(0.5),
        layers.Dense(num_classes, activation="softmax"),
    ]
)
model.summary()
"""
ADDED = """
from tensorflow.keras.models import Sequential
from tensorflow.keras.layers import Conv2D, MaxPooling2D, Dense, Dropout, Flatten, BatchNormalization, Activation
model = Sequential()
model.add(Conv2D(16, 3, padding='same', input_shape=(28, 28, 1), use_bias=False))
model.add(BatchNormalization())
model.add(Activation('relu'))
model.add(MaxPooling2D())
model.add(Flatten())
model.add(Dense(10, activation='softmax'))
model.compile(loss='categorical_crossentropy', optimizer='adam')
history = model.fit(x_train, y_train)
"""
FUNCTIONAL = """
import tensorflow as tf
def build(width=8):
    inputs = tf.keras.Input((28, 28, 1))
    x = tf.keras.layers.Conv2D(width, 3, activation=tf.nn.relu)(inputs)
    skip = x
    x = tf.keras.layers.Conv2D(width, 3, padding="same")(x)
    x = tf.keras.layers.Add()([x, skip])
    y = tf.keras.layers.SeparableConv2D(4, 3, padding="same")(x)
    x = tf.keras.layers.concatenate([x, y])
    x = tf.keras.layers.GlobalAveragePooling2D()(x)
    outputs = tf.keras.layers.Dense(10)(x)
    return tf.keras.Model(inputs=inputs, outputs=outputs)
model = build()
"""


def only(text: str) -> Network:
    network = read_code(text).networks[0]
    assert network.problems == ()
    return network


def shapes(network: Network) -> list[tuple[int, ...]]:
    assert network.architecture is not None
    return [layer.output for layer in trace(network.architecture).layers]


def test_a_sequential_of_layers_has_the_parameters_of_its_summary() -> None:
    network = only(CONVNET)
    assert network.parameters == network.total == 34_826
    assert [shape for shape in shapes(network) if len(shape) == 3][::3] == [(32, 26, 26), (64, 11, 11)]
    assert shapes(network)[-1] == (10,)


def test_layers_that_are_added_one_by_one_are_read() -> None:
    network = only(ADDED)
    assert network.parameters == 16 * 9 + 2 * 16 + (16 * 14 * 14 + 1) * 10
    assert shapes(network)[0] == (16, 28, 28)


def test_a_functional_model_has_its_skip_and_its_join() -> None:
    network = only(FUNCTIONAL)
    assert network.architecture is not None
    kinds = [type(op) for op in network.architecture.ops]
    assert kinds[:1] == [Conv]
    assert {Residual, Concatenate} < set(kinds)
    separable = 8 * 9 + (8 + 1) * 4
    assert network.parameters == (9 + 1) * 8 + (72 + 1) * 8 + separable + (12 + 1) * 10


def test_to_json_of_a_sequential_is_read() -> None:
    text = (
        '{"class_name": "Sequential", "config": {"name": "s", "layers": ['
        '{"class_name": "InputLayer", "config": {"batch_input_shape": [null, 28, 28, 1], "name": "i"}},'
        '{"class_name": "Conv2D", "config": {"name": "c", "filters": 32, "kernel_size": [3, 3], "strides": [1, 1],'
        ' "padding": "valid", "activation": "relu", "use_bias": true}},'
        '{"class_name": "Flatten", "config": {"name": "f"}},'
        '{"class_name": "Dense", "config": {"name": "d", "units": 10, "activation": "softmax"}}]},'
        ' "keras_version": "2.15"}'
    )
    assert only(text).parameters == 320 + (32 * 26 * 26 + 1) * 10


@pytest.mark.parametrize("style", ["2", "3"])
def test_to_json_of_a_functional_model_is_read(style: str) -> None:
    def of(*names: str) -> str:
        if style == "2":
            return "[[" + ", ".join(f'["{name}", 0, 0, {{}}]' for name in names) + "]]"
        tensors = [
            f'{{"class_name": "__keras_tensor__", "config": {{"keras_history": ["{name}", 0, 0]}}}}' for name in names
        ]
        return '[{"args": [[' + ", ".join(tensors) + ']], "kwargs": {}}]'

    text = (
        '{"class_name": "Functional", "config": {"name": "m", "layers": ['
        '{"class_name": "InputLayer", "name": "i", "config": {"batch_shape": [null, 28, 28, 1]}, "inbound_nodes": []},'
        '{"class_name": "Conv2D", "name": "a", "config": {"filters": 8, "kernel_size": [3, 3], "padding": "same"},'
        f' "inbound_nodes": {of("i")}}},'
        '{"class_name": "Conv2D", "name": "b", "config": {"filters": 8, "kernel_size": [3, 3], "padding": "same"},'
        f' "inbound_nodes": {of("a")}}},'
        f'{{"class_name": "Add", "name": "s", "config": {{}}, "inbound_nodes": {of("a", "b")}}},'
        f'{{"class_name": "GlobalAveragePooling2D", "name": "g", "config": {{}}, "inbound_nodes": {of("s")}}},'
        f'{{"class_name": "Dense", "name": "d", "config": {{"units": 10}}, "inbound_nodes": {of("g")}}}'
        '], "output_layers": [["d", 0, 0]]}}'
    )
    network = only(text)
    assert network.parameters == 80 + 584 + 90
    assert network.architecture is not None
    assert any(isinstance(op, Residual) for op in network.architecture.ops)


def test_a_model_of_one_layer_is_read_on_28_by_28_pixels() -> None:
    text = (
        '{"class_name": "Sequential", "config": {"layers": [{"class_name": "Conv2D", "config": {"filters": 4, '
        '"kernel_size": [3, 3], "activation": "relu"}}]}}'
    )
    assert shapes(only(text)) == [(4, 26, 26), (4, 26, 26)]
