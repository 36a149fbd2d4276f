from torch import nn

saved = {"linear.weight": nn.Linear(4, 8).weight, "bias": nn.Linear(4, 8).bias}
nn.Linear(4, 8).load_state_dict(saved)  # TS810
