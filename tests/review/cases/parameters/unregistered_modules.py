import torch.nn as nn


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x):
        return self.linear(x)


class Lists(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.blocks = [Block() for _ in range(n)]  # TS501
        self.heads = []  # TS501
        for _ in range(n):
            self.heads.append(nn.Linear(4, 2))
        self.named = {"a": nn.Linear(4, 4), "b": nn.Linear(4, 4)}  # TS501

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return [head(self.named["a"](x)) for head in self.heads]


class Right(nn.Module):
    def __init__(self, teacher, n):
        super().__init__()
        self.blocks = nn.ModuleList([Block() for _ in range(n)])  # safe
        layers = [nn.Linear(4, 4) for _ in range(n)]
        self.body = nn.Sequential(*layers)  # safe
        self.teacher = [teacher]  # safe: hidden on purpose
        self.activations = [nn.ReLU(), nn.Tanh()]  # safe: nothing to train
        self.parts = [nn.Linear(4, 4)]  # safe: registered below
        self.all = nn.ModuleList(self.parts)

    def forward(self, x):
        return self.activations[0](self.body(x)) + self.teacher[0](x) + self.parts[0](x)


class ByHand(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.layers = [nn.Linear(4, 4) for _ in range(n)]  # safe: registered by add_module
        for i, layer in enumerate(self.layers):
            self.add_module(f"layer{i}", layer)

    def forward(self, x):
        return self.layers[0](x)


class NotAModule:
    def __init__(self):
        self.models = [nn.Linear(4, 4) for _ in range(3)]  # safe: no module

    def __call__(self, x):
        return [model(x) for model in self.models]


class LocalList(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        layers = []
        for a, b in zip(sizes[:-1], sizes[1:], strict=True):
            layers.append(nn.Linear(a, b))
            layers.append(nn.Dropout(0.2))
        self.layers = layers  # TS501
        shown = [nn.Linear(4, 4)]
        self.shown = shown  # safe: in a Sequential too
        self.body = nn.Sequential(*shown)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.body(x) + self.shown[0](x)


class OneOfMany(nn.Module):
    def __init__(self, name):
        super().__init__()
        self.known = {"small": nn.Linear(4, 4), "large": nn.Linear(4, 4)}  # safe: one is chosen below
        self.backbone = self.choose(name)

    def choose(self, name):
        try:
            model = self.known[name]
        except KeyError:
            raise ValueError(name)
        else:
            return model

    def forward(self, x):
        return self.backbone(x)


class OnlyShown(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = [nn.Linear(4, 4)]  # safe: it has no `forward`, and nobody inherits from it

    def count(self):
        return len(self.layers)
