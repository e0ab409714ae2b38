"""Files beside a record: tables, pictures for figures; weights and predictions if asked for."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image
from torch import Tensor, nn

from benchmark import provenance
from benchmark.data.decoding.greys import as_bytes
from benchmark.data.native import to_native
from benchmark.data.prepared import CaseEntry
from benchmark.data.split.trial_data import Images, TrialData
from benchmark.files import replacing, write_atomically
from benchmark.store.tables import write_table
from benchmark.study.trials import Trial
from benchmark.toolkit.method import Examination, Method
from benchmark.training import inference
from benchmark.training.evaluate import Evaluation, Surfaces
from benchmark.training.inference import View

_PANEL_CASES = 4
_EXTREMES = 3  # of the worst cases, and of the best


def write_tables(
    folder: Path,
    trial: Trial,
    data: TrialData,
    history: Iterable[Mapping[str, Any]],
    final: Evaluation,
    surfaces: Surfaces,
) -> None:
    """Epochs, cases, settings, labelled ids and requirements of a trial. See results/README.md."""
    write_table(folder / "history.csv", history)
    rows = [a | b for a, b in zip(final.cases, surfaces.cases, strict=True)]
    write_table(folder / "cases.csv", rows)
    if final.classes:
        rows = [a | b for a, b in zip(final.classes, surfaces.classes, strict=True)]
        write_table(folder / "classes.csv", rows)
    write_atomically(folder / "config.yaml", yaml.safe_dump(trial.settings()))
    write_atomically(folder / "labelled.txt", "".join(f"{i}\n" for i in data.labelled.ids))
    write_atomically(folder / "requirements.txt", provenance.requirements())


def write_saved_predictions(
    folder: Path,
    save: Sequence[str],
    method: Method,
    view: View,
    final: Evaluation,
) -> None:
    """What of predictions was asked for with --save."""
    if "predictions" in save:
        write_predictions(folder / "predictions", view.data, final.predicted)
    if "predictions:unlabelled" in save and len(view.data.unlabelled):
        data = view.data.on_unlabelled
        seen = view.on(data)
        found = inference.predicted(method, seen)
        write_predictions(folder / "predictions_unlabelled", data, found)


def write_panel(folder: Path, method: Method, view: View, final: Evaluation) -> None:
    """`panel.npz`: the first cases as image_0, target_0, prediction_0, …, and the method's own.

    Of a volume it is the slice across the last axis that has most foreground.
    """
    rows = view.data.evaluation.indices[:_PANEL_CASES]
    places = range(len(rows))
    further = inference.pictures(method, view, rows)
    panel = _pictures(view.data, final, places)
    for i in places:
        picture = _slice_of(view.data.evaluation.masks[rows[i]])
        panel |= {f"{name}_{i}": pictures[i][picture] for name, pictures in further.items()}
    with replacing(folder / "panel.npz") as file:
        np.savez_compressed(file, **panel)


def write_extremes(folder: Path, data: TrialData, final: Evaluation) -> None:
    """`extremes.npz`: the cases of lowest Dice, then those of highest, in form of a panel."""
    with replacing(folder / "extremes.npz") as file:
        np.savez_compressed(file, **_pictures(data, final, extremes(final.cases)))


def extremes(cases: Sequence[Mapping[str, Any]]) -> list[int]:
    """Places of up to three cases of lowest Dice, ascending, and of highest, descending.

    None is among both; none has Dice without a meaning, or is empty in target and prediction.
    """
    told = [i for i, c in enumerate(cases) if c["tp"] + c["fp"] + c["fn"] and c["dc"] == c["dc"]]
    ranked = sorted(told, key=lambda i: (cases[i]["dc"], cases[i]["case"]))
    n_best = min(_EXTREMES, len(ranked) // 2)
    n_worst = min(_EXTREMES, len(ranked) - n_best)
    return ranked[:n_worst] + ranked[::-1][:n_best]


def _pictures(data: TrialData, final: Evaluation, places: Sequence[int]) -> dict[str, ndarray]:
    """Of these of the evaluated cases: case, image_0, target_0, prediction_0, …"""
    evaluation = data.evaluation
    found = {"case": np.array([evaluation.ids[place] for place in places], np.str_)}
    for i, place in enumerate(places):
        row = evaluation.indices[place]
        target = evaluation.masks[row]
        picture = _slice_of(target)
        found[f"image_{i}"] = as_bytes(evaluation.images[row][picture])
        found[f"target_{i}"] = target[picture]
        found[f"prediction_{i}"] = final.predicted[place][picture]
    return found


def _slice_of(target: UInt8[ndarray, "*s"]) -> Any:
    """What of a case is shown, as an index: of a volume the slice with most foreground."""
    if target.ndim < 3:
        return np.s_[...]
    return np.s_[:, :, int((target > 0).sum((0, 1)).argmax())]


def write_examination(
    folder: Path, u: Float[Tensor, "b c *s"], seen: Examination, data: Images
) -> None:
    """`panel.npz` of a pretraining: image_0, pseudo_label_0, …, and the method's own pictures.

    Of a volume it is the slice in the middle of the last axis.
    """
    at = u.shape[-1] // 2
    picture = np.s_[:, :, at] if u.ndim == 5 else np.s_[...]
    panel: dict[str, ndarray] = {}
    for i in range(min(len(u), _PANEL_CASES)):
        panel[f"image_{i}"] = _shown(u[i], data)[picture]
        labels = seen.masks[i].argmax(0).cpu().numpy().astype(np.uint8)
        panel[f"pseudo_label_{i}"] = labels[picture]
        for name, values in seen.pictures.items():
            panel[f"{name}_{i}"] = _shown(values[i], data)[picture]
    with replacing(folder / "panel.npz") as file:
        np.savez_compressed(file, **panel)


def _shown(z: Float[Tensor, " c *s"], data: Images) -> UInt8[ndarray, "*s c"]:
    """Z-scores as bytes: of images, which share mean and deviation, the grey levels that they are.

    Volumes have their own, which is not known of a patch or slice: three deviations either way.
    """
    values = z.float().movedim(0, -1).cpu().numpy()
    are_shared = (data.std == data.std[0]).all() and (data.mean == data.mean[0]).all()
    grey = values * data.std[0] + data.mean[0] if are_shared else values / 6 + 0.5
    return np.rint(grey.clip(0, 1) * 255).astype(np.uint8)


@torch.no_grad()
def tested_modules(method: Method, channels: int, sides: Sequence[int]) -> dict[str, nn.Module]:
    """The modules that take part in `forward`, by name: the network that is tested.

    channels, sides: of an image or window that it sees.
    """
    names = {module: name for name, module in method.named_modules()}
    used: dict[str, nn.Module] = {}
    hooks = [
        module.register_forward_hook(lambda m, *_: used.update({names[m]: m})) for module in names
    ]
    device = next(method.parameters()).device
    method.eval()(torch.zeros(1, channels, *sides, device=device))
    for hook in hooks:
        hook.remove()
    return used


def count_parameters(modules: dict[str, nn.Module]) -> int:
    """Numbers in the parameters of the modules, each counted once."""
    own = {p for module in modules.values() for p in module.parameters(recurse=False)}
    return sum(p.numel() for p in own)


def tensors_of(modules: dict[str, nn.Module]) -> dict[str, Tensor]:
    """Parameters and buffers of the modules, by their names within the method."""
    return {
        f"{name}.{key}".removeprefix("."): value
        for name, module in modules.items()
        for key, value in (
            *module.named_parameters(recurse=False),
            *module.named_buffers(recurse=False),
        )
    }


def write_predictions(
    target: Path, data: TrialData, predicted: Sequence[UInt8[ndarray, "*s"]]
) -> None:
    """`<case>.png` (class numbers), or `.nii.gz` of volumes: over the image as it came.

    At the size of the image's file, and of volumes with its affine (the identity if it has none).
    """
    target.mkdir(exist_ok=True)
    for row, labels in zip(data.evaluation.indices, predicted, strict=True):
        case = data.cases[row]
        native = to_native(labels, case)
        if native.ndim == 3:
            _write_nifti(target / f"{case.id}.nii.gz", native, case)
        else:
            Image.fromarray(native).save(target / f"{case.id}.png")


def _write_nifti(file: Path, labels: UInt8[ndarray, "x y z"], case: CaseEntry) -> None:
    import nibabel

    image = nibabel.Nifti1Image(labels, np.array(case.affine) if case.affine else np.eye(4))
    image.header.set_xyzt_units("mm" if case.affine and case.spacing else "unknown")
    nibabel.save(image, file)
