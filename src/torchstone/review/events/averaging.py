"""Weights that torch averages.

`averaged`: subject the `AveragedModel`, after it took in the weights of a model; `source`, that model.
"""

from __future__ import annotations

import functools
from typing import Any

from torch.optim.swa_utils import AveragedModel

from torchstone.review.stream import Stream


def install(stream: Stream) -> None:
    """Replaces `AveragedModel.update_parameters`."""
    original = AveragedModel.update_parameters

    @functools.wraps(original)
    def update_parameters(self: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
        result = original(self, model, *args, **kwargs)
        stream.emit("averaged", self, source=model)
        return result

    stream.replace(AveragedModel, "update_parameters", update_parameters)
