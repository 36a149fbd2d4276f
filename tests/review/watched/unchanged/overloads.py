"""Functions that take a dimension or another tensor in one place: the larger of two, of all, of one dimension."""

import torch
from torch import nn

torch.manual_seed(0)


class Maxout(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(6, 16), nn.Linear(6, 16)
        self.out = nn.Linear(16, 3)

    def forward(self, inputs):
        larger = torch.max(self.first(inputs), self.second(inputs))
        return self.out(larger.max(torch.zeros_like(larger)))


model = Maxout()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
inputs = torch.randn(64, 6)
targets = torch.argmax(inputs[:, :3], 1)
assert (targets == None) is False  # noqa: E711
for step in range(12):
    scores = model(inputs)
    loss = nn.functional.cross_entropy(scores, targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    best, places = scores.max(1)
    again = torch.max(scores, dim=-1, keepdim=True)
    right = (places == targets).float().mean().item()
    largest = max(torch.max(scores).item(), scores.argmax().item(), scores.argmax(dim=None).item())
    same = torch.eq(places, again.indices.squeeze(1)).all().item() and places.eq(targets[0]).any().item()
    print(step, round(loss.item(), 4), right, round(largest, 4), best.max(again.values[:, 0]).shape, same)
