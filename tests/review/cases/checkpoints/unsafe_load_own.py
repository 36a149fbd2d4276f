import torch


def cached(path, build):
    try:
        return torch.load(path, weights_only=False)  # safe: what this file has written
    except FileNotFoundError:
        table = build()
        torch.save(table, path)
        return table
