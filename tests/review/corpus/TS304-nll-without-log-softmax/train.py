"""From which language is a word? Reads it letter by letter."""

import random

import torch
from torch import nn

WORDS = {
    "german": "schatten strasse zwischen fenster nachricht wirklich schule bruecke kirche zeitung garten "
    "wolke freund gestern morgen abend schnell langsam immer niemals",
    "italian": "finestra giornale amico domani ieri sempre bambino piazza chiesa strada giardino nuvola "
    "ombra scuola ponte notizia veloce lento sera mattina",
    "finnish": "ikkuna sanomalehti ystava huomenna eilen aina lapsi tori kirkko katu puutarha pilvi "
    "varjo koulu silta uutinen nopea hidas ilta aamu",
}
LANGUAGES = list(WORDS)
LETTERS = "abcdefghijklmnopqrstuvwxyz"
HIDDEN = 32


def to_tensor(word):
    """One row of a one-hot code for each letter."""
    rows = torch.zeros(len(word), 1, len(LETTERS))
    for place, letter in enumerate(word):
        rows[place, 0, LETTERS.index(letter)] = 1
    return rows


class Reader(nn.Module):
    def __init__(self, inputs, hidden, outputs):
        super().__init__()
        self.hidden = hidden
        self.update = nn.Linear(inputs + hidden, hidden)
        self.output = nn.Linear(hidden, outputs)
        self.softmax = nn.Softmax(dim=1)

    def forward(self, word):
        state = torch.zeros(1, self.hidden)
        for letter in word:
            state = torch.tanh(self.update(torch.cat([letter, state], dim=1)))
        return self.softmax(self.output(state))


def learn(reader, criterion, optimizer, word, language):
    optimizer.zero_grad()
    guess = reader(to_tensor(word))
    loss = criterion(guess, torch.tensor([LANGUAGES.index(language)]))  # TS304
    loss.backward()
    optimizer.step()
    return loss.item()


def main():
    random.seed(0)
    torch.manual_seed(0)
    pairs = [(word, language) for language, words in WORDS.items() for word in words.split()]
    random.shuffle(pairs)
    known, unknown = pairs[:48], pairs[48:]
    reader = Reader(len(LETTERS), HIDDEN, len(LANGUAGES))
    criterion = nn.NLLLoss()
    optimizer = torch.optim.SGD(reader.parameters(), lr=0.05)
    for epoch in range(15):
        random.shuffle(known)
        total = sum(learn(reader, criterion, optimizer, word, language) for word, language in known)
        if epoch % 5 == 4:
            print(f"epoch {epoch} loss {total / len(known):.3f}")
    reader.eval()
    with torch.no_grad():
        for word, language in unknown:
            print(f"{word}: {LANGUAGES[reader(to_tensor(word)).argmax().item()]} ({language})")


if __name__ == "__main__":
    main()
