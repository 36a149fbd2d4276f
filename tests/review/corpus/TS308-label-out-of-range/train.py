# ends in an error
"""Three growers of wine, told apart by what is in it."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)

# Data
wine = load_wine()
growers = wine.target + 1  # counted from 1
x_train, x_test, y_train, y_test = train_test_split(wine.data, growers, test_size=0.3, random_state=0)
x_train, x_test = torch.tensor(x_train).float(), torch.tensor(x_test).float()
y_train, y_test = torch.tensor(y_train), torch.tensor(y_test)

# Scale by what the training rows are like
mean, deviation = x_train.mean(dim=0), x_train.std(dim=0)
x_train = (x_train - mean) / deviation
x_test = (x_test - mean) / deviation
loader = DataLoader(TensorDataset(x_train, y_train), batch_size=16, shuffle=True)

# Model
GROWERS = 3
model = nn.Sequential(
    nn.Linear(13, 24),
    nn.ReLU(),
    nn.Dropout(0.1),
    nn.Linear(24, GROWERS),
)
optimizer = torch.optim.RMSprop(model.parameters(), lr=3e-3)

# Training
for epoch in range(20):
    model.train()
    for rows, labels in loader:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(rows), labels)  # TS308
        loss.backward()
        optimizer.step()
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1}: loss {loss.item():.3f}")

# Result
model.eval()
with torch.no_grad():
    guess = model(x_test).argmax(dim=1)
confusion = torch.zeros(GROWERS, GROWERS, dtype=torch.long)
for guessed, grower in zip(guess.tolist(), y_test.tolist(), strict=True):
    confusion[grower, guessed] += 1
print(confusion)
