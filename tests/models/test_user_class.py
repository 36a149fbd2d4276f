"""`file.py:Class`: the user's own code, with errors that point into it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from torchstone.errors import ModelError
from torchstone.models.build import build_model, load_class
from torchstone.task import InputSpec, Task

TASK = Task("multiclass", ("digit",), tuple("0123456789"))
SPEC = InputSpec((3, 32, 32))


def written(folder: Path, text: str) -> Path:
    file = folder / "net.py"
    file.write_text("import torch\nfrom torch import nn\n" + text)
    return file


def built(file: Path, **arguments: object) -> nn.Module:
    return build_model(f"{file}:Net", TASK, SPEC, 10, arguments)


def failure(file: Path, name: str = "Net", **arguments: object) -> str:
    with pytest.raises(ModelError) as caught:
        build_model(f"{file}:{name}", TASK, SPEC, 10, arguments)
    assert caught.value.status == 2
    return str(caught.value)


@pytest.mark.parametrize(
    "parameters",
    [
        "inputs, outputs",
        "in_features, out_features",
        "input_size, num_classes",
        "input_dim, output_dim",
        "n_features, n_classes=1",
    ],
)
def test_the_constructor_gets_the_sizes_that_it_asks_for_by_name(tmp_path: Path, parameters: str) -> None:
    first, second = (part.split("=")[0].strip() for part in parameters.split(","))
    file = written(
        tmp_path,
        f"class Net(nn.Module):\n    def __init__(self, {parameters}):\n        super().__init__()\n"
        f"        self.sizes = ({first}, {second})\n",
    )
    assert built(file).sizes == (3 * 32 * 32, 10)


def test_the_constructor_may_ask_for_channels_spec_and_task(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        "class Net(nn.Module):\n    def __init__(self, in_channels, spec, *, task):\n"
        "        super().__init__()\n        self.seen = (in_channels, spec.shape, task.kind)\n",
    )
    assert built(file).seen == (3, (3, 32, 32), "multiclass")


def test_a_constructor_without_arguments_and_a_function_will_do(tmp_path: Path) -> None:
    plain = written(
        tmp_path,
        "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.layer = nn.Linear(3072, 10)\n"
        "    def forward(self, x):\n        return self.layer(x.flatten(1))\n",
    )
    assert built(plain)(torch.randn(2, 3, 32, 32)).shape == (2, 10)
    function = written(
        tmp_path,
        "def Net(in_features, num_classes):\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(in_features, num_classes))\n",
    )
    assert built(function)(torch.randn(2, 3, 32, 32)).shape == (2, 10)


def test_the_users_arguments_go_before_what_is_offered(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        "class Net(nn.Module):\n    def __init__(self, inputs, outputs, depth=1):\n"
        "        super().__init__()\n        self.seen = (inputs, outputs, depth)\n",
    )
    assert built(file, depth=4, outputs=7).seen == (3072, 7, 4)
    text = failure(file, width=3)
    assert "no parameter called width" in text
    assert "inputs, outputs, depth" in text


def test_keyword_arguments_take_what_the_user_gives(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        "class Net(nn.Module):\n    def __init__(self, **rest):\n        super().__init__()\n"
        "        self.rest = rest\n",
    )
    assert built(file, width=3).rest == {"width": 3}


def test_a_neighbouring_file_can_be_imported_and_dataclasses_work(tmp_path: Path) -> None:
    (tmp_path / "blocks_of_net.py").write_text("WIDTH = 5\n")
    file = written(
        tmp_path,
        "from dataclasses import dataclass\nfrom blocks_of_net import WIDTH\n"
        "@dataclass\nclass Options:\n    width: int = WIDTH\n"
        "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.width = Options().width\n",
    )
    assert built(file).width == 5


def test_a_missing_file_is_named_with_the_nearest(tmp_path: Path) -> None:
    written(tmp_path, "class Net(nn.Module):\n    pass\n")
    text = failure(tmp_path / "nett.py")
    assert f"no file {tmp_path / 'nett.py'}" in text
    assert 'Did you mean "net.py"?' in text
    assert "no folder" in failure(tmp_path / "missing" / "net.py")


def test_a_missing_class_is_named_with_the_nearest(tmp_path: Path) -> None:
    file = written(tmp_path, "class Network(nn.Module):\n    pass\n")
    text = failure(file, "Netwrk")
    assert 'no class called "Netwrk"' in text
    assert 'Did you mean "Network"?' in text


@pytest.mark.parametrize("name", ["net.py", "net:Net", "net.py:", "net.py:a b", ":Net"])
def test_a_name_of_another_form_is_said(name: str) -> None:
    with pytest.raises(ModelError, match="does not name a class") as caught:
        load_class(name)
    assert "file.py:Class" in str(caught.value)


def test_a_syntax_error_is_shown_with_its_line(tmp_path: Path) -> None:
    file = written(tmp_path, "class Net(nn.Module)\n    pass\n")
    text = failure(file)
    assert f"{file}:3: SyntaxError" in text
    assert "class Net(nn.Module)" in text


def test_a_file_that_does_not_run_is_shown_with_its_line(tmp_path: Path) -> None:
    assert f"{tmp_path / 'net.py'}:4: NameError" in failure(written(tmp_path, "\nwidth = undefined\n"))
    assert ":3: ModuleNotFoundError" in failure(written(tmp_path, "import no_such_package_at_all\n"))


def test_a_constructor_that_fails_is_shown_with_its_line_and_arguments(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        "class Net(nn.Module):\n    def __init__(self, inputs):\n        super().__init__()\n"
        "        self.layer = nn.Linear(inputs, -1 // 0)\n",
    )
    text = failure(file)
    assert f"{file}:6: ZeroDivisionError" in text
    assert "inputs=3072" in text


def test_a_parameter_without_a_value_is_said_with_how_to_give_it(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        "class Net(nn.Module):\n    def __init__(self, outputs, depth):\n        super().__init__()\n",
    )
    text = failure(file)
    assert "needs depth" in text
    assert "--model-arguments depth=VALUE" in text


def test_what_is_not_a_module_is_refused(tmp_path: Path) -> None:
    assert "makes a Net, not a torch.nn.Module" in failure(written(tmp_path, "class Net:\n    pass\n"))
    assert "is a int, not a class" in failure(written(tmp_path, "Net = 3\n"))
