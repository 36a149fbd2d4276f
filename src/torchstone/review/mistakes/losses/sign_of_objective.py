"""What should grow is made smaller, because a sign is missing.

## What it does
Reports a policy gradient whose loss is `log_prob * reward` without a minus, and a variational autoencoder
that adds the negative of the divergence to its loss, or takes the divergence away from it.

## Why is this bad?
`backward` and `step` go downhill. Without the minus actions that were rewarded get less likely; with the
wrong sign of the divergence the encoder moves away from the prior, and the loss can fall for ever. Both
train without any error.

## References
- [Policy gradients with torch.distributions](https://docs.pytorch.org/docs/stable/distributions.html)
- [Auto-Encoding Variational Bayes](https://arxiv.org/abs/1312.6114), appendix B
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.mistake import Example
from torchstone.review.syntax.file import File
from torchstone.review.syntax.frames import Frame
from torchstone.review.syntax.origins import reaching
from torchstone.review.syntax.outputs import loss_calls

CODE = "TS314"
NAME = "sign-of-objective"
SEVERITY: Severity = "warning"
MENTIONS = ("log_prob|exp",)

BAD = (
    Example(
        """
        import torch
        from torch import nn
        from torch.distributions import Categorical

        policy = nn.Linear(4, 2)
        choice = Categorical(logits=policy(torch.randn(16, 4)))
        action = choice.sample()
        reward = torch.where(action == 1, 1.0, -1.0)
        loss = (choice.log_prob(action) * reward).mean()  # TS314
        loss.backward()
        """
    ),
    Example(
        """
        import torch
        import torch.nn.functional as F


        def loss_of(output, x, mu, logvar):
            likeness = F.binary_cross_entropy(output, x, reduction="sum")
            divergence = 0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
            return likeness + divergence  # TS314
        """
    ),
)
GOOD = (
    """
    import torch
    import torch.nn.functional as F
    from torch import nn
    from torch.distributions import Categorical


    def loss_of(output, x, mu, logvar):
        likeness = F.binary_cross_entropy(output, x, reduction="sum")
        divergence = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
        return likeness + divergence


    policy = nn.Linear(4, 2)
    choice = Categorical(logits=policy(torch.randn(16, 4)))
    action = choice.sample()
    reward = torch.where(action == 1, 1.0, -1.0)
    loss = -(choice.log_prob(action) * reward).mean()
    loss.backward()
    """,
)

_REWARDS = re.compile(r"^(r|g|rewards?|returns?|advantages?|adv|advs|gae)$|(^|_)(reward|return|advantage)s?$")
_LOGS = re.compile(r"^(\w+_)?log_?probs?$")
_KEEPING = {
    "mean",
    "sum",
    "stack",
    "cat",
    "concat",
    "squeeze",
    "unsqueeze",
    "detach",
    "view",
    "flatten",
    "float",
}
_DEEPEST = 5


def check(file: File) -> Iterator[Finding]:
    """Looks at products with log-probabilities, and at sums of a loss and a divergence."""
    if "maximize" not in file.source.text:
        for node in file.index.nodes[ast.BinOp]:
            if isinstance(node, ast.BinOp) and _is_gain(file, node) and _sign(file, node, 1, 0) == 1:
                yield _policy(file, node)
    if not any(name in file.index.calls_by_name for name in ("exp", "exp_")):
        return
    losses = {call.node for call in loss_calls(file)}
    for node in file.index.nodes[ast.BinOp] if losses else ():
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
            yield from _divergence(file, node, losses)


# Policy gradients


def _is_gain(file: File, node: ast.BinOp) -> bool:
    """Whether a product is that of log-probabilities and rewards, both as they are."""
    frame = file.frame_of(node)
    if not isinstance(node.op, ast.Mult):
        return False
    for first, second in ((node.left, node.right), (node.right, node.left)):
        if _is_log(frame, first) and _is_reward(frame, second):
            return True
    return False


def _is_log(frame: Frame, node: ast.expr) -> bool:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr == "log_prob"
    if isinstance(node, ast.Name):
        values = [binding.value for binding in reaching(frame, node)]
        if any(isinstance(value, ast.UnaryOp) for value in values):
            return False
        calls = [value for value in values if isinstance(value, ast.Call)]
        made = [
            call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "log_prob"
        ]
        listed = any(b.kind == "for" for b in reaching(frame, node)) and bool(_LOGS.match(node.id))
        return listed or (bool(made) and len(made) == len(values))
    return False


def _is_reward(frame: Frame, node: ast.expr) -> bool:
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "detach":
        node = node.func.value
    if not isinstance(node, ast.Name) or not _REWARDS.search(node.id.lower()):
        return False
    values = [binding.value for binding in reaching(frame, node)]
    return not any(value is not None and _starts_negative(value) for value in values)


def _starts_negative(node: ast.expr) -> bool:
    while isinstance(node, ast.BinOp):
        node = node.left
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)


def _sign(file: File, node: ast.expr, sign: int, depth: int) -> int | None:
    """With which sign a value enters what `backward` is called on; None when it is not seen to."""
    here: ast.AST = node
    for parent in file.index.ancestors(node):
        if isinstance(parent, ast.UnaryOp):
            if not isinstance(parent.op, ast.USub):
                return None
            sign = -sign
        elif isinstance(parent, ast.BinOp):
            step = _step(parent, here)
            if step is None:
                return None
            sign *= step
        elif isinstance(parent, ast.Attribute):
            if parent.attr == "backward":
                return sign
            if parent.attr not in _KEEPING:
                return None
        elif isinstance(parent, ast.Call):
            name = (
                parent.func.attr if isinstance(parent.func, ast.Attribute) else getattr(parent.func, "id", "")
            )
            if name == "append" and parent.func is not here:
                owner = parent.func.value  # type: ignore[attr-defined]
                return _later(file, owner, sign, depth)
            if name not in _KEEPING:
                return None
        elif isinstance(parent, ast.Assign) and len(parent.targets) == 1:
            return _later(file, parent.targets[0], sign, depth)
        elif isinstance(parent, ast.AugAssign) and isinstance(parent.op, ast.Add | ast.Sub):
            return _later(file, parent.target, sign if isinstance(parent.op, ast.Add) else -sign, depth)
        elif not isinstance(parent, ast.List | ast.Tuple | ast.ListComp | ast.GeneratorExp | ast.keyword):
            return None
        here = parent
    return None


def _step(parent: ast.BinOp, here: ast.AST) -> int | None:
    """What an operation does to the sign of one of its sides."""
    other = parent.right if here is parent.left else parent.left
    if isinstance(parent.op, ast.Add):
        return 1
    if isinstance(parent.op, ast.Sub):
        return 1 if here is parent.left else -1
    if isinstance(parent.op, ast.Mult) or (isinstance(parent.op, ast.Div) and here is parent.left):
        if isinstance(other, ast.Constant) or _starts_negative(other):
            return -1 if _starts_negative(other) else 1
        # A coefficient of a name may be negative.
        return 1 if isinstance(parent.op, ast.Div) else None
    return None


def _later(file: File, target: ast.expr, sign: int, depth: int) -> int | None:
    """The sign with which a name's value enters a backward of the same function."""
    if not isinstance(target, ast.Name) or depth > _DEEPEST:
        return None
    scope = file.index.scope_of(target)
    for name in file.index.nodes[ast.Name]:
        if not isinstance(name, ast.Name) or name.id != target.id or name.lineno <= target.lineno:
            continue
        if isinstance(name.ctx, ast.Load) and file.index.scope_of(name) is scope:
            found = _sign(file, name, sign, depth + 1)
            if found is not None:
                return found
    return None


