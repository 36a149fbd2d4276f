"""A small convolutional net on scikit-learn's digits; the rate is cut when validation stands still."""

import torch
from engine import end_of_epoch, evaluate, train_one_epoch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)
        )
        self.classifier = nn.Linear(16 * 4 * 4, 10)

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


def loaders():
    digits = load_digits()
    images = torch.tensor(digits.images / 16.0, dtype=torch.float32).unsqueeze(1)
    data = TensorDataset(images, torch.tensor(digits.target))
    train, val = random_split(data, [1400, 397], generator=torch.Generator().manual_seed(0))
    return DataLoader(train, batch_size=64, shuffle=True), DataLoader(val, batch_size=256)


def main():
    torch.manual_seed(0)
    train_loader, val_loader = loaders()
    model = Net()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.1, patience=1)
    history, best = [], None
    for epoch in range(8):
        loss = train_one_epoch(model, train_loader, optimizer)
        val_loss, val_accuracy = evaluate(model, val_loader)
        if end_of_epoch(scheduler, val_accuracy, history):
            best = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        lr = optimizer.param_groups[0]["lr"]
        print(f"{epoch}: lr {lr:.1e} loss {loss:.3f} validation {val_loss:.3f} {val_accuracy:.3f}")
    model.load_state_dict(best)


if __name__ == "__main__":
    main()
