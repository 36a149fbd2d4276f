"""How far diabetes has gone after a year, from ten measurements."""

import torch
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def load():
    features, progression = load_diabetes(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(features, progression, random_state=0)
    scaler = StandardScaler().fit(x_train)
    x_train, x_test = scaler.transform(x_train), scaler.transform(x_test)
    train = TensorDataset(torch.tensor(x_train).float(), torch.tensor(y_train).float() / 100)
    test = TensorDataset(torch.tensor(x_test).float(), torch.tensor(y_test).float() / 100)
    return train, test


class Regressor(nn.Module):
    def __init__(self, inputs=10, hidden=32):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def forward(self, x):
        return self.layers(x)


def fit(model, loader, epochs):
    criterion = nn.MSELoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(epochs):
        total = 0.0
        for inputs, targets in loader:
            prediction = model(inputs)
            loss = criterion(prediction, targets)  # TS306
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(f"{epoch}: {total / len(loader):.3f}")


def main():
    torch.manual_seed(0)
    train, test = load()
    model = Regressor()
    fit(model, DataLoader(train, batch_size=32, shuffle=True), epochs=10)
    model.eval()
    with torch.no_grad():
        inputs, targets = test.tensors
        error = (model(inputs).flatten() - targets).abs().mean()
    print(f"mean absolute error on the test part {100 * error:.1f}")


if __name__ == "__main__":
    main()
