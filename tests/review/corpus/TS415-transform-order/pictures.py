"""Handwritten digits as a data set of pictures."""

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits
from torch.utils.data import Dataset
from torchvision import transforms


def picture_transform(augment):
    steps = [
        transforms.Resize(16),
        transforms.ToTensor(),
        transforms.Lambda(lambda image: image / 255.0),  # TS415
    ]
    if augment:
        return transforms.Compose([transforms.RandomRotation(10), transforms.Compose(steps)])
    return transforms.Compose(steps)


class Digits(Dataset):
    def __init__(self, rows, augment=False):
        digits = load_digits()
        self.images = (digits.images[rows] * 255 / 16).astype(np.uint8)
        self.labels = digits.target[rows]
        self.transform = picture_transform(augment)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return self.transform(Image.fromarray(self.images[index])), int(self.labels[index])
