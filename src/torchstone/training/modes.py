"""Training and evaluation mode of a module and all its parts, as the user meant them."""

from __future__ import annotations

from torch import nn


class Modes:
    """Remembers the modes in which a module was given.

    A part that the user had put in evaluation mode inside a module in training mode (a frozen BatchNorm)
    stays there while the rest trains. A module given in evaluation mode as a whole is trained as a whole.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self._found = [(part, part.training) for part in module.modules()]
        self._frozen = [part for part, training in self._found if not training] if module.training else []

    def train(self) -> None:
        """Training mode, but for what the user froze."""
        self.module.train()
        for part in self._frozen:
            part.training = False

    def evaluate(self) -> None:
        """Evaluation mode."""
        self.module.eval()

    def restore(self) -> None:
        """Every part as it was found."""
        for part, training in self._found:
            part.training = training
