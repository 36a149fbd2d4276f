from torch.utils.data import DataLoader
from torch.utils.data.sampler import SubsetRandomSampler
from torchvision import datasets, transforms

# augment train and validation dataset with RandomHorizontalFlip and RandomRotation
transform = transforms.Compose(
    [transforms.RandomHorizontalFlip(), transforms.RandomRotation(10), transforms.ToTensor()]
)
train_data = datasets.CIFAR10("data", train=True, transform=transform)
train_loader = DataLoader(train_data, batch_size=20, sampler=SubsetRandomSampler(range(40000)))
valid_loader = DataLoader(train_data, sampler=SubsetRandomSampler(range(40000, 50000)))  # safe: it says so
