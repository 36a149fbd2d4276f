from __future__ import annotations

from torch import nn

from torchstone.training.modes import Modes


def test_a_frozen_part_stays_in_evaluation_mode() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Dropout())
    net[1].eval()
    modes = Modes(net)
    modes.evaluate()
    assert not any(part.training for part in net.modules())
    modes.train()
    assert [part.training for part in net.modules()] == [True, True, False, True]
    modes.evaluate()
    modes.restore()
    assert [part.training for part in net.modules()] == [True, True, False, True]


def test_a_module_given_in_evaluation_mode_is_trained_and_given_back_so() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.Dropout()).eval()
    modes = Modes(net)
    modes.train()
    assert all(part.training for part in net.modules())
    modes.restore()
    assert not any(part.training for part in net.modules())
