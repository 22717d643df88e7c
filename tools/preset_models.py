"""The networks that become presets, and the library or paper each definition is taken from.

Definitions come from torchvision (BSD-3-Clause) and timm (Apache-2.0); U-Net, which neither has, is written out below
from its paper. Weights are never read: modules are built with random numbers and only their shapes matter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

TORCHVISION_VERSION = "0.28.0"
TIMM_VERSION = "1.0.20"
SOURCES = {
    "torchvision": f"torchvision {TORCHVISION_VERSION}",
    "timm": f"timm {TIMM_VERSION}",
    "paper": "layer by layer from the paper",
}
LICENCES = {"torchvision": "BSD-3-Clause", "timm": "Apache-2.0", "paper": "own definition"}


@dataclass(frozen=True)
class Entry:
    """One preset: its name in the product, where its definition is and what it was made for.

    ``definition`` is the network's name in the library, where it differs.
    """

    name: str
    title: str
    library: str
    paper: str
    resolution: int = 224
    input_channels: int = 3
    task: str = "classification"
    definition: str = ""


class UNet(nn.Module):
    """U-Net of Ronneberger, Fischer and Brox (2015), https://arxiv.org/abs/1505.04597, figure 1.

    With ``padding`` 0 it is the network of the paper (572 x 572 in, 388 x 388 out, skip connections cropped); with
    ``padding`` 1, as most implementations have it, the map keeps its size and the skip connections are cropped by at most
    the odd row or column that pooling dropped.
    """

    def __init__(self, input_channels: int, classes: int, padding: int) -> None:
        super().__init__()
        widths = [64, 128, 256, 512, 1024]
        inputs = [input_channels, *widths[:-1]]
        self.down = nn.ModuleList([_double(a, b, padding) for a, b in zip(inputs, widths, strict=True)])
        self.pool = nn.MaxPool2d(2)
        self.up = nn.ModuleList([nn.ConvTranspose2d(width, width // 2, 2, stride=2) for width in widths[:0:-1]])
        self.merge = nn.ModuleList([_double(width, width // 2, padding) for width in widths[:0:-1]])
        self.head = nn.Conv2d(widths[0], classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scores of each class, shape (batch, classes, height, width)."""
        skips = []
        for index, block in enumerate(self.down):
            x = block(x)
            if index < len(self.down) - 1:
                skips.append(x)
                x = self.pool(x)
        for up, merge, skip in zip(self.up, self.merge, reversed(skips), strict=True):
            x = up(x)
            x = merge(torch.cat([centre_crop(skip, x), x], dim=1))
        scores: torch.Tensor = self.head(x)
        return scores


def centre_crop(skip: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """The centre of ``skip``, as large as ``like``."""
    height, width = like.shape[2:]
    top, left = (skip.shape[2] - height) // 2, (skip.shape[3] - width) // 2
    return skip[:, :, top : top + height, left : left + width]


def _double(inputs: int, outputs: int, padding: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=padding), nn.ReLU(), nn.Conv2d(outputs, outputs, 3, padding=padding), nn.ReLU()
    )


def build(entry: Entry) -> nn.Module:
    """The network of an entry in inference mode, on the meta device."""
    return _BUILDERS[entry.library](entry).eval().to("meta")


def _from_torchvision(entry: Entry) -> nn.Module:
    import torchvision

    _check_version("torchvision", torchvision.__version__, TORCHVISION_VERSION)
    extra: dict[str, Any] = {"init_weights": False} if entry.name in ("googlenet", "inception_v3") else {}
    if entry.task == "segmentation":
        extra |= {"weights_backbone": None, "aux_loss": False} if "lraspp" not in entry.name else {"weights_backbone": None}
    model: nn.Module = torchvision.models.get_model(entry.name, weights=None, **extra)
    for head in ("aux1", "aux2", "AuxLogits"):
        if hasattr(model, head):
            setattr(model, head, None)  # auxiliary classifiers run in training only
    return model


def _from_timm(entry: Entry) -> nn.Module:
    import timm

    _check_version("timm", timm.__version__, TIMM_VERSION)
    model: nn.Module = timm.create_model(entry.definition or entry.name, pretrained=False)
    return model


def _from_paper(entry: Entry) -> nn.Module:
    return UNet(entry.input_channels, classes=2, padding=0 if entry.name == "unet" else 1)


def _check_version(library: str, found: str, wanted: str) -> None:
    if found.split("+", maxsplit=1)[0] != wanted:
        raise SystemExit(f"presets are made from {library} {wanted}, found {found}")


_BUILDERS: dict[str, Callable[[Entry], nn.Module]] = {
    "torchvision": _from_torchvision,
    "timm": _from_timm,
    "paper": _from_paper,
}

_ALEX = "Krizhevsky 2014, arXiv:1404.5997"
_VGG = "Simonyan and Zisserman 2014, arXiv:1409.1556"
_RESNET = "He et al. 2015, arXiv:1512.03385"
_DENSE = "Huang et al. 2016, arXiv:1608.06993"
_SQUEEZE = "Iandola et al. 2016, arXiv:1602.07360"
_MOBILE3 = "Howard et al. 2019, arXiv:1905.02244"
_SHUFFLE = "Ma et al. 2018, arXiv:1807.11164"
_EFFICIENT = "Tan and Le 2019, arXiv:1905.11946"
_EFFICIENT2 = "Tan and Le 2021, arXiv:2104.00298"
_MNAS = "Tan et al. 2018, arXiv:1807.11626"
_REGNET = "Radosavovic et al. 2020, arXiv:2003.13678"
_CONVNEXT = "Liu et al. 2022, arXiv:2201.03545"
_UNET = "Ronneberger et al. 2015, arXiv:1505.04597"
_YOLO3 = "Redmon and Farhadi 2018, arXiv:1804.02767"

