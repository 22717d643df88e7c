"""Presets against figures that others published, against recorded forward passes, and at the edges of their resolutions."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest

from cnnpredict_gui.core.errors import ConfigError, DataFileError, UnknownNameError
from cnnpredict_gui.infra.paths import resources_dir
from cnnpredict_gui.studies import presets
from cnnpredict_gui.studies.layers import KINDS, totals, with_batch_size, with_dtype
from cnnpredict_gui.studies.presets import list_presets, preset

# num_params and GFLOPS (in fact multiply-accumulates, 1e9) as in torchvision's documentation, tables of the pre-trained
# weights IMAGENET1K_V1 (and COCO_WITH_VOC_LABELS_V1), at the crop size stated there.
TORCHVISION = [
    ("alexnet", 224, 61_100_840, 0.714),
    ("convnext_base", 224, 88_591_464, 15.355),
    ("convnext_tiny", 224, 28_589_128, 4.456),
    ("densenet121", 224, 7_978_856, 2.834),
    ("densenet169", 224, 14_149_480, 3.36),
    ("efficientnet_b0", 224, 5_288_548, 0.386),
    ("efficientnet_b3", 300, 12_233_232, 1.827),
    ("efficientnet_v2_s", 384, 21_458_488, 8.366),
    ("googlenet", 224, 6_624_904, 1.498),
    ("lraspp_mobilenet_v3_large", 520, 3_221_538, 2.086),
    ("mnasnet0_5", 224, 2_218_512, 0.104),
    ("mnasnet1_0", 224, 4_383_312, 0.314),
    ("mobilenet_v2", 224, 3_504_872, 0.301),
    ("mobilenet_v3_large", 224, 5_483_032, 0.217),
    ("mobilenet_v3_small", 224, 2_542_856, 0.057),
    ("regnet_x_3_2gf", 224, 15_296_552, 3.177),
    ("regnet_x_400mf", 224, 5_495_976, 0.414),
    ("regnet_y_3_2gf", 224, 19_436_338, 3.176),
    ("regnet_y_400mf", 224, 4_344_144, 0.402),
    ("resnet101", 224, 44_549_160, 7.801),
    ("resnet152", 224, 60_192_808, 11.514),
    ("resnet18", 224, 11_689_512, 1.814),
    ("resnet34", 224, 21_797_672, 3.664),
    ("resnet50", 224, 25_557_032, 4.089),
    ("resnext50_32x4d", 224, 25_028_904, 4.23),
    ("shufflenet_v2_x0_5", 224, 1_366_792, 0.04),
    ("shufflenet_v2_x1_0", 224, 2_278_604, 0.145),
    ("squeezenet1_0", 224, 1_248_424, 0.819),
    ("squeezenet1_1", 224, 1_235_496, 0.349),
    ("vgg11", 224, 132_863_336, 7.609),
    ("vgg13", 224, 133_047_848, 11.308),
    ("vgg16", 224, 138_357_544, 15.47),
    ("vgg19", 224, 143_667_240, 19.632),
    ("wide_resnet50_2", 224, 68_883_240, 11.398),
    # Published with a classifier that only training uses; the presets leave it out, hence the second number of each.
    # Inception v3: 1x1 conv 768 to 128 and 5x5 conv 128 to 768, both with batch norm, and a linear layer 768 to 1000.
    ("inception_v3", 299, 27_161_264 - (768 * 128 + 256 + 25 * 128 * 768 + 1536 + 769_000), 5.713),
    # FCN and DeepLabV3: 3x3 conv 1024 to 256 with batch norm and 1x1 conv 256 to 21 with bias, at 65 x 65 pixels.
    (
        "fcn_resnet50",
        520,
        35_322_218 - (9 * 1024 * 256 + 512 + 256 * 21 + 21),
        152.717 - 65 * 65 * (9 * 1024 * 256 + 256 * 21) / 1e9,
    ),
    (
        "deeplabv3_resnet50",
        520,
        42_004_074 - (9 * 1024 * 256 + 512 + 256 * 21 + 21),
        178.722 - 65 * 65 * (9 * 1024 * 256 + 256 * 21) / 1e9,
    ),
]
ALL = sorted(path.stem for path in (resources_dir() / "presets").glob("*.json"))


@pytest.mark.parametrize(("name", "resolution", "parameters", "gmacs"), TORCHVISION, ids=lambda value: str(value))
def test_published_parameters_and_macs(name: str, resolution: int, parameters: int, gmacs: float) -> None:
    found = totals(preset(name).layers(resolution))
    assert found.parameters == parameters == preset(name).parameters
    assert found.macs / 1e9 == pytest.approx(gmacs, abs=0.00051)


@pytest.mark.parametrize(
    ("name", "resolution", "million_parameters", "gmacs", "million_activations"),
    # Model cards of timm: darknet53.c2ns_in1k and cspdarknet53.ra_in1k (256 px). Their GMACs count two operations per
    # element of a batch normalisation besides convolutions and linear layers; activations are outputs of convolutions.
    [("darknet53", 256, 41.6, 9.3, 12.4), ("cspdarknet53", 256, 27.6, 6.6, 16.8)],
)
def test_published_figures_of_yolo_backbones(
    name: str, resolution: int, million_parameters: float, gmacs: float, million_activations: float
) -> None:
    layers = preset(name).layers(resolution)
    normalised = sum(_elements(layer.output_shape) for layer in layers if layer.kind == "normalisation")
    activations = sum(layer.config.output_elements for layer in layers if layer.config)
    assert round(totals(layers).parameters / 1e6, 1) == million_parameters
    assert round((totals(layers).macs + 2 * normalised) / 1e9, 1) == gmacs
    assert round(activations / 1e6, 1) == million_activations


def test_mobilenet_v1_against_its_paper() -> None:
    """Howard et al. 2017, table 4: 569 million mult-adds, 4.2 million parameters."""
    found = totals(preset("mobilenet_v1").layers(224))
    assert (round(found.macs / 1e6), round(found.parameters / 1e6, 1)) == (569, 4.2)


def test_unet_against_its_paper() -> None:
    """Ronneberger et al. 2015: 572 px in, 388 px out, 28 px at the bottom, 23 convolutional layers; 31,030,658 parameters."""
    layers = preset("unet").layers()
    kinds = Counter(layer.kind for layer in layers)
    assert kinds["conv"] + kinds["transposed conv"] == 23
    assert layers[-1].output_shape == (1, 2, 388, 388)
    assert min(layer.output_shape[2] for layer in layers) == 28
    assert totals(layers).parameters == 31_030_658


def test_padded_unet_keeps_the_size() -> None:
    """The published network with padding and two more input channels, each seen by 64 kernels of 3 x 3."""
    layers = preset("unet_padded").layers(256, 2)
    assert layers[-1].output_shape == (2, 2, 256, 256)
    assert totals(layers).parameters == 31_030_658 + 2 * 64 * 9


@pytest.mark.parametrize("name", ALL)
def test_convolutions_match_recorded_forward_passes(name: str) -> None:
    """The sums were counted from real modules and their real outputs when the preset was made."""
    checks = json.loads((resources_dir() / "presets" / f"{name}.json").read_text(encoding="utf-8"))["checks"]
    assert len(checks) >= 5
    for height, width, batch, macs, elements in checks:
        layers = preset(name).layers((height, width), batch)
        configs = [layer.config for layer in layers if layer.config]
        assert (sum(c.macs for c in configs), sum(c.output_elements for c in configs)) == (macs, elements)


@pytest.mark.parametrize("name", ALL)
def test_smallest_resolution_is_enforced(name: str) -> None:
    network = preset(name)
    network.layers(network.minimum_resolution)
    with pytest.raises(ConfigError, match=f"at least {network.minimum_resolution} × "):
        network.layers(network.minimum_resolution - 1)
    with pytest.raises(ConfigError, match="at least"):
        network.layers((network.default_resolution, network.minimum_resolution - 1))


@pytest.mark.parametrize("name", ALL)
def test_layers_are_named_and_reasons_given(name: str) -> None:
    layers = preset(name).layers()
    assert len({layer.name for layer in layers}) == len(layers)
    for layer in layers:
        assert layer.kind in KINDS
        assert layer.predicted == (layer.kind == "conv")
        assert bool(layer.reason) != layer.predicted
        assert layer.output_shape[0] == 1


def test_resnet50_layer_by_name() -> None:
    """Table 1 of He et al. 2015, conv3_1: three by three, 128 channels, stride 2 from 56 x 56 to 28 x 28."""
    layer = next(one for one in preset("resnet50").layers(224, 8) if one.name == "layer2.0.conv2")
    assert layer.config is not None
    assert layer.config.compact() == {
        "batch_size": 8,
        "input_channels": 128,
        "input_height": 56,
        "input_width": 56,
        "output_channels": 128,
        "kernel_size": 3,
        "stride": 2,
    }
    assert layer.output_shape == (8, 128, 28, 28)


def test_ceil_mode_follows_pytorch() -> None:
    """GoogLeNet's pools round up: 224 gives 112, 56, 28, 14, 7 (Szegedy et al. 2014, table 1)."""
    sizes = [layer.output_shape[2] for layer in preset("googlenet").layers(224) if "maxpool" in layer.name]
    assert sizes == [56, 28, 14, 7]


