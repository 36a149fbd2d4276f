import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset
from torchvision import datasets, transforms
from tqdm import tqdm

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
digits = datasets.MNIST("data", transform=transforms.ToTensor())
train_loader = DataLoader(digits, batch_size=64, shuffle=True)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(784, 10)

    def forward(self, x):
        return self.layer(x.flatten(1))


def inputs_left():
    model = Net()
    model.to(device)
    for epoch in range(2):
        for i, (images, labels) in enumerate(tqdm(train_loader)):
            images = images.view(-1, 784)
            labels = labels.to(device)
            F.cross_entropy(model(images), labels).backward()  # TS708


def labels_left():
    model = Net().to(device)
    for images, labels in train_loader:
        images = images.to(device, non_blocking=True)
        output = model(images)
        F.cross_entropy(output, labels).backward()  # TS708


def whole_batch_left():
    model = Net().cuda()
    for batch in train_loader:
        images, labels = batch
        loss = F.cross_entropy(model(images), labels.cuda())  # TS708
        loss.backward()


def model_left():
    network = Net()
    for images, labels in train_loader:
        images, labels = images.cuda(), labels.cuda()
        F.cross_entropy(network(images), labels).backward()  # TS708


def run_epoch(model, loader, optimizer=None):
    for images, labels in loader:
        loss = F.cross_entropy(model(images), labels.to(device))  # TS708
        if optimizer is not None:
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def main():
    test_loader = DataLoader(datasets.MNIST("data", train=False), batch_size=64)
    model = Net().to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run_epoch(model, train_loader, optimizer)
    run_epoch(model, test_loader)


class Trainer:
    def __init__(self, loader):
        self.model = Net()
        self.loader = loader
        if torch.cuda.is_available():
            self.model.cuda()

    def train(self):
        for images, labels in self.loader:
            F.cross_entropy(self.model(images), labels).backward()  # TS708


class Validator:
    def __init__(self, model, loader, config):
        self.device = torch.device(config["device"])
        self.model = model.to(self.device)
        self.loader = loader

    @torch.no_grad()
    def validate(self):
        self.model.eval()
        for batch in self.loader:
            print(self.model(batch[0]))  # TS708


def moved_where_there_is_one(use_cuda):
    model = Net()
    if use_cuda:
        model.cuda()
    for images, labels in train_loader:
        if use_cuda:
            images, labels = images.cuda(), labels.cuda()
        F.cross_entropy(model(images), labels).backward()  # safe: moved on the same condition


def moved_by_helper():
    model = Net().to(device)
    for batch in train_loader:
        images, labels = to_device(batch)
        F.cross_entropy(model(images), labels).backward()  # safe: the helper moves all parts


def to_device(batch):
    return [part.to(device) for part in batch]


def one_by_one():
    model = Net().to(device)
    for batch in train_loader:
        for i, part in enumerate(batch):
            batch[i] = part.to(device)
        print(model(batch[0]))  # safe: each part is moved into its place


def moved_in_place(move):
    model = Net().to(device)
    for batch in train_loader:
        move(batch, device)
        print(model(batch[0]))  # safe: the function may move the parts


def moved_back():
    model = Net().to(device)
    model.cpu()
    for images, _ in train_loader:
        print(model(images))  # safe: the model is on the CPU again


def on_the_cpu():
    place = torch.device("cpu")
    model = Net().to(place)
    for images, _ in train_loader:
        print(model(images))  # safe: all is on the CPU


def to_a_type():
    model = Net().to(torch.float64)
    for images, _ in train_loader:
        print(model(images.double()))  # safe: only the type changes


def all_at_once():
    x, y = torch.randn(8, 784, device=device), torch.zeros(8).long().to(device)
    model = Net().to(device)
    for images, labels in DataLoader(TensorDataset(x, y), batch_size=4):
        F.cross_entropy(model(images), labels).backward()  # safe: the tensors of the data set are there


def collated():
    model = Net().to(device)
    for images, labels in DataLoader(digits, collate_fn=to_device):
        F.cross_entropy(model(images), labels).backward()  # safe: collate_fn may move them


def given(loader):
    model = Net().to(device)
    for images, labels in loader:
        F.cross_entropy(model(images), labels).backward()  # safe: the loader may be anything


if __name__ == "__main__":
    main()
    Trainer(train_loader).train()
    Validator(Net(), DataLoader(digits, batch_size=8), {"device": "cuda"}).validate()
