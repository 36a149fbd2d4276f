"""A noisy seasonal series as windows: twenty values in, the next one out."""

import numpy as np
import torch
from sklearn.preprocessing import MinMaxScaler
from torch.utils.data import TensorDataset

WINDOW = 20


def series(length=1200):
    rng = np.random.default_rng(0)
    time = np.arange(length)
    trend = 0.004 * time
    return (trend + np.sin(time / 12) + 0.1 * rng.standard_normal(length)).reshape(-1, 1)


def windows(values):
    inputs = np.stack([values[i : i + WINDOW] for i in range(len(values) - WINDOW)])
    targets = values[WINDOW:]
    return TensorDataset(
        torch.tensor(inputs, dtype=torch.float32), torch.tensor(targets, dtype=torch.float32)
    )


def prepare(share=0.8):
    values = series()
    size = int(len(values) * share)
    scaler = MinMaxScaler()
    values = scaler.fit_transform(values)  # TS402
    train, test = values[:size], values[size:]
    return windows(train), windows(test), scaler
