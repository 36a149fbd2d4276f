"""A GRU that forecasts a seasonal series; the error is told in the series' own unit."""

import torch
from data import prepare
from torch import nn
from torch.utils.data import DataLoader


class Forecaster(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.rnn = nn.GRU(1, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 1)

    def forward(self, x):
        output, _ = self.rnn(x)
        return self.head(output[:, -1])


def train_epoch(model, loader, optimizer):
    model.train()
    for inputs, targets in loader:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(inputs), targets)
        loss.backward()
        optimizer.step()


@torch.no_grad()
def mean_absolute_error(model, data, scaler):
    model.eval()
    inputs, targets = data.tensors
    forecast = scaler.inverse_transform(model(inputs).numpy())
    return abs(forecast - scaler.inverse_transform(targets.numpy())).mean()


def main():
    torch.manual_seed(0)
    train, test, scaler = prepare()
    loader = DataLoader(train, batch_size=64, shuffle=True)
    model = Forecaster()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for epoch in range(4):
        train_epoch(model, loader, optimizer)
        print(f"{epoch}: training error {mean_absolute_error(model, train, scaler):.3f}")
    print(f"test error {mean_absolute_error(model, test, scaler):.3f}")


if __name__ == "__main__":
    main()
