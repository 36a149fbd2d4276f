import torch
from sklearn.datasets import load_digits
from skorch import NeuralNetClassifier
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(64, 32)
        self.head = nn.Linear(32, 10)

    def forward(self, images):
        return self.head(self.hidden(images).relu())  # skorch takes the logarithm of what should be chances


torch.manual_seed(0)
images, labels = load_digits(return_X_y=True)
net = NeuralNetClassifier(Net, lr=0.01, batch_size=32, max_epochs=2, verbose=0, iterator_train__shuffle=True)
net.fit((images[:400] / 16).astype("float32"), labels[:400].astype("int64"))  # TS601
