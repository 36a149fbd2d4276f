import os

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn
from torch.nn.parallel import DistributedDataParallel as DDP


def setup(rank, world_size):
    dist.init_process_group("nccl", rank=rank, world_size=world_size)


class Trainer:
    def __init__(self, model, gpu_id, folder):
        self.gpu_id = gpu_id
        self.folder = folder
        self.writes = gpu_id == 0 and dist.get_rank() == 0
        self.model = DDP(model, device_ids=[gpu_id])

    def save_checkpoint(self, epoch):
        path = "checkpoint.pt"
        torch.save(self.model.module.state_dict(), path)  # safe: called by one rank
        print(epoch)

    def save_always(self, epoch):
        path = os.path.join(self.folder, f"epoch{epoch}.pt")
        torch.save(self.model.module.state_dict(), path)  # TS905

    def save_if_chosen(self):
        if self.writes:
            torch.save(self.model.module.state_dict(), "last.pt")  # safe: chosen by rank

    def train(self, epochs):
        for epoch in range(epochs):
            if self.gpu_id == 0:
                self.save_checkpoint(epoch)
            self.save_always(epoch)
        self.save_if_chosen()


def worker(rank, world_size):
    setup(rank, world_size)
    model = DDP(nn.Linear(4, 2).to(rank))
    Trainer(nn.Linear(4, 2), rank, "runs").train(3)
    torch.save(model.state_dict(), f"model_{rank}.pt")  # safe: a file for each rank
    torch.save(model.state_dict(), "model.pt")  # TS905
    is_writer = rank == 0
    if is_writer:
        torch.save(model.state_dict(), "model.pt")  # safe: one rank only
    if not dist.is_initialized() or dist.get_rank() == 0:
        torch.save(model.state_dict(), "model.pt")  # safe: one rank only
    if rank != 0:
        return
    torch.save(model.state_dict(), "final.pt")  # safe: the others have left


def save(model):
    torch.save(model.state_dict(), "model.pt")  # safe: who calls this is not seen


def main():
    world_size = torch.cuda.device_count()
    mp.spawn(worker, args=(world_size,), nprocs=world_size)
    torch.save({"done": True}, "done.pt")  # safe: the parent, of which there is one


if __name__ == "__main__":
    main()
