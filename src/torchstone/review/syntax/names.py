"""Names of libraries: what `nn.Linear` is, whatever it was imported as."""

from __future__ import annotations

import ast
import sys
from collections.abc import Mapping

from torchstone.review.syntax.knowledge import words

ASSUMED = {
    "torch": "torch",
    "nn": "torch.nn",
    "F": "torch.nn.functional",
    "optim": "torch.optim",
    "np": "numpy",
    "DataLoader": "torch.utils.data.DataLoader",
}
"""What names mean in a fragment of documentation that imports nothing."""

STAR_NAMES: Mapping[str, frozenset[str]] = {
    "torch.nn": words(
        "Module Linear Sequential Dropout CrossEntropyLoss BCELoss BCEWithLogitsLoss NLLLoss MSELoss "
        "ReLU Softmax LogSoftmax Sigmoid Conv2d BatchNorm1d BatchNorm2d LSTM GRU Embedding ModuleList "
        "Parameter functional init"
    ),
    "torch.optim": words("SGD Adam AdamW RMSprop Adagrad LBFGS lr_scheduler"),
    "torch.nn.functional": words(
        "cross_entropy nll_loss softmax log_softmax dropout relu binary_cross_entropy "
        "binary_cross_entropy_with_logits mse_loss sigmoid"
    ),
    "torch.utils.data": words("DataLoader Dataset TensorDataset random_split"),
    "torch": words("nn optim no_grad tensor save load softmax sigmoid"),
}
"""What a star import of a module gives, as far as the rules need it."""

LIBRARIES = (
    words(
        "torch torchvision torchaudio torchtext torchmetrics numpy scipy sklearn pandas matplotlib "
        "tqdm lightning pytorch_lightning lightning_fabric transformers accelerate datasets apex "
        "deepspeed timm einops wandb tensorboardX PIL cv2 yaml gym gymnasium ignite skorch fastai "
        "horovod ray jax tensorflow"
    )
    | sys.stdlib_module_names
)
"""Modules that are never looked for among the project's files."""


def canonical(name: str) -> str:
    """One name for what torch exports under several."""
    parts = name.split(".")
    if parts[0] == "lightning" and len(parts) > 1 and parts[1] == "pytorch":
        return ".".join(["pytorch_lightning", *parts[2:]])
    if parts[0] != "torch":
        return name
    if parts[:3] == ["torch", "nn", "modules"] and len(parts) > 3:
        return f"torch.nn.{parts[-1]}"
    if parts[:3] == ["torch", "nn", "parameter"] and len(parts) == 4:
        return f"torch.nn.{parts[-1]}"
    if parts[:2] == ["torch", "optim"] and len(parts) == 4:
        return f"torch.optim.{parts[-1]}" if parts[2] not in ("lr_scheduler", "swa_utils") else name
    if parts[:3] == ["torch", "utils", "data"] and len(parts) > 4:
        return f"torch.utils.data.{parts[-1]}"
    return name


def imported_name(node: ast.Import | ast.ImportFrom, name: str) -> tuple[str, str | None, int]:
    """What an import binds `name` to: the module, what is taken from it (None: itself), the level."""
    for alias in node.names:
        if isinstance(node, ast.Import):
            if alias.asname == name:
                return alias.name, None, 0
            if alias.asname is None and alias.name.split(".")[0] == name:
                return name, None, 0
        elif (alias.asname or alias.name) == name:
            return node.module or "", alias.name, node.level
    return "", None, 0
