"""Inputs as they come, in the shapes in which people write them."""

import torch
from sklearn.datasets import fetch_california_housing, load_breast_cancer, load_iris
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset
from torchvision import datasets
from torchvision.io import read_image
from torchvision.transforms import v2


class Pictures(Dataset):
    def __init__(self, paths, labels):
        self.paths, self.labels = paths, labels

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        picture = read_image(self.paths[index])
        return picture.float(), self.labels[index]  # TS407


def tables():
    x, y = load_breast_cancer(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.2)
    train_set = TensorDataset(torch.tensor(x_train).float(), torch.tensor(y_train))  # TS407
    test_set = TensorDataset(torch.tensor(x_test).float(), torch.tensor(y_test))
    return train_set, test_set


def houses():
    houses = fetch_california_housing()
    inputs = torch.from_numpy(houses.data).float()  # TS407
    targets = torch.from_numpy(houses.target).float()  # safe: targets near 1
    return TensorDataset(inputs, targets)


def flowers():
    iris = load_iris()
    return TensorDataset(torch.tensor(iris.data).float(), torch.tensor(iris.target))  # safe: all near 1


def centred():
    x, y = load_breast_cancer(return_X_y=True)
    x = (x - x.mean(0)) / x.max(0)
    return TensorDataset(torch.tensor(x).float(), torch.tensor(y))  # safe: not as they come


def kinds():
    return [
        v2.Compose([v2.ToImage(), v2.ToDtype(torch.uint8)]),  # safe: still whole numbers
        v2.Compose([v2.RandomCrop(32), v2.ToDtype(torch.float32)]),  # safe: perhaps floats before
        v2.Compose([v2.PILToTensor(), v2.ToDtype(dtype=torch.float32)]),  # TS407
    ]


def train(model, loader, optimizer):
    for x, y in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()


def main(paths, labels):
    model = nn.Sequential(nn.Flatten(), nn.LazyLinear(2))
    optimizer = torch.optim.Adam(model.parameters())
    train(model, DataLoader(Pictures(paths, labels), batch_size=8, shuffle=True), optimizer)
    return datasets.FakeData(8)
