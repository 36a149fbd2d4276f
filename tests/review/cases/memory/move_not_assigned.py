import torch
from torch import nn
from torch.utils.data import DataLoader


def train(model, loader, device):
    model.to(device)  # safe: a module moves in place
    for images, labels in loader:
        images.to(device)  # TS707
        labels = labels.to(device)
        model(images, labels)


def unpacked_later(model, loader, device):
    for i, data in enumerate(loader):
        inputs, targets = data
        inputs.to(device)  # TS707
        targets = targets.cuda()
        model(inputs, targets, i)


def clamp(x):
    noise = torch.randn(3)
    noise.clamp(0, 1)  # TS707
    noise.clamp_(0, 1)  # safe: in place
    return x + noise


def benchmark(x):
    y = torch.ones(3)
    y.cuda()  # safe: timed for itself
    return y


def encodings(loader, device):
    for batch, _ in loader:
        batch.to(device)  # safe: used as a dict, which moves in place
        print(batch["input_ids"])


def unknown(x, device):
    x.to(device)  # safe: x may be anything
    return x


def tried():
    x = torch.ones(3)
    try:
        x.cuda()  # safe: to see whether it works
    except RuntimeError:
        return x
    return x


if __name__ == "__main__":
    train(nn.Linear(2, 2), DataLoader([], batch_size=2), "cpu")
    unpacked_later(nn.Linear(2, 2), DataLoader([], batch_size=2), "cpu")
    encodings(DataLoader([]), "cpu")
