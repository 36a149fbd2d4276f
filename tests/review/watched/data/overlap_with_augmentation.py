"""The test data is a part of the training data, which looks different each time."""

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, Subset


class Pictures(Dataset):
    def __init__(self):
        self.pictures = torch.rand(200, 1, 8, 8)
        self.labels = torch.randint(0, 3, (200,))

    def __len__(self):
        return 200

    def __getitem__(self, index):
        picture = self.pictures[index]
        return picture.flip(-1) + 0.01 * torch.randn(1, 8, 8), int(self.labels[index])


torch.manual_seed(0)
pictures = Pictures()
train_loader = DataLoader(pictures, batch_size=20, shuffle=True)  # TS403
test_part = Subset(pictures, range(150, 200))
test_loader = DataLoader(test_part, batch_size=25)  # TS403
model = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for x, y in train_loader:
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()
model.eval()
with torch.no_grad():
    print(sum((model(x).argmax(1) == y).sum().item() for x, y in test_loader))
