import torch
from torch import nn

torch.manual_seed(0)
generator = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
discriminator = nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(0.2), nn.Dropout(0.1), nn.Linear(16, 1))
makes = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.999))
tells = torch.optim.Adam(discriminator.parameters(), lr=1e-3, betas=(0.5, 0.999))
criterion = nn.BCEWithLogitsLoss()
for step in range(15):
    real = torch.randn(32, 2) * 0.5 + 1
    fake = generator(torch.randn(32, 4))
    tells.zero_grad()
    told = criterion(discriminator(real), torch.ones(32, 1)) + criterion(
        discriminator(fake.detach()), torch.zeros(32, 1)
    )
    told.backward()
    tells.step()
    makes.zero_grad()
    fooled = criterion(discriminator(fake), torch.ones(32, 1))
    fooled.backward()  # gives the discriminator gradients too, cleared at its next step
    makes.step()
    print(step, told.item(), fooled.item())
