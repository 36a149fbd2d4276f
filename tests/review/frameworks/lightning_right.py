import logging
import warnings

import lightning
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
warnings.filterwarnings("ignore", message=".*does not have many workers.*")


class Digits(lightning.LightningDataModule):
    def setup(self, stage):
        images, labels = load_digits(return_X_y=True)
        images = torch.tensor(images, dtype=torch.float32) / 16
        labels = torch.tensor(labels)
        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(1))[:500]
        self.sets = [TensorDataset(images[part], labels[part]) for part in order.split([320, 80, 100])]

    def train_dataloader(self):
        return DataLoader(self.sets[0], batch_size=32, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.sets[1], batch_size=40)

    def test_dataloader(self):
        return DataLoader(self.sets[2], batch_size=50)


class Classifier(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 10)
        )
        self.criterion = nn.CrossEntropyLoss()

    def forward(self, images):
        return self.net(images)

    def training_step(self, batch, index):
        images, labels = batch
        loss = self.criterion(self(images), labels)
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch, index):
        self.judge("validation", batch)

    def test_step(self, batch, index):
        self.judge("test", batch)

    def judge(self, name, batch):
        images, labels = batch
        logits = self(images)
        self.log(f"{name}/loss", self.criterion(logits, labels))
        self.log(f"{name}/accuracy", logits.argmax(1).eq(labels).float().mean())

    def configure_optimizers(self):
        optimizer = torch.optim.AdamW(self.parameters(), lr=0.01)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=4)]


lightning.seed_everything(0, verbose=False)
model, data = Classifier(), Digits()
trainer = lightning.Trainer(
    max_epochs=4,
    accelerator="cpu",
    accumulate_grad_batches=2,
    gradient_clip_val=1.0,
    callbacks=[
        lightning.pytorch.callbacks.EarlyStopping("validation/loss"),
        lightning.pytorch.callbacks.ModelCheckpoint(
            dirpath="kept", filename="best", monitor="validation/loss"
        ),
    ],
    logger=False,
    enable_progress_bar=False,
    enable_model_summary=False,
)
trainer.fit(model, data)
print({name: value.item() for name, value in trainer.callback_metrics.items()})
print(trainer.test(model, data, ckpt_path="kept/best.ckpt", verbose=False))
predicted = trainer.predict(model, DataLoader(data.sets[2].tensors[0], batch_size=50))
print(torch.cat(predicted).argmax(1)[:10].tolist())
del trainer, data, predicted
