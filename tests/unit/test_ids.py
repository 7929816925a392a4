"""Formats of the ids that are made here."""

from onebell import ids

AT = 1_795_231_030_659


def test_public_ids_are_of_the_documented_form() -> None:
    """A message's public id is 32 lower-case hex digits, whenever it is made (sheets pushplus §1.1, pushgo §0)."""
    assert all(ids.HEX32.match(ids.public_hex32(at)) for at in (0, AT, 2**48 - 1, 2**48))


def test_public_ids_of_one_instant_are_all_different() -> None:
    """Ten thousand ids of one millisecond differ, and stand next to each other when sorted among others."""
    made = {ids.public_hex32(AT) for _ in range(10_000)}

    assert len(made) == 10_000
    assert {one[:12] for one in made} == {f"{AT:012x}"}
    assert max(made) < ids.public_hex32(AT + 1)


def test_random_ids_share_nothing() -> None:
    """What must stay secret has no part that tells when it was made."""
    made = [ids.hex32() for _ in range(1_000)]

    assert len({one[:12] for one in made}) == len({one[12:] for one in made}) == 1_000
    assert all(ids.HEX32.match(one) for one in made)


def test_wecom_ids_are_of_the_documented_form() -> None:
    """Two letters and 30 of the 64 characters, each of which turns up (sheet wecom §1)."""
    made = [ids.wecom_id("bp") for _ in range(1_000)]

    assert all(ids.WECOM_ID.match(one) for one in made)
    assert len(set("".join(one[2:] for one in made))) == 64
