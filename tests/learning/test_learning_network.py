"""The network that ships: its outputs, its saved file, and what its class score hangs on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bundle_factory import lesion_card, reference, scan, seeded, settings_for

from core.learning.architectures import CAM_FEATURES, CLASS_LOGITS, LESION, lesion_net
from core.learning.calibration import calibrated
from core.model import InputSpec, Outputs, Predictor, import_tensorflow, preprocess, write_bundle

WIDTHS = (4, 6, 8, 10, 12)
SHIPPED_PARAMETERS = 1_554_362
OUTPUTS = Outputs(logits=CLASS_LOGITS, lesion=LESION, cam_features=CAM_FEATURES)


@pytest.fixture(scope="module")
def network() -> Any:
    import_tensorflow()
    return seeded(lesion_net(32, 3, widths=WIDTHS), seed=4)


def _picture(seed: int = 0, size: int = 32) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(2, size, size, 1)).astype(np.float32)


def test_outputs_are_those_the_card_names(network: Any) -> None:
    found = network(_picture())
    assert {name: tuple(value.shape) for name, value in found.items()} == {
        "class_logits": (2, 3),
        "lesion": (2, 32, 32, 1),
        "cam_features": (2, 2, 2, 12),
    }
    lesion = found["lesion"].numpy()
    assert 0 <= lesion.min() < lesion.max() <= 1


def test_the_shipped_size_is_unchanged() -> None:
    import_tensorflow()
    # Weights of finished runs fit only the very same network.
    net = lesion_net(160, 3)
    assert net.count_params() == SHIPPED_PARAMETERS
    assert tuple(net.output[CAM_FEATURES].shape) == (None, 10, 10, 160)


def test_a_side_that_does_not_halve_four_times_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple of 16"):
        lesion_net(100, 3)


def _gradients(network: Any) -> dict[str, float]:
    tf = import_tensorflow()
    with tf.GradientTape() as tape:
        score = network(_picture(), training=False)[CLASS_LOGITS][:, 2]
    variables = network.trainable_variables
    found = tape.gradient(score, [variable.value for variable in variables])
    return {
        variable.path: 0.0 if g is None else float(tf.reduce_max(tf.abs(g)))
        for variable, g in zip(variables, found, strict=True)
    }


def test_no_class_gradient_runs_through_the_decoder(network: Any) -> None:
    names = [layer.name for layer in network.layers]
    decoder = set(names[names.index(CAM_FEATURES) + 1 : names.index(LESION)])
    through = _gradients(network)
    behind = {path: size for path, size in through.items() if path.split("/")[0] in decoder}
    assert len(behind) >= 20
    assert any(path.startswith("lesion_half") for path in behind)
    assert set(behind.values()) == {0.0}
    encoder = {p: size for p, size in through.items() if p not in behind}
    assert sum(size > 0 for size in encoder.values()) > 0.9 * len(encoder)


def test_the_class_still_depends_on_where_the_lesion_is_drawn(network: Any) -> None:
    before = network(_picture())[CLASS_LOGITS].numpy()
    kernel = network.get_layer("lesion_half").weights[0]
    kept = kernel.numpy()
    kernel.assign(-3 * kept)
    try:
        after = network(_picture())[CLASS_LOGITS].numpy()
    finally:
        kernel.assign(kept)
    assert np.abs(after - before).max() > 1e-4


def test_saved_loaded_safely_and_read_it_answers_the_same(network: Any, tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    card = lesion_card(outputs=OUTPUTS)
    folder = settings.model_roots[0] / card.task / card.version
    write_bundle(folder, network, card, reference())
    read = Predictor.load(card.task, card.version, settings=settings).read(scan(48, 40))
    pixels, geometry = preprocess(scan(48, 40).grey, InputSpec(32))
    found = network(pixels[None], training=False)
    wanted = calibrated(found[CLASS_LOGITS].numpy(), card.calibration)[0]
    np.testing.assert_allclose(list(read.probabilities.values()), wanted, atol=1e-5)
    lesion = read.lesion_map()
    assert lesion is not None
    np.testing.assert_allclose(
        lesion, geometry.to_image(found[LESION].numpy()[0, ..., 0]), atol=1e-4
    )
    assert read.heat_available
    assert read.heat().shape == lesion.shape == (48, 40)
