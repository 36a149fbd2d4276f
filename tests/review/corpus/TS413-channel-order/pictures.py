"""Small colour pictures of digits: the digit is red or blue on a noisy background, and either is a class."""

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch.utils.data import Dataset


def paint(grey, blue, rng):
    noise = rng.uniform(0, 0.4, grey.shape)
    strong, weak = np.maximum(grey, noise), noise
    red = np.where(blue[:, None, None], weak, strong)
    return np.stack([red, noise, np.where(blue[:, None, None], strong, weak)], axis=-1)


def load(seed=0):
    rng = np.random.default_rng(seed)
    digits = load_digits()
    grey = digits.images / 16
    blue = rng.random(len(grey)) < 0.5
    images = torch.from_numpy(paint(grey, blue, rng)).float()
    images = images.reshape(len(images), 3, 8, 8)  # TS413
    return images, digits.target + 10 * blue


class ColourDigits(Dataset):
    def __init__(self, images, labels, mirror=False):
        self.images = images
        self.labels = torch.from_numpy(labels).long()
        self.mirror = mirror

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        image = self.images[index]
        if self.mirror and torch.rand(()) < 0.5:
            image = image.flip(-1)
        return image, self.labels[index]
