"""What ``cnnpredict network`` prints: sums and layers, as text and as JSON."""

from __future__ import annotations

from typing import Any

from cnnpredict_gui.cli import usage
from cnnpredict_gui.core.format import interval, percent, scaled, sig3
from cnnpredict_gui.core.names import FAMILIES, TIME_KINDS
from cnnpredict_gui.core.prediction import Status
from cnnpredict_gui.studies.layers import KINDS, NetworkLayer, totals
from cnnpredict_gui.studies.network import SUM_NOTES, NetworkPrediction, NetworkResult
from cnnpredict_gui.studies.network_source import OpenedNetwork


def show_layers(opened: OpenedNetwork, as_json: bool) -> None:
    """Print the layers of a network that nobody was asked about."""
    if as_json:
        usage.print_json({"status": "success", "network": _network_json(opened)})
        return
    print("\n".join(_summary(opened)))
    headers = ("LAYER", "KIND", "COUNT", "SHAPE", "MACS", "PARAMETERS", "REMARKS")
    rows = [
        (
            layer.name,
            layer.kind,
            str(layer.count),
            _shape(layer),
            scaled(layer.macs).strip() if layer.macs else "",
            scaled(layer.parameters).strip() if layer.parameters else "",
            layer.note or _remark(layer),
        )
        for layer in opened.layers
    ]
    usage.print_table(headers, rows, right=("COUNT", "MACS", "PARAMETERS"))


def show_prediction(opened: OpenedNetwork, prediction: NetworkPrediction, *, as_json: bool, per_layer: bool) -> None:
    """Print sums, what is not in them and, if asked for, every layer."""
    if as_json:
        usage.print_json(_json(opened, prediction, per_layer))
        return
    print("\n".join(_summary(opened)))
    headers = ("TARGET", "FAMILY", "SUM (ms)", "90 % INTERVAL (ms)", "IMAGES/S", "CONVOLUTIONS", "PREDICTOR")
    for kind, words in TIME_KINDS.items():
        results = [result for result in prediction.results if result.target.time_kind == kind]
        if results:
            print(f"\n{kind}: {words}\nnote: {SUM_NOTES[kind]}")
            usage.print_table(headers, [_sum_row(result) for result in results], right=headers[2:5])
    if per_layer:
        for result in prediction.results:
            _print_layers(opened, result)
    _print_remarks(opened, prediction)


def _summary(opened: OpenedNetwork) -> list[str]:
    found = totals(opened.layers)
    first = next((layer.config for layer in opened.layers if layer.config), None)
    sizes = (
        f", input {first.batch_size}×{first.input_channels}×{first.input_height}×{first.input_width}, {first.dtype}"
        if first
        else ""
    )
    counted = f"{found.layers} layers, {found.convolutions} convolutions ({found.distinct_convolutions} distinct)"
    macs = f"{scaled(found.macs)} MACs ({scaled(found.convolution_macs)} in convolutions)"
    about = f"{opened.title} ({opened.source}){sizes}"
    return [about, f"{counted}, {macs}, {scaled(found.parameters)} parameters".replace("  ", " ")]


def _shape(layer: NetworkLayer) -> str:
    return layer.config.label() if layer.config else "×".join(str(extent) for extent in layer.output_shape)


def _remark(layer: NetworkLayer) -> str:
    """Why a layer is not predicted, in short where the kind says enough."""
    if layer.config is not None:
        return ""
    return "not predicted" if layer.reason == KINDS[layer.kind] else f"not predicted: {layer.reason}"


def _print_remarks(opened: OpenedNetwork, prediction: NetworkPrediction) -> None:
    print()
    for layer in opened.layers:
        if layer.note:
            print(f"note: {layer.name}: {layer.note}")
    for result in prediction.results:
        if result.refused and not result.error:
            reason = next(text for text, status in zip(result.reasons, result.status, strict=True) if status == Status.REFUSED)
            effect = "its sum is a lower bound" if result.total.time_ms > 0 else "it has no sum"
            print(f"{result.predictor} refused {result.refused} convolutions, so {effect}: {reason}")
    print(f"intervals of the sums take the errors of different layers as correlated by {prediction.rho:g}")
    listed = ", ".join(f"{one.count} {one.kind}" for one in prediction.not_predicted)
    print(f"not in the sums, since they are not predicted: {listed or 'nothing'}")


