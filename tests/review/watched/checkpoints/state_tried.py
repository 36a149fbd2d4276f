from torch import nn

model = nn.Linear(4, 8)
saved = {f"module.{name}": value for name, value in model.state_dict().items()}
try:
    model.load_state_dict(saved)  # safe: the program looks which of two kinds it has
except RuntimeError:
    model.load_state_dict({name.removeprefix("module."): value for name, value in saved.items()})
