import torchvision.transforms as T
from torchvision import transforms
from torchvision.transforms import Compose, Lambda, Normalize, RandomErasing, ToTensor

STEPS = [
    transforms.RandomCrop(32, padding=4),
    transforms.RandomErasing(),  # TS415
    transforms.ToTensor(),
]
train = transforms.Compose(STEPS)
flat = Compose([Normalize([0.5], [0.5]), ToTensor()])  # TS415


def twice():
    return T.Compose(
        [
            T.ToTensor(),
            T.Resize(32),
            T.ToTensor(),  # TS415
        ]
    )


class Pictures:
    def __init__(self):
        self.transform = Compose(
            [
                ToTensor(),
                Normalize(mean=[123.7, 116.3, 103.5], std=[58.4, 57.1, 57.4]),  # TS415
            ]
        )
        self.divided = Compose([ToTensor(), Lambda(lambda x: x.div(255))])  # TS415


back = Compose(
    [
        ToTensor(),
        Lambda(lambda x: x.mul(255)),
        Normalize([123.7, 116.3, 103.5], [1, 1, 1]),  # safe: scaled back to 0 to 255
    ]
)
erase = Compose([ToTensor(), Normalize([0.5], [0.5]), RandomErasing()])  # safe: after the tensor
custom = Compose([STEPS[0], Normalize([0.5], [0.5])])  # safe: no ToTensor, perhaps a tensor is given
own = Compose(
    [lambda x: x, Normalize([0.5], [0.5]), T.ToPILImage(), ToTensor()]
)  # safe: what it gets is unknown
picture = Compose([ToTensor(), T.ToPILImage(), ToTensor()])  # safe: a picture again
half = Compose([ToTensor(), Lambda(lambda x: x * 2 - 1)])  # safe: to -1 to 1
