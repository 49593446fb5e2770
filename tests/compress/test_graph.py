import keras
import numpy as np
import pytest

from tinyprune.compress import graph
from tinyprune.errors import UsageError

X = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)


def two_branches() -> keras.Model:
    """a = dense(x); b = a + x; outputs b and relu(b)."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4,), name="x")
    total = keras.layers.Dense(4, name="dense")(inputs) + inputs
    return keras.Model(inputs, [total, keras.layers.ReLU(name="relu")(total)], name="branches")


def as_keras(node, args, kwargs):
    return node.operation(*args, **kwargs)


def test_nodes_come_in_an_order_in_which_they_can_be_computed():
    names = [node.operation.name for node in graph.nodes(two_branches())]
    assert [names[0], len(names), names[-1]] == ["dense", 3, "relu"]


def test_run_on_arrays_computes_what_the_model_does():
    model = two_branches()
    for found, expected in zip(graph.run(model, [X], as_keras), model(X), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_run_works_on_any_kind_of_values():
    """Here on the number of layers between the input and a tensor."""
    assert graph.run(two_branches(), [0], lambda node, args, kwargs: 1 + max(args)) == [2, 3]


def test_run_wants_a_value_for_each_input():
    with pytest.raises(ValueError, match="shorter"):
        graph.run(two_branches(), [], as_keras)


def test_rebuild_keeps_names_shapes_and_types_of_inputs_and_the_name_of_the_model():
    model = two_branches()
    again = graph.rebuild(
        model, lambda node, args, kwargs: graph.copy(node.operation)(*args, **kwargs)
    )
    assert (again.name, again.inputs[0].name, again.inputs[0].shape) == ("branches", "x", (None, 4))
    assert [layer.name for layer in again.layers if layer.weights] == ["dense"]
    assert again.get_layer("dense") is not model.get_layer("dense")
    again.set_weights(model.get_weights())
    for found, expected in zip(again(X), model(X), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_rebuild_gives_one_tensor_for_one_input_and_one_output():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)], name="line")
    again = graph.rebuild(model, as_keras)
    assert again.input.shape == (None, 4)
    assert again.output.shape == (None, 2)


def test_a_sequential_model_has_a_graph():
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(2, name="a"), keras.layers.ReLU(name="b")]
    )
    assert [node.operation.name for node in graph.nodes(model)] == ["a", "b"]


def test_an_unbuilt_sequential_model_is_one_line():
    with pytest.raises(
        UsageError,
        match=r"^model 'line' is no functional or built Sequential .* start it with an Input$",
    ):
        graph.nodes(keras.Sequential([keras.layers.Dense(2)], name="line"))


def test_a_subclassed_model_is_one_line():
    class Own(keras.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(
        UsageError, match=r"^model 'own' is no functional or built Sequential model: rewrite it$"
    ):
        graph.functional(Own(name="own"))


def test_is_model():
    assert graph.is_model(two_branches())
    assert graph.is_model(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]))
    assert not graph.is_model(keras.layers.Dense(2))


def by_name(model: keras.Model) -> dict:
    return {node.operation.name: node for node in graph.nodes(model)}


def test_uses_know_who_reads_what():
    inputs = keras.Input((4,))
    once, twice = keras.layers.Dense(4, name="once"), keras.layers.Dense(4, name="twice")
    x = keras.layers.ReLU(name="alone")(once(inputs))
    y = twice(twice(x))
    model = keras.Model(inputs, keras.layers.Add(name="sum")([x, y]))
    uses, found = graph.Uses(model), by_name(model)
    assert uses.is_shared(found["twice"])
    assert not uses.is_shared(found["once"])
    assert uses.only_reader(found["once"]) is found["alone"]
    assert uses.only_reader(found["alone"]) is None  # read by "twice" and by "sum"
    assert uses.only_reader(found["sum"]) is None  # an output of the network


def test_a_tensor_in_the_middle_that_is_an_output_has_no_only_reader():
    inputs = keras.Input((4,))
    middle = keras.layers.Dense(4, name="middle")(inputs)
    model = keras.Model(inputs, [keras.layers.ReLU()(middle), middle])
    assert graph.Uses(model).only_reader(by_name(model)["middle"]) is None


def test_copy_has_the_same_configuration_but_for_what_is_replaced():
    layer = keras.layers.Conv2D(4, 3, strides=2, padding="same", name="conv")
    copy = graph.copy(layer, filters=2)
    assert copy.get_config() == {**layer.get_config(), "filters": 2}
    assert not copy.built


@pytest.mark.parametrize("kind", ["Lambda", "Activation", "Dense"])
def test_what_keras_cannot_make_again_is_one_line_with_the_name_of_the_layer(kind):
    def unknown(values):
        return values * 2

    layer = {
        "Lambda": lambda: keras.layers.Lambda(lambda values: values * 2, name="odd"),
        "Activation": lambda: keras.layers.Activation(unknown, name="odd"),
        "Dense": lambda: keras.layers.Dense(4, activation=unknown, name="odd"),
    }[kind]()
    with pytest.raises(
        UsageError, match=f"^{kind} layer 'odd' cannot be made again from its configuration: .*$"
    ):
        graph.copy(layer)


def test_set_weights_brings_what_a_normalization_derives_from_them_along():
    layer = keras.layers.Normalization()
    layer.adapt(np.float32([[0, 10], [2, 30]]))
    copy = graph.copy(layer)
    copy.build((None, 2))
    graph.set_weights(copy, layer.weights)
    np.testing.assert_allclose(copy(np.float32([[1, 20], [2, 30]])), [[0, 0], [1, 1]], atol=1e-5)


def test_set_weights_wants_all_of_them():
    layer = keras.layers.Dense(2)
    layer.build((None, 2))
    with pytest.raises(ValueError, match="shorter"):
        graph.set_weights(layer, [np.eye(2)])


def test_the_input_of_a_model_may_come_in_another_shape():
    model = keras.Sequential([keras.Input((4, 3)), keras.layers.Dense(2)])
    other = graph.with_input(model, (4, 3, 1))
    values = np.random.default_rng(0).normal(size=(5, 4, 3)).astype(np.float32)
    np.testing.assert_array_equal(other(values[..., None]), model(values))
    assert other.weights[0] is model.weights[0]
