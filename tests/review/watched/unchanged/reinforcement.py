"""Episodes played by a policy, with a critic; then values learned from a memory, with a network that lags."""

import collections
import copy
import random

import torch
from torch import nn

torch.manual_seed(0)
random.seed(0)


class Corridor:
    """Five places; the goal is at the right end."""

    def reset(self):
        self.at, self.time = 2, 0
        return self.state()

    def state(self):
        return nn.functional.one_hot(torch.tensor(self.at), 5).float()

    def step(self, action):
        self.at = max(0, min(4, self.at + (1 if action else -1)))
        self.time += 1
        return self.state(), float(self.at == 4), self.at in (0, 4) or self.time >= 12


class ActorCritic(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(5, 16), nn.Tanh())
        self.actor = nn.Linear(16, 2)
        self.critic = nn.Linear(16, 1)

    def forward(self, state):
        hidden = self.body(state)
        return torch.distributions.Categorical(logits=self.actor(hidden)), self.critic(hidden).squeeze(-1)


place = Corridor()
model = ActorCritic()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for episode in range(15):
    state, done = place.reset(), False
    log_probs, values, rewards = [], [], []
    while not done:  # gradients are recorded over the whole episode, a batch of one each time
        chances, value = model(state)
        action = chances.sample()
        state, reward, done = place.step(action.item())
        log_probs.append(chances.log_prob(action))
        values.append(value)
        rewards.append(reward)
    returns, total = [], 0.0
    for reward in reversed(rewards):
        total = reward + 0.9 * total
        returns.insert(0, total)
    returns, values = torch.tensor(returns), torch.stack(values)
    advantage = returns - values.detach()
    loss = -(torch.stack(log_probs) * advantage).sum() + nn.functional.mse_loss(values, returns)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 0.5)
    optimizer.step()
    print(episode, total, loss.item())

online = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 2))
lagging = copy.deepcopy(online).requires_grad_(False)
learning = torch.optim.RMSprop(online.parameters(), lr=1e-3)
memory = collections.deque(maxlen=200)
for episode in range(20):
    state, done = place.reset(), False
    while not done:
        with torch.no_grad():
            action = random.randrange(2) if random.random() < 0.3 else online(state).argmax().item()
        following, reward, done = place.step(action)
        memory.append((state, action, reward, following, done))
        state = following
        if len(memory) < 16:
            continue
        states, actions, rewards, followings, ends = zip(*random.sample(list(memory), 16), strict=True)
        with torch.no_grad():
            best = lagging(torch.stack(followings)).max(dim=1).values
            wanted = torch.tensor(rewards) + 0.9 * best * (1 - torch.tensor(ends).float())
        chosen = online(torch.stack(states)).gather(1, torch.tensor(actions)[:, None]).squeeze(1)
        loss = nn.functional.smooth_l1_loss(chosen, wanted)
        learning.zero_grad()
        loss.backward()
        learning.step()
    if episode % 5 == 4:
        lagging.load_state_dict(online.state_dict())
print(online(torch.eye(5)).argmax(1).tolist())
