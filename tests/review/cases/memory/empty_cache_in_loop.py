import gc

import torch
from torch.cuda import empty_cache
from torch.utils.data import DataLoader
from tqdm import tqdm


def train(model, dataset, optimizer, criterion):
    loader = DataLoader(dataset, batch_size=8)
    for epoch in range(3):
        for i, (x, y) in enumerate(tqdm(loader)):
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            del x, y
            gc.collect()
            torch.cuda.empty_cache()  # TS702
            if i % 500 == 0:
                torch.cuda.empty_cache()  # safe: now and then
        torch.cuda.empty_cache()  # safe: once an epoch


class Trainer:
    def __init__(self, model, dataset):
        self.model = model
        self.optimizer = torch.optim.Adam(model.parameters())
        self.loader = DataLoader(dataset)

    def evaluate(self):
        with torch.no_grad():
            for x in self.loader:
                empty_cache()  # TS702
                print(self.model(x))

    def train(self, batches):
        for x, y in batches:
            with torch.autocast("cuda"):
                loss = self.model(x).sub(y).mean()
            loss.backward()
            self.optimizer.step()
            self.optimizer.zero_grad()
            torch.cuda.empty_cache()  # TS702


def careful(model, batches, optimizer):
    for x in batches:
        try:
            model(x).mean().backward()
        except torch.cuda.OutOfMemoryError:
            torch.cuda.empty_cache()  # safe: after memory ran out
        optimizer.step()
        optimizer.zero_grad()


def folds(models, dataset, fit):
    for model in models:
        fit(model, dataset)
        torch.cuda.empty_cache()  # safe: between two models


def epochs(model, loader, optimizer):
    for _ in range(10):
        run_epoch(model, loader, optimizer)
        torch.cuda.empty_cache()  # safe: the batches are gone through in the function


def run_epoch(model, loader, optimizer):
    for x in loader:
        optimizer.zero_grad()
        model(x).mean().backward()
        optimizer.step()


def iterations(agent, model, optimizer):
    for _ in range(100):
        update(model, optimizer, agent.play())
        torch.cuda.empty_cache()  # safe: a round plays a whole game before its one step


def update(model, optimizer, states):
    optimizer.zero_grad()
    model(states).mean().backward()
    optimizer.step()
