import torch
from model import Classifier
from torch import nn

criterion = nn.CrossEntropyLoss()


def train(model, loader):
    for x, y in loader:
        probabilities, scores = model(x)
        loss = criterion(probabilities, y)  # TS301
        right = criterion(scores, y)  # safe: the raw scores
        print(loss, right)


train(Classifier().to("cpu"), torch.utils.data.DataLoader([]))
