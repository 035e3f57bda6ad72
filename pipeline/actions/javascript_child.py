"""The process that runs scripts: ``python javascript_child.py DIRECTORY``, which holds the engine.

For each line that it reads, a JSON object, it writes one: ``{"value"}`` or ``{"error"}``. It imports
nothing of this package, so that it starts quickly and knows nothing.
"""

from __future__ import annotations

import json
import resource
import sys
from typing import Any

# What interpreter and engine take, beside what the script may.
OWN_MEMORY = 256 * 1024 * 1024
STACK = 1024 * 1024


def evaluate(given: dict[str, Any]) -> str:
    """The script's value as JSON text. Raises the engine's exceptions."""
    import quickjs

    engine = quickjs.Context()
    engine.set_memory_limit(given["memory"])
    engine.set_max_stack_size(STACK)
    engine.set_time_limit(given["seconds"])
    engine.set("$json", json.dumps(given["context"]))
    engine.eval("var $ = JSON.parse($json); delete globalThis.$json;")
    # As Mistral wraps it; the line break ends a comment in the script's last line.
    engine.set("$script", given["script"])
    text = engine.eval(
        "var $stringify = JSON.stringify, $body = new Function($script); delete globalThis.$script;"
        "(function () { const value = $stringify($body());"
        " return value === undefined ? 'null' : value })()"
    )
    if not isinstance(text, str):
        raise ValueError("its value cannot be written as JSON")
    if len(text) > given["result"]:
        raise ValueError(f"its value is larger than {given['result']} characters")
    return text


def confine(memory: int) -> None:
    """Limits this process, in case the engine does not keep to its own limits."""
    resource.setrlimit(resource.RLIMIT_AS, (memory + OWN_MEMORY, memory + OWN_MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))


def explain(error: Exception, seconds: float, memory: int) -> str:
    """What the script's author should read."""
    text = str(error).strip().split("\n")[0] or type(error).__name__
    if "interrupted" in text:
        return f"it did not end within {seconds:g} s"
    if isinstance(error, MemoryError) or "out of memory" in text or text == "null":
        return f"it needs more memory than {memory // 1024 // 1024} MiB"
    return text


def main() -> None:
    sys.path.append(sys.argv[1])
    confined = False
    for line in sys.stdin.buffer:
        given = json.loads(line)
        seconds, memory = given["seconds"], given["memory"]
        if not confined:
            confine(memory)
            confined = True
        try:
            answer = '{"value": ' + evaluate(given) + "}"
        except Exception as error:
            answer = json.dumps({"error": explain(error, seconds, memory)[:2_000]})
        sys.stdout.buffer.write(answer.encode(errors="replace") + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
