"""Samples that differ from pass to pass, and shall."""

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Pictures(Dataset):
    def __init__(self, count, noise=0.0, clean=False):
        self.pictures = torch.rand(count, 36)
        self.labels = torch.randint(0, 3, (count,))
        self.noise, self.clean = noise, clean

    def __len__(self):
        return len(self.pictures)

    def __getitem__(self, index):
        picture = self.pictures[index]
        noisy = picture + self.noise * torch.randn(36)
        return noisy, picture if self.clean else self.labels[index]


def learn(model, loader, loss):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model.train()
    for x, y in loader:
        optimizer.zero_grad()
        loss(model(x), y).backward()
        optimizer.step()


@torch.no_grad()
def score(model, loader, loss):
    model.eval()
    return sum(loss(model(x), y).item() for x, y in loader) / len(loader)


torch.manual_seed(0)
entropy, square = nn.functional.cross_entropy, nn.functional.mse_loss
classifier, denoiser = nn.Linear(36, 3), nn.Linear(36, 36)
train_loader = DataLoader(Pictures(80, noise=0.2), batch_size=20, shuffle=True)
val_loader = DataLoader(Pictures(40), batch_size=20)
tta_val_loader = DataLoader(Pictures(40, noise=0.2), batch_size=20)  # says that it is test-time augmentation
denoising = DataLoader(Pictures(80, noise=0.2, clean=True), batch_size=20, shuffle=True)
denoising_val = DataLoader(Pictures(40, noise=0.2, clean=True), batch_size=20)  # the noise is the task
for epoch in range(3):
    learn(classifier, train_loader, entropy)
    learn(denoiser, denoising, square)
    print(epoch, score(classifier, train_loader, entropy), score(classifier, val_loader, entropy))
    print(score(classifier, tta_val_loader, entropy), score(denoiser, denoising_val, square))
