import torch
from torch import nn


class Missing(nn.Module):
    def __init__(self, width):
        self.width = width
        self.linear = nn.Linear(width, 2)  # TS513


class Late(nn.Module):
    def __init__(self):
        self.weight = nn.Parameter(torch.zeros(2))  # TS513
        super(Late, self).__init__()


class Misspelt(nn.Module):
    def __int__(self):  # TS513
        super().__init__()
        self.linear = nn.Linear(2, 2)


class Base(nn.Module):
    def __init__(self):
        nn.Module.__init__(self)
        self.linear = nn.Linear(2, 2)  # safe


class Child(Base):
    def __init__(self):
        super().__init__()
        self.more = nn.Linear(2, 2)  # safe


class PlainFirst(nn.Module):
    def __init__(self):
        self.size = 3  # safe: a number may come first
        super().__init__()
        self.linear = nn.Linear(2, 2)


class NotAModule:
    def __init__(self):
        self.linear = nn.Linear(2, 2)  # safe: no module


class OneMore(nn.Module):
    def ___init___(self):  # TS513
        super().___init___()
        self.linear = nn.ModuleList()