def _policy(file: File, node: ast.BinOp) -> Finding:
    text = ast.unparse(node)
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        node,
        f"`{text}` is made smaller: actions that were rewarded become less likely",
        why="what should grow needs a minus, since the optimizer goes downhill",
        fix=Fix(f"Put a minus before it: `-{text}`."),
    )


# Divergence


def _divergence(file: File, node: ast.BinOp, losses: set[ast.Call]) -> Iterator[Finding]:
    """A loss and a divergence that are joined with the wrong sign."""
    frame = file.frame_of(node)
    if not _is_loss(frame, node.left, losses):
        return
    sign = _divergence_sign(frame, node.right, 0)
    if sign is None:
        return
    added = isinstance(node.op, ast.Add)
    if (sign > 0) != added:
        text = ast.unparse(node.right)
        yield file.finding(
            CODE,
            NAME,
            SEVERITY,
            node,
            f"`{text}` is the negative of the divergence, and it is added to the loss"
            if added
            else f"`{text}` is a divergence, and it is taken away from the loss",
            why="the loss falls as the divergence grows, so the encoder moves away from the prior",
            fix=Fix("The divergence is `-0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())`; add it."),
        )


def _is_loss(frame: Frame, node: ast.expr, losses: set[ast.Call]) -> bool:
    if isinstance(node, ast.Name):
        values = [binding.value for binding in reaching(frame, node)]
        return bool(values) and all(isinstance(value, ast.Call) and value in losses for value in values)
    return isinstance(node, ast.Call) and node in losses


