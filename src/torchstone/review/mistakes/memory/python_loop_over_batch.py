"""A model is given the samples of a batch one by one.

## What it does
Looks at what a model is called with while training, and reports a line that calls it with eight rows or more
of one batch, one after the other. A model that also takes something else, such as a state, is passed over,
and so are loops over time steps, models with batch normalisation or with layers that remember what they were
given, and samples after each of which a gradient is computed.

## Why is this bad?
A model takes many samples in one call, in hardly more time than one takes: so many calls cost that many times
as much, and on a GPU more.

## References
- [Performance tuning guide](https://docs.pytorch.org/tutorials/recipes/recipes/tuning_guide.html)
- [torch.vmap](https://docs.pytorch.org/docs/stable/generated/torch.vmap.html)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torchstone.finding import Severity
from torchstone.review.detector import Detector, sampled
from torchstone.review.gradients import tensors
from torchstone.review.layers import has_mode
from torchstone.review.mistake import Example
from torchstone.review.objects import is_tensor

if TYPE_CHECKING:
    from torchstone.review.places import Place
    from torchstone.review.stream import Event
    from torchstone.review.watcher import Watcher

CODE = "TS712"
NAME = "python-loop-over-batch"
SEVERITY: Severity = "advice"
ONLY_RUN = True

BAD = (
    Example(
        """
        import torch
        from torch import nn

        model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(10):
            x, y = torch.randn(32, 4), torch.randint(0, 2, (32,))
            optimizer.zero_grad()
            outputs = torch.stack([model(sample) for sample in x])  # TS712
            nn.functional.cross_entropy(outputs, y).backward()
            optimizer.step()
        """
    ),
)
GOOD = (
    """
    import torch
    from torch import nn

    model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(10):
        x, y = torch.randn(32, 4), torch.randint(0, 2, (32,))
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    """,
)

_ROWS = 8
_STEPS = 2
"""In so many steps."""


class _Run:
    """Calls of a module with rows of one batch, one after the other; numbers alone are kept."""

    def __init__(self, key: tuple[int, int], row: int) -> None:
        self.key = key
        self.rows = 1
        self.last = row
        self.place: Place | None = None


class Watch(Detector):
    """Counts calls with the next row of the same batch."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__(watcher)
        self._run: _Run | None = None
        self._steps: dict[Place, set[int]] = {}

    @sampled
    def on_backward(self, event: Event) -> None:
        """The calls before it belong together."""
        run, self._run = self._run, None
        if run is None or run.rows < _ROWS or run.place is None:
            return
        steps = self._steps.setdefault(run.place, set())
        steps.add(self.stream.step)
        if len(steps) == _STEPS:
            self._report(run)

    @sampled
    def on_forward(self, event: Event) -> None:
        """Another row of the same batch, or something else."""
        if not event.root or not event.recording or not event.training:
            return
        found = _row(event.args, event.kwargs)
        if found is None:
            return
        batch, row = found
        key, run = (id(event.subject), batch), self._run
        if run is None or run.key != key or row != run.last + 1:
            if row == 0 and (run is None or run.rows < _ROWS):
                self._run = _Run(key, row)
            return
        run.rows, run.last = run.rows + 1, row
        if run.rows == _ROWS:
            run.place = event.place if event.direct and not _remembers(event.subject) else None

    def _report(self, run: _Run) -> None:
        self.found(
            f"The model is called with the samples of a batch one by one, {run.rows} times in a step",
            why="it takes all of them in one call, in hardly more time than one",
            place=run.place,
            fix="Give it the whole batch; where the samples differ in what is done, `torch.vmap` or padding.",
            calls=run.rows,
        )


def _row(args: Any, kwargs: Any) -> tuple[int, int] | None:
    """The identity of the tensor that the only argument is a row of, and the number of the row."""
    if kwargs or len(args) != 1:
        return None
    row = args[0]
    batch = row._base if is_tensor(row) else None
    if batch is None or batch.dim() < 2 or batch.shape[0] < _ROWS:
        return None
    if _axes(row.shape, row.stride()) != _axes(batch.shape[1:], batch.stride()[1:]) or not batch.stride(0):
        return None
    number, rest = divmod(row.storage_offset() - batch.storage_offset(), batch.stride(0))
    return (id(batch), number) if not rest else None


def _axes(sizes: Any, strides: Any) -> list[tuple[int, int]]:
    """Sizes and strides of those axes that matter."""
    return [(size, stride) for size, stride in zip(sizes, strides, strict=True) if size > 1]


def _remembers(module: Any) -> bool:
    """Whether what a module gives may depend on the samples before, or beside, the one that it is given.

    A class of another library, or of the user's, may keep what it was given in a tensor that is no parameter.
    """
    for part in module.modules():
        if type(part).__module__.startswith("torch."):
            if has_mode(part) and "Norm" in type(part).__name__:
                return True
        elif part._buffers or any(
            tensors(value) for name, value in vars(part).items() if name not in ("_parameters", "_modules")
        ):
            return True
    return False
