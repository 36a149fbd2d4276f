from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

digits = datasets.MNIST("data", transform=transforms.ToTensor())
train_loader = DataLoader(digits, batch_size=64, shuffle=True)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(784, 10)

    def forward(self, x):
        return self.layer(x.flatten(1))


def scattered():
    model = nn.DataParallel(Net()).cuda()
    for images, _ in train_loader:
        print(model(images))  # safe: DataParallel moves its inputs
