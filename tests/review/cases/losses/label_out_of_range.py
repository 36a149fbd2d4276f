import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits, load_iris
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchvision import datasets


class Net(nn.Module):
    def __init__(self, inputs, classes):
        super().__init__()
        self.head = nn.Sequential(nn.Linear(inputs, 16), nn.ReLU(), nn.Linear(16, classes))

    def forward(self, x):
        return self.head(x)


def flat():
    iris = load_iris()
    x, y = torch.tensor(iris.data).float(), torch.tensor(iris.target)
    wrong = F.cross_entropy(Net(4, 2)(x), y)  # TS308
    shifted = F.cross_entropy(Net(4, 3)(x), y + 1)  # TS308
    below = F.cross_entropy(Net(4, 3)(x), y - 1)  # TS308
    roomy = F.cross_entropy(Net(4, 4)(x), y + 1)  # safe: a class more, such as a background
    ignored = F.cross_entropy(Net(4, 3)(x), y - 1, ignore_index=-1)  # safe: left out on purpose
    return wrong, shifted, below, roomy, ignored


def chosen(model_of_five):
    digits = load_digits()
    x, y = torch.tensor(digits.data).float(), torch.tensor(digits.target)
    large = y >= 5
    return F.cross_entropy(Net(64, 5)(x[large]), y[large] - 5)  # safe: the rows with 5 to 9


class Trainer:
    def __init__(self, classes=1):
        digits = load_digits()
        data = TensorDataset(torch.tensor(digits.data).float(), torch.tensor(digits.target))
        self.loader = DataLoader(data, batch_size=32)
        self.model = Net(64, 1)
        self.right = Net(64, 10)
        self.criterion = nn.CrossEntropyLoss()

    def fit(self):
        for x, y in self.loader:
            self.criterion(self.model(x), y)  # TS308
            self.criterion(self.right(x), y)  # safe


def pictures():
    for images, labels in DataLoader(datasets.CIFAR100("data"), batch_size=64):
        F.cross_entropy(nn.Linear(3072, 10)(images.flatten(1)), labels)  # TS308


def mapped():
    for images, labels in DataLoader(datasets.MNIST("data", target_transform=lambda y: y % 2), batch_size=64):
        F.cross_entropy(nn.Linear(784, 2)(images.flatten(1)), labels)  # safe: two classes are made of ten
