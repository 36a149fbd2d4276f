import torch

torch.manual_seed(0)
weights, bias = torch.zeros(4, 3, requires_grad=True), torch.zeros(3, requires_grad=True)
inputs = torch.randn(64, 4)
targets = inputs[:, :3].argmax(1)
for step in range(20):
    loss = torch.nn.functional.cross_entropy(inputs @ weights + bias, targets)
    loss.backward()
    with torch.no_grad():  # a hand-written step
        for parameter in (weights, bias):
            parameter -= 0.5 * parameter.grad
            parameter.grad = None
print(loss.item())

net = torch.nn.Linear(4, 1)
values = dict(net.named_parameters())


def error(values, point, target):
    return torch.nn.functional.mse_loss(torch.func.functional_call(net, values, (point,)), target)


each = torch.func.vmap(torch.func.grad(error), in_dims=(None, 0, 0))
for step in range(20):
    gradients = each(values, inputs, inputs.sum(1, keepdim=True))
    values = {name: (value - 0.1 * gradients[name].mean(0)).detach() for name, value in values.items()}
print(error(values, inputs, inputs.sum(1, keepdim=True)).item())
