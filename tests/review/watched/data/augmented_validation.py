"""One data set with random transforms behind both parts of a split."""

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, random_split


class Pictures(Dataset):
    def __init__(self):
        self.pictures = torch.rand(120, 1, 6, 6)
        self.labels = torch.randint(0, 3, (120,))

    def __len__(self):
        return 120

    def __getitem__(self, index):
        picture = self.pictures[index]
        return picture + 0.2 * torch.randn_like(picture), self.labels[index]


class Trainer:
    def __init__(self):
        train_part, held_out = random_split(Pictures(), [80, 40])
        self.model = nn.Sequential(nn.Flatten(), nn.Linear(36, 3))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
        self.training = DataLoader(train_part, batch_size=20, shuffle=True)
        self.validation = DataLoader(held_out, batch_size=20, shuffle=True)  # TS405

    def run(self):
        for x, y in self.training:
            self.optimizer.zero_grad()
            nn.functional.cross_entropy(self.model(x), y).backward()
            self.optimizer.step()
        self.model.eval()
        with torch.no_grad():
            right = sum((self.model(x).argmax(1) == y).sum().item() for x, y in self.validation)
        self.model.train()
        return right / 40


torch.manual_seed(0)
trainer = Trainer()
print([trainer.run() for _ in range(3)])