def _divergence_sign(frame: Frame, node: ast.expr, depth: int) -> int | None:
    """1 for a divergence from the standard normal distribution, -1 for its negative."""
    if depth > 12:
        return None
    if isinstance(node, ast.Name):
        found = reaching(frame, node)
        value = (
            found[0].value if len(found) == 1 and found[0].kind == "assign" and not found[0].path else None
        )
        return _divergence_sign(frame, value, depth + 1) if value is not None else None
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        if isinstance(node.operand, ast.Constant):
            return None
        inner = _divergence_sign(frame, node.operand, depth + 1)
        return -inner if inner is not None else None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
        for first, second in ((node.left, node.right), (node.right, node.left)):
            inner = _divergence_sign(frame, first, depth + 1)
            if inner is not None and (isinstance(node.op, ast.Mult) or first is node.left):
                return -inner if _starts_negative(second) else inner
        return None
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("sum", "mean")
    ):
        by_torch = frame.name(node.func) is not None
        part = node.args[0] if by_torch and node.args else node.func.value
        return _divergence_sign(frame, part, depth + 1)
    return _core(node)


def _core(node: ast.expr) -> int | None:
    """-1 for `1 + logvar - mu ** 2 - exp(logvar)`, 1 for its negative."""
    signs: dict[str, set[int]] = {}
    terms = list(_terms(node, 1))
    for sign, term in terms:
        signs.setdefault(_kind(term), set()).add(sign)
    if len(terms) != 4 or set(signs) not in ({"one", "plain", "square", "exp"}, {"one", "plain", "square"}):
        return None
    if any(len(found) != 1 for found in signs.values()):
        return None
    first = signs["one"] | signs["plain"]
    second = signs["square"] | signs.get("exp", set())
    return -1 if first == {1} and second == {-1} else 1 if first == {-1} and second == {1} else None


def _terms(node: ast.expr, sign: int) -> Iterator[tuple[int, ast.expr]]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        yield from _terms(node.left, sign)
        yield from _terms(node.right, sign if isinstance(node.op, ast.Add) else -sign)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield from _terms(node.operand, -sign)
    else:
        yield sign, node


def _kind(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return "one" if node.value == 1 else "number"
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        return "square"
    if isinstance(node, ast.BinOp):
        return "product"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        name = node.func.attr.rstrip("_")
        return {"exp": "exp", "pow": "square", "square": "square", "log": "plain"}.get(name, "call")
    return "plain"
