import numpy
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split
from skorch import NeuralNetClassifier
from skorch.callbacks import Checkpoint, EarlyStopping, EpochScoring, LRScheduler
from torch import nn


class Net(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.hidden = nn.Linear(64, width)
        self.drop = nn.Dropout(0.1)
        self.head = nn.Linear(width, 10)

    def forward(self, images):
        return self.head(self.drop(self.hidden(images).relu()))


torch.manual_seed(0)
numpy.random.seed(0)
images, labels = load_digits(return_X_y=True)
images, _, labels, _ = train_test_split(
    (images / 16).astype("float32"), labels.astype("int64"), train_size=500, stratify=labels, random_state=0
)
images, held, labels, wanted = train_test_split(
    images, labels, test_size=100, stratify=labels, random_state=0
)
settings = {
    "criterion": nn.CrossEntropyLoss,
    "optimizer": torch.optim.Adam,
    "lr": 0.01,
    "batch_size": 32,
    "iterator_train__shuffle": True,
    "verbose": 0,
}
net = NeuralNetClassifier(
    Net,
    max_epochs=5,
    callbacks=[
        EarlyStopping(patience=3),
        EpochScoring("accuracy", on_train=True, name="train_acc", lower_is_better=False),
        LRScheduler("CosineAnnealingLR", T_max=5),
        Checkpoint(dirname="kept", load_best=True),
    ],
    **settings,
)
net.fit(images, labels)
print([(row["train_loss"], row["valid_loss"], row["valid_acc"]) for row in net.history])
print(net.score(held, wanted), net.predict_proba(held[:1]).argmax())
search = GridSearchCV(
    NeuralNetClassifier(Net, max_epochs=2, train_split=None, **settings), {"module__width": [8, 16]}, cv=2
)
search.fit(images, labels)
print(search.best_params_, search.cv_results_["mean_test_score"].tolist())
module = net.module_
del net, search