ENTRIES: tuple[Entry, ...] = (
    Entry("alexnet", "AlexNet", "torchvision", _ALEX),
    Entry("vgg11", "VGG-11", "torchvision", _VGG),
    Entry("vgg13", "VGG-13", "torchvision", _VGG),
    Entry("vgg16", "VGG-16", "torchvision", _VGG),
    Entry("vgg19", "VGG-19", "torchvision", _VGG),
    Entry("googlenet", "GoogLeNet", "torchvision", "Szegedy et al. 2014, arXiv:1409.4842"),
    Entry("inception_v3", "Inception v3", "torchvision", "Szegedy et al. 2015, arXiv:1512.00567", 299),
    Entry("resnet18", "ResNet-18", "torchvision", _RESNET),
    Entry("resnet34", "ResNet-34", "torchvision", _RESNET),
    Entry("resnet50", "ResNet-50", "torchvision", _RESNET),
    Entry("resnet101", "ResNet-101", "torchvision", _RESNET),
    Entry("resnet152", "ResNet-152", "torchvision", _RESNET),
    Entry("resnext50_32x4d", "ResNeXt-50 32x4d", "torchvision", "Xie et al. 2016, arXiv:1611.05431"),
    Entry("wide_resnet50_2", "Wide ResNet-50-2", "torchvision", "Zagoruyko and Komodakis 2016, arXiv:1605.07146"),
    Entry("densenet121", "DenseNet-121", "torchvision", _DENSE),
    Entry("densenet169", "DenseNet-169", "torchvision", _DENSE),
    Entry("squeezenet1_0", "SqueezeNet 1.0", "torchvision", _SQUEEZE),
    Entry("squeezenet1_1", "SqueezeNet 1.1", "torchvision", _SQUEEZE),
    Entry("mobilenet_v1", "MobileNet V1", "timm", "Howard et al. 2017, arXiv:1704.04861", definition="mobilenetv1_100"),
    Entry("mobilenet_v2", "MobileNet V2", "torchvision", "Sandler et al. 2018, arXiv:1801.04381"),
    Entry("mobilenet_v3_large", "MobileNet V3 large", "torchvision", _MOBILE3),
    Entry("mobilenet_v3_small", "MobileNet V3 small", "torchvision", _MOBILE3),
    Entry("shufflenet_v2_x0_5", "ShuffleNet V2 0.5x", "torchvision", _SHUFFLE),
    Entry("shufflenet_v2_x1_0", "ShuffleNet V2 1.0x", "torchvision", _SHUFFLE),
    Entry("efficientnet_b0", "EfficientNet-B0", "torchvision", _EFFICIENT),
    Entry("efficientnet_b3", "EfficientNet-B3", "torchvision", _EFFICIENT, 300),
    Entry("efficientnet_v2_s", "EfficientNet V2-S", "torchvision", _EFFICIENT2, 384),
    Entry("mnasnet0_5", "MnasNet 0.5", "torchvision", _MNAS),
    Entry("mnasnet1_0", "MnasNet 1.0", "torchvision", _MNAS),
    Entry("regnet_x_400mf", "RegNet X-400MF", "torchvision", _REGNET),
    Entry("regnet_x_3_2gf", "RegNet X-3.2GF", "torchvision", _REGNET),
    Entry("regnet_y_400mf", "RegNet Y-400MF", "torchvision", _REGNET),
    Entry("regnet_y_3_2gf", "RegNet Y-3.2GF", "torchvision", _REGNET),
    Entry("convnext_tiny", "ConvNeXt-T", "torchvision", _CONVNEXT),
    Entry("convnext_base", "ConvNeXt-B", "torchvision", _CONVNEXT),
    Entry("darknet53", "Darknet-53 (YOLOv3 backbone)", "timm", _YOLO3, 256),
    Entry("cspdarknet53", "CSPDarknet-53 (YOLOv4 backbone)", "timm", "Wang et al. 2019, arXiv:1911.11929", 256),
    Entry("unet", "U-Net (as published, unpadded)", "paper", _UNET, 572, 1, "segmentation"),
    Entry("unet_padded", "U-Net (padded convolutions)", "paper", _UNET, 256, 3, "segmentation"),
    Entry("fcn_resnet50", "FCN ResNet-50", "torchvision", "Long et al. 2014, arXiv:1411.4038", 520, 3, "segmentation"),
    Entry(
        "deeplabv3_resnet50", "DeepLabV3 ResNet-50", "torchvision", "Chen et al. 2017, arXiv:1706.05587", 520, 3, "segmentation"
    ),
    Entry("lraspp_mobilenet_v3_large", "LR-ASPP MobileNet V3 large", "torchvision", _MOBILE3, 520, 3, "segmentation"),
)
