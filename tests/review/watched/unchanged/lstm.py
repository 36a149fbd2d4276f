import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(20, 8, padding_idx=0)
        self.lstm = nn.LSTM(8, 12, num_layers=2, dropout=0.2, batch_first=True)
        self.head = nn.Linear(12, 2)

    def forward(self, words, lengths):
        packed = pack_padded_sequence(self.embedding(words), lengths, batch_first=True, enforce_sorted=False)
        _, (hidden, _) = self.lstm(packed)
        return self.head(hidden[-1])


torch.manual_seed(0)
model = Reader()
optimizer = torch.optim.RMSprop(model.parameters(), lr=0.005)
for step in range(12):
    lengths = torch.randint(2, 7, (16,))
    words = torch.randint(1, 20, (16, 6)) * (torch.arange(6)[None] < lengths[:, None])
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(words, lengths), (words[:, 0] > 10).long())
    loss.backward()
    nn.utils.clip_grad_value_(model.parameters(), 0.5)
    optimizer.step()
    print(step, loss.item())
