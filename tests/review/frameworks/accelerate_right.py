import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

set_seed(0)
images, labels = load_digits(return_X_y=True)
images, labels = torch.tensor(images, dtype=torch.float32) / 16, torch.tensor(labels)
order = torch.randperm(len(labels))[:480]
training, held = (TensorDataset(images[part], labels[part]) for part in order.split([384, 96]))
accelerator = Accelerator(cpu=True, gradient_accumulation_steps=2)
model = nn.Sequential(nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 10))
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.02, total_steps=4 * 6)
loader, judging = DataLoader(training, batch_size=32, shuffle=True), DataLoader(held, batch_size=48)
model, optimizer, loader, judging, schedule = accelerator.prepare(model, optimizer, loader, judging, schedule)
for epoch in range(4):
    model.train()
    for batch, targets in loader:
        with accelerator.accumulate(model):
            loss = nn.functional.cross_entropy(model(batch), targets)
            accelerator.backward(loss)
            if accelerator.sync_gradients:
                accelerator.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
    model.eval()
    right = 0
    for batch, targets in judging:
        with torch.no_grad():
            told = model(batch)
        told, targets = accelerator.gather_for_metrics((told, targets))
        right += told.argmax(1).eq(targets).sum().item()
    accelerator.print(epoch, loss.item(), right / len(held))
accelerator.save_state("kept")
accelerator.load_state("kept")
del accelerator, loader, judging, optimizer, schedule
