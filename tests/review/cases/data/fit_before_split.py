import numpy as np
import pandas as pd
import torch
from sklearn import preprocessing
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import LabelEncoder, MinMaxScaler, Normalizer, StandardScaler
from torch.utils.data import Dataset, TensorDataset, random_split


def series(path):
    values = pd.read_csv(path)["close"].values.reshape(-1, 1)
    scaler = MinMaxScaler(feature_range=(-1, 1))
    scaled = scaler.fit_transform(values)  # TS402
    size = int(len(scaled) * 0.8)
    train, test = scaled[:size], scaled[size:]
    return train, test


def columns(path):
    df = pd.read_csv(path)
    scaler = preprocessing.StandardScaler()
    df[["age", "income"]] = scaler.fit_transform(df[["age", "income"]])  # TS402
    df["city"] = LabelEncoder().fit_transform(df["city"])  # safe: names of classes, no statistics
    X, y = df.drop(columns="target").values, df["target"].values
    return train_test_split(torch.tensor(X), torch.tensor(y), test_size=0.2)


def fit_then_transform(X, y):
    scaler = StandardScaler()
    scaler.fit(X)  # TS402
    X = scaler.transform(X)
    data = TensorDataset(torch.from_numpy(X), torch.from_numpy(y))
    return random_split(data, [0.8, 0.2])


def by_hand(path):
    X = np.load(path)
    mean, std = X.mean(axis=0), X.std(axis=0)
    X = (X - mean) / std  # TS402
    return train_test_split(X)


def by_hand_in_two(path):
    X = np.load(path)
    mean = X.mean(axis=0)
    X = (X - mean) / X.std(axis=0)  # TS402
    return train_test_split(X)


def texts(texts, labels):
    vectors = TfidfVectorizer().fit_transform(texts)  # TS402
    return train_test_split(vectors.toarray(), labels)


class Table(Dataset):
    def __init__(self, path):
        table = pd.read_csv(path).values
        self.X = torch.tensor(StandardScaler().fit_transform(table[:, :-1]))  # TS402
        self.y = torch.tensor(table[:, -1])

    def __len__(self):
        return len(self.X)

    def __getitem__(self, index):
        return self.X[index], self.y[index]


def from_class(path):
    data = Table(path)
    return random_split(data, [80, 20])


def load(path):
    return PCA(10).fit_transform(np.load(path))  # TS402


def main(path, y):
    return train_test_split(load(path), y)


def train_rows_only(X, y):
    X_train, X_test, y_train, y_test = train_test_split(X, y)
    scaler = StandardScaler()
    X_train = scaler.fit_transform(X_train)  # safe: training rows
    return X_train, scaler.transform(X_test), y_train, y_test


def by_index(X, y, rows):
    scaler = StandardScaler().fit(X[rows])
    X = scaler.transform(X)  # safe: fitted on chosen rows
    return train_test_split(X, y)


def each_row(path):
    X = np.load(path)
    X = (X - X.mean(axis=1)) / X.std(axis=1)  # safe: every row by itself
    return train_test_split(X)


def stateless(X, y):
    X = Normalizer().fit_transform(X)  # safe: learns nothing
    return train_test_split(X, y)


def targets(X, names):
    y = LabelEncoder().fit_transform(names)  # safe: names of classes
    return train_test_split(X, y)


def only_one(X):
    X = StandardScaler().fit_transform(X)  # safe: nothing is split
    return torch.tensor(X)
