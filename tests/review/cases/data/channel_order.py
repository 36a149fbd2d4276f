import cv2
import matplotlib.pyplot as plt
import numpy as np
import torch
from einops import rearrange
from PIL import Image
from torch import nn
from torch.utils.data import Dataset
from torchvision import datasets


def folder(paths):
    images = []
    for path in paths:
        image = cv2.imread(path)
        image = cv2.resize(image, (64, 64))
        images.append(image)
    images = np.array(images) / 255.0
    return torch.from_numpy(images).view(len(paths), 3, 64, 64)  # TS413


class Pictures(Dataset):
    def __init__(self, paths):
        self.paths = paths
        self.all = np.stack([np.array(Image.open(path).convert("RGB")) for path in paths])

    def __getitem__(self, index):
        image = np.array(Image.open(self.paths[index]).convert("RGB").resize((32, 32)), dtype=np.float32)
        return torch.tensor(image.reshape(3, 32, 32))  # TS413

    def whole(self):
        return torch.from_numpy(self.all).reshape(-1, 3, 32, 32)  # TS413


def own_shape():
    images = np.random.default_rng(0).random((100, 32, 32, 3))
    x = torch.tensor(images)
    return x.reshape(x.shape[0], x.shape[3], x.shape[1], x.shape[2])  # TS413


def cifar():
    data = datasets.CIFAR10("data", train=True).data
    return torch.Tensor(np.reshape(data, (-1, 3, 32, 32)))  # TS413


def coloured(grey):
    images = np.stack([grey, grey**2, 1 - grey], axis=-1)
    return torch.from_numpy(images).float().view(-1, 3, 28, 28)  # TS413


def one(path):
    image = plt.imread(path)
    x = torch.from_numpy(image).float()
    return nn.Conv2d(3, 8, 3)(x.view(1, 3, 224, 224))  # TS413


def moved(paths):
    images = np.array([cv2.imread(path) for path in paths])
    x = torch.from_numpy(images).permute(0, 3, 1, 2)
    return x.reshape(-1, 3, 64, 64)  # safe: moved before


def transposed(path):
    image = cv2.imread(path).transpose(2, 0, 1)
    return torch.from_numpy(image).view(1, 3, 64, 64)  # safe: moved before


def by_einops(path):
    image = rearrange(cv2.imread(path), "h w c -> c h w")
    return torch.from_numpy(image).reshape(1, 3, 64, 64)  # safe: moved before


def grey(path):
    image = cv2.imread(path, cv2.IMREAD_GRAYSCALE)
    return torch.from_numpy(image).view(1, 1, 28, 28)  # safe: one channel


def raw_cifar(batch):
    data = np.array(batch["data"])
    return torch.from_numpy(data).view(-1, 3, 32, 32)  # safe: flat rows, channels first


def flat(path):
    image = cv2.imread(path)
    return torch.from_numpy(image).view(1, -1), image.reshape(-1, 3)  # safe: pixels


def another(x):
    n, h, w, c = x.shape
    x = x.permute(0, 3, 1, 2)
    return x.reshape(n, c, h, w)  # safe: moved before


def halves(path):
    image = cv2.imread(path)
    return image.reshape(2, 32, 64, 3)  # safe: the channels stay last


def same(images):
    x = torch.zeros(8, 3, 32, 32)
    return x.view(8, 3, 32, 32)  # safe: channels first already
