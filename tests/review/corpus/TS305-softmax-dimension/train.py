"""A small convolutional network on scikit-learn's digits."""

import argparse

import torch
import torch.nn.functional as F
from network import ConvNet
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader, Dataset


class Digits(Dataset):
    def __init__(self, images, labels):
        self.images = torch.tensor(images, dtype=torch.float32).unsqueeze(1) / 16
        self.labels = torch.tensor(labels)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return self.images[index], self.labels[index]


def loaders(batch_size):
    digits = load_digits()
    parts = train_test_split(digits.images, digits.target, test_size=0.25, random_state=0)
    train, test = Digits(parts[0], parts[2]), Digits(parts[1], parts[3])
    return DataLoader(train, batch_size=batch_size, shuffle=True), DataLoader(test, batch_size=250)


def train(args, model, loader, optimizer, epoch):
    model.train()
    for batch, (data, target) in enumerate(loader):
        optimizer.zero_grad()
        output = model(data)
        loss = F.nll_loss(output, target)  # TS305
        loss.backward()
        optimizer.step()
        if batch % args.log_interval == 0:
            print(f"Train epoch {epoch} [{batch}/{len(loader)}] loss {loss.item():.4f}")


def test(model, loader):
    model.eval()
    loss, correct = 0.0, 0
    with torch.no_grad():
        for data, target in loader:
            output = model(data)
            loss += F.nll_loss(output, target, reduction="sum").item()
            correct += output.argmax(dim=1).eq(target).sum().item()
    count = len(loader.dataset)
    print(f"Test loss {loss / count:.4f} accuracy {correct}/{count}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--log-interval", type=int, default=10)
    args = parser.parse_args()
    torch.manual_seed(1)
    train_loader, test_loader = loaders(args.batch_size)
    model = ConvNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
    for epoch in range(1, args.epochs + 1):
        train(args, model, train_loader, optimizer, epoch)
        test(model, test_loader)


if __name__ == "__main__":
    main()
