"""A GAN whose optimizers are stepped by hand."""

import logging
import warnings

import lightning
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
warnings.filterwarnings("ignore", message=".*does not have many workers.*")


class Gan(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.generator = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
        self.discriminator = nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
        self.criterion = nn.BCEWithLogitsLoss()

    def training_step(self, batch, index):
        (real,) = batch
        makes, tells = self.optimizers()
        yes, no = torch.ones(len(real), 1), torch.zeros(len(real), 1)

        self.toggle_optimizer(tells)
        fake = self.generator(torch.randn(len(real), 4)).detach()
        told = self.criterion(self.discriminator(real), yes) + self.criterion(self.discriminator(fake), no)
        tells.zero_grad()
        self.manual_backward(told)
        tells.step()
        self.untoggle_optimizer(tells)

        self.toggle_optimizer(makes)
        fooled = self.criterion(self.discriminator(self.generator(torch.randn(len(real), 4))), yes)
        makes.zero_grad()
        self.manual_backward(fooled)
        makes.step()
        self.untoggle_optimizer(makes)
        self.log_dict({"told": told, "fooled": fooled})

    def configure_optimizers(self):
        return (
            torch.optim.Adam(self.generator.parameters(), lr=1e-3, betas=(0.5, 0.999)),
            torch.optim.Adam(self.discriminator.parameters(), lr=1e-3, betas=(0.5, 0.999)),
        )


lightning.seed_everything(0, verbose=False)
points = torch.randn(256, 2) * 0.5 + 1
model = Gan()
trainer = lightning.Trainer(
    max_epochs=3,
    accelerator="cpu",
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
)
trainer.fit(model, DataLoader(TensorDataset(points), batch_size=32, shuffle=True))
print({name: value.item() for name, value in trainer.callback_metrics.items()})
del trainer
