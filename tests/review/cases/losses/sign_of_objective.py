import torch
import torch.nn.functional as F
from torch.distributions import Categorical


def reinforce(policy, optimizer, rewards, log_probs):
    losses = []
    for log_prob, reward in zip(log_probs, rewards, strict=True):
        losses.append(log_prob * reward)  # TS314
    optimizer.zero_grad()
    loss = torch.stack(losses).sum()
    loss.backward()
    optimizer.step()


def reinforce_right(policy, optimizer, rewards, log_probs):
    losses = []
    for log_prob, reward in zip(log_probs, rewards, strict=True):
        losses.append(-log_prob * reward)  # safe: with a minus
    optimizer.zero_grad()
    torch.stack(losses).sum().backward()
    optimizer.step()


class Agent:
    def __init__(self, policy):
        self.policy = policy
        self.optimizer = torch.optim.Adam(policy.parameters())

    def learn(self, states, actions, advantage):
        choice = Categorical(logits=self.policy(states))
        log_prob = choice.log_prob(actions)
        self.optimizer.zero_grad()
        actor = (log_prob * advantage.detach()).mean()  # TS314
        loss = actor - 0.01 * choice.entropy().mean()
        loss.backward()
        self.optimizer.step()

    def learn_right(self, states, actions, advantage):
        choice = Categorical(logits=self.policy(states))
        gain = (choice.log_prob(actions) * advantage).mean()  # safe: the minus comes later
        self.optimizer.zero_grad()
        loss = -gain
        loss.backward()
        self.optimizer.step()

    def learn_by_costs(self, states, actions, costs):
        choice = Categorical(logits=self.policy(states))
        reward = -costs
        self.optimizer.zero_grad()
        cost = (choice.log_prob(actions) * costs).mean()  # safe: costs are to fall
        other = (choice.log_prob(actions) * reward).mean() * -1  # safe: with a minus
        (cost + other).backward()
        self.optimizer.step()


def logged(choice, actions, reward):
    return (choice.log_prob(actions) * reward).mean()  # safe: what becomes of it is not seen


def taken_away(output, x, mu, logvar, beta):
    likeness = F.mse_loss(output, x, reduction="sum")
    divergence = -0.5 * torch.sum(1 + logvar - mu**2 - torch.exp(logvar))
    return likeness - beta * divergence  # TS314


def in_one_line(output, x, mu, logvar):
    return F.binary_cross_entropy(output, x) + 0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).mean()  # TS314


def reversed_terms(output, x, mu, logvar):
    divergence = 0.5 * torch.mean(mu.pow(2) + logvar.exp() - logvar - 1)
    return F.binary_cross_entropy(output, x) + divergence  # safe: a divergence


def minus_twice(output, x, mu, logvar):
    negative = 0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return F.binary_cross_entropy(output, x, reduction="sum") - negative  # safe: the negative, taken away


def bound(output, x, mu, logvar):
    likelihood = -F.binary_cross_entropy(output, x, reduction="sum")
    negative = 0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return -(likelihood + negative)  # safe: the bound, with a minus
