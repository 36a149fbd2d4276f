# ends in an error
"""An autoencoder for scikit-learn's digits."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader


class Encoder(nn.Module):
    def __init__(self, inputs, code):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(inputs, 32), nn.ReLU(), nn.Linear(32, code))

    def forward(self, x):
        return self.layers(x)


class Decoder(nn.Module):
    def __init__(self, code, outputs):
        self.outputs = outputs
        self.layers = nn.Sequential(nn.Linear(code, 32), nn.ReLU(), nn.Linear(32, outputs))  # TS513

    def forward(self, code):
        return torch.sigmoid(self.layers(code))


class Autoencoder(nn.Module):
    def __init__(self, inputs=64, code=8):
        super().__init__()
        self.encoder = Encoder(inputs, code)
        self.decoder = Decoder(code, inputs)

    def forward(self, x):
        return self.decoder(self.encoder(x))


def main():
    torch.manual_seed(0)
    digits = torch.tensor(load_digits().data / 16.0, dtype=torch.float32)
    loader = DataLoader(digits, batch_size=64, shuffle=True)
    model = Autoencoder()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    criterion = nn.MSELoss()
    for epoch in range(3):
        total = 0.0
        for batch in loader:
            optimizer.zero_grad()
            loss = criterion(model(batch), batch)
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(f"epoch {epoch}: {total / len(loader):.4f}")


if __name__ == "__main__":
    main()
