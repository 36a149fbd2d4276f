import torch
import torch.nn.functional as F
from sklearn.datasets import load_breast_cancer, load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchvision import datasets


class Net(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.output = nn.Linear(inputs, outputs)

    def forward(self, x):
        return self.output(x)


def binary():
    features, labels = load_breast_cancer(return_X_y=True)
    x, y = torch.tensor(features).float(), torch.tensor(labels)
    model = Net(30, 1)
    F.binary_cross_entropy_with_logits(model(x).squeeze(1), y)  # TS307
    return F.binary_cross_entropy_with_logits(model(x).squeeze(1), y.float())  # safe


class Trainer:
    def __init__(self):
        digits = load_digits()
        x = torch.tensor(digits.data, dtype=torch.float32)
        y = torch.tensor(digits.target, dtype=torch.float32)
        self.loader = DataLoader(TensorDataset(x, y), batch_size=16)
        self.model = Net(64, 10)
        self.criterion = nn.CrossEntropyLoss()

    def fit(self):
        for x, y in self.loader:
            self.criterion(self.model(x), y)  # TS307
            self.criterion(self.model(x), y.long())  # safe
            self.criterion(self.model(x), F.one_hot(y.long(), 10).float())  # safe: probabilities


def pictures():
    loader = DataLoader(datasets.MNIST("data", train=True), batch_size=64)
    for images, labels in loader:
        F.nll_loss(F.log_softmax(Net(784, 10)(images.view(-1, 784)), dim=1), labels.float())  # TS307


def unknown(loader, x, y):
    for inputs, labels in loader:
        F.cross_entropy(Net(4, 3)(inputs), labels)  # safe: nobody knows their type
    return F.cross_entropy(Net(4, 3)(x), torch.ones(3))  # safe: may be one row of probabilities
