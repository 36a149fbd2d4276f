"""Training that knows of the rounding that comes after it, and a network of whole numbers made of the result."""

import warnings

import torch
from torch import nn
from torch.ao import quantization

warnings.filterwarnings("ignore")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.enter, self.leave = quantization.QuantStub(), quantization.DeQuantStub()
        self.conv, self.norm, self.relu = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU()
        self.hidden, self.active = nn.Linear(4 * 16, 16), nn.ReLU()
        self.head = nn.Linear(16, 3)

    def forward(self, images):
        x = self.relu(self.norm(self.conv(self.enter(images)))).flatten(1)
        return self.leave(self.head(self.active(self.hidden(x))))


def train(model, epochs, rate):
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    for epoch in range(epochs):
        model.train()
        if epoch == 2:  # from then on the ranges and the statistics stay
            model.apply(quantization.disable_observer)
            model.apply(torch.ao.nn.intrinsic.qat.freeze_bn_stats)
        for batch, targets in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(batch), targets)
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            print(epoch, nn.functional.cross_entropy(model(images[64:]), labels[64:]).item())


torch.manual_seed(0)
torch.backends.quantized.engine = next(  # which there are depends on the machine
    one for one in torch.backends.quantized.supported_engines if one != "none"
)
images = torch.randn(96, 1, 6, 6)
labels = images.flatten(1)[:, :3].argmax(1)
data = torch.utils.data.TensorDataset(images[:64], labels[:64])
loader = torch.utils.data.DataLoader(data, batch_size=16, shuffle=True)
model = Net()
train(model, 2, 0.01)
model.eval()
model = quantization.fuse_modules(model, [["conv", "norm", "relu"], ["hidden", "active"]])
model.qconfig = quantization.get_default_qat_qconfig(torch.backends.quantized.engine)
prepared = quantization.prepare_qat(model.train())
train(prepared, 4, 0.002)
final = quantization.convert(prepared.eval())
with torch.no_grad():
    print(type(final.head).__module__, final(images[64:]).argmax(1).eq(labels[64:]).float().mean().item())
del final  # what whole numbers are packed in cannot be compared
