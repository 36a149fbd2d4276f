import numpy as np
import torch
from torch import nn
from torch.autograd import Variable


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 2)

    def forward(self, x):
        return self.layer(x)


class Cutting(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 2)

    def forward(self, x):
        hidden = self.layer(x)
        return hidden.detach()  # TS107


def accuracy_as_loss(loader):
    model = Net()
    for x, y in loader:
        predicted = torch.argmax(model(x), dim=1)
        loss = 1 - (predicted == y).float().mean()  # TS107
        loss.requires_grad = True
        loss.backward()


def through_numpy(loader):
    model = Net()
    for x, y in loader:
        output = model(x).detach().numpy()
        error = np.mean((output - y.numpy()) ** 2)
        loss = torch.tensor(error, requires_grad=True)  # TS107
        loss.backward()


def wrapped(loader):
    model, criterion = Net(), nn.MSELoss()
    for x, y in loader:
        loss = criterion(model(x), y)
        loss = Variable(loss, requires_grad=True)  # TS107
        loss.backward()


def in_forward(loader):
    model = Cutting()
    for x, y in loader:
        loss = nn.functional.mse_loss(model(x), y)
        loss.requires_grad_()
        loss.backward()


def compute_loss(output, y):
    return ((output.data - y) ** 2).mean()  # TS107


def helper(loader):
    model = Net()
    for x, y in loader:
        loss = compute_loss(model(x), y)
        loss.backward()


class Trainer:
    def __init__(self):
        self.model = Net()
        self.criterion = nn.L1Loss()

    def loss(self, x, y):
        predicted = self.model(x).round()  # TS107
        return self.criterion(predicted, y)

    def fit(self, loader):
        for x, y in loader:
            self.loss(x, y).backward()


def detached_target(loader):
    online, target = Net(), Net()
    for x, y in loader:
        wanted = y + 0.9 * target(x).max(1)[0].detach()  # safe: a target network
        loss = nn.functional.mse_loss(online(x).max(1)[0], wanted)
        loss.backward()


def straight_through(loader):
    model = Net()
    for x, y in loader:
        soft = model(x).sigmoid()
        hard = soft + (soft.round() - soft).detach()  # safe: gradients pass the first term
        nn.functional.mse_loss(hard, y).backward()


def discriminator_step(loader):
    generator, discriminator = nn.Linear(4, 4), Net()
    for real in loader:
        fake = generator(torch.randn(8, 4)).detach()  # safe: the discriminator is trained
        (discriminator(fake).mean() - discriminator(real).mean()).backward()


def input_gradient(loader):
    model = Net()
    for x, y in loader:
        x = x.detach().requires_grad_()  # safe: the input's gradient is wanted
        model(x).sum().backward()
        hidden = model(x).detach()
        hidden.requires_grad_()
        hidden.pow(2).sum().backward()  # safe: the gradient of `hidden` is wanted


def unseen(loader, model):
    for x, y in loader:
        output = model(x)
        loss = nn.functional.mse_loss(output, output.detach())  # safe: what the model is cannot be seen
        loss.backward()


def reinforce(episodes_data):
    policy = Net()
    for state, reward in episodes_data:
        distribution = torch.distributions.Categorical(logits=policy(state))
        action = distribution.sample()
        loss = -distribution.log_prob(action) * reward  # safe: log_prob has the gradient
        loss.sum().backward()


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 2)
        self.log_p = 0

    def forward(self, x):
        return self.linear(x)


def kept_in_an_attribute(states, rewards):
    policy = Policy()
    for state, reward in zip(states, rewards):
        distribution = torch.distributions.Categorical(logits=policy(state))
        policy.log_p = distribution.log_prob(distribution.sample())
        advantage = torch.tensor(
            reward - policy(state).mean(), requires_grad=True
        )  # safe: `log_p` has the graph
        loss = -(policy.log_p * advantage)
        loss.backward()
