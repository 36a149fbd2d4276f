"""Noisy waves of two shapes, augmented on the fly."""

import numpy as np
import torch
from torch.utils.data import Dataset


class Waves(Dataset):
    def __init__(self, count, seed, augment=False):
        rng = np.random.default_rng(seed)
        time = np.linspace(0, 4 * np.pi, 64)
        self.labels = rng.integers(0, 2, count)
        waves = [np.sin(time + p) for p in rng.uniform(0, 2 * np.pi, count)]
        waves = [np.sign(wave) if label else wave for wave, label in zip(waves, self.labels)]
        self.signals = np.stack(waves).astype(np.float32)
        self.augment = augment

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        signal = self.signals[index]
        if self.augment:
            signal += np.random.normal(0, 0.3, 64)  # TS412
        return torch.from_numpy(signal), torch.tensor(self.labels[index])