def _sum_row(result: NetworkResult) -> tuple[str, ...]:
    total = result.total
    bound = "≥ " if result.is_lower_bound and total.time_ms > 0 else ""
    verdicts = ", ".join(f"{count} {verdict.label}" for verdict, count in result.verdicts.items() if count)
    return (
        result.target.title,
        FAMILIES[result.family],
        bound + sig3(total.time_ms),
        bound + interval(total.low_ms, total.high_ms),
        sig3(result.images_per_second),
        result.error or verdicts or "none",
        result.predictor,
    )


def _print_layers(opened: OpenedNetwork, result: NetworkResult) -> None:
    print(f"\n{result.predictor}: {result.target.title}, {result.target.time_kind}")
    headers = ("LAYER", "SHAPE", "COUNT", "TIME (ms)", "90 % INTERVAL (ms)", "SHARE", "VERDICT")
    rows = []
    for index, layer in enumerate(opened.layers):
        answer = result.prediction(index)
        if answer is None:
            rows.append((layer.name, _shape(layer), str(layer.count), "", "", "", f"{layer.kind}: {_remark(layer)}"))
            continue
        times = (sig3(answer.time_ms), interval(answer.low_ms, answer.high_ms), percent(100 * float(result.share[index])))
        rows.append((layer.name, _shape(layer), str(layer.count), *times, answer.verdict))
    usage.print_table(headers, rows, right=headers[2:6])


def _network_json(opened: OpenedNetwork) -> dict[str, Any]:
    found = totals(opened.layers)
    return {
        "title": opened.title,
        "source": opened.source,
        **vars(found),
        "layer_list": [
            vars(layer) | {"config": layer.config.model_dump() if layer.config else None} for layer in opened.layers
        ],
    }


def _json(opened: OpenedNetwork, prediction: NetworkPrediction, per_layer: bool) -> dict[str, Any]:
    return {
        "status": "success",
        "prediction_timestamp": usage.utc_now(),
        "network": _network_json(opened),
        "results": [_result_json(opened, result, per_layer) for result in prediction.results],
        "not_predicted": [vars(one) for one in prediction.not_predicted],
    }


def _result_json(opened: OpenedNetwork, result: NetworkResult, per_layer: bool) -> dict[str, Any]:
    total = result.total
    known = total.time_ms > 0
    document: dict[str, Any] = {
        "execution_time_ms": total.time_ms,
        "interval_ms": [total.low_ms, total.high_ms],
        "interval_independent_ms": list(total.independent),
        "interval_dependent_ms": list(total.dependent),
        "rho": total.rho,
        "is_lower_bound": result.is_lower_bound,
        "images_per_second": result.images_per_second,
        "verdicts": {verdict.label: count for verdict, count in result.verdicts.items()},
        "model_name": result.predictor,
        "model_version": result.version,
        "model_type": result.family,
        "target": result.target.name,
        "time_kind": result.target.time_kind,
        "status": "error" if result.error else "success" if known else "refused",
    }
    if result.error:
        document["error"] = result.error
    if per_layer:
        document["layers"] = [_layer_json(layer, result, index) for index, layer in enumerate(opened.layers)]
    return document


def _layer_json(layer: NetworkLayer, result: NetworkResult, index: int) -> dict[str, Any]:
    answer = result.prediction(index)
    if answer is None:
        return {"name": layer.name, "execution_time_ms": None, "status": "not predicted", "error": layer.reason}
    return {
        "name": layer.name,
        "execution_time_ms": answer.time_ms,
        "interval_ms": [answer.low_ms, answer.high_ms],
        "share": float(result.share[index]),
        "verdict": answer.verdict,
        "status": "refused" if answer.status == Status.REFUSED else "success",
    }
