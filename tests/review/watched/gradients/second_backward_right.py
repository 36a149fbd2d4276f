import torch
from torch import nn

net, head = nn.Sequential(nn.Linear(4, 8), nn.Tanh()), nn.Linear(8, 1)
optimizer = torch.optim.SGD([*net.parameters(), *head.parameters()], lr=0.1)
cell, state = nn.GRUCell(4, 4), None
for _ in range(4):
    features = net(torch.randn(8, 4))
    optimizer.zero_grad()
    head(features).mean().backward(retain_graph=True)  # safe: the graph is kept for the next line
    head(features).square().mean().backward()
    optimizer.step()
    state = cell(torch.randn(2, 4), None if state is None else state.detach())  # safe: the history is cut
    state.sum().backward()
