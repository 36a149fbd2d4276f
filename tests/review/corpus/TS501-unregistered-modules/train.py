"""Two moons with a residual net; prints how many numbers are trained."""

import torch
from layers import ResidualNet
from sklearn.datasets import make_moons
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def make_loader(count, seed, shuffle):
    x, y = make_moons(count, noise=0.2, random_state=seed)
    data = TensorDataset(torch.tensor(x, dtype=torch.float32), torch.tensor(y))
    return DataLoader(data, batch_size=32, shuffle=shuffle)


def train(model, loader, optimizer):
    model.train()
    criterion = nn.CrossEntropyLoss()
    for x, y in loader:
        optimizer.zero_grad()
        criterion(model(x), y).backward()
        optimizer.step()


@torch.no_grad()
def accuracy(model, loader):
    model.eval()
    return sum((model(x).argmax(dim=1) == y).sum().item() for x, y in loader) / len(loader.dataset)


def main():
    torch.manual_seed(0)
    train_loader = make_loader(600, seed=0, shuffle=True)
    test_loader = make_loader(300, seed=1, shuffle=False)
    model = ResidualNet(inputs=2, classes=2)
    print("parameters:", sum(p.numel() for p in model.parameters()))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for epoch in range(6):
        train(model, train_loader, optimizer)
        print(f"epoch {epoch}: {accuracy(model, test_loader):.3f}")


if __name__ == "__main__":
    main()
