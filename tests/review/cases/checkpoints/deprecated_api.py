import functorch
import torch
import torchvision.models as zoo
from functorch import vmap
from torch import nn
from torch.cuda.amp import GradScaler, autocast
from torchvision.transforms import v2


def numbers(x):
    a, b = torch.qr(x)  # TS807
    n = torch.norm(x)  # TS807
    m = x.norm()  # safe: the method stays
    r = torch.range(0, 3)  # TS807
    return a, b, n, m, list(range(3)), r


def training(model, x):
    scaler = GradScaler()  # TS807
    with autocast():  # TS807
        y = model(x)
    with torch.autocast("cuda"):  # safe
        y = y + model(x)
    return scaler, y


def mapped(f):
    return vmap(f), functorch.grad(f)  # TS807


def zoo_models(net, create_model):
    a = zoo.resnet18(pretrained=True)  # TS807
    b = zoo.resnet18(weights=None)  # safe
    a = [a, zoo.resnet18(True)]  # TS807
    a = [a, zoo.resnet18(None)]  # safe
    c = create_model("vit", pretrained=True)  # safe: not torchvision's
    nn.init.xavier_uniform(net.weight)  # TS807
    return a, b, c, v2.Compose([v2.ToTensor()])  # TS807


def guarded(x):
    if hasattr(torch, "linalg"):
        return torch.linalg.norm(x)  # safe
    try:
        return torch.svd(x)  # safe: falls back
    except AttributeError:
        return None


class Matrix:
    def qr(self):
        return self

    def twice(self):
        return self.qr().qr()  # safe: its own method
