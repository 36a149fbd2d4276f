"""Three kinds of blobs on a plane, made one after the other."""

import numpy as np
import torch
from torch.utils.data import TensorDataset

CENTERS = [(-2.0, 0.0), (2.0, 0.0), (0.0, 3.0)]


def make_blobs(points, seed):
    rng = np.random.default_rng(seed)
    inputs = np.concatenate([rng.normal(center, 1.0, size=(points, 2)) for center in CENTERS])
    labels = np.repeat(np.arange(len(CENTERS)), points)
    return torch.tensor(inputs, dtype=torch.float32), torch.tensor(labels, dtype=torch.long)


def datasets():
    inputs, labels = make_blobs(300, seed=0)
    train_set = TensorDataset(inputs, labels)
    test_inputs, test_labels = make_blobs(100, seed=1)
    return train_set, TensorDataset(test_inputs, test_labels)
