"""All five parts on a real photograph, small."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
import trimesh

from visage.avatar.build import AvatarError, build_avatar
from visage.avatar.head import fine_model
from visage.avatar.progress import Progress
from visage.avatar.stages import STAGES
from visage.photos.landmarks import NoFaceError
from visage.recognition.encoder import load_encoder
from visage.texture.export_texture import read_head
from visage.texture.head_mesh import seamed_mesh


def test_every_stage_has_a_picture_in_order(avatar, config):
    assert tuple(stage.name for stage in avatar.stages) == STAGES
    for stage in avatar.stages:
        assert stage.picture.shape == (1, 3, config.shown, config.shown)
        assert 0 <= float(stage.picture.min()) < float(stage.picture.max()) <= 1
        assert stage.seconds > 0
        assert not stage.picture.requires_grad
    assert avatar.seconds == pytest.approx(sum(stage.seconds for stage in avatar.stages))


def test_distances_are_the_recognisers(avatar):
    found = {stage.name: stage.distance for stage in avatar.stages}
    assert found["photograph"] is None
    assert found["embedding"] == pytest.approx(0, abs=1e-5)
    # The inversion network was trained for exactly this.
    assert found["inversion"] < avatar.threshold < 1
    assert 0.2 < found["coarse"] < 1.2
    assert avatar.embedding.shape == (1, 128)


def test_two_stages_have_a_second_picture(avatar):
    also = {stage.name: stage.also.name for stage in avatar.stages if stage.also}
    assert also == {"normalized": "nfgan", "texture": "front"}


def test_the_head_is_looked_at_in_the_photographs_pose(avatar):
    """The rendered head's face covers the photograph's: skin where the landmarks are."""
    size = avatar.stage("texture").picture.shape[-1]
    points = ((avatar.landmarks[0] + 0.5) * size / 256 - 0.5).round().long().clamp(0, size - 1)
    grey = avatar.stage("texture").picture[0, :, 0, 0]
    inner = points[27:48]  # nose and eyes
    at = avatar.stage("texture").picture[0][:, inner[:, 1], inner[:, 0]]
    assert ((at - grey[:, None]).abs().amax(0) > 0.02).float().mean() > 0.9


def test_the_same_photograph_gives_the_same_avatar(avatar, photo, config):
    """Up to the last digits of sums, whose order can change with where in memory numbers lie."""
    again = build_avatar(photo, config, progress=False)
    close = partial(torch.testing.assert_close, rtol=0)
    close(again.embedding, avatar.embedding, atol=1e-5)
    close(again.texture.texture, avatar.texture.texture, atol=0.02)
    close(again.head.identity, avatar.head.identity, atol=0.1)  # of a standard deviation
    close(again.head.maps.height, avatar.head.maps.height, atol=0.01)  # mm
    for one, other in zip(again.stages, avatar.stages, strict=True):
        assert float((one.picture - other.picture).abs().mean()) < 1e-3
        assert one.distance == pytest.approx(other.distance, abs=0.01)


def test_unknown_stage_is_named(avatar):
    with pytest.raises(AvatarError, match="no stage 'hair'; choose among photograph"):
        avatar.stage("hair")


def test_a_glb_is_read_back(avatar, tmp_path):
    path = avatar.save(tmp_path / "head.glb")
    assert [file.name for file in tmp_path.iterdir()] == ["head.glb"]
    back, model = read_head(path), fine_model()
    vertices = model.vertices(avatar.head.identity, avatar.head.expression)[0]
    cut = seamed_mesh(model)
    assert torch.equal(back.triangles, cut.triangles)
    torch.testing.assert_close(back.vertices, cut.places(vertices), atol=1e-3, rtol=0)
    assert back.seen is not None
    assert 0.01 < float(back.seen.mean()) < 0.14  # of the atlas; the window is a seventh of it


def test_a_glb_is_in_metres_upright_with_its_textures_inside(avatar, tmp_path):
    mesh = trimesh.load(avatar.save(tmp_path / "head.glb"), force="mesh", process=False)
    low, high = mesh.bounds
    assert ((high - low > 0.12) & (high - low < 0.5)).all()
    nose = mesh.vertices[mesh.vertices[:, 2].argmax()]
    assert abs(nose[0]) < 0.03  # the face looks along z
    assert low[1] < nose[1] < high[1]
    material = mesh.visual.material
    assert min(material.baseColorTexture.size) >= 64
    normals = np.asarray(material.normalTexture.convert("RGB"), float) / 127.5 - 1
    assert np.linalg.norm(normals, axis=2).mean() == pytest.approx(1, abs=0.05)
    assert normals[..., :2].std() > 1e-3  # relief
    lengths = np.linalg.norm(mesh.vertex_normals, axis=1)
    assert lengths == pytest.approx(np.ones(len(lengths)), abs=1e-3)


def test_the_photographs_expression_can_be_kept(avatar, tmp_path):
    rest = read_head(avatar.save(tmp_path / "rest.glb")).vertices
    posed = read_head(avatar.save(tmp_path / "posed.glb", expression=True)).vertices
    assert 2 < float((rest - posed).norm(dim=1).max()) < 60  # mm, of a smile


def test_a_wrong_name_is_refused_before_anything_is_written(avatar, tmp_path):
    with pytest.raises(AvatarError, match=r"does not end in \.glb"):
        avatar.save(tmp_path / "head.obj")
    with pytest.raises(AvatarError, match="there is no folder"):
        avatar.save(tmp_path / "missing" / "head.glb")
    (tmp_path / "folder.glb").mkdir()
    with pytest.raises(AvatarError, match="is a folder"):
        avatar.save(tmp_path / "folder.glb")
    assert [file.name for file in tmp_path.iterdir()] == ["folder.glb"]


def test_an_interruption_during_the_synthesis_ends_it(photo, config, monkeypatch):
    def interrupt(self, steps):
        raise KeyboardInterrupt

    monkeypatch.setattr(Progress, "step", interrupt)
    with pytest.raises(KeyboardInterrupt, match="no avatar"):
        build_avatar(photo, config, progress=False)


def test_a_picture_without_a_face_is_refused(config):
    with pytest.raises(NoFaceError, match="no face was found"):
        build_avatar(torch.full((1, 3, 120, 120), 0.5), config, progress=False)


def test_another_recogniser_is_refused(photo, config):
    with pytest.raises(AvatarError, match="of dlib_resnet, not of light_cnn"):
        build_avatar(photo, config, encoder=load_encoder("light_cnn"), progress=False)


def test_a_grey_photograph_with_16_bits_will_do(photo, config):
    grey = (photo[0].mean(0).numpy() * 65535).astype(np.uint16)
    small = replace(config, iterations=1)
    made = build_avatar(grey, small, progress=False)
    assert made.stage("texture").distance < 1.2
