import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader

PAD = 0


def collate(batch):
    words, tags = zip(*batch, strict=True)
    words = pad_sequence(words, batch_first=True, padding_value=PAD)
    tags = pad_sequence(tags, batch_first=True, padding_value=PAD)
    return words, tags


def collate_ignored(batch):
    words, tags = zip(*batch, strict=True)
    lengths = torch.tensor([len(w) for w in words])
    return pad_sequence(words, batch_first=True), pad_sequence(tags, padding_value=-100), lengths


def flat(data, model):
    loader = DataLoader(data, batch_size=16, shuffle=True, collate_fn=collate)
    criterion = nn.CrossEntropyLoss()
    for step, (words, tags) in enumerate(loader):
        scores = model(words)
        loss = criterion(scores.reshape(-1, scores.size(-1)), tags.reshape(-1))  # TS312
        print(step, loss.item())


class Trainer:
    def __init__(self, model, data):
        self.model = model
        self.loader = DataLoader(data, batch_size=16, collate_fn=collate)

    def loss(self, words, tags):
        scores = self.model(words)
        return F.cross_entropy(scores.transpose(1, 2), tags[:, 1:])  # TS312

    def losses(self):
        for words, tags in self.loader:
            print(self.loss(words, tags))


def right(data, model):
    told = nn.CrossEntropyLoss(ignore_index=PAD)
    each = nn.CrossEntropyLoss(reduction="none")
    plain = nn.CrossEntropyLoss()
    for words, tags in DataLoader(data, collate_fn=collate):
        scores = model(words).flatten(0, 1)
        loss = told(scores, tags.flatten())  # safe: told what fills up
        every = each(scores, tags.flatten())  # safe: a mask may follow
        print(loss, (every * (tags.flatten() != PAD)).mean())
    for words, tags, _ in DataLoader(data, collate_fn=collate_ignored):
        print(plain(model(words).flatten(0, 1), tags.flatten()))  # safe: -100 is ignored
    for words, labels in DataLoader(data):
        print(plain(model(words), labels))  # safe: nothing is filled up


def masked(data, model):
    plain = nn.CrossEntropyLoss()
    for words, tags in DataLoader(data, collate_fn=collate):
        real = tags != PAD
        print(plain(model(words)[real], tags[real]))  # safe: only the real steps
