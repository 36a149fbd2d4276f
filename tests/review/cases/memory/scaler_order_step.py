import torch


def train(model, loader, criterion):
    optimizer = torch.optim.Adam(model.parameters())
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = criterion(model(x), y)
        scaler.scale(loss).backward()
        optimizer.step()  # TS709


def never_updated(model, loader, criterion):
    optimizer = torch.optim.Adam(model.parameters())
    other = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        other.scale(criterion(model(x), y)).backward()
        other.step(optimizer)  # TS709
