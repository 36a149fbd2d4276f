import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, SubsetRandomSampler
from tqdm import tqdm


def count_over_batches(model, test_loader):
    correct = 0
    with torch.no_grad():
        for i, (x, y) in enumerate(tqdm(test_loader)):
            _, predicted = torch.max(model(x), 1)
            correct += predicted.eq(y).sum().item()
    return 100.0 * correct / len(test_loader)  # TS410


class Trainer:
    def __init__(self, model, data):
        self.model = model
        self.loader = DataLoader(data, batch_size=64, shuffle=True)
        self.criterion = nn.CrossEntropyLoss()

    def epoch(self, optimizer):
        running, right = 0.0, 0
        for x, y in self.loader:
            optimizer.zero_grad()
            scores = self.model(x)
            loss = self.criterion(scores, y)
            loss.backward()
            optimizer.step()
            running += loss.item()
            right += torch.sum(scores.argmax(1) == y)
        running /= len(self.loader.dataset)  # TS410
        return running, right.double() / len(self.loader.dataset)


def counter(model, loader, criterion=None):
    total_loss = 0.0
    total = 0
    for x, y in loader:
        loss = F.cross_entropy(model(x), y)
        total_loss += loss.item()
        total += y.size(0)
    return total_loss / total  # TS410


def summed_over_batches(model, loader):
    total_loss = 0.0
    for x, y in loader:
        loss = F.mse_loss(model(x), y)
        total_loss = total_loss + loss.item() * x.size(0)
    return total_loss / len(loader)  # TS410


def part(model, data, indices):
    sampler = SubsetRandomSampler(indices)
    loader = DataLoader(data, batch_size=32, sampler=sampler)
    correct = 0
    for x, y in loader:
        correct += (model(x).argmax(1) == y).sum().item()
    return correct / len(data)  # TS410


def over_data_set(model, data):
    loader = DataLoader(data, batch_size=32)
    total_loss = 0
    for x, y in loader:
        total_loss += F.nll_loss(model(x), y).item()
    return total_loss / len(data)  # TS410


def by_name(model, test_loader):
    size, batches = len(test_loader.dataset), len(test_loader)
    count = len(test_loader.dataset)
    test_loss, correct = 0, 0
    for x, y in test_loader:
        scores = model(x)
        test_loss += F.cross_entropy(scores, y).item()
        correct += (scores.argmax(1) == y).type(torch.float).sum().item()
    test_loss /= count  # TS410
    correct /= size
    return test_loss, correct, batches


def by_phase(model, sets):
    loaders = {phase: DataLoader(sets[phase], batch_size=16) for phase in ("train", "val")}
    dataset_sizes = {phase: len(sets[phase]) for phase in ("train", "val")}
    image_datasets = sets
    sizes = {phase: len(image_datasets[phase]) for phase in ("train", "val")}
    for phase in ("train", "val"):
        running_loss, correct, weighed = 0.0, 0, 0.0
        for x, y in loaders[phase]:
            scores = model(x)
            loss = F.cross_entropy(scores, y)
            running_loss += loss.item()
            weighed += loss.item() * x.size(0)
            correct += torch.sum(scores.argmax(1) == y.data)
        print(running_loss / sizes[phase])  # TS410
        print(weighed / sizes[phase], correct.double() / sizes[phase])  # safe: both count samples
        print(correct.double() / dataset_sizes[phase], running_loss / len(loaders[phase]))


def mean_of_means(model, loader):
    total_loss, batches = 0.0, 0
    for x, y in loader:
        total_loss += F.mse_loss(model(x), y).item()
        batches += 1
    return total_loss / len(loader) + total_loss / batches  # safe: off by the last batch alone


def mean_accuracy(model, loader):
    accuracy = 0.0
    for x, y in loader:
        accuracy += (model(x).argmax(1) == y).float().mean().item()
    return accuracy / len(loader)  # safe: off by the last batch alone


def count_over_samples(model, loader):
    correct, total = 0, 0
    for x, y in loader:
        correct += (model(x).argmax(1) == y).sum().item()
        total += len(y)
    return correct / total + correct / len(loader.dataset)  # safe: both count samples


def sum_reduction(model, test_loader):
    test_loss = 0
    for x, y in test_loader:
        test_loss += F.nll_loss(model(x), y, reduction="sum").item()
    return test_loss / len(test_loader.dataset)  # safe: a sum over samples


def one_by_one(model, data):
    loader = DataLoader(data)
    correct, total_loss = 0, 0.0
    for x, y in loader:
        output = model(x)
        correct += (output.argmax(1) == y).sum().item()
        total_loss += F.cross_entropy(output, y).item()
    return correct / len(loader), total_loss / len(data)  # safe: batches of one


def weighted(model, loader):
    total_loss = 0.0
    for x, y in loader:
        total_loss += F.mse_loss(model(x), y).item() * len(x)
    return total_loss / len(loader.dataset)  # safe: each batch by its size


def by_sampler(model, data, indices):
    loader = DataLoader(data, batch_size=32, sampler=SubsetRandomSampler(indices))
    correct = 0
    for x, y in loader:
        correct += (model(x).argmax(1) == y).sum().item()
    return correct / len(loader.sampler)  # safe: the samples that are drawn


def another_loader(model, train_loader, test_loader):
    correct = 0
    for x, y in test_loader:
        correct += (model(x).argmax(1) == y).sum().item()
    return correct / len(train_loader)  # safe: what this is cannot be told


def words_of_a_sentence(model, sentences):
    correct = 0
    for words, tags in sentences:
        correct += (model(words).argmax(1) == tags).sum().item()
    return correct / len(sentences)  # safe: right words in a sentence


def own_loss(model, loader, criterion):
    total_loss = 0.0
    for x, y in loader:
        total_loss += criterion(model(x), y).item()
    return total_loss / len(loader.dataset)  # safe: may be a sum


def grows(model, train_loader, criterion, epochs):
    running_loss = 0
    for epoch in range(epochs):
        for i, (x, y) in enumerate(train_loader):
            loss = criterion(model(x), y)
            running_loss += loss.item()
        print(running_loss / len(train_loader))  # TS410


def begins_anew(model, train_loader, criterion, epochs):
    for epoch in range(epochs):
        running_loss = 0
        for x, y in train_loader:
            running_loss += criterion(model(x), y).item()
        print(running_loss / len(train_loader))  # safe


def average_so_far(model, train_loader, criterion, epochs):
    running_loss = 0
    for epoch in range(epochs):
        for x, y in train_loader:
            running_loss += criterion(model(x), y).item()
        print(running_loss / len(train_loader) / (epoch + 1))  # safe: of all epochs so far


def average_at_the_end(model, train_loader, criterion):
    running_loss = 0
    for epoch in range(3):
        for x, y in train_loader:
            running_loss += criterion(model(x), y).item()
    print(running_loss / len(train_loader) / 3)  # safe


def now_and_then(model, train_loader, criterion, epochs):
    running_loss = 0.0
    for epoch in range(epochs):
        for i, (x, y) in enumerate(train_loader):
            running_loss += criterion(model(x), y).item()
            if i % 100 == 99:
                print(running_loss / len(train_loader))  # safe: set to 0 in the next line
                running_loss = 0.0