def test_the_catalogue_holds_what_is_promised() -> None:
    wanted = "alexnet vgg16 googlenet inception_v3 resnet18 resnet50 resnet152 resnext50_32x4d densenet121 squeezenet1_0"
    wanted += " mobilenet_v2 mobilenet_v3_large shufflenet_v2_x1_0 efficientnet_b0 mnasnet1_0 regnet_y_400mf convnext_tiny"
    wanted += " unet darknet53 cspdarknet53"
    found = {one.name: one for one in list_presets()}
    assert set(wanted.split()) <= set(found)
    for one in found.values():
        assert one.source
        assert one.licence
        assert "arXiv:" in one.paper


def test_lookup_by_name_and_title() -> None:
    assert preset("ResNet-50") == preset("resnet50")
    with pytest.raises(UnknownNameError, match="did you mean resnet50"):
        preset("resnet5")


@pytest.mark.parametrize(
    ("resolution", "batch", "field"), [(70_000, 1, "resolution"), (224, 0, "batch_size"), (224, 70_000, "batch_size")]
)
def test_values_out_of_limits(resolution: int, batch: int, field: str) -> None:
    with pytest.raises(ConfigError) as caught:
        preset("resnet18").layers(resolution, batch)
    assert caught.value.field == field


def test_a_batch_scales_macs_but_not_parameters() -> None:
    one, many = (totals(preset("mobilenet_v2").layers(224, batch)) for batch in (1, 8))
    assert (many.macs, many.parameters) == (8 * one.macs, one.parameters)


