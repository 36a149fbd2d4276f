import argparse

import torch
from torch import nn
from torch.optim.lr_scheduler import StepLR


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--resume", default="")
    parser.add_argument("--weights", default="")
    args = parser.parse_args()
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scheduler = StepLR(optimizer, 10)
    if args.weights:
        model.load_state_dict(torch.load(args.weights))  # safe: a start from other weights
    if args.resume:
        checkpoint = torch.load(args.resume, map_location="cpu")
        model.load_state_dict(checkpoint["model"])  # TS804
        print("resumed from", args.resume)
    for epoch in range(100):
        for _ in range(10):
            optimizer.zero_grad()
            model(torch.randn(8, 4)).pow(2).mean().backward()
            optimizer.step()
        scheduler.step()
        torch.save({"model": model.state_dict(), "epoch": epoch}, "last.pt")


def evaluate(resume):
    model = nn.Linear(4, 1)
    if resume:
        model.load_state_dict(torch.load(resume))  # safe: nothing is trained here
    return model(torch.randn(8, 4))


if __name__ == "__main__":
    main()
