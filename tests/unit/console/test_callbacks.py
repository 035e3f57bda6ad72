from __future__ import annotations

from typing import Any

import pytest

from pipeline.console.callbacks import command
from pipeline.errors import InvalidCall

HOLDER = {"root": "r", "execution": "e"}


@pytest.mark.parametrize(
    ("output", "result"),
    [
        ({"result": 1}, 1),
        ('{"result": [1, 2]}', [1, 2]),
        ({"result": 1, "more": 2}, {"result": 1, "more": 2}),
        ("plain words", "plain words"),
        (None, None),
    ],
)
def test_the_output_is_json_in_either_form(output: Any, result: Any) -> None:
    made = command("act", HOLDER, {"state": "SUCCESS", "output": output})
    assert (made["command"], made["action"], made["root"], made["execution"]) == ("COMPLETE", "act", "r", "e")
    assert (made["state"], made["result"]) == ("SUCCESS", result)


@pytest.mark.parametrize("state", [None, "DONE", "IDLE", 1])
def test_another_state_is_refused(state: Any) -> None:
    with pytest.raises(InvalidCall, match="is none of"):
        command("act", HOLDER, {"state": state})
