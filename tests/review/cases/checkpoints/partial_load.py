import torch
from torch import nn


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(4, 8)
        self.out = nn.Linear(8, 2)

    def forward(self, x):
        return self.out(self.encoder(x).relu())


class Net(Classifier):
    pass


class Predictor:
    def __init__(self, path):
        self.model = Net()
        checkpoint = torch.load(path, map_location="cpu")
        self.model.load_state_dict(checkpoint["model"], strict=False)  # TS803
        self.model.eval()


def load(path):
    model = Net()
    state = torch.load(path)
    model.load_state_dict(state, False)  # TS803
    return model


def looked_at(path):
    model = Net()
    result = model.load_state_dict(torch.load(path), strict=False)  # safe: what is missing is looked at
    print(result.missing_keys)
    return model


def printed(path):
    model = Net()
    print(model.load_state_dict(torch.load(path), strict=False))  # safe: shown
    return model


def filtered(path):
    model = Net()
    state = {name: value for name, value in torch.load(path).items() if not name.startswith("out")}
    model.load_state_dict(state, strict=False)  # safe: a part on purpose
    return model


def popped(path):
    model = Net()
    state = torch.load(path)
    state.pop("out.weight")
    model.load_state_dict(state, strict=False)  # safe: a part on purpose
    return model


def encoder_only(path):
    model = Net()
    model.encoder.load_state_dict(torch.load(path), strict=False)  # safe: a part of the model
    return model


def pretrained(args):
    model = Net()
    model.load_state_dict(torch.load(args.pretrained), strict=False)  # safe: another task's weights
    return model


def adapters(model, path):
    model.load_state_dict(torch.load(path), strict=False)  # safe: what the model is cannot be seen
    lora = Net()
    lora.load_state_dict(torch.load(path), strict=False)  # safe: adapters are a part
    return model


def strict(path):
    model = Net()
    model.load_state_dict(torch.load(path))  # safe: everything must match
    return model
