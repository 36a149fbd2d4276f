import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)


@torch.compile(backend="aot_eager")
def loss_of(points, targets):
    return nn.functional.cross_entropy(model(points), targets)


class Scorer(nn.Module):
    def __init__(self):
        super().__init__()
        self.inside = nn.Sequential(nn.Linear(2, 6), nn.Tanh())
        self.head = nn.Linear(6, 1)

    @torch.compile(backend="aot_eager")
    def forward(self, points):
        return self.head(self.inside(points)).squeeze(1)


scorer = Scorer()
scores = torch.optim.SGD(scorer.parameters(), lr=0.1)
for step in range(6):
    points, targets = torch.randn(16, 4), torch.randint(0, 2, (16,))
    optimizer.zero_grad()
    loss = loss_of(points, targets)
    loss.backward()
    optimizer.step()
    scores.zero_grad()
    error = nn.functional.mse_loss(scorer(points[:, :2]), targets.float())
    error.backward()
    scores.step()
    print(step, loss.item(), error.item())
