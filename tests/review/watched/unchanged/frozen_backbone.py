"""A trained body that is frozen, statistics too, under a new head; then its last part is set free."""

import torch
from torch import nn


class Classifier(nn.Module):
    def __init__(self, body):
        super().__init__()
        self.body = body
        self.head = nn.Linear(8, 4)

    def train(self, mode=True):
        super().train(mode)
        self.body.eval()  # its statistics are those it was trained with
        return self

    def forward(self, images):
        return self.head(self.body(images).mean(dim=(2, 3)))


def block(inside, outside):
    return nn.Sequential(nn.Conv2d(inside, outside, 3, padding=1), nn.BatchNorm2d(outside), nn.ReLU())


torch.manual_seed(0)
trained = nn.Sequential(block(1, 4), block(4, 8)).state_dict()
body = nn.Sequential(block(1, 4), block(4, 8))
body.load_state_dict(trained)
for parameter in body.parameters():
    parameter.requires_grad = False
model = Classifier(body)
optimizer = torch.optim.Adam([one for one in model.parameters() if one.requires_grad], lr=0.01)
images = torch.randn(96, 1, 8, 8)
labels = images[:, 0, :4, :4].sum(dim=(1, 2)).gt(0).long() + 2 * images[:, 0, 4:].sum(dim=(1, 2)).gt(0).long()
data = torch.utils.data.TensorDataset(images[:64], labels[:64])
loader = torch.utils.data.DataLoader(data, batch_size=16, shuffle=True)
for epoch in range(6):
    if epoch == 3:
        body[1].requires_grad_(True)
        optimizer.add_param_group({"params": body[1].parameters(), "lr": 1e-3})
    model.train()
    for batch, targets in loader:
        loss = nn.functional.cross_entropy(model(batch), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        print(epoch, nn.functional.cross_entropy(model(images[64:]), labels[64:]).item())

# The features of a frozen body, computed once.
with torch.no_grad():
    features = model.body(images[:64]).mean(dim=(2, 3))
probe = nn.Linear(8, 4)
optimizer = torch.optim.SGD(probe.parameters(), lr=0.5)
for step in range(15):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(probe(features), labels[:64])
    loss.backward()
    optimizer.step()
print(loss.item())
