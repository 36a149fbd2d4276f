"""The digits of scikit-learn as pictures of one channel."""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader, Dataset


class Digits(Dataset):
    def __init__(self, pictures, labels):
        self.pictures = torch.tensor(pictures / 16, dtype=torch.float32)
        self.labels = torch.tensor(labels)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return self.pictures[index].unsqueeze(0), self.labels[index]


def load(batch_size):
    digits = load_digits()
    x_train, x_test, y_train, y_test = train_test_split(digits.images, digits.target, random_state=0)
    train_loader = DataLoader(Digits(x_train, y_train), batch_size=batch_size, shuffle=True)
    test_loader = DataLoader(Digits(x_test, y_test), batch_size=batch_size)
    return train_loader, test_loader
