import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel as DDP
from torch.utils.data import DataLoader, Subset
from torch.utils.data.distributed import DistributedSampler


def validate(model, loader, criterion, device):
    model.eval()
    total_loss, seen = 0.0, 0
    with torch.no_grad():
        for i, (x, y) in enumerate(loader):
            total_loss += criterion(model(x.to(device)), y.to(device)).item() * len(y)
            seen += len(y)
    return total_loss / seen  # TS907


class Trainer:
    def __init__(self, model, data, gpu_id):
        self.model = DDP(model)
        self.gpu_id = gpu_id
        sampler = DistributedSampler(data)
        self.loader = DataLoader(data, batch_size=8, sampler=sampler)
        self.whole = DataLoader(data, batch_size=8)

    @torch.inference_mode()
    def test(self):
        self.model.eval()
        correct = 0
        for x, y in self.loader:
            correct += (self.model(x).argmax(1) == y).sum().item()
        accuracy = correct / len(self.loader.dataset)  # TS907
        if self.gpu_id == 0:
            print(accuracy)

    @torch.inference_mode()
    def test_whole(self):
        self.model.eval()
        correct = 0
        for x, y in self.whole:
            correct += (self.model(x).argmax(1) == y).sum().item()
        return correct / len(self.whole.dataset)  # safe: each rank sees all of the data

    @torch.inference_mode()
    def test_each(self, rank):
        correct = 0
        for x, y in self.loader:
            correct += (self.model(x).argmax(1) == y).sum().item()
        print(f"rank {rank}: {correct}")  # safe: said to be of this rank


def train(model, data, optimizer, criterion):
    loader = DataLoader(data, batch_size=8, sampler=DistributedSampler(data))
    running = 0.0
    for x, y in loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        running += loss.item()
    return running / len(loader)  # safe: a running loss of the training is a glance


def main(model, data, criterion, rank):
    dist.init_process_group("gloo")
    val_set = Subset(data, range(100))
    loader = DataLoader(val_set, batch_size=8, sampler=DistributedSampler(val_set, shuffle=False))
    print(validate(DDP(model), loader, criterion, rank))
