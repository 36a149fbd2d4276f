import os

import torch
import torch.distributed as dist
import torch.nn.functional as F
from accelerate import Accelerator
from torch.nn.parallel import DistributedDataParallel as DDP


def save_and_wait(model, rank):
    if rank == 0:
        torch.save(model.state_dict(), "model.pt")
        dist.barrier()  # TS903


def wait_after(model, rank):
    if rank == 0:
        torch.save(model.state_dict(), "model.pt")
    dist.barrier()  # safe: all ranks get here


def early(losses):
    if dist.get_rank() != 0:
        return
    dist.all_reduce(losses)  # TS903
    print(losses)


def from_environment(values):
    if int(os.environ["RANK"]) == 0 and len(values) > 3:
        gathered = [torch.zeros_like(values) for _ in range(dist.get_world_size())]
        dist.all_gather(gathered, values)  # TS903
        print(gathered)


def is_main_process():
    return not dist.is_initialized() or dist.get_rank() == 0


def average(value, device):
    if not dist.is_initialized():
        return value
    total = torch.tensor(value, device=device)
    dist.all_reduce(total)
    return total.item() / dist.get_world_size()


@torch.no_grad()
def evaluate(model, loader, device):
    model.eval()
    total = 0.0
    for x, y in loader:
        total += F.mse_loss(model(x.to(device)), y.to(device)).item()
    return average(total / len(loader), device)


def training(model, train_loader, loader, optimizer, device, epochs):
    for epoch in range(epochs):
        for x, y in train_loader:
            optimizer.zero_grad()
            F.mse_loss(model(x.to(device)), y.to(device)).backward()
            optimizer.step()
        if is_main_process():
            print(epoch, evaluate(model, loader, device))  # TS903


def accelerated(model):
    accelerator = Accelerator()
    if accelerator.is_main_process:
        accelerator.wait_for_everyone()  # TS903
        torch.save(accelerator.unwrap_model(model).state_dict(), "model.pt")


def wrapped(rank, x, y):
    model = DDP(torch.nn.Linear(2, 1))
    inner = model.module
    if rank == 0:
        loss = F.mse_loss(model(x), y)
        loss.backward()  # TS903
    if rank == 0:
        F.mse_loss(inner(x), y).backward()  # safe: the model inside, whose processes do not meet


def both_sides(rank, model):
    if rank == 0:
        objects = [model.state_dict()]
        dist.broadcast_object_list(objects, src=0)  # safe: the others receive
    else:
        objects = [None]
        dist.broadcast_object_list(objects, src=0)
    return objects


def other_side_in_function(rank, values):
    if rank == 0:
        dist.broadcast(values, src=0)  # safe: `receive` may hold the counterpart
    else:
        receive(values)


def receive(values):
    dist.broadcast(values, src=0)


def of_a_group(rank, values, group):
    if rank == 0:
        dist.all_reduce(values, group=group)  # safe: a group may hold this rank alone
        dist.broadcast(values, 0, group)  # safe


def asks_for_size(world_size, values):
    if world_size > 1:
        dist.all_reduce(values)  # safe: the same answer on all ranks


def some_epochs(epoch, values):
    if epoch % 10 == 0:
        dist.all_reduce(values)  # safe: the same on all ranks


def each_in_turn(world_size, values):
    for rank in range(world_size):
        if rank == 0:
            dist.broadcast(values, src=rank)  # safe: a counter that is the same everywhere


def matrix(tensor, is_last):
    if is_last or dist.get_rank() == 0:
        dist.barrier()  # safe: may hold on all ranks


def point_to_point(rank, values):
    if rank == 0:
        dist.send(values, dst=1)  # safe: between two ranks
    elif rank == 1:
        dist.recv(values, src=0)


def evaluates_alone(rank, model, loader, device):
    if rank == 0:
        print(evaluate_here(model, loader, device))  # safe: no other rank takes part


def evaluate_here(model, loader, device, everywhere=False):
    total = sum(F.mse_loss(model(x.to(device)), y.to(device)).item() for x, y in loader)
    if everywhere:
        total = average(total, device)
    return total
