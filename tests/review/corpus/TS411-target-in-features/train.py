"""A small network that estimates the price of a house."""

import torch
from data import prepare
from torch import nn
from torch.utils.data import DataLoader


def build(columns):
    return nn.Sequential(nn.Linear(columns, 32), nn.ReLU(), nn.Linear(32, 1))


def train_epoch(model, loader, optimizer):
    model.train()
    for features, prices in loader:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(features), prices)
        loss.backward()
        optimizer.step()


@torch.no_grad()
def explained(model, data):
    model.eval()
    residual = data.prices - model(data.features)
    return 1 - residual.var().item() / data.prices.var().item()


def main():
    torch.manual_seed(0)
    train, test = prepare("houses.csv")
    loader = DataLoader(train, batch_size=16, shuffle=True)  # watch: TS411
    model = build(train.features.shape[1])
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(40):
        train_epoch(model, loader, optimizer)
        if epoch % 10 == 9:
            print(f"{epoch}: explained in training {explained(model, train):.3f}")
    print(f"explained in test {explained(model, test):.3f}")


if __name__ == "__main__":
    main()
