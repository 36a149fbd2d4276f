import numpy as np
import torch
from torch.utils.data import Dataset


def spirals(points=150, arms=3, noise=0.15, seed=0):
    """Points on the arms of a spiral, and the number of the arm."""
    rng = np.random.default_rng(seed)
    radius = np.linspace(0.1, 1, points)
    xs, ys = [], []
    for arm in range(arms):
        angle = 4 * radius + arm * 2 * np.pi / arms + noise * rng.standard_normal(points)
        xs.append(np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1))
        ys.append(np.full(points, arm))
    return np.concatenate(xs), np.concatenate(ys)


class Spirals(Dataset):
    def __init__(self, seed):
        self.points, self.arms = spirals(seed=seed)

    def __len__(self):
        return len(self.points)

    def __getitem__(self, index):
        point = torch.tensor(self.points[index], dtype=torch.float32)
        arm = torch.tensor(self.arms[index], dtype=torch.float32)
        return point, arm
