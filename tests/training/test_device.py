from __future__ import annotations

import pytest
import torch

from torchstone.errors import ConfigError
from torchstone.training.device import choose_device


def test_auto_gives_what_there_is_and_says_so() -> None:
    device, sentence = choose_device("auto")
    assert device.type in ("cpu", "cuda", "mps")
    assert sentence
    assert choose_device("cpu") == (torch.device("cpu"), choose_device("cpu")[1])


@pytest.mark.parametrize(
    ("name", "offer"),
    [("cudda", '"cuda"'), ("gpu", "expected auto"), ("cpu:0", "expected"), ("cuda:x", "expected")],
)
def test_an_unknown_name_is_refused(name: str, offer: str) -> None:
    with pytest.raises(ConfigError, match=offer):
        choose_device(name)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_missing_gpu_is_an_error_with_a_way_out() -> None:
    with pytest.raises(ConfigError, match='device="cpu"'):
        choose_device("cuda")
