import pytest

from visage.avatar.config import AvatarConfig
from visage.avatar.errors import AvatarError


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"texels": 31}, "texels is 31; give at least 32"),
        ({"people": 0}, "people is 0; give at least 1"),
        ({"iterations": 0}, "iterations is 0"),
        ({"pixels": 10}, "pixels is 10"),
        ({"detail": 250}, "multiple of 100"),
        ({"detail": 0}, "detail is 0"),
        ({"filters": 20}, "there is no inversion network of 20 filters"),
    ],
)
def test_settings_of_no_avatar_are_refused(wrong, message):
    with pytest.raises(AvatarError, match=message):
        AvatarConfig(**wrong)


def test_part_v_is_told_the_size_of_the_work():
    found = AvatarConfig(texels=96, people=7, iterations=9).inference()
    assert (found.size, found.people, found.synthesis.iterations) == (96, 7, 9)
