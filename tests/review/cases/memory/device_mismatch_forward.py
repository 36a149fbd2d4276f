import torch
from torch import nn

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")


class Recurrent(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.size = size
        self.lstm = nn.LSTM(8, size, batch_first=True)
        self.head = nn.Linear(size, 2)

    def forward(self, x):
        h0 = torch.zeros(1, x.size(0), self.size)  # TS708
        c0 = torch.zeros(1, x.size(0), self.size)
        out, _ = self.lstm(x, (h0, c0))
        return self.head(out[:, -1])


class Moved(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.size = size
        self.gru = nn.GRU(8, size)

    def forward(self, x):
        h0 = torch.zeros(1, x.size(1), self.size).to(x.device)
        return self.gru(x, h0)  # safe: moved to the inputs


class Asked(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.size = size
        self.gru = nn.GRU(8, size)

    def forward(self, x):
        h0 = torch.zeros(1, x.size(1), self.size)
        if x.is_cuda:
            h0 = h0.cuda()
        return self.gru(x, h0)  # safe: moved where there is a GPU


class Text(nn.Module):
    def __init__(self):
        super().__init__()
        self.word = nn.Embedding(100, 8)
        self.place = nn.Embedding(64, 8)

    def forward(self, tokens):
        places = torch.arange(tokens.size(1))  # TS708
        return self.word(tokens) + self.place(places)


class OnTheCpu(nn.Module):
    def __init__(self):
        super().__init__()
        self.place = nn.Embedding(64, 8)

    def forward(self, tokens):
        return self.place(torch.arange(tokens.size(1)))  # safe: never moved


class Made(nn.Module):
    def __init__(self):
        super().__init__()
        self.place = nn.Embedding(64, 8)

    def forward(self, tokens):
        return self.place(torch.arange(tokens.size(1), device=tokens.device))  # safe: made there


recurrent = Recurrent(16).to(device)
moved = Moved(16).to(device)
asked = Asked(16).to(device)
text = Text()
text.cuda()
alone = OnTheCpu()
made = Made().to(device)
