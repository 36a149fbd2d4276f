"""Models by name: what is there, what is said when something is not."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from torchstone.errors import ModelError
from torchstone.models import build
from torchstone.task import InputSpec, Task

TABLE = InputSpec((7,), numeric=3, categories=(2, 2), edges=((-1.0, 0.0, 1.0), (-2.0, 0.0, 0.5, 2.0), ()))
PICTURE = InputSpec((1, 28, 28))
BINARY = Task("binary", ("income",), ("<=50K", ">50K"))


def test_the_shelf_holds_the_promised_models() -> None:
    assert {"linear", "simple", "mlp", "tabm", "convnet"} <= set(build.families())


@pytest.mark.parametrize(
    ("spec", "expected"),
    [(TABLE, "tabm"), (PICTURE, "convnet"), (InputSpec((3, 64, 64)), "convnet"), (InputSpec((20,)), "mlp")],
)
def test_the_default_model_suits_the_inputs(spec: InputSpec, expected: str) -> None:
    assert build.default_model(spec, 1000) == expected
    assert build.build_model("auto", BINARY, spec, 2)(torch.randn(4, *spec.shape)).shape[-1] == 2


def test_an_unknown_model_is_an_error_that_offers_the_nearest() -> None:
    with pytest.raises(ModelError, match='no model called "tabn"') as caught:
        build.build_model("tabn", BINARY, TABLE, 2)
    assert 'Did you mean "tabm"?' in str(caught.value)
    assert "file.py:Class" in str(caught.value)
    assert caught.value.status == 2


def test_an_unknown_argument_is_an_error_that_offers_the_nearest() -> None:
    with pytest.raises(ModelError, match="no argument called hiden") as caught:
        build.build_model("simple", BINARY, TABLE, 2, {"hiden": 64})
    assert 'Did you mean "hidden"?' in str(caught.value)
    assert "hidden=128" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("simple", {"hidden": "wide"}),
        ("simple", {"hidden": -3}),
        ("mlp", {"layers": 0}),
        ("tabm", {"members": 0}),
        ("tabm", {"dropout": 1.0}),
    ],
)
def test_a_refused_argument_is_one_readable_error(name: str, arguments: dict[str, object]) -> None:
    with pytest.raises(ModelError, match=f'"{name}" refuses its arguments') as caught:
        build.build_model(name, BINARY, TABLE, 2, arguments)
    assert next(iter(arguments)) in str(caught.value)


def test_inputs_that_a_model_cannot_take_are_said_with_the_models_that_can() -> None:
    with pytest.raises(ModelError, match="takes pictures") as caught:
        build.build_model("convnet", BINARY, TABLE, 2)
    assert "linear, mlp, simple, tabm" in str(caught.value)
    with pytest.raises(ModelError, match="takes rows of a table"):
        build.build_model("tabm", BINARY, PICTURE, 2)


def test_arguments_reach_the_model() -> None:
    net = build.build_model("simple", BINARY, PICTURE, 10, {"hidden": 32})
    assert [tuple(p.shape) for p in net.parameters()] == [(32, 784), (32,), (10, 32), (10,)]


def test_a_recipe_is_the_models_own_and_a_copy() -> None:
    first = build.recipe("simple")
    first["lr"] = 99.0
    assert build.recipe("simple")["lr"] != 99.0
    assert build.recipe("my_model.py:Net") == {}
    with pytest.raises(ModelError):
        build.recipe("nothing")


def test_the_list_states_parameters_for_a_reference_input() -> None:
    rows = {row["name"]: row for row in build.list_models()}
    assert list(rows) == build.families()
    assert rows["simple"]["parameters"] == 784 * 128 + 128 + 128 * 10 + 10
    assert "28 x 28" in rows["simple"]["input"]
    assert "columns" in rows["tabm"]["input"]
    assert rows["simple"]["arguments"] == {"hidden": 128}
    assert all(row["description"].endswith(".") and row["parameters"] > 0 for row in rows.values())


def test_listing_the_models_leaves_the_random_numbers_alone() -> None:
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    build.list_models()
    assert torch.equal(torch.rand(1), expected)


def test_a_user_class_is_built_like_a_model(tmp_path) -> None:
    file = tmp_path / "my_model.py"
    file.write_text("from torch import nn\n\nclass Net(nn.Linear):\n    pass\n")
    net = build.build_model(f"{file}:Net", BINARY, TABLE, 2)
    assert isinstance(net, nn.Linear)
    assert (net.in_features, net.out_features) == (7, 2)


def test_a_user_class_is_named_so_that_it_is_found_from_every_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert build.absolute_name("net.py:Net") == f"{tmp_path / 'net.py'}:Net"
    assert build.absolute_name("tabm") == "tabm"
