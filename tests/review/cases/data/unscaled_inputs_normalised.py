"""Pictures that a later step divides."""

import torch
from torchvision.transforms import v2

of_bytes = v2.Compose(
    [
        v2.ToImage(),
        v2.ToDtype(torch.float32),  # safe: the next step is made for 0 to 254
        v2.Normalize([127.0], [127.0]),
    ]
)
of_ones = v2.Compose(
    [
        v2.ToImage(),
        v2.ToDtype(torch.float32),  # TS407
        v2.Normalize([0.5], [0.5]),
    ]
)
by_code = v2.Compose(
    [
        v2.ToImage(),
        v2.ToDtype(torch.float32),  # safe: the next step may divide
        v2.Lambda(lambda picture: picture / picture.max()),
    ]
)
