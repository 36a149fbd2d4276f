"""The code uses what torch or torchvision has removed.

## What it does
Reports calls and imports of names that current releases no longer have, or that only raise an error, and
names the replacement.

## Why is this bad?
The line stops with an error as soon as it runs under a current release.

## References
- [torch.linalg](https://docs.pytorch.org/docs/stable/linalg.html)
- [torch.fft](https://docs.pytorch.org/docs/stable/fft.html)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.mistake import Example
from torchstone.review.syntax.file import File

CODE = "TS806"
NAME = "removed-api"
SEVERITY: Severity = "error"

BAD = (
    Example(
        """
        import torch

        values, vectors = torch.symeig(torch.eye(3), eigenvectors=True)  # TS806
        """
    ),
    Example(
        """
        import torch
        from torch._six import string_classes  # TS806
        """
    ),
)
GOOD = (
    """
    import torch

    values, vectors = torch.linalg.eigh(torch.eye(3))
    if hasattr(torch, "symeig"):
        print(torch.symeig)
    try:
        from torch._six import string_classes
    except ImportError:
        string_classes = (str, bytes)
    """,
)

REMOVED = {
    "torch.solve": "torch.linalg.solve (with the arguments the other way round)",
    "torch.symeig": "torch.linalg.eigh",
    "torch.eig": "torch.linalg.eig",
    "torch.lstsq": "torch.linalg.lstsq (with the arguments the other way round)",
    "torch.matrix_rank": "torch.linalg.matrix_rank",
    "torch.gels": "torch.linalg.lstsq",
    "torch.gesv": "torch.linalg.solve",
    "torch.trtrs": "torch.linalg.solve_triangular",
    "torch.potrf": "torch.linalg.cholesky",
    "torch.potri": "torch.cholesky_inverse",
    "torch.potrs": "torch.cholesky_solve",
    "torch.btrifact": "torch.linalg.lu_factor",
    "torch.btrisolve": "torch.linalg.lu_solve",
    "torch.rfft": "torch.fft.rfft",
    "torch.irfft": "torch.fft.irfft",
    "torch.is_deterministic": "torch.are_deterministic_algorithms_enabled",
    "torch.set_deterministic": "torch.use_deterministic_algorithms",
    "torch._six": "the standard library's types (str, dict, float('inf') ...)",
    "torch.utils.ffi": "torch.utils.cpp_extension",
    "torch.legacy": "torch.nn",
    "torch.utils.trainer": "an ordinary loop",
    "torch.distributed.deprecated": "torch.distributed",
    "torch.distributed.pipeline.sync": "torch.distributed.pipelining",
    "torch.testing.assert_equal": "torch.testing.assert_close",
    "torch.utils.data.dataloader.string_classes": "(str, bytes)",
    "torch.utils.data.string_classes": "(str, bytes)",
    "torch.nn._LinearWithBias": "torch.nn.Linear",
    "torch.onnx.dynamo_export": "torch.onnx.export(..., dynamo=True)",
    "torch.onnx.export_to_pretty_string": "torch.onnx.export",
    "torch.export.export_for_training": "torch.export.export",
    "torchvision.transforms.Scale": "torchvision.transforms.Resize",
    "torchvision.transforms.RandomSizedCrop": "torchvision.transforms.RandomResizedCrop",
    "torchvision.transforms.functional_tensor": "torchvision.transforms.functional",
    "torchvision.transforms.functional_pil": "torchvision.transforms.functional",
    "torchvision.models.utils": "torch.hub.load_state_dict_from_url",
    "torchvision.models.resnet.model_urls": "torchvision.models.ResNet18_Weights and the like",
    "torchvision.models.vgg.model_urls": "torchvision.models.VGG16_Weights and the like",
    "torchvision.models.densenet.model_urls": "torchvision.models.DenseNet121_Weights and the like",
    "torchvision.ops._new_empty_tensor": "torch.empty",
    "torchvision.datapoints": "torchvision.tv_tensors",
    "torchvision.prototype": "torchvision.transforms.v2",
}
"""What is gone from torch 2.14 and torchvision 0.29 or only raises, and what to use."""

_GUARDS = ("hasattr(", "__version__", "version", "getattr(")


def check(file: File) -> Iterator[Finding]:
    """Looks at each import and each use of a name of torch."""
    for node in (*file.index.nodes[ast.ImportFrom], *file.index.nodes[ast.Import]):
        for alias, name in _imported(node):
            removed = _removed(name)
            if removed is not None and not _guarded(file, node):
                yield _finding(file, alias if len(getattr(node, "names", [])) > 1 else node, removed)
                break
    for attribute in file.index.nodes[ast.Attribute]:
        if not isinstance(attribute, ast.Attribute) or not isinstance(attribute.ctx, ast.Load):
            continue
        if not _may_be_removed(attribute.attr):
            continue
        used = file.name(attribute)
        if used in REMOVED and not _guarded(file, attribute):
            yield _finding(file, attribute, used)


_LAST = {name.rsplit(".", 1)[-1] for name in REMOVED}


def _may_be_removed(attribute: str) -> bool:
    return attribute in _LAST


def _imported(node: ast.AST) -> list[tuple[ast.alias, str]]:
    """The dotted names that an import asks for."""
    if isinstance(node, ast.Import):
        return [(alias, alias.name) for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
        return [(alias, f"{node.module}.{alias.name}") for alias in node.names]
    return []


def _removed(name: str) -> str | None:
    """The removed name that an import needs: itself, or a module on the way."""
    parts = name.split(".")
    for end in range(2, len(parts) + 1):
        if ".".join(parts[:end]) in REMOVED:
            return ".".join(parts[:end])
    return None


def _guarded(file: File, node: ast.AST) -> bool:
    """Whether the code makes sure first that the name is there."""
    for above in file.index.ancestors(node):
        if isinstance(above, ast.Try) and above.handlers:
            return True
        if isinstance(above, ast.If | ast.IfExp) and any(g in ast.unparse(above.test) for g in _GUARDS):
            return True
    return False


def _finding(file: File, node: ast.AST, name: str) -> Finding:
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        node,
        f"`{name}` is removed; use {REMOVED[name]}",
        why="the line stops with an error under current releases",
        evidence={"name": name},
        fix=Fix(f"Use {REMOVED[name]}."),
    )
