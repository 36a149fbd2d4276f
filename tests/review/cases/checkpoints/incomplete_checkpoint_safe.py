import torch
from torch import nn


def train(resume, restore):
    model = nn.Linear(4, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 10)
    if resume:
        checkpoint = torch.load(resume)
        model.load_state_dict(checkpoint["model"])  # safe: `restore` may load the rest
        restore(checkpoint, optimizer, scheduler)
    for _ in range(100):
        optimizer.zero_grad()
        model(torch.randn(8, 4)).pow(2).mean().backward()
        optimizer.step()
        scheduler.step()
    torch.save(model.state_dict(), "last.pt")
