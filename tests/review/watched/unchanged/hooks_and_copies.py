import copy

import torch
from torch import nn


class Counted(nn.Linear):
    calls = 0

    def __call__(self, *args, **kwargs):
        Counted.calls += 1
        return super().__call__(*args, **kwargs)


torch.manual_seed(0)
model = nn.Sequential(Counted(4, 8), nn.ReLU(), nn.Linear(8, 2))
seen = []
model[2].register_forward_hook(lambda module, args, output: seen.append(tuple(output.shape)))
model.register_full_backward_hook(lambda module, grad_input, grad_output: seen.append(len(grad_output)))
model[0].weight.register_hook(lambda grad: grad * 0.5)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(10):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(torch.randn(8, 4)), torch.randint(0, 2, (8,)))
    loss.backward()
    optimizer.step()
twin = copy.deepcopy(model)
twin.load_state_dict(model.state_dict())
traced = torch.jit.trace(model[2], torch.randn(1, 8))
graph = torch.fx.symbolic_trace(model[1:])
print(seen, Counted.calls, sorted(vars(model)), sorted(vars(optimizer)), list(model.state_dict()))
print(torch.equal(traced(torch.ones(1, 8)), graph(torch.ones(1, 8))), graph.code)
