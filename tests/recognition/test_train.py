import torch

from visage.recognition.light_cnn import DIM, SIZE, LightCNN
from visage.recognition.margin_softmax import margin_softmax
from visage.recognition.train import MARGIN, RECIPES, SCALE, RecognitionTask, recognition_loss


def task_and_batch():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        task = RecognitionTask(5)
        batch = {"faces": torch.randn(4, 1, SIZE, SIZE), "people": torch.tensor([0, 1, 1, 4])}
    return task.eval(), batch


def test_the_loss_is_the_margin_softmax_over_all_people():
    task, batch = task_and_batch()
    loss, terms = recognition_loss(task, batch, torch.Generator())
    embeddings = task.network(batch["faces"])
    assert torch.allclose(
        loss, margin_softmax(embeddings, task.prototypes, batch["people"], SCALE, MARGIN)
    )
    nearest = torch.cosine_similarity(embeddings[:, None], task.prototypes, dim=-1).argmax(1)
    assert terms["recognised"] == (nearest == batch["people"]).float().mean()
    loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in task.parameters())


def test_people_are_not_shipped():
    task, _ = task_and_batch()
    shipped = RECIPES["light_cnn"].shipped(task)
    assert shipped is task.network
    assert set(shipped.state_dict()) == set(LightCNN().state_dict())
    assert not any(tensor.shape == (5, DIM) for tensor in shipped.state_dict().values())
