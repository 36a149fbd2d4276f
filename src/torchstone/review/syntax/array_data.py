"""Shapes and labels of the data sets that scikit-learn and torchvision bring."""

from __future__ import annotations

from dataclasses import replace

from torchstone.review.syntax.array_values import Array, Shape, of

TABLES = {
    "load_digits": (64, 10),
    "load_iris": (4, 3),
    "load_wine": (13, 3),
    "load_breast_cancer": (30, 2),
    "load_diabetes": (10, None),
    "fetch_california_housing": (8, None),
    "make_moons": (2, 2),
    "make_circles": (2, 2),
}
"""The tables of scikit-learn: their columns and classes."""

PICTURES = {"MNIST": 10, "FashionMNIST": 10, "KMNIST": 10, "CIFAR10": 10, "CIFAR100": 100, "STL10": None}
"""The pictures of torchvision: their classes."""


def labels_of(shape: Shape, classes: int | None) -> Array:
    """Labels of so many classes."""
    made = of(shape, "int")
    return replace(made, low=0, high=classes - 1) if classes is not None else made


def bunch(table: str, attribute: str) -> Array:
    """An attribute of what a function of scikit-learn gives."""
    columns, classes = TABLES[table]
    if attribute == "images":
        return of((None, 8, 8))
    if attribute == "data":
        return of((None, columns))
    return labels_of((None,), classes) if classes is not None else of((None,))
