import torch
from torch import nn

bce = nn.BCELoss()


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 4))

    def forward(self, z):
        return self.layers(z)


class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 1), nn.Sigmoid())

    def forward(self, x):
        return self.layers(x)


def generator_first(loader):
    G, D = Generator(), Critic()
    opt_G = torch.optim.Adam(G.parameters(), lr=1e-4)
    opt_D = torch.optim.Adam(D.parameters(), lr=1e-4)
    for real in loader:
        ones, zeros = torch.ones(len(real), 1), torch.zeros(len(real), 1)
        opt_G.zero_grad()
        opt_D.zero_grad()
        fake = G(torch.randn(len(real), 2))
        g_loss = bce(D(fake), ones)
        g_loss.backward()
        opt_G.step()
        d_loss = bce(D(real), ones) + bce(D(fake.detach()), zeros)
        d_loss.backward()
        opt_D.step()  # TS115


class Trainer:
    def __init__(self):
        self.G, self.D = Generator(), Critic()
        self.opt_G = torch.optim.Adam(self.G.parameters(), lr=1e-4)
        self.opt_D = torch.optim.Adam(self.D.parameters(), lr=1e-4)

    def critic_step(self, real, ones, zeros):
        fake = self.G(torch.randn(len(real), 2))
        d_loss = (bce(self.D(real), ones) + bce(self.D(fake), zeros)) / 2
        d_loss.backward()
        self.opt_D.step()

    def generator_step(self, ones):
        g_loss = bce(self.D(self.G(torch.randn(len(ones), 2))), ones)
        g_loss.backward()
        self.opt_G.step()  # TS115

    def fit(self, loader):
        for real in loader:
            ones, zeros = torch.ones(len(real), 1), torch.zeros(len(real), 1)
            self.opt_D.zero_grad()
            self.opt_G.zero_grad()
            self.critic_step(real, ones, zeros)
            self.generator_step(ones)


def cleared_between(loader):
    G, D = Generator(), Critic()
    opt_G = torch.optim.Adam(G.parameters(), lr=1e-4)
    opt_D = torch.optim.Adam(D.parameters(), lr=1e-4)
    for step, real in enumerate(loader):
        ones, zeros = torch.ones(len(real), 1), torch.zeros(len(real), 1)
        opt_D.zero_grad()
        d_loss = bce(D(real), ones) + bce(D(G(torch.randn(len(real), 2))), zeros)
        d_loss.backward()
        opt_D.step()
        if step % 5 == 0:
            opt_G.zero_grad()
            g_loss = bce(D(G(torch.randn(len(real), 2))), ones)
            g_loss.backward()
            opt_G.step()  # safe: cleared before its own backward


def without_recording(loader):
    G, D = Generator(), Critic()
    opt_G = torch.optim.Adam(G.parameters(), lr=1e-4)
    opt_D = torch.optim.Adam(D.parameters(), lr=1e-4)
    for real in loader:
        ones, zeros = torch.ones(len(real), 1), torch.zeros(len(real), 1)
        opt_G.zero_grad()
        opt_D.zero_grad()
        with torch.no_grad():
            fake = G(torch.randn(len(real), 2))
        d_loss = bce(D(real), ones) + bce(D(fake), zeros)
        d_loss.backward()
        opt_D.step()
        g_loss = bce(D(G(torch.randn(len(real), 2))), ones)
        g_loss.backward()
        opt_G.step()  # safe: the fake was made without recording


def by_modules(loader):
    G, D = Generator(), Critic()
    opt_G = torch.optim.Adam(G.parameters(), lr=1e-4)
    opt_D = torch.optim.Adam(D.parameters(), lr=1e-4)
    for real in loader:
        ones, zeros = torch.ones(len(real), 1), torch.zeros(len(real), 1)
        D.zero_grad()
        d_loss = bce(D(real), ones) + bce(D(G(torch.randn(len(real), 2))), zeros)
        d_loss.backward()
        opt_D.step()
        G.zero_grad()
        g_loss = bce(D(G(torch.randn(len(real), 2))), ones)
        g_loss.backward()
        opt_G.step()  # safe: the module clears them


def two_parts(loader):
    encoder, decoder = nn.Linear(4, 2), nn.Linear(2, 4)
    first = torch.optim.Adam(encoder.parameters(), lr=1e-3)
    second = torch.optim.SGD(decoder.parameters(), lr=1e-3)
    for x in loader:
        first.zero_grad()
        second.zero_grad()
        loss = nn.functional.mse_loss(decoder(encoder(x)), x)
        loss.backward()
        first.step()
        second.step()  # safe: one loss for both


def cooperating(loader):
    encoder, generator = nn.Linear(4, 2), nn.Linear(2, 4)
    opt_E = torch.optim.Adam(encoder.parameters(), lr=1e-4)
    opt_G = torch.optim.Adam(generator.parameters(), lr=1e-4)
    for real in loader:
        opt_E.zero_grad()
        opt_G.zero_grad()
        loss = nn.functional.l1_loss(generator(encoder(real)), real)
        loss.backward()
        opt_E.step()
        z = torch.randn(len(real), 2)
        latent_loss = nn.functional.l1_loss(encoder(generator(z)), z)
        latent_loss.backward()
        opt_G.step()  # safe: no rivals, both losses are the generator's
