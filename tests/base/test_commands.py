"""What a command prints: cells under one another, whatever script they are written in."""

from renkei.base.commands import print_columns


def test_cells_stand_under_one_another_and_a_japanese_letter_takes_two_columns(capsys):
    print_columns([("node", "keys", ""), ("東京", "7", "x"), ("us", "1,024", "")], right=(1,))

    assert capsys.readouterr().out.splitlines() == ["node   keys", "東京      7  x", "us    1,024"]
