import io
import sys

import torch
from torch import load as read


def fetch(path):
    return torch.load(path, map_location="cpu", weights_only=False)  # TS801


def main():
    return read(sys.argv[1], weights_only=False)  # TS801


def plain(path, data, weights_only):
    first = torch.load(path)  # safe: tensors only is the default
    second = torch.load(io.BytesIO(data), weights_only=True)  # safe
    third = torch.load(path, weights_only=weights_only)  # safe: the caller chooses
    return first, second, third


class Store:
    def load(self, path, weights_only):
        return path, weights_only


Store().load("a", weights_only=False)  # safe: not torch's
