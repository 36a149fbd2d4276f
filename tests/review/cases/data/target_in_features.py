import numpy as np
import pandas as pd
import polars as pl
import torch
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import LabelEncoder, StandardScaler
from torch import nn
from torch.utils.data import Dataset, TensorDataset


def whole_table():
    df = pd.read_csv("churn.csv")
    y = df["churn"].values
    X = df.values  # TS411
    return TensorDataset(torch.tensor(X), torch.tensor(y))


def listed():
    df = pd.read_csv("iris.csv")
    features = ["sepal", "petal", "species"]
    y = LabelEncoder().fit_transform(df["species"])
    X_train, X_test, y_train, y_test = train_test_split(df[features].values, y, test_size=0.2)  # TS411
    scaler = StandardScaler()
    X_train = scaler.fit_transform(X_train)
    return TensorDataset(torch.from_numpy(X_train), torch.from_numpy(y_train))


def by_place():
    table = np.genfromtxt("pima.csv", delimiter=",")
    X = table[:, 0:9]  # TS411
    y = table[:, 8]
    X, y = torch.tensor(X, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)
    model = nn.Linear(9, 1)
    output = model(X)
    return nn.functional.mse_loss(output, y.view(-1, 1))


class Rows(Dataset):
    def __init__(self, path):
        df = pd.read_csv(path).dropna()
        self.X = torch.tensor(df.values, dtype=torch.float32)  # TS411
        self.y = torch.tensor(df["label"].values)

    def __len__(self):
        return len(self.X)

    def __getitem__(self, index):
        return self.X[index], self.y[index]


class OneRow(Dataset):
    def __init__(self, table):
        self.table = table

    def __len__(self):
        return len(self.table)

    def __getitem__(self, index):
        row = self.table.iloc[index]
        return torch.tensor(row.values), row["label"]  # TS411


def load(path):
    df = pd.read_csv(path)
    X = df.drop("id", axis=1)  # TS411
    y = df["price"]
    return X.to_numpy(), y.to_numpy()


def from_function():
    X, y = load("houses.csv")
    return TensorDataset(torch.tensor(X), torch.tensor(y))


class Given(Dataset):
    def __init__(self, X, y):
        self.X, self.y = torch.from_numpy(X), torch.from_numpy(y)

    def __len__(self):
        return len(self.X)

    def __getitem__(self, index):
        return self.X[index], self.y[index]


def give():
    df = pd.read_excel("wine.xlsx")
    good = (df["quality"] > 6).astype(int)
    return Given(df.iloc[:, :].values, good.values)  # TS411


def after_the_split():
    df = pd.read_csv("houses.csv")
    X = df.drop("id", axis=1)  # TS411
    X_train, X_test, y_train, y_test = train_test_split(X, df["price"], test_size=0.2, random_state=1)
    inputs, targets = torch.tensor(X_train.values), torch.tensor(y_train.values).view(-1, 1)
    model = nn.Linear(8, 1)
    criterion = nn.MSELoss()
    return criterion(model(inputs), targets)


def by_polars():
    df = pl.read_csv("houses.csv")
    X = df.select(["size", "rooms", "price"]).to_numpy()  # TS411
    return TensorDataset(torch.tensor(X), torch.tensor(df["price"].to_numpy()))


def put_in_later():
    flowers = load_iris()
    df = pd.DataFrame(flowers.data, columns=flowers.feature_names)
    X = df.values  # safe: the target is put into the table after this
    df["kind"] = flowers.target
    return TensorDataset(torch.tensor(X), torch.tensor(df["kind"].values))


def dropped():
    df = pd.read_csv("churn.csv")
    y = df["churn"].values
    X = df.drop(columns=["id", "churn"]).values  # safe: left out
    return TensorDataset(torch.tensor(X), torch.tensor(y))


def popped():
    df = pd.read_csv("churn.csv")
    y = df.pop("churn").values
    return TensorDataset(torch.tensor(df.values), torch.tensor(y))  # safe: taken out


def deleted():
    df = pd.read_csv("churn.csv")
    y = df["churn"].values
    del df["churn"]
    return TensorDataset(torch.tensor(df.values), torch.tensor(y))  # safe: taken out


def dropped_in_place():
    df = pd.read_csv("churn.csv")
    y = df["churn"].values
    df.drop("churn", axis=1, inplace=True)
    return TensorDataset(torch.tensor(df.values), torch.tensor(y))  # safe: taken out


def bound_again():
    df = pd.read_csv("churn.csv")
    y = df["churn"].values
    df = df.drop(columns="churn")
    return TensorDataset(torch.tensor(df.values), torch.tensor(y))  # safe: another table


def chosen_by_test():
    df = pd.read_csv("churn.csv")
    columns = [name for name in df.columns if name != "churn"]
    X = df[columns].values  # safe: what is listed cannot be seen
    return TensorDataset(torch.tensor(X), torch.tensor(df["churn"].values))


def removed_from_list():
    df = pd.read_csv("churn.csv")
    columns = ["age", "income", "churn"]
    columns.remove("churn")
    X = df[columns].values  # safe: the list is changed
    return TensorDataset(torch.tensor(X), torch.tensor(df["churn"].values))


def autoencoder():
    X = torch.tensor(pd.read_csv("sensors.csv").values)
    return TensorDataset(X, X)  # safe: the inputs are the targets


def later():
    df = pd.read_csv("prices.csv")
    y = df["close"].shift(-1).values
    X = df.values  # safe: the next day's price
    return TensorDataset(torch.tensor(X[:-1]), torch.tensor(y[:-1]))


def next_row():
    df = pd.read_csv("prices.csv")
    X = df.values[:-1]  # safe: the row before
    y = df["close"].values[1:]
    return TensorDataset(torch.tensor(X), torch.tensor(y))


class Windows(Dataset):
    def __init__(self, path, width):
        df = pd.read_csv(path)
        self.X, self.y, self.width = torch.tensor(df.values), torch.tensor(df["close"].values), width

    def __len__(self):
        return len(self.X) - self.width

    def __getitem__(self, index):
        return self.X[index : index + self.width], self.y[index + self.width]  # safe: the past


def windows(values, targets, width):
    X, y = [], []
    for i in range(len(values) - width):
        X.append(values[i : i + width])
        y.append(targets[i + width])
    return np.array(X), np.array(y)


def forecast():
    df = pd.read_csv("prices.csv")
    X, y = windows(df.values, df["close"].values, 20)  # safe: the past
    return TensorDataset(torch.tensor(X), torch.tensor(y))


def tokens(ids):
    data = torch.tensor(ids)
    return TensorDataset(data[:, :-1], data[:, 1:])  # safe: a language model


def split_whole_table():
    df = pd.read_csv("churn.csv")
    train, test, y_train, y_test = train_test_split(df, df["churn"], stratify=df["churn"])
    X = train.drop(columns="churn").values  # safe: left out after the split
    return TensorDataset(torch.tensor(X), torch.tensor(y_train.values))


def recall_the_first():
    data = torch.randint(0, 10, (100, 20))
    return TensorDataset(data, data[:, 0])  # safe: the task is to remember


def overwritten():
    df = pd.read_csv("churn.csv")
    y = df["churn"].values
    X = df.copy()
    X["churn"] = 0
    return TensorDataset(torch.tensor(X.values), torch.tensor(y))  # safe: overwritten


def hidden(prepare):
    df = pd.read_csv("churn.csv")
    y = df["churn"].values
    prepare(df)
    return TensorDataset(torch.tensor(df.values), torch.tensor(y))  # safe: may be taken out there
