import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

loader = DataLoader(TensorDataset(torch.randn(32, 4), torch.zeros(32, dtype=torch.long)), batch_size=8)
model = nn.Linear(4, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)


def train():
    outputs, probabilities, labels, right = [], [], [], []
    for x, y in loader:
        optimizer.zero_grad()
        output = model(x)
        F.cross_entropy(output, y).backward()
        optimizer.step()
        outputs.append(output)  # TS704
        probabilities.append(F.softmax(output, dim=1).cpu())  # TS704
        labels.append(y)  # safe: no graph
        right.append(output.argmax(1) == y)  # safe: argmax has no graph
    print(torch.cat(outputs), torch.cat(probabilities), labels, right)


def predict(network, data):
    outputs = []
    for x, _ in data:
        outputs.append(network(x).squeeze())  # TS704
    print(torch.cat(outputs).detach().numpy())


def whole_set():
    outputs, targets = [], []
    for x, y in loader:
        outputs.append(model(x))  # safe: training goes back through all of them
        targets.append(y)
    loss = F.cross_entropy(torch.cat(outputs), torch.cat(targets))
    loss.backward()
    optimizer.step()


def handed_on(ranking_loss):
    outputs = []
    for x, _ in loader:
        outputs.append(model(x))  # safe: what is done with them is not seen
    ranking_loss(outputs)


def returned():
    outputs = []
    for x, _ in loader:
        outputs.append(model(x))  # safe: the caller may go back
    return outputs


def each_anew():
    for x, _ in loader:
        outputs = []
        outputs.append(model(x))  # safe: the list lives for one batch
        print(outputs)


@torch.no_grad()
def evaluate():
    outputs = []
    for x, _ in loader:
        outputs.append(model(x))  # safe: nothing is recorded
    print(torch.cat(outputs))


def detached():
    outputs = []
    for x, _ in loader:
        output = model(x).detach()
        outputs.append(output)  # safe: detached
    print(outputs)


train()
predict(model, loader)
whole_set()
handed_on(print)
returned()
each_anew()
evaluate()
detached()
