"""Loaders that drop their last batch where nothing is lost, or where batches must be of one size."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)


def loader(count, width, drop_last=True):
    data = TensorDataset(torch.randn(count, 6, width), torch.randint(0, 2, (count,)))
    return DataLoader(data, batch_size=20, drop_last=drop_last)


class Tagger(nn.Module):
    """Carries its state from batch to batch."""

    def __init__(self):
        super().__init__()
        self.layer, self.output, self.state = nn.GRU(3, 8, batch_first=True), nn.Linear(8, 2), None

    def forward(self, x):
        y, state = self.layer(x, self.state)
        self.state = state.detach()
        return self.output(y[:, -1])


def run(model, batches):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in batches:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()


@torch.no_grad()
def score(model, batches):
    model.eval()
    right = sum((model(x).argmax(1) == y).sum().item() for x, y in batches)
    model.train()
    return right


flat = nn.Sequential(nn.Flatten(), nn.Linear(18, 2))
train_loader = loader(130, 3)
run(flat, train_loader)  # in training ten other samples are left out each time
val_loader = loader(100, 3)  # divides evenly
print(score(flat, val_loader), score(flat, train_loader))
tagger = Tagger()
run(tagger, loader(130, 3))
test_loader = loader(110, 3)  # of one size, as the state is
print(score(tagger, test_loader))
