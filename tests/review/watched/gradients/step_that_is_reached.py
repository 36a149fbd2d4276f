import torch

end = torch.tensor(10.0, requires_grad=True)
spread = torch.ones(2, requires_grad=True)
first = torch.optim.SGD([end], lr=0.001)
second = torch.optim.SGD([spread], lr=0.001)
for step in range(12):
    means = 1 + (end - 1) * torch.linspace(0, 1, 8)
    loss = ((torch.randn(5, 8) - means) * spread.sum()).square().mean()
    first.zero_grad()
    second.zero_grad()
    loss.backward()
    (first if step % 2 else second).step()  # safe: in turns

frozen = torch.zeros(2)
optimizer = torch.optim.SGD([frozen], lr=0.1)
for _ in range(6):
    (spread * 2).sum().backward()
    optimizer.step()  # safe: it is frozen still
