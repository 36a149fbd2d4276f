"""Samples that a model was trained on are evaluated, rightly; and some that only look the same."""

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, Subset, TensorDataset

torch.manual_seed(0)
rows, labels = torch.randn(300, 5), torch.randint(0, 2, (300,))
data = TensorDataset(rows, labels)


def learn(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model.train()
    for x, y in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()


@torch.no_grad()
def score(model, loader):
    model.eval()
    return sum((model(x).argmax(1) == y).sum().item() for x, y in loader)


# The score in training, measured on purpose: by the loader itself, and by another one.
model = nn.Linear(5, 2)
train_loader = DataLoader(Subset(data, range(200)), batch_size=20, shuffle=True)
train_eval_loader = DataLoader(Subset(data, range(200)), batch_size=100)
val_loader = DataLoader(Subset(data, range(200, 300)), batch_size=50)
for _epoch in range(2):
    learn(model, train_loader)
    print(score(model, train_loader), score(model, train_eval_loader), score(model, val_loader))

# Each fold is held out once, from a model of its own or from one that starts anew.
net = nn.Linear(5, 2)
for fold in range(3):
    held_out = list(range(100 * fold, 100 * fold + 100))
    rest = [index for index in range(300) if index not in held_out]
    net.reset_parameters()
    fold_train_loader = DataLoader(Subset(data, rest), batch_size=20, shuffle=True)
    fold_val_loader = DataLoader(Subset(data, held_out), batch_size=20)
    learn(net, fold_train_loader)
    print(score(net, fold_val_loader))

# Small whole numbers repeat themselves in any data.
counts = torch.randint(0, 2, (400, 4)).float()
parity = counts.sum(1).long() % 2
table = TensorDataset(counts, parity)
few = nn.Linear(4, 2)
learn(few, DataLoader(Subset(table, range(300)), batch_size=20, shuffle=True))
test_loader = DataLoader(Subset(table, range(300, 400)), batch_size=20)
print(score(few, test_loader))


class Made(Dataset):
    """Samples that are drawn when they are asked for."""

    def __len__(self):
        return 200

    def __getitem__(self, index):
        point = torch.randn(5)
        return point, int(point.sum() > 0)


made = Made()
drawn = nn.Linear(5, 2)
learn(drawn, DataLoader(made, batch_size=20))
validation_loader = DataLoader(made, batch_size=20)
print(score(drawn, validation_loader))
