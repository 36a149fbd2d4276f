"""Random transforms before evaluation, in the shapes in which people write them."""

import os

import torch
from torch.utils.data import DataLoader, Dataset, Subset, SubsetRandomSampler, random_split
from torchvision import datasets, transforms
from torchvision import transforms as T
from torchvision.transforms import v2

data_transforms = {
    "train": transforms.Compose([transforms.RandomResizedCrop(224), transforms.ToTensor()]),
    "val": transforms.Compose(
        [
            transforms.RandomResizedCrop(224),  # TS405
            transforms.ToTensor(),
        ]
    ),
    "test": transforms.Compose([transforms.CenterCrop(224), transforms.ToTensor()]),
}

test_transform = T.Compose(
    [
        T.Resize(256),
        T.ColorJitter(0.4),  # TS405
        T.ToTensor(),
    ]
)
test_transform_off = T.Compose([T.RandomHorizontalFlip(p=0), T.ToTensor()])  # safe: never flips
train_test_transform = T.Compose([T.RandomHorizontalFlip(), T.ToTensor()])  # safe: the name says both

augment = v2.Compose([v2.RandomCrop(32, padding=4), v2.ToImage()])
plain = v2.Compose([v2.CenterCrop(32), v2.ToImage()])


class Pictures(Dataset):
    def __init__(self, folder, transform=None):
        self.paths = sorted(os.listdir(folder))
        self.transform = transform

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        return self.transform(torch.load(self.paths[index]))


def own(folder):
    train_set = Pictures(folder, transform=augment)
    val_set = Pictures(folder, transform=augment)  # TS405
    test_set = Pictures(folder, transform=plain)  # safe: nothing random
    return train_set, val_set, test_set


def parts(data_dir):
    train_set = datasets.SVHN(data_dir, split="train", transform=augment)
    test_set = datasets.SVHN(data_dir, split="test", transform=augment)  # TS405
    folder = datasets.ImageFolder("flowers/valid", augment)  # TS405
    return train_set, test_set, folder


def chosen(train):
    transform = augment if train else plain
    return datasets.CIFAR10("data", train=train, transform=transform)  # safe: chosen by the part


class Splits:
    def __init__(self, batch):
        data = datasets.CIFAR10("data", train=True, transform=augment)
        self.train_set, self.valid_set = random_split(data, [45000, 5000])
        self.train_loader = DataLoader(self.train_set, batch, shuffle=True)
        self.valid_loader = DataLoader(self.valid_set, batch)  # TS405


def two_objects(indices, batch):
    train_data = datasets.CIFAR10("data", train=True, transform=augment)
    valid_data = Subset(datasets.CIFAR10("data", train=True, transform=plain), indices)
    return DataLoader(train_data, batch), DataLoader(valid_data, batch)  # safe: a transform of its own


def samplers(train_indices, valid_indices, batch):
    data = datasets.CIFAR10("data", train=True, transform=augment)
    train_loader = DataLoader(data, batch, sampler=SubsetRandomSampler(train_indices))
    valid_loader = DataLoader(data, batch, sampler=SubsetRandomSampler(valid_indices))  # TS405
    return train_loader, valid_loader


def told(augmentation, batch):
    test_set = datasets.CIFAR10("data", train=False, transform=augment)  # safe: whoever calls it asks for it
    return DataLoader(test_set, batch)
