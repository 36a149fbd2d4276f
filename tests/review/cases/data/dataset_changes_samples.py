import numpy as np
import torch
from torch.utils.data import Dataset


class Scaled(Dataset):
    def __init__(self, path):
        self.images = np.load(path)  # what a file holds is not known: perhaps a memory map or a list
        self.table = np.loadtxt(path)
        self.targets = torch.zeros(len(self.table), 3)
        self.labels = torch.tensor([1, 2, 3]).long()
        self.lists = [[1], [2]]
        self.classes = np.array([1, 2, 3])

    def __len__(self):
        return len(self.table)

    def __getitem__(self, index):
        row, target = self.table[index], self.targets[index]
        row -= row.mean()  # TS412
        target.mul_(2)  # TS412
        self.table[index] /= 255  # TS412
        text = self.lists[index]
        number = self.classes[index]
        number -= 1  # safe: a number out of an array is a copy
        text += [0]  # safe: nothing says that it is an array
        image = self.images[index].astype(np.float32)
        image /= 255  # safe: astype copies
        fresh = self.table[index].copy()
        fresh *= 2  # safe: a copy
        many = self.table[[index, index]]
        many += 1  # safe: a list of positions makes a copy
        row = row * 2
        row += 1  # safe: a new array
        return row, target, number, image, fresh, many


class Flipped(Dataset):
    def __init__(self, images):
        self.images = torch.as_tensor(images).float().unsqueeze(1) / 255

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        image = self.images[i]
        image[0] += torch.randn(8, 8)  # TS412
        return image


class Counter(Dataset):
    def __init__(self):
        self.rows = torch.zeros(4, 2)
        self.asked = 0

    def __getitem__(self, index):
        self.asked += 1  # safe: a number
        total = 0
        total += self.rows[index].sum()  # safe: what is changed is the sum
        return self.rows[index]
