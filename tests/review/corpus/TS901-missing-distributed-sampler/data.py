"""The digits of scikit-learn as a data set."""

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch.utils.data import Dataset


class Digits(Dataset):
    def __init__(self, split):
        digits = load_digits()
        order = np.random.RandomState(0).permutation(len(digits.target))
        chosen = order[:1400] if split == "train" else order[1400:]
        self.images = torch.tensor(digits.images[chosen] / 16.0, dtype=torch.float32).unsqueeze(1)
        self.labels = torch.tensor(digits.target[chosen])

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return self.images[index], self.labels[index]
