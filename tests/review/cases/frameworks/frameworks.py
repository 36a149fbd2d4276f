"""What frameworks do for their user is not reported: every line is safe."""

import pytorch_lightning as pl
import torch
from accelerate import Accelerator
from lightning.fabric import Fabric
from torch import nn
from transformers import Trainer


class Lit(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 2))

    def training_step(self, batch, index):
        x, y = batch
        return nn.functional.cross_entropy(self.net(x), y)

    def validation_step(self, batch, index):
        x, y = batch
        self.log("val_loss", nn.functional.cross_entropy(self.net(x), y))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


class ManualLit(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.net = nn.Linear(4, 2)

    def training_step(self, batch, index):
        optimizer = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(self.net(batch).sum())
        optimizer.step()


class WeightedTrainer(Trainer):
    def compute_loss(self, model, inputs, return_outputs=False):
        outputs = model(**inputs)
        loss = nn.functional.cross_entropy(outputs.logits, inputs["labels"])
        return (loss, outputs) if return_outputs else loss


def accelerated(loader):
    accelerator = Accelerator()
    model = nn.Linear(4, 2)
    optimizer = torch.optim.Adam(model.parameters())
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
    for x, y in loader:
        with accelerator.accumulate(model):
            loss = nn.functional.cross_entropy(model(x), y)
            accelerator.backward(loss)
            optimizer.step()
            optimizer.zero_grad()


def fabric(loader):
    fabric = Fabric()
    model = nn.Linear(4, 2)
    optimizer = torch.optim.Adam(model.parameters())
    model, optimizer = fabric.setup(model, optimizer)
    for x, y in loader:
        optimizer.zero_grad()
        fabric.backward(nn.functional.cross_entropy(model(x), y))
        optimizer.step()


def deepspeed_like(engine, loader):
    for x, y in loader:
        loss = engine(x, y)
        engine.backward(loss)
        engine.step()


def maml(model, tasks, inner_rate):
    meta = torch.optim.Adam(model.parameters())
    for support, query in tasks:
        loss = model(support).mean()
        gradients = torch.autograd.grad(loss, list(model.parameters()), create_graph=True)
        fast = [p - inner_rate * g for p, g in zip(model.parameters(), gradients, strict=True)]
        meta.zero_grad()
        (sum(p.sum() for p in fast) + query.sum()).backward()
        meta.step()


class SoftActorCritic:
    def __init__(self, actor, critic):
        self.actor, self.critic = actor, critic
        self.actor_optimizer = torch.optim.Adam(actor.parameters())
        self.critic_optimizer = torch.optim.Adam(critic.parameters())

    def optimize(self, optimizer, loss):
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def update(self, buffer):
        for state in buffer:
            self.optimize(self.critic_optimizer, self.critic(state).mean())
            self.optimize(self.actor_optimizer, -self.critic(self.actor(state)).mean())


class WassersteinSolver:
    """As in StarGAN: one method clears both, n_critic steps of one per step of the other."""

    def __init__(self, g, d, loader, n_critic=5):
        self.G, self.D, self.loader, self.n_critic = g, d, loader, n_critic
        self.g_optimizer = torch.optim.Adam(self.G.parameters(), 1e-4)
        self.d_optimizer = torch.optim.Adam(self.D.parameters(), 1e-4)

    def reset_grad(self):
        self.g_optimizer.zero_grad()
        self.d_optimizer.zero_grad()

    def train(self):
        for i, real in enumerate(self.loader):
            d_loss = self.D(self.G(real).detach()).mean() - self.D(real).mean()
            self.reset_grad()
            d_loss.backward()
            self.d_optimizer.step()
            if (i + 1) % self.n_critic == 0:
                g_loss = -self.D(self.G(real)).mean()
                self.reset_grad()
                g_loss.backward()
                self.g_optimizer.step()


class NoamWrapper:
    """As in the Annotated Transformer: the wrapper's own step."""

    def __init__(self, optimizer):
        self.optimizer = optimizer
        self.count = 0

    def step(self):
        self.count += 1
        for group in self.optimizer.param_groups:
            group["lr"] = self.count**-0.5
        self.optimizer.step()


class LossCompute:
    def __init__(self, criterion, opt):
        self.criterion, self.opt = criterion, opt

    def __call__(self, x, y):
        loss = self.criterion(x, y)
        loss.backward()
        self.opt.step()
        self.opt.optimizer.zero_grad()
        return loss.item()


def annotated(model, loader):
    compute = LossCompute(nn.CrossEntropyLoss(), NoamWrapper(torch.optim.Adam(model.parameters())))
    for x, y in loader:
        compute(model(x), y)


def environment(env, policy, optimizer):
    state = env.reset()
    done = False
    while not done:
        state, reward, done, _ = env.step(policy(state))
    optimizer.zero_grad()
    policy(state).mean().backward()
    optimizer.step()


def update_bn(loader, model):
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8))
    model.train()
    with torch.no_grad():
        for x in loader:
            model(x)
    return model
