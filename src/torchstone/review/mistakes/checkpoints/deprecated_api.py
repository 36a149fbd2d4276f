"""The code uses what torch or torchvision will remove.

## What it does
Reports names that current releases mark as deprecated, `pretrained=` of torchvision's models, and
`ToTensor` of its second transforms, and names the replacement.

## Why is this bad?
It still runs, with a warning or with none, and stops in one of the next releases.

## References
- [torch.amp](https://docs.pytorch.org/docs/stable/amp.html)
- [torchvision models](https://docs.pytorch.org/vision/stable/models.html)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.mistake import Example
from torchstone.review.syntax.file import File

CODE = "TS807"
NAME = "deprecated-api"
SEVERITY: Severity = "warning"

BAD = (
    Example(
        """
        import torch

        q, r = torch.qr(torch.eye(3))  # TS807
        """
    ),
    Example(
        """
        from torchvision import models

        model = models.resnet18(pretrained=True)  # TS807
        """
    ),
    Example(
        """
        import torch

        with torch.cuda.amp.autocast():  # TS807
            print(torch.ones(2) @ torch.ones(2))
        """
    ),
)
GOOD = (
    """
    import torch

    q, r = torch.linalg.qr(torch.eye(3))
    with torch.amp.autocast("cpu"):
        print(torch.ones(2) @ torch.ones(2))
    """,
)

DEPRECATED = {
    "torch.qr": "torch.linalg.qr",
    "torch.svd": "torch.linalg.svd (which gives V already transposed)",
    "torch.cholesky": "torch.linalg.cholesky",
    "torch.chain_matmul": "torch.linalg.multi_dot (of a list)",
    "torch.ger": "torch.outer",
    "torch.lu": "torch.linalg.lu_factor",
    "torch.lu_solve": "torch.linalg.lu_solve",
    "torch.norm": "torch.linalg.vector_norm or torch.linalg.matrix_norm",
    "torch.range": "torch.arange (whose end is left out)",
    "torch.triangular_solve": "torch.linalg.solve_triangular",
    "torch.set_default_tensor_type": "torch.set_default_dtype and torch.set_default_device",
    "torch.nn.UpsamplingNearest2d": "torch.nn.Upsample(mode='nearest')",
    "torch.nn.UpsamplingBilinear2d": "torch.nn.Upsample(mode='bilinear', align_corners=True)",
    "torch.nn.functional.upsample": "torch.nn.functional.interpolate",
    "torch.nn.functional.upsample_nearest": "torch.nn.functional.interpolate",
    "torch.nn.functional.upsample_bilinear": "torch.nn.functional.interpolate(align_corners=True)",
    "torch.nn.utils.weight_norm": "torch.nn.utils.parametrizations.weight_norm",
    "torch.nn.utils.clip_grad_norm": "torch.nn.utils.clip_grad_norm_",
    "torch.nn.init.normal": "torch.nn.init.normal_",
    "torch.nn.init.uniform": "torch.nn.init.uniform_",
    "torch.nn.init.constant": "torch.nn.init.constant_",
    "torch.nn.init.orthogonal": "torch.nn.init.orthogonal_",
    "torch.nn.init.xavier_uniform": "torch.nn.init.xavier_uniform_",
    "torch.nn.init.xavier_normal": "torch.nn.init.xavier_normal_",
    "torch.nn.init.kaiming_uniform": "torch.nn.init.kaiming_uniform_",
    "torch.nn.init.kaiming_normal": "torch.nn.init.kaiming_normal_",
    "torch.testing.assert_allclose": "torch.testing.assert_close",
    "torch.backends.cuda.sdp_kernel": "torch.nn.attention.sdpa_kernel",
    "torch.cuda.amp.autocast": 'torch.amp.autocast("cuda", ...)',
    "torch.cuda.amp.GradScaler": 'torch.amp.GradScaler("cuda", ...)',
    "torch.cuda.amp.custom_fwd": 'torch.amp.custom_fwd(device_type="cuda")',
    "torch.cuda.amp.custom_bwd": 'torch.amp.custom_bwd(device_type="cuda")',
    "torch.cpu.amp.autocast": 'torch.amp.autocast("cpu", ...)',
    "torch.cpu.amp.GradScaler": 'torch.amp.GradScaler("cpu", ...)',
    "torch.cuda.memory_cached": "torch.cuda.memory_reserved",
    "torch.cuda.max_memory_cached": "torch.cuda.max_memory_reserved",
    "torch.utils._pytree._register_pytree_node": "torch.utils._pytree.register_pytree_node",
    "torchvision.transforms.v2.ToTensor": "v2.ToImage() and v2.ToDtype(torch.float32, scale=True)",
} | {
    f"functorch.{name}": f"torch.func.{name}"
    for name in ("vmap", "grad", "vjp", "jvp", "jacrev", "jacfwd", "hessian", "functionalize")
}
"""What still runs under torch 2.14 and torchvision 0.29, and what to use."""

_LAST = {name.rsplit(".", 1)[-1] for name in DEPRECATED}
_GUARDS = ("hasattr(", "version", "getattr(")


def check(file: File) -> Iterator[Finding]:
    """Looks at each use of a deprecated name, and at each call with `pretrained=`."""
    for node in _uses(file):
        name = file.name(node)
        if name in DEPRECATED and not _guarded(file, node):
            yield _deprecated(file, node, name)
    for call in file.index.calls():
        word = _old_argument(call)
        name = file.name(call.func) if word is not None else None
        if word is not None and name and name.startswith("torchvision.models.") and name.lower() == name:
            yield _pretrained(file, call, word)


def _old_argument(call: ast.Call) -> str | None:
    """The argument that asks for weights by yes or no; it was the first one."""
    for word in call.keywords:
        if word.arg in ("pretrained", "pretrained_backbone"):
            return word.arg
    first = call.args[0] if call.args else None
    return "pretrained" if isinstance(first, ast.Constant) and isinstance(first.value, bool) else None


def _uses(file: File) -> Iterator[ast.expr]:
    """Attributes and imported names that may be deprecated."""
    for node in file.index.nodes[ast.Attribute]:
        if isinstance(node, ast.Attribute) and node.attr in _LAST and isinstance(node.ctx, ast.Load):
            yield node
    imported = {
        alias.asname or alias.name
        for node in file.index.nodes[ast.ImportFrom]
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name in _LAST
    }
    for node in file.index.nodes[ast.Name] if imported else ():
        if isinstance(node, ast.Name) and node.id in imported and isinstance(node.ctx, ast.Load):
            yield node


def _guarded(file: File, node: ast.AST) -> bool:
    """Whether the code asks first what there is, or falls back on it."""
    for above in file.index.ancestors(node):
        if isinstance(above, ast.Try) and above.handlers:
            return True
        if isinstance(above, ast.If | ast.IfExp) and any(g in ast.unparse(above.test) for g in _GUARDS):
            return True
    return False


def _deprecated(file: File, node: ast.expr, name: str) -> Finding:
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        node,
        f"`{name}` is deprecated; use {DEPRECATED[name]}",
        why="it stops working in one of the next releases",
        evidence={"name": name},
        fix=Fix(f"Use {DEPRECATED[name]}."),
    )


def _pretrained(file: File, call: ast.Call, word: str) -> Finding:
    name = ast.unparse(call.func)
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        call,
        f"`{name}({word}=...)` is deprecated; use `weights=`",
        why="it stops working in one of the next releases, and does not say which weights it takes",
        evidence={"name": name},
        fix=Fix('Name the weights, such as `weights="DEFAULT"` or `weights=None`.'),
    )
