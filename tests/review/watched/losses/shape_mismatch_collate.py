import torch
from torch.utils.data import DataLoader, Dataset


class Sentences(Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, index):
        return torch.zeros(index + 1)


for batch in DataLoader(Sentences(), batch_size=4):  # TS316
    print(batch.shape)
