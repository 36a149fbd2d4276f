"""A habit that does no harm in the program at hand is advice; where it may do some, it is told as ever."""

from __future__ import annotations

from pathlib import Path

import pytest

from torchstone.finding import Severity
from torchstone.review.source import check_text

GAN = """
import torch
import torch.nn.functional as F
from torch import nn

class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(8, 4)

    def forward(self, z):
        return self.linear(z)

class Judge(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 1)

    def forward(self, x):
        return torch.sigmoid(self.linear(F.dropout(x, 0.3)))  # here

generator, judge = Generator(), Judge()
optimizer = torch.optim.SGD(judge.parameters(), lr=0.1)

def loss_of_judge(judge, real):
    told = judge(generator(torch.randn(16, 8)).detach())
    return F.binary_cross_entropy(told, torch.zeros(16, 1)) + (1 - judge(real)).mean()

for epoch in range(3):
    for _ in range(10):
        optimizer.zero_grad()
        loss = loss_of_judge(judge, torch.randn(16, 4))
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        pictures = generator(torch.randn(16, 8))
    {more}
"""
TS204: dict[str, tuple[str, Severity]] = {
    "nothing": ("", "advice"),
    "the other one is saved": ("torch.save(generator.state_dict(), 'g.pt')", "advice"),
    "it is saved": ("torch.save(judge.state_dict(), 'j.pt')", "error"),
    "it is saved as a whole": ("torch.save(judge, 'j.pt')", "error"),
    "it is put into evaluation mode": ("judge.eval()", "error"),
    "it is asked without gradients": ("with torch.no_grad(): judge(pictures)", "error"),
    "it is asked": ("print(judge(pictures))", "error"),
    "others get it": ("measure(judge)", "error"),
}


def severities(text: str, path: str, code: str) -> dict[int, Severity]:
    found = check_text(text, path).findings
    return {one.line or 0: one.severity for one in found if one.code == code}


def line_of(text: str) -> int:
    return next(n for n, line in enumerate(text.splitlines(), start=1) if "# here" in line)


@pytest.mark.parametrize("name", TS204)
def test_dropout_in_a_net_that_nobody_evaluates_is_advice(name: str) -> None:
    more, severity = TS204[name]
    text = GAN.replace("{more}", more)
    assert severities(text, "gan.py", "TS204") == {line_of(text): severity}


def test_dropout_in_a_net_that_another_file_trains_and_evaluates(tmp_path: Path) -> None:
    classes, program = GAN.split("generator, judge =", 1)
    model = tmp_path / "nets.py"
    model.write_text(classes)
    here = {line_of(classes): "error"}
    assert severities(classes, str(model), "TS204") == here
    program = "import torch\nimport torch.nn.functional as F\nfrom nets import Generator, Judge\n" + (
        "generator, judge =" + program
    )
    for more, severity in ({"": "advice", "judge.eval()": "error"}).items():
        (tmp_path / "train.py").write_text(program.replace("{more}", more))
        assert severities(classes, str(model), "TS204") == {line_of(classes): severity}


