"""Weight decay pulls the scales and shifts of normalisation layers to zero, too.

## What it does
Looks, when an optimizer with weight decay makes its first step, whether a group that decays has parameters of
batch, layer, group, instance or root-mean-square normalisation.

## Why is this bad?
Decay keeps the weights of a layer small, which limits what the layer can do. The scale of a normalisation
begins at one and does not need that: pulled to zero, it makes the signal smaller and training less stable.
The recipes that are reported for image nets and transformers leave these parameters, and biases, out.

## References
- [Bag of Tricks for Image Classification](https://arxiv.org/abs/1812.01187)
- [Per-parameter options](https://docs.pytorch.org/docs/stable/optim.html#per-parameter-options)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torchstone.finding import Severity
from torchstone.review.detector import Detector, sampled
from torchstone.review.mistake import Example
from torchstone.review.objects import Identities

if TYPE_CHECKING:
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS516"
NAME = "decay-on-norms"
SEVERITY: Severity = "advice"
ONLY_RUN = True

BAD = (
    Example(
        """
        import torch
        from torch import nn

        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.ReLU(), nn.Linear(8, 1))
        optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.1)  # TS516
        for step in range(3):
            optimizer.zero_grad()
            nn.functional.mse_loss(model(torch.randn(8, 4)), torch.randn(8, 1)).backward()
            optimizer.step()
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.ReLU(), nn.Linear(8, 1))
    weights = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in model.parameters() if parameter.ndim == 1]
    groups = [{"params": weights}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.1)
    for step in range(3):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(torch.randn(8, 4)), torch.randn(8, 1)).backward()
        optimizer.step()
    """,
)

_NORMS = ("_NormBase", "LayerNorm", "GroupNorm", "RMSNorm")


class Watch(Detector):
    """Looks once at each optimizer, when the layers of its model are known."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._seen: Identities = Identities()

    @sampled
    def on_step_began(self, event: Event) -> None:
        """Which parameters it lets decay."""
        optimizer = event.subject
        if optimizer in self._seen:
            return
        self._seen.add(optimizer)
        decay = {
            id(parameter): float(group["weight_decay"])
            for group in optimizer.param_groups
            if isinstance(group.get("weight_decay"), float | int) and group["weight_decay"] > 0
            for parameter in group["params"]
            if parameter.requires_grad
        }
        held = self._of_norms(decay) if decay else []
        if not held:
            return
        made = self.parts.optimizers.get(optimizer, (0, None))[1]
        names = self.names.parameters(held)
        self.found(
            f"Weight decay {decay[id(held[0])]:g} also pulls {len(held)} scales and shifts of normalisation "
            f"layers to zero: {', '.join(names)}",
            why="a normalisation's scale begins at one and needs no decay; recipes leave it out",
            place=made or event.place,
            fix="Give parameters with one dimension a group of their own with `weight_decay=0`.",
            parameters=names,
            weight_decay=decay[id(held[0])],
        )

    def _of_norms(self, decay: dict[int, float]) -> list[Any]:
        """The parameters of normalisation layers among some."""
        found: dict[int, Any] = {}
        for root, _ in self.names.roots():
            for layer in root.modules():
                if any(kind.__name__ in _NORMS for kind in type(layer).__mro__):
                    held = (one for one in layer._parameters.values() if one is not None and id(one) in decay)
                    found.update((id(one), one) for one in held)
        return list(found.values())
