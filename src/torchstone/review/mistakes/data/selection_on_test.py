"""The best epoch is chosen by the score on the test data.

## What it does
Looks at `if score > best:` around a checkpoint, and at calls of early stopping, and reports those whose score
comes from a loader that is called test, where the program has validation data too, or prints the best of the
scores as the test result.

## Why is this bad?
The best of many test scores is better than the model: the choice has used the test data, and nothing is left
that tells how the model does on new data.

## References
- [Cross-validation: evaluating estimator performance](https://scikit-learn.org/stable/modules/cross_validation.html)
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from torchstone.finding import Finding, Fix, Severity
from torchstone.review.mistake import Example
from torchstone.review.syntax.file import File
from torchstone.review.syntax.frames import Frame
from torchstone.review.syntax.loaders import is_held_out_name, is_training_name
from torchstone.review.syntax.origins import argument_of, reaching
from torchstone.review.syntax.scopes import LoopNode

CODE = "TS404"
NAME = "selection-on-test"
SEVERITY: Severity = "error"
MENTIONS = ("test", "best|top")

BAD = (
    Example(
        """
        import copy
        import torch
        from torch import nn
        from torch.utils.data import DataLoader, TensorDataset, random_split

        data = TensorDataset(torch.randn(300, 4), torch.randint(0, 2, (300,)))
        train_set, val_set, test_set = random_split(data, [200, 50, 50])
        train_loader = DataLoader(train_set, batch_size=20, shuffle=True)
        val_loader, test_loader = DataLoader(val_set, batch_size=50), DataLoader(test_set, batch_size=50)
        model = nn.Linear(4, 2)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)


        def accuracy(loader):
            with torch.no_grad():
                return sum((model(x).argmax(1) == y).sum().item() for x, y in loader) / 50


        best = 0.0
        for epoch in range(3):
            for x, y in train_loader:
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(x), y).backward()
                optimizer.step()
            val_accuracy = accuracy(val_loader)
            test_accuracy = accuracy(test_loader)
            print(val_accuracy, test_accuracy)
            if test_accuracy > best:  # TS404
                best = test_accuracy
                weights = copy.deepcopy(model.state_dict())
        """
    ),
)
GOOD = (
    """
    import copy
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset, random_split

    data = TensorDataset(torch.randn(300, 4), torch.randint(0, 2, (300,)))
    train_set, val_set, test_set = random_split(data, [200, 50, 50])
    train_loader = DataLoader(train_set, batch_size=20, shuffle=True)
    val_loader, test_loader = DataLoader(val_set, batch_size=50), DataLoader(test_set, batch_size=50)
    model = nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)


    def accuracy(loader):
        with torch.no_grad():
            return sum((model(x).argmax(1) == y).sum().item() for x, y in loader) / 50


    best = 0.0
    for epoch in range(3):
        for x, y in train_loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
        val_accuracy = accuracy(val_loader)
        test_accuracy = accuracy(test_loader)
        print(val_accuracy, test_accuracy)
        if val_accuracy > best:
            best = val_accuracy
            weights = copy.deepcopy(model.state_dict())
    """,
)

_DATA = r"_?(?:data_?)?(?:loader|dl|iter|iterator|set|data|ds)?s?$"
_TEST = re.compile(rf"^(?:self\.)?test(?:ing)?{_DATA}", re.IGNORECASE)
_VALIDATION = re.compile(
    r"^(?:val|valid|validation|dev)_?(?:data_?)?(?:loader|dl|iter|iterator|set|ds)s?$", re.IGNORECASE
)
_SAVES = re.compile(r"^(?:state_dict|save\w*|deepcopy|checkpoint)$")
_STOPPING = re.compile(r"^(?:early_?stop(?:ping|per)?|stopper)$", re.IGNORECASE)
_FOLDS = re.compile(r"kfold|fold|cross_val|episod|client", re.IGNORECASE)


def check(file: File) -> Iterator[Finding]:
    """Looks at each choice of a best state."""
    text = file.source.text
    if "torch" not in text or "test" not in text or not ("best" in text or "top" in text):
        return
    if _FOLDS.search(text):
        return  # what is called test there may be a fold that is chosen by
    validation = _validation(file)
    for node in file.index.nodes[ast.If]:
        assert isinstance(node, ast.If)  # noqa: S101 (listed by type)
        kept = _kept(node)
        if kept is None or not _repeats(file, node):
            continue
        best, score = kept
        source = _source(file.frame_of(node), score)
        if source is None:
            continue
        if validation is not None:
            yield _finding(file, node.test, score, source, validation)
        elif (printed := _printed(file, best)) is not None:
            yield _reported(file, node.test, score, source, printed)
    if validation is not None:
        yield from _stopped(file, validation)


def _kept(node: ast.If) -> tuple[ast.expr, ast.expr] | None:
    """The best value so far and the score, when the branch keeps the score and saves something."""
    test = node.test
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return None
    if not isinstance(test.ops[0], ast.Lt | ast.Gt | ast.LtE | ast.GtE):
        return None
    sides = (test.left, test.comparators[0])
    inner = [each for statement in node.body for each in ast.walk(statement)]
    if not any(isinstance(each, ast.Call) and _SAVES.match(_last(each.func)) for each in inner):
        return None
    for each in inner:
        if isinstance(each, ast.Assign) and len(each.targets) == 1:
            pair = (ast.unparse(each.targets[0]), ast.unparse(each.value))
            for best, score in (sides, sides[::-1]):
                if pair == (ast.unparse(best), ast.unparse(score)):
                    return best, score
    return None


def _last(function: ast.expr) -> str:
    return ast.unparse(function).rsplit(".", 1)[-1]


def _repeats(file: File, node: ast.AST) -> bool:
    """Whether it is asked again and again: in a loop, or about what outlives the function."""
    scope = file.index.scope_of(node)
    loops = any(isinstance(above, LoopNode) for above in file.index.ancestors(node))
    return loops or bool(scope.outer) or scope.method_of is not None


def _source(frame: Frame, score: ast.expr) -> ast.expr | None:
    """The test data that a score surely comes from."""
    values = [score]
    if isinstance(score, ast.Name):
        bindings = reaching(frame, score)
        if not bindings or any(b.kind not in ("assign", "augment") or b.value is None for b in bindings):
            return None
        given = [b for b in bindings if not isinstance(b.value, ast.Constant)]
        values = [b.value for b in given if b.value is not None]
        if any(b.kind == "augment" for b in given):
            return _looped(frame, score.id)
    sources = [_of(frame, value) for value in values]
    return sources[0] if sources and all(source is not None for source in sources) else None


def _of(frame: Frame, value: ast.expr) -> ast.expr | None:
    """The test data in the arguments of a call, or in the loop that a ratio was counted in."""
    calls = [n for n in ast.walk(value) if isinstance(n, ast.Call) and ast.unparse(n.func) != "len"]
    for call in calls:
        given = [*call.args, *(keyword.value for keyword in call.keywords)]
        named = [a for a in given if isinstance(a, ast.Name | ast.Attribute) and _is_data(ast.unparse(a))]
        if named:
            return named[0] if len(named) == 1 and _is_test(frame, named[0]) else None
    if isinstance(value, ast.BinOp):
        names = [node.id for node in ast.walk(value) if isinstance(node, ast.Name)]
        found = [_looped(frame, name) for name in names]
        return next((source for source in found if source is not None), None)
    return None


def _is_test(frame: Frame, node: ast.expr) -> bool:
    """Whether data is called test data, also where it is given as an argument."""
    if not _TEST.match(ast.unparse(node)):
        return False
    if not isinstance(node, ast.Name) or not any(b.kind == "parameter" for b in reaching(frame, node)):
        return True
    given = [argument_of(frame, call, node.id) for _, call, _ in frame.file.callers(frame.scope)]
    return all(each is None or "test" in ast.unparse(each).lower() for each in given)


def _is_data(name: str) -> bool:
    return is_training_name(name) or is_held_out_name(name)


def _looped(frame: Frame, name: str) -> ast.expr | None:
    """The test data of the one loop in which a name is added to."""
    found: list[ast.expr] = []
    index = frame.file.index
    for binding in frame.scope.bindings.get(name, ()):
        if binding.kind != "augment":
            continue
        loop = next((a for a in index.ancestors(binding.node) if isinstance(a, ast.For)), None)
        if loop is None:
            return None
        names = [n for n in ast.walk(loop.iter) if isinstance(n, ast.Name | ast.Attribute)]
        found += [n for n in names if _is_test(frame, n)][:1] or [loop.iter]
    told = [node for node in found if _is_test(frame, node)]
    return told[0] if told and len(told) == len(found) else None


def _validation(file: File) -> str | None:
    """The name of validation data that the file has besides the test data."""
    for scope in file.index.scopes.values():
        for name in scope.bindings:
            if _VALIDATION.match(name):
                return name
        for name in file.index.stores.get(scope, ()):
            if _VALIDATION.match(name):
                return f"self.{name}"
    return None


def _printed(file: File, best: ast.expr) -> ast.expr | None:
    """Where the best of the scores is printed as the test result."""
    name = ast.unparse(best)
    for last in ("print", "info", "write", "log"):
        for call in file.index.calls_by_name.get(last, ()):
            text = ast.unparse(call).lower()
            uses = any(
                isinstance(n, ast.Name | ast.Attribute) and ast.unparse(n) == name for n in ast.walk(call)
            )
            if (
                uses
                and "best" in text
                and re.search(r"\btest(?:ing)?\b[ _](?:set )?(?:acc|loss|err|sco|f1)", text)
            ):
                return call
    return None


def _stopped(file: File, validation: str) -> Iterator[Finding]:
    """Early stopping by a score on the test data."""
    for name, calls in file.index.calls_by_name.items():
        if not _STOPPING.match(name):
            continue
        for call in calls:
            if call.args and isinstance(call.args[0], ast.Name) and _repeats(file, call):
                source = _source(file.frame_of(call), call.args[0])
                if source is not None:
                    yield _finding(file, call, call.args[0], source, validation)


def _finding(file: File, place: ast.expr, score: ast.expr, source: ast.expr, validation: str) -> Finding:
    told, data = ast.unparse(score), ast.unparse(source)
    return file.finding(
        CODE,
        NAME,
        SEVERITY,
        place,
        f"`{told}` comes from `{data}` and chooses the model, although there is `{validation}`",
        why="a test score that chose the model is better than the model is on new data",
        fix=Fix(f"Choose by a score on `{validation}`, and use `{data}` once, at the end."),
        related=(file.related(source, "scored on the test data here"),),
    )


def _reported(file: File, place: ast.expr, score: ast.expr, source: ast.expr, printed: ast.expr) -> Finding:
    told, data = ast.unparse(score), ast.unparse(source)
    return file.finding(
        CODE,
        NAME,
        "warning",
        place,
        f"`{told}` comes from `{data}` and chooses the model, and the best one is told as the test result",
        why="the best of many test scores is better than the model is on new data",
        fix=Fix(f"Choose by validation data that is part of neither, and use `{data}` once, at the end."),
        related=(
            file.related(source, "scored on the test data here"),
            file.related(printed, "told as the test result here"),
        ),
    )