TRAINING = """
import torch
from torch import nn

model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(10):
    optimizer.zero_grad()
    loss = (model(torch.randn(8, 4)) ** 2).mean()
    loss.backward()
    optimizer.step()
"""
FORWARD = "y = model.forward(torch.randn(8, 4))  # here\n"
SAVED = "torch.save(model, 'model.pt')  # here\n"
HARMLESS: dict[str, tuple[str, str, Severity]] = {
    "called directly": ("TS315", TRAINING + FORWARD, "advice"),
    "called directly, with a hook": (
        "TS315",
        f"{TRAINING}model.register_forward_hook(print)\n{FORWARD}",
        "warning",
    ),
    "called directly, compiled": ("TS315", f"{TRAINING}model = torch.compile(model)\n{FORWARD}", "warning"),
    "called directly in a script": (
        "TS315",
        "from torch import nn\nmodel = nn.Linear(4, 1)\ny = model.forward(x)  # here\n",
        "advice",
    ),
    "called directly in a library": (
        "TS315",
        "from torch import nn\nmodel = nn.Linear(4, 1)\ndef ask(x):\n    return model.forward(x)  # here\n",
        "warning",
    ),
    "a schedule": (
        "TS508",
        TRAINING.replace("for _", "plan = torch.optim.lr_scheduler.StepLR(optimizer, 9)  # here\nfor _"),
        "warning",
    ),
    "a schedule that was switched off": (
        "TS508",
        TRAINING.replace("for _", "plan = torch.optim.lr_scheduler.StepLR(optimizer, 9)  # here\nfor _")
        + "    # plan.step()\n",
        "advice",
    ),
    "a logarithm that is shown": (
        "TS602",
        f"{TRAINING}told = torch.log(torch.softmax(model(torch.ones(8, 4)), 1))  # here\nprint(told)\n",
        "advice",
    ),
    "a logarithm that is trained with": (
        "TS602",
        f"{TRAINING}told = torch.log(torch.softmax(model(torch.ones(8, 4)), 1))  # here\n"
        "(told.mean() + 1).backward()\n",
        "warning",
    ),
    "a loss that is shown": (
        "TS301",
        f"{TRAINING}loss = nn.CrossEntropyLoss()(torch.sigmoid(torch.ones(8, 4)), labels)  # here\n"
        "print(loss)\nloss = model(torch.ones(8, 4)).mean()\nloss.backward()\n",
        "advice",
    ),
    "a loss that is trained with": (
        "TS301",
        f"{TRAINING}loss = nn.CrossEntropyLoss()(torch.sigmoid(torch.ones(8, 4)), labels)  # here\n"
        "print(loss)\nloss.backward()\n",
        "error",
    ),
    "a softmax by hand": (
        "TS603",
        f"{TRAINING}def softmax(x):\n    return x.exp() / x.exp().sum(1, keepdim=True)  # here\n",
        "advice",
    ),
    "a softmax by hand in other work": (
        "TS603",
        f"{TRAINING}def attend(x):\n    return x.exp() / x.exp().sum(1, keepdim=True)  # here\n",
        "warning",
    ),
    "pickled": ("TS805", TRAINING + SAVED, "advice"),
    "pickled, and loaded": ("TS805", f"{TRAINING}{SAVED}model = torch.load('model.pt')\n", "warning"),
    "pickled, and allowed to be": (
        "TS805",
        f"{TRAINING}{SAVED}model = torch.load('model.pt', weights_only=False)\n",
        "advice",
    ),
    "pickled, and weights loaded": (
        "TS805",
        f"{TRAINING}{SAVED}state = torch.load('w.pt')\nmodel.load_state_dict(state['model'])\n",
        "advice",
    ),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_a_habit_without_harm_is_advice(name: str) -> None:
    code, text, severity = HARMLESS[name]
    assert severities(text, "train.py", code) == {line_of(text): severity}


def test_a_hook_in_another_file_of_the_program_counts(tmp_path: Path) -> None:
    (tmp_path / "norms.py").write_text("from torch.nn.utils import weight_norm\n")
    script = tmp_path / "train.py"
    for before, severity in {"": "advice", "import norms\n": "warning"}.items():
        script.write_text(text := before + TRAINING + FORWARD)
        assert severities(text, str(script), "TS315") == {line_of(text): severity}


def test_values_that_cells_showed_are_not_lost_in_the_script_made_of_them() -> None:
    text = "import torch\nx = torch.ones(3)\ntorch.sigmoid(x)\n{}torch.relu(x)\nprint(x)\n"
    assert severities(text.format("torch.tanh(x)\n"), "cells.py", "TS809") == {}
    alone = "import torch\nx = torch.ones(3)\ntorch.sigmoid(x)\nprint(x)\n"
    assert severities(alone, "cells.py", "TS809") == {3: "warning"}


def test_numbers_that_another_file_of_the_program_converts(tmp_path: Path) -> None:
    text = (
        "import numpy as np\nimport torch\n\n\ndef vectors(count):\n"
        "    return torch.nn.Embedding.from_pretrained(torch.tensor(np.zeros((count, 8))))  # here\n"
    )
    data = tmp_path / "data.py"
    data.write_text(text)
    script = tmp_path / "train.py"
    for end, told in {"": {6: "warning"}, "model.float()\n": {}}.items():
        script.write_text(f"import torch\nfrom data import vectors\nmodel = vectors(9)\n{end}")
        assert severities(text, str(data), "TS706") == told


def test_what_another_file_of_the_program_saves_is_its_own(tmp_path: Path) -> None:
    text = "import torch\nimport waves\ndata = torch.load('data.pt', weights_only=False)  # here\n"
    script = tmp_path / "train.py"
    script.write_text(text)
    for written, told in {"torch.save([1], 'data.pt')\n": {}, "": {3: "warning"}}.items():
        (tmp_path / "waves.py").write_text(f"import torch\n{written}")
        assert severities(text, str(script), "TS801") == told


def test_a_softmax_by_hand_in_a_class_that_is_no_module() -> None:
    text = TRAINING + (
        "class {}:\n    def softmax(self, x):\n"
        "        return x.exp() / x.exp().sum(1, keepdim=True)  # here\n"
    )
    for name, severity in {"Net": "advice", "Net(nn.Module)": "warning"}.items():
        given = text.replace("{}", name)
        assert severities(given, "a.py", "TS603") == {line_of(given): severity}