@pytest.mark.parametrize("name", ["resnet18", "convnext_tiny", "unet", "shufflenet_v2_x1_0"])
def test_changing_the_batch_later_is_exact(name: str) -> None:
    assert with_batch_size(preset(name).layers(256), 6) == preset(name).layers(256, 6)


def test_another_element_type() -> None:
    layers = preset("alexnet").layers(224, 1, "fp16")
    assert {layer.config.dtype for layer in layers if layer.config} == {"fp16"}
    assert with_dtype(preset("alexnet").layers(), "fp16") == layers
    with pytest.raises(ConfigError, match="unknown"):
        preset("alexnet").layers(dtype="fp64")


def test_a_damaged_file_is_named(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets" / "broken.json").write_text('{"format": 1, "name": ', encoding="utf-8")
    monkeypatch.setattr(presets, "resources_dir", lambda: tmp_path)
    with pytest.raises(DataFileError, match=r"broken\.json is damaged"):
        list_presets()


def _elements(shape: tuple[int, ...]) -> int:
    count = 1
    for extent in shape:
        count *= extent
    return count


def test_equal_layers_share_what_is_changed_and_keep_what_is_not() -> None:
    one = preset("alexnet").layers()[0]
    assert one.config is not None
    layers = [one, replace(one, name="b", config=one.config.model_copy())]
    for changed in (with_dtype(layers, "fp16"), with_batch_size(layers, 4)):
        assert [layer.name for layer in changed] == [one.name, "b"] and changed[0].config is changed[1].config
    for kept in (with_dtype(layers, "fp32"), with_batch_size(layers, 1)):
        assert kept[0] is one and kept[1].config == one.config
