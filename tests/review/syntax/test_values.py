"""What expressions are: imports, bindings, classes, calls and other files."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from torchstone.review.syntax.file import File
from torchstone.review.syntax.parse import parse
from torchstone.review.syntax.project import Project


def file_of(text: str, path: str = "a.py") -> File:
    return File(parse(text, path).sources[0], Project())


def last(text: str, path: str = "a.py") -> tuple[File, ast.expr]:
    """The expression that is the last statement of a text."""
    file = file_of(text, path)
    statement = file.source.tree.body[-1]
    assert isinstance(statement, ast.Expr)
    return file, statement.value


@pytest.mark.parametrize(
    "text",
    [
        "import torch.nn.functional as F\nF.cross_entropy",
        "from torch.nn import functional\nfunctional.cross_entropy",
        "from torch import nn\nnn.functional.cross_entropy",
        "import torch as t\nt.nn.functional.cross_entropy",
        "from torch.nn.functional import cross_entropy as ce\nce",
        "from torch.nn.functional import *\ncross_entropy",
        "import torch\nloss = torch.nn.functional.cross_entropy\nloss",
    ],
)
def test_a_name_is_found_whatever_it_was_imported_as(text: str) -> None:
    file, node = last(text)
    assert file.name(node) == "torch.nn.functional.cross_entropy"


@pytest.mark.parametrize(
    "text",
    [
        "import torch\ntorch = 3\ntorch.nn",
        "import torch.nn as nn\nif x:\n    nn = other\nnn.Linear",
        "cross_entropy",
    ],
)
def test_a_name_that_may_be_something_else_is_unknown(text: str) -> None:
    file, node = last(text)
    assert file.name(node) is None


HEAD = (
    "import torch\nfrom torch import nn, optim\nclass Net(nn.Module):\n    def forward(self, x): return x\n"
)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("Net().to('cpu').cuda()", "module"),
        ("nn.DataParallel(Net()).module", "module"),
        ("torch.compile(Net()).train()", "module"),
        ("optim.Adam(Net().parameters())", "optimizer"),
        ("optim.lr_scheduler.StepLR(o, 1)", "scheduler"),
        ("torch.utils.data.DataLoader([])", "loader"),
        ("nn.CrossEntropyLoss()", "loss"),
        ("torch.amp.GradScaler()", "scaler"),
        ("nn.Linear(2, 1)(torch.ones(2)).squeeze()", "tensor"),
        ("(lambda: Net())()", "module"),
        ("(Net(), 1)[0]", "module"),
        ("unknown(Net())", None),
    ],
)
def test_kinds(code: str, kind: str | None) -> None:
    file, node = last(HEAD + code)
    value = file.value(node)
    assert (value and value.kind) == kind


def test_branches_join_to_what_they_have_in_common() -> None:
    text = "if x:\n    o = optim.Adam(p)\nelse:\n    o = optim.SGD(p)\no"
    file, node = last(HEAD + text)
    value = file.value(node)
    assert value is not None
    assert (value.kind, value.name, len(value.keys)) == ("optimizer", None, 2)


def test_different_kinds_join_to_nothing() -> None:
    file, node = last(HEAD + "if x:\n    o = optim.Adam(p)\nelse:\n    o = Net()\no")
    assert file.value(node) is None


def test_none_before_the_real_value_does_not_count() -> None:
    file, node = last(
        HEAD + "class T:\n    def __init__(self, m):\n        self.m = None\n        self.m = m\nT(Net()).m"
    )
    value = file.value(node)
    assert value is not None
    assert value.cls is not None
    assert value.cls.name == "Net"


def test_what_a_function_returns_is_unpacked() -> None:
    text = "def build(lr):\n    m = Net()\n    return m, optim.SGD(m.parameters(), lr)\nm, o = build(1)\no"
    file, node = last(HEAD + text)
    value = file.value(node)
    assert value is not None
    assert value.name == "torch.optim.SGD"


def test_objects_made_by_two_calls_are_two() -> None:
    text = "def build():\n    return Net()\na = build()\nb = build()\nc = a.to('cpu')\n(a, b, c)"
    file, node = last(HEAD + text)
    value = file.value(node)
    assert value is not None
    a, b, c = value.items or ()
    assert a is not None
    assert a.may_be(c)
    assert not a.may_be(b)


def test_a_parameter_is_what_its_callers_give() -> None:
    text = "def step(o):\n    o.step()\nstep(optim.Adam(p))"
    file = file_of(HEAD + text)
    (call,) = file.index.calls_by_name["step"][:1]
    assert isinstance(call.func, ast.Attribute)
    value = file.value(call.func.value)
    assert value is not None
    assert value.name == "torch.optim.Adam"


@pytest.mark.parametrize(
    "use",
    [
        "from net import Net\nNet()",
        "import net\nnet.Net()",
        "from net import *\nNet()",
        "from package.inner import Net\nNet()",
        "from package import Net\nNet()",
        "from package import inner\ninner.Net()",
    ],
)
def test_classes_of_other_files(tmp_path: Path, use: str) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("from .inner import Net\n")
    net = "from torch import nn\nclass Net(nn.Module):\n    pass\n"
    (tmp_path / "package" / "inner.py").write_text(net)
    (tmp_path / "net.py").write_text(net)
    file, node = last(use, str(tmp_path / "main.py"))
    value = file.value(node)
    assert value is not None
    assert value.kind == "module"
    assert file.used


def test_files_that_import_each_other_end(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("from b import *\nfrom b import x\n")
    (tmp_path / "b.py").write_text("from a import *\nfrom a import x\n")
    file, node = last("from a import x\nx", str(tmp_path / "main.py"))
    assert file.value(node) is None
