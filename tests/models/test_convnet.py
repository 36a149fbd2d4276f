"""The convolutional network on pictures of several sizes."""

from __future__ import annotations

import pytest
import torch

from torchstone.models import convnet
from torchstone.models.build import build_model
from torchstone.task import InputSpec, Task

TASK = Task("multiclass", ("label",), tuple("0123456789"))


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32), (4, 64, 48)])
def test_pictures_of_several_sizes_and_channels_are_taken(shape: tuple[int, int, int]) -> None:
    net = build_model("convnet", TASK, InputSpec(shape), 10)
    assert net(torch.randn(2, *shape)).shape == (2, 10)


@pytest.mark.parametrize("shape", [(784,), (28, 28), (1, 4, 4), (100, 28, 28)])
def test_what_is_no_picture_is_refused_with_its_shape(shape: tuple[int, ...]) -> None:
    reason = convnet.accepts(InputSpec(shape))
    assert reason is not None
    assert str(shape) in reason


def test_the_width_is_an_argument() -> None:
    narrow = build_model("convnet", TASK, InputSpec((1, 28, 28)), 10, {"width": 8})
    assert narrow.output.in_features == 4 * 8 * 3 * 3


def test_a_batch_in_any_memory_format_gives_the_same() -> None:
    net = build_model("convnet", TASK, InputSpec((3, 32, 32)), 10).eval()
    pictures = torch.randn(4, 3, 32, 32)
    other = pictures.contiguous(memory_format=torch.channels_last)
    assert torch.equal(net(pictures), net(other))
