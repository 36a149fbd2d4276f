"""The parameters of a model that is trained on several processes differ between them.

## What it does
Compares some numbers of each parameter of a `DistributedDataParallel` between the processes of a machine,
after the same number of steps.

## Why is this bad?
The wrapper copies the parameters once, when it is made, and from then on averages gradients. Where a process
changes its parameters in another way (it calls the module inside of the wrapper, loads a checkpoint, has
another learning rate), each one trains a model of its own with gradients of the others, and nobody is told.

## References
- [Distributed data parallel](https://docs.pytorch.org/docs/stable/notes/ddp.html)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torchstone.finding import Severity
from torchstone.review.detector import Detector
from torchstone.review.mistake import Example
from torchstone.review.naming import written
from torchstone.review.objects import ByIdentity, Identities
from torchstone.review.places import Place
from torchstone.review.ranks import wraps_for_all

if TYPE_CHECKING:
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS904"
NAME = "ranks-diverged"
SEVERITY: Severity = "error"
ONLY_RUN = True

BAD = (
    Example(
        """
        import torch
        import torch.distributed as dist
        import torch.multiprocessing as mp
        from torch.nn.parallel import DistributedDataParallel


        def work(rank, store):
            dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
            torch.manual_seed(rank)
            model = DistributedDataParallel(torch.nn.Linear(4, 1))  # TS904
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            for step in range(4):
                x, y = torch.randn(8, 4), torch.randn(8, 1)
                optimizer.zero_grad()
                torch.nn.functional.mse_loss(model.module(x), y).backward()
                optimizer.step()
            dist.destroy_process_group()


        if __name__ == "__main__":
            import os
            import tempfile

            mp.spawn(work, args=(os.path.join(tempfile.mkdtemp(), "store"),), nprocs=2)
        """
    ),
)
GOOD = (
    """
    import os
    import tempfile

    import torch
    import torch.distributed as dist
    from torch.nn.parallel import DistributedDataParallel

    store = "file://" + os.path.join(tempfile.mkdtemp(), "store")
    dist.init_process_group("gloo", init_method=store, rank=0, world_size=1)
    model = DistributedDataParallel(torch.nn.Linear(4, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(4):
        x, y = torch.randn(8, 4), torch.randn(8, 1)
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()
    dist.destroy_process_group()
    """,
)

_VALUES = 8
"""So many numbers of each parameter are compared."""
_PARAMETERS = 200
_TOLERANCE = 1e-4
"""Devices of different kinds may round differently; no more than this, by a parameter's own size."""


class _Wrapped:
    """One wrapper: where it was made, and numbers of its parameters before some steps of its optimizer."""

    def __init__(self, place: Place | None) -> None:
        self.place = place
        self.name = ""
        self.optimizers: Identities = Identities()
        self.taken: dict[str, dict[str, list[float]]] = {}
        self.forwards = 0
        self.passed_by = 0
        self.passed_place: Place | None = None
        self.synchronised = True


class Watch(Detector):
    """Looks at parameters before steps 1, 2, 4, 8 ... of their optimizer, and compares the ranks."""

    AFTER = ("wrapped",)

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._wrapped: ByIdentity[_Wrapped] = ByIdentity()
        self._steps: ByIdentity[int] = ByIdentity()
        self._facts: list[_Wrapped] = []

    def on_wrapped(self, event: Event) -> None:
        """A model that is kept the same on all processes."""
        if wraps_for_all(event.subject, self.ranks.world) and self.ranks.world > 1:
            self._wrapped[event.subject] = wrapped = _Wrapped(event.place)
            self._facts.append(wrapped)

    def on_forward(self, event: Event) -> None:
        """Whether the wrapper is called, or what is inside of it."""
        if not event.root or not event.recording:
            return
        for module, state in self._wrapped.items():
            if event.subject is module:
                state.forwards += 1
                state.synchronised &= module.require_backward_grad_sync
            elif event.subject is module.module:
                state.passed_by += 1
                state.passed_place = event.place

    def on_step_began(self, event: Event) -> None:
        """Takes the numbers, before a step of the optimizer that has the parameters."""
        if not self._wrapped:
            return
        self._steps[event.subject] = steps = self._steps.get(event.subject, 0) + 1
        if steps & (steps - 1):
            return
        own = {id(one) for group in event.subject.param_groups for one in group["params"]}
        for module, state in self._wrapped.items():
            held = [(name, one) for name, one in _parameters(module) if id(one) in own]
            if held:
                state.optimizers.add(event.subject)
            if held and len(state.optimizers) == 1:  # which of several it is, other ranks cannot know
                state.name = self.names.module(module)
                state.taken[str(steps)] = {name: _numbers(one) for name, one in held[:_PARAMETERS]}

    def on_end(self, event: Event) -> None:
        """Compares what was taken at the same steps."""
        told = [
            {"taken": state.taken, "usual": state.synchronised and not _has_hooks(self._wrapped, state)}
            for state in self._facts
        ]
        self.ranks.tell("parameters", told)
        for rank, theirs in self.ranks.heard("parameters").items():
            if rank == self.ranks.rank or len(theirs) != len(told):
                continue
            for number, state in enumerate(self._facts):
                if told[number]["usual"] and theirs[number]["usual"]:
                    self._compare(state, theirs[number]["taken"], rank)

    def _compare(self, state: _Wrapped, theirs: dict[str, dict[str, list[float]]], rank: int) -> None:
        differing = {
            int(step): names
            for step in set(state.taken) & set(theirs)
            if (names := _differing(state.taken[step], theirs[step]))
        }
        if len(differing) < 2:
            return
        first = min(differing)
        names, by = differing[first], sorted((rank, self.ranks.rank))
        shown = [f"{state.name}.module{written(name)}" for name in names[:10]]
        inside = state.passed_by > 0 and state.forwards == 0
        cause = (
            "; the module inside of the wrapper is called, so gradients are not averaged" if inside else ""
        )
        self.found(
            f"The parameters of ranks {by[0]} and {by[1]} differ before step {first}: "
            f"{', '.join(shown[:3])}{' and others' if len(names) > 3 else ''}{cause}",
            why="each process trains a model of its own: the wrapper averages gradients, not parameters",
            place=state.place,
            fix="Call the wrapper itself in training." if inside else "Change parameters on all ranks alike.",
            related=((state.passed_place, "this goes by the wrapper"),) if inside else (),
            parameters=shown,
            values=[state.taken[str(first)][names[0]][:3], theirs[str(first)][names[0]][:3]],
            ranks=by,
        )


def _parameters(module: Any) -> list[tuple[str, Any]]:
    """The parameters that are kept the same: whole ones with gradients, none that was exempted."""
    exempt = getattr(module, "parameters_to_ignore", ())
    return [
        (name, one)
        for name, one in module.module.named_parameters()
        if one.requires_grad and name not in exempt and not hasattr(one, "placements") and one.numel()
    ]


def _numbers(parameter: Any) -> list[float]:
    flat = parameter.detach().reshape(-1)
    some = flat[:: max(1, flat.numel() // _VALUES)][:_VALUES]
    found: list[float] = some.abs().tolist() if some.is_complex() else some.tolist()
    return found


def _differing(mine: dict[str, list[float]], theirs: dict[str, list[float]]) -> list[str]:
    """The parameters that differ by more than rounding; none where the models are not the same."""
    if {name: len(values) for name, values in mine.items()} != {n: len(v) for n, v in theirs.items()}:
        return []
    found = []
    for name, values in mine.items():
        others = theirs[name]
        size = max(map(abs, (*values, *others)))
        apart = max(abs(a - b) for a, b in zip(values, others, strict=True))
        if apart > _TOLERANCE * size + 1e-12:
            found.append(name)
    return found


def _has_hooks(wrapped: ByIdentity[_Wrapped], state: _Wrapped) -> bool:
    """Whether somebody averages gradients in a way of their own."""
    return any(each is state and getattr(module, "_comm_hooks", ()) for module, each in wrapped.items())
