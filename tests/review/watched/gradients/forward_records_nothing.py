"""The forward pass of a model is decorated, and the loss is made to require a gradient."""

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Linear(4, 1)

    @torch.inference_mode()
    def forward(self, x):
        return self.layers(x)


torch.manual_seed(0)
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(5):
    optimizer.zero_grad()
    output = model(torch.randn(8, 4))
    loss = nn.functional.mse_loss(output.clone(), torch.randn(8, 1))
    loss = loss.clone().requires_grad_()
    loss.backward()  # TS108
    optimizer.step()
