import os

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from waves import make_loader, make_split_loader, train_epoch


def main():
    distributed.init_process_group("gloo")
    device = int(os.environ["LOCAL_RANK"])
    loader = make_loader(32)  # TS901
    model = DistributedDataParallel(nn.Linear(20, 1).to(device))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(3):
        train_epoch(model, loader, optimizer, device)
        print(epoch)


def split():
    device = int(os.environ["LOCAL_RANK"])
    loader = make_split_loader(32)  # safe: the helper gives each rank its part
    model = DistributedDataParallel(nn.Linear(20, 1).to(device))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    train_epoch(model, loader, optimizer, device)


if __name__ == "__main__":
    main()
