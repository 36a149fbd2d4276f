"""An autoencoder of digits."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Autoencoder(nn.Module):
    def __init__(self, code=8):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, code))
        self.decoder = nn.Sequential(nn.Linear(code, 32), nn.ReLU(), nn.Linear(32, 64))

    def forward(self, x):
        return self.decoder(self.encoder(x))


class Experiment:
    def __init__(self, model, rate=1e-3):
        self.model = model
        self.criterion = nn.MSELoss()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=rate)

    def zero(self):
        self.optimizer.zero_grad(set_to_none=True)

    def optimize(self, loss):
        self.optimizer.step()  # TS104
        loss.backward()

    def training_step(self, batch):
        self.zero()
        (x,) = batch
        loss = self.criterion(self.model(x), x)
        self.optimize(loss)
        return loss.item()

    def run(self, loader, epochs):
        self.model.train()
        for epoch in range(epochs):
            losses = []
            for batch in loader:
                losses.append(self.training_step(batch))
            print(f"epoch {epoch}: {sum(losses) / len(losses):.4f}")


def main():
    torch.manual_seed(0)
    images = torch.tensor(load_digits().data / 16.0, dtype=torch.float32)
    loader = DataLoader(TensorDataset(images), batch_size=128, shuffle=True)
    Experiment(Autoencoder()).run(loader, epochs=3)


if __name__ == "__main__":
    main()
